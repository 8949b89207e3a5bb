package org.gammanet.detection;

import java.awt.AlphaComposite;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** The frames of a GIF, each as it is seen: drawn over what the ones before have left. */
final class GifFrames implements FrameReader {
  private static final String FRAME = "javax_imageio_gif_image_1.0";
  private static final String STREAM = "javax_imageio_gif_stream_1.0";

  private final Path file;
  private final ImageInputStream in;
  private final ImageReader reader;
  private final List<Integer> delays = new ArrayList<>();
  private final BufferedImage screen;
  private int at;

  GifFrames(Path file) throws IOException {
    this.file = file;
    byte[] bytes = Images.bytes(file);
    Images.decode(bytes, file.toString(), 1); // its checks, and a sentence for what is no GIF
    in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes));
    reader = ImageIO.getImageReadersByFormatName("gif").next();
    reader.setInput(in, false);
    try {
      int count = reader.getNumImages(true);
      Element size = child(reader.getStreamMetadata(), STREAM, "LogicalScreenDescriptor");
      int width = number(size, "logicalScreenWidth", reader.getWidth(0));
      int height = number(size, "logicalScreenHeight", reader.getHeight(0));
      for (int i = 0; i < count; i++) {
        Element control = child(reader.getImageMetadata(i), FRAME, "GraphicControlExtension");
        delays.add(number(control, "delayTime", 10));
        Element place = child(reader.getImageMetadata(i), FRAME, "ImageDescriptor");
        width = Math.max(width, number(place, "imageLeftPosition", 0) + reader.getWidth(i));
        height = Math.max(height, number(place, "imageTopPosition", 0) + reader.getHeight(i));
      }
      if ((long) width * height > Images.MAX_PIXELS) {
        throw new ImageException(
            file + " has " + width + "×" + height + " pixels, more than the limit of 160 million");
      }
      screen = new BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB);
    } catch (RuntimeException | IOException e) {
      close();
      throw e instanceof ImageException known ? known : damaged(e);
    }
  }

  private ImageException damaged(Exception e) {
    return new ImageException(
        "%s is truncated or damaged (frame %s): %s".formatted(file, at + 1, e.getMessage()), e);
  }

  @Override
  public @Nullable RgbImage next() throws IOException {
    if (at == delays.size()) {
      return null;
    }
    try {
      BufferedImage frame = reader.read(at);
      IIOMetadata metadata = reader.getImageMetadata(at);
      Element place = child(metadata, FRAME, "ImageDescriptor");
      int left = number(place, "imageLeftPosition", 0);
      int top = number(place, "imageTopPosition", 0);
      Element control = child(metadata, FRAME, "GraphicControlExtension");
      String disposal = control == null ? "none" : control.getAttribute("disposalMethod");
      BufferedImage before = disposal.equals("restoreToPrevious") ? copy() : null;
      draw(screen, frame, left, top);
      RgbImage seen = RgbImage.of(screen);
      if (before != null) {
        screen.setData(before.getRaster());
      } else if (disposal.equals("restoreToBackgroundColor")) {
        Graphics2D g = screen.createGraphics();
        g.setComposite(AlphaComposite.Clear);
        g.setColor(new Color(0, true));
        g.fillRect(left, top, frame.getWidth(), frame.getHeight());
        g.dispose();
      }
      at++;
      return seen;
    } catch (RuntimeException | IOException e) {
      throw damaged(e);
    }
  }

  private BufferedImage copy() {
    BufferedImage copy =
        new BufferedImage(screen.getWidth(), screen.getHeight(), BufferedImage.TYPE_INT_ARGB);
    copy.setData(screen.getRaster());
    return copy;
  }

  private static void draw(BufferedImage on, BufferedImage frame, int left, int top) {
    Graphics2D g = on.createGraphics();
    g.drawImage(frame, left, top, null);
    g.dispose();
  }

  @Override
  public double rate() {
    double hundredths = delays.stream().mapToInt(d -> d < 2 ? 10 : d).average().orElse(10);
    return 100 / hundredths;
  }

  @Override
  public int count() {
    return delays.size();
  }

  @Override
  public void close() throws IOException {
    reader.dispose();
    in.close();
  }

  private static @Nullable Element child(
      @Nullable IIOMetadata metadata, String format, String name) {
    Node node = metadata == null ? null : metadata.getAsTree(format).getFirstChild();
    for (; node != null; node = node.getNextSibling()) {
      if (node.getNodeName().equals(name)) {
        return (Element) node;
      }
    }
    return null;
  }

  private static int number(@Nullable Element element, String attribute, int otherwise) {
    try {
      return element == null ? otherwise : Integer.parseInt(element.getAttribute(attribute));
    } catch (NumberFormatException e) {
      return otherwise;
    }
  }
}
