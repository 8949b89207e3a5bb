package org.gammanet.io;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadataNode;
import org.w3c.dom.Node;

/** Decodes GIF: the first frame in its place on the screen, the rest of which is transparent. */
final class GifDecoder {
  private GifDecoder() {}

  static Pixels decode(ImageFile file) throws IOException {
    byte[] bytes = file.bytes;
    if (bytes.length < 13) {
      throw file.damaged("it ends inside the header");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int width = in.getShort(6) & 0xFFFF;
    int height = in.getShort(8) & 0xFFFF;
    file.checkSize(Math.max(1, width), Math.max(1, height));
    return ImageReaders.read(
        file,
        ImageReaders.jdk("gif"),
        new BytesInput(bytes, bytes.length),
        false,
        ImageReaders.TRUNCATION,
        reader -> firstFrame(file, reader, width, height));
  }

  private static Pixels firstFrame(
      ImageFile file, ImageReader reader, int screenWidth, int screenHeight) throws IOException {
    // A code has 12 bits at most and stands for 4096 pixels at most.
    file.checkStored((long) reader.getWidth(0) * reader.getHeight(0), file.bytes.length, 2731);
    BufferedImage frame = reader.read(0);
    IIOMetadataNode descriptor = null;
    String format = "javax_imageio_gif_image_1.0";
    Node child = reader.getImageMetadata(0).getAsTree(format).getFirstChild();
    for (; child != null; child = child.getNextSibling()) {
      if (child.getNodeName().equals("ImageDescriptor")) {
        descriptor = (IIOMetadataNode) child;
      }
    }
    int left = descriptor == null ? 0 : number(descriptor, "imageLeftPosition");
    int top = descriptor == null ? 0 : number(descriptor, "imageTopPosition");
    int width = Math.max(screenWidth, left + frame.getWidth());
    int height = Math.max(screenHeight, top + frame.getHeight());
    if (width == frame.getWidth() && height == frame.getHeight()) {
      return Pixels.of(frame, 1);
    }
    file.checkSize(width, height);
    var screen = new BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB);
    draw(frame, screen, left, top);
    return Pixels.of(screen, 1);
  }

  private static int number(IIOMetadataNode node, String attribute) {
    return Integer.parseInt(node.getAttribute(attribute));
  }

  private static void draw(BufferedImage frame, BufferedImage screen, int left, int top) {
    int[] row = new int[frame.getWidth()];
    IndexColorModel palette = frame.getColorModel() instanceof IndexColorModel index ? index : null;
    for (int y = 0; y < frame.getHeight(); y++) {
      if (palette == null) {
        frame.getRGB(0, y, row.length, 1, row, 0, row.length);
      } else {
        frame.getRaster().getPixels(0, y, row.length, 1, row);
        for (int x = 0; x < row.length; x++) {
          row[x] = row[x] < palette.getMapSize() ? palette.getRGB(row[x]) : 0xFF000000;
        }
      }
      screen.setRGB(left, top + y, row.length, 1, row, 0, row.length);
    }
  }
}
