package org.gammanet.figures;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;

/** Encodes PNG files with their resolution. */
final class Png {
  private static final String FORMAT = "javax_imageio_png_1.0";
  private static final double INCHES_PER_METER = 1 / 0.0254;

  private Png() {}

  /**
   * The bytes of a file.
   *
   * @param dotsPerInch resolution; 0 for none
   */
  static byte[] encode(BufferedImage image, int dotsPerInch) {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
    var bytes = new ByteArrayOutputStream();
    try (var out = ImageIO.createImageOutputStream(bytes)) {
      IIOMetadata metadata =
          writer.getDefaultImageMetadata(
              ImageTypeSpecifier.createFromRenderedImage(image), writer.getDefaultWriteParam());
      if (dotsPerInch > 0) {
        String perMeter = String.valueOf(Math.round(dotsPerInch * INCHES_PER_METER));
        var resolution = new IIOMetadataNode("pHYs");
        resolution.setAttribute("pixelsPerUnitXAxis", perMeter);
        resolution.setAttribute("pixelsPerUnitYAxis", perMeter);
        resolution.setAttribute("unitSpecifier", "meter");
        var root = new IIOMetadataNode(FORMAT);
        root.appendChild(resolution);
        metadata.mergeTree(FORMAT, root);
      }
      writer.setOutput(out);
      writer.write(new IIOImage(image, null, metadata));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail to be written
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }
}
