package org.gammanet.detection;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;

/** Writes an animated GIF that repeats for ever; gray frames keep their 256 levels. */
final class GifWriter implements FrameWriter {
  private static final String FRAME = "javax_imageio_gif_image_1.0";
  private static final IndexColorModel GRAY = gray();

  private final Path file;
  private final int hundredths;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final ImageWriter writer;
  private final ImageOutputStream out;
  private int width;
  private int height;

  GifWriter(Path file, double rate) throws IOException {
    this.file = file;
    hundredths = (int) Math.clamp(Math.round(100 / rate), 2, 6000);
    writer = ImageIO.getImageWritersByFormatName("gif").next();
    out = new MemoryCacheImageOutputStream(bytes);
    writer.setOutput(out);
    writer.prepareWriteSequence(null);
  }

  private static IndexColorModel gray() {
    byte[] levels = new byte[256];
    for (int i = 0; i < 256; i++) {
      levels[i] = (byte) i;
    }
    return new IndexColorModel(8, 256, levels, levels, levels);
  }

  @Override
  public void add(RgbImage frame) throws IOException {
    if (width == 0) {
      width = frame.width();
      height = frame.height();
    } else if (frame.width() != width || frame.height() != height) {
      throw FrameWriter.otherSize(frame, width, height);
    }
    BufferedImage image = indexed(frame);
    IIOMetadata metadata =
        writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(image), null);
    IIOMetadataNode root = (IIOMetadataNode) metadata.getAsTree(FRAME);
    IIOMetadataNode control = child(root, "GraphicControlExtension");
    control.setAttribute("disposalMethod", "none");
    control.setAttribute("userInputFlag", "FALSE");
    control.setAttribute("transparentColorFlag", "FALSE");
    control.setAttribute("transparentColorIndex", "0");
    control.setAttribute("delayTime", Integer.toString(hundredths));
    IIOMetadataNode loop = new IIOMetadataNode("ApplicationExtension");
    loop.setAttribute("applicationID", "NETSCAPE");
    loop.setAttribute("authenticationCode", "2.0");
    loop.setUserObject(new byte[] {1, 0, 0});
    child(root, "ApplicationExtensions").appendChild(loop);
    metadata.setFromTree(FRAME, root);
    writer.writeToSequence(new IIOImage(image, null, metadata), null);
  }

  private static IIOMetadataNode child(IIOMetadataNode root, String name) {
    for (int i = 0; i < root.getLength(); i++) {
      if (root.item(i).getNodeName().equals(name)) {
        return (IIOMetadataNode) root.item(i);
      }
    }
    IIOMetadataNode node = new IIOMetadataNode(name);
    root.appendChild(node);
    return node;
  }

  /** A frame of gray pixels with a palette of grays; any other as it is. */
  private static BufferedImage indexed(RgbImage frame) {
    byte[] samples = frame.samples();
    byte[] levels = new byte[samples.length / 3];
    for (int i = 0; i < levels.length; i++) {
      if (samples[3 * i] != samples[3 * i + 1] || samples[3 * i] != samples[3 * i + 2]) {
        return frame.toBufferedImage();
      }
      levels[i] = samples[3 * i];
    }
    var image =
        new BufferedImage(frame.width(), frame.height(), BufferedImage.TYPE_BYTE_INDEXED, GRAY);
    image.getRaster().setDataElements(0, 0, frame.width(), frame.height(), levels);
    return image;
  }

  @Override
  public void finish() throws IOException {
    writer.endWriteSequence();
    out.flush();
    Images.write(file, ByteBuffer.wrap(bytes.toByteArray()));
  }

  @Override
  public void close() throws IOException {
    writer.dispose();
    out.close();
  }
}
