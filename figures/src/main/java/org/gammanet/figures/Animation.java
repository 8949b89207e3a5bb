package org.gammanet.figures;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;

/** Figures of one size, one after the other, as an animated GIF that repeats. */
public final class Animation {
  private static final String FORMAT = "javax_imageio_gif_image_1.0";

  private Animation() {}

  /**
   * The bytes of a file.
   *
   * @param frames at least one
   * @param dotsPerInch resolution
   * @param seconds that each frame stays
   */
  public static byte[] gif(List<Figure> frames, int dotsPerInch, double seconds) {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("gif").next();
    var bytes = new ByteArrayOutputStream();
    try (var out = ImageIO.createImageOutputStream(bytes)) {
      writer.setOutput(out);
      writer.prepareWriteSequence(null);
      for (int i = 0; i < frames.size(); i++) {
        var image = frames.get(i).image(dotsPerInch);
        IIOMetadata metadata = writer.getDefaultImageMetadata(new ImageTypeSpecifier(image), null);
        var root = new IIOMetadataNode(FORMAT);
        var control = new IIOMetadataNode("GraphicControlExtension");
        control.setAttribute("disposalMethod", "none");
        control.setAttribute("userInputFlag", "FALSE");
        control.setAttribute("transparentColorFlag", "FALSE");
        control.setAttribute("transparentColorIndex", "0");
        control.setAttribute("delayTime", String.valueOf(Math.round(100 * seconds)));
        root.appendChild(control);
        if (i == 0) {
          var all = new IIOMetadataNode("ApplicationExtensions");
          var repeat = new IIOMetadataNode("ApplicationExtension");
          repeat.setAttribute("applicationID", "NETSCAPE");
          repeat.setAttribute("authenticationCode", "2.0");
          repeat.setUserObject(new byte[] {1, 0, 0}); // without end
          all.appendChild(repeat);
          root.appendChild(all);
        }
        metadata.mergeTree(FORMAT, root);
        writer.writeToSequence(new IIOImage(image, null, metadata), null);
      }
      writer.endWriteSequence();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail to be written
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }
}
