package org.gammanet.io;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.DataBufferUShort;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/**
 * Image files: PNG, JPEG, TIFF, WebP, GIF and BMP are read, PNG is written. Training, detection,
 * evaluation and experiments all read images here.
 *
 * <ul>
 *   <li>Samples are taken as they stand in the file. Embedded color profiles (ICC) are not applied,
 *       because the networks' training data were read that way.
 *   <li>Images are rotated and mirrored as their orientation tag (Exif, TIFF, or else XMP) says.
 *   <li>Transparent pixels are laid over white. An extra channel that TIFF does not call opacity is
 *       ignored.
 *   <li>16-bit samples are rounded to 8 bits; floating-point samples must lie in [0, 1].
 *   <li>CMYK is converted without a profile: {@code R = (1 - C)(1 - K)} and so on.
 *   <li>Of several frames or pages the first is read; that of a GIF or WebP is placed on its
 *       screen.
 * </ul>
 *
 * <p>Sizes are checked before memory is allocated. Whatever a file contains, reading it either
 * works or ends in an {@link ImageException}.
 */
public final class Images {
  /**
   * Larger images are refused before memory is allocated for them. The largest sensors of cameras
   * have 150 million pixels.
   */
  public static final long MAX_PIXELS = 160_000_000;

  private static final long MAX_FILE_BYTES = 1L << 30;

  private Images() {}

  // Reading

  /**
   * Reads an image.
   *
   * @throws ImageException with one sentence, if the file is missing, empty, truncated, damaged, of
   *     another format or with more than {@link #MAX_PIXELS} pixels
   */
  public static RgbImage read(Path file) throws ImageException {
    return decode(bytes(file), file.toString());
  }

  /**
   * Decodes the bytes of an image file.
   *
   * @param name what errors call it
   * @throws ImageException as {@link #read}
   */
  public static RgbImage decode(byte[] bytes, String name) throws ImageException {
    Pixels pixels = ImageDecoder.decode(bytes, name);
    try {
      return pixels.toRgb();
    } catch (OutOfMemoryError e) {
      throw ImageDecoder.tooLarge(name, e);
    }
  }

  /**
   * An image at a working size.
   *
   * @param image shrunk as {@link RgbImage#shrink} does
   * @param width of the file's image in pixels
   * @param height of the file's image in pixels
   */
  public record Shrunk(RgbImage image, int width, int height) {}

  /**
   * Decodes the bytes of an image file at a working size. That takes less memory and time than
   * decoding and then shrinking.
   *
   * @param name what errors call it
   * @param maxSide pixels of the longer side; 0 for any number
   * @throws ImageException as {@link #read}
   */
  public static Shrunk decode(byte[] bytes, String name, int maxSide) throws ImageException {
    Pixels pixels = ImageDecoder.decode(bytes, name);
    int w = pixels.raster().getWidth();
    int h = pixels.raster().getHeight();
    boolean turned = pixels.orientation() >= 5;
    try {
      return new Shrunk(pixels.toRgb(maxSide), turned ? h : w, turned ? w : h);
    } catch (OutOfMemoryError e) {
      throw ImageDecoder.tooLarge(name, e);
    }
  }

  /**
   * The bytes of an image file, for {@link #decode(byte[], String)}.
   *
   * @throws ImageException with one sentence, if the file is missing, empty or cannot be read
   */
  public static byte[] bytes(Path file) throws ImageException {
    try {
      if (Files.isDirectory(file)) {
        throw new ImageException(file + " is a folder, not an image");
      }
      if (!Files.isRegularFile(file)) {
        return pipe(file);
      }
      long size = Files.size(file);
      if (size == 0) {
        throw new ImageException(file + " is empty");
      }
      if (size > MAX_FILE_BYTES) {
        throw tooLarge(file);
      }
      return Files.readAllBytes(file);
    } catch (ImageException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw new ImageException("there is no file " + file, e);
    } catch (AccessDeniedException e) {
      throw new ImageException(file + " may not be read: permission denied", e);
    } catch (IOException e) {
      throw new ImageException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static ImageException tooLarge(Path file) {
    return new ImageException(file + " is larger than 1 GiB, which no accepted image is");
  }

  /** The bytes that come out of a pipe, such as {@code /dev/stdin} and a shell's {@code <(…)}. */
  private static byte[] pipe(Path file) throws IOException {
    int kind = 0;
    if (file.getFileSystem().supportedFileAttributeViews().contains("unix")) {
      kind = (int) Files.getAttribute(file, "unix:mode") & 0xF000;
    }
    if (kind != 0x1000) {
      throw new ImageException(file + " is a device, not an image");
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes((int) MAX_FILE_BYTES);
      if (bytes.length == 0) {
        throw new ImageException(file + " is empty");
      }
      if (in.read() >= 0) {
        throw tooLarge(file);
      }
      return bytes;
    }
  }

  /**
   * Reads probabilities from a gray image at its own precision: the greatest sample is 1. A color
   * image whose channels are equal counts as gray.
   *
   * @throws ImageException as {@link #read}, and for colored images
   */
  public static EdgeMap readEdgeMap(Path file) throws ImageException {
    EdgeMap map = ImageDecoder.decode(bytes(file), file.toString()).toMap();
    if (map == null) {
      throw new ImageException(file + " has colors, but an edge map must be gray");
    }
    return map;
  }

  // Writing

  /** Writes an 8-bit RGB PNG; the file is there completely or not at all. */
  public static void writePng(Path file, RgbImage image) throws IOException {
    writePng(file, image.toBufferedImage());
  }

  /** Writes probabilities as an 8-bit gray PNG: 0 is 0, 1 is 255, rounded to the nearest. */
  public static void writePng8(Path file, EdgeMap map) throws IOException {
    write(file, png8(map));
  }

  /** The bytes of an 8-bit gray PNG: 0 is 0, 1 is 255, rounded to the nearest. */
  public static ByteBuffer png8(EdgeMap map) throws IOException {
    byte[] gray = new byte[map.values().length];
    for (int i = 0; i < gray.length; i++) {
      gray[i] = (byte) Math.round(map.values()[i] * 255);
    }
    return marked(encode(grayImage(new DataBufferByte(gray, gray.length), map)));
  }

  /** Writes probabilities as a 16-bit gray PNG: 0 is 0, 1 is 65535, rounded to the nearest. */
  public static void writePng16(Path file, EdgeMap map) throws IOException {
    write(file, png16(map));
  }

  /** The bytes of a 16-bit gray PNG: 0 is 0, 1 is 65535, rounded to the nearest. */
  public static ByteBuffer png16(EdgeMap map) throws IOException {
    short[] gray = new short[map.values().length];
    for (int i = 0; i < gray.length; i++) {
      gray[i] = (short) Math.round(map.values()[i] * 65535);
    }
    return marked(encode(grayImage(new DataBufferUShort(gray, gray.length), map)));
  }

  private static BufferedImage grayImage(DataBuffer samples, EdgeMap map) {
    ColorModel model =
        new ComponentColorModel(
            ColorSpace.getInstance(ColorSpace.CS_GRAY),
            false,
            false,
            ColorModel.OPAQUE,
            samples.getDataType());
    WritableRaster raster =
        Raster.createInterleavedRaster(
            samples, map.width(), map.height(), map.width(), 1, new int[] {0}, null);
    return new BufferedImage(model, raster, false, null);
  }

  /** Writes any picture as PNG; the file is there completely or not at all. */
  public static void writePng(Path file, BufferedImage image) throws IOException {
    write(file, ByteBuffer.wrap(encode(image)));
  }

  /** A PNG with an edge map in it, marked so that {@link #isResult} knows it. */
  public static ByteBuffer result(BufferedImage image) throws IOException {
    return marked(encode(image));
  }

  /**
   * Whether a file is a PNG that {@link #result}, {@link #writePng8} or {@link #writePng16} has
   * made: such pictures are results, not photos.
   */
  public static boolean isResult(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] start = in.readNBytes(PNG_HEADER + MARK.length);
      return start.length == PNG_HEADER + MARK.length
          && Arrays.equals(start, PNG_HEADER, start.length, MARK, 0, MARK.length);
    } catch (IOException e) {
      return false;
    }
  }

  /** Whether a file is a GIF of several frames. */
  public static boolean isAnimated(Path file) {
    try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
      ImageReader reader = ImageIO.getImageReadersByFormatName("gif").next();
      try {
        reader.setInput(in, false);
        return reader.getNumImages(true) > 1;
      } finally {
        reader.dispose();
      }
    } catch (IOException | RuntimeException e) {
      return false; // reading it says what is wrong
    }
  }

  /** Signature and IHDR chunk, which each PNG begins with. */
  private static final int PNG_HEADER = 8 + 25;

  private static final byte[] MARK = mark();

  /** The text chunk that tells results from other pictures. */
  private static byte[] mark() {
    byte[] text = "tEXtSoftware\0GammaNet for Java: edges".getBytes(StandardCharsets.ISO_8859_1);
    CRC32 crc = new CRC32();
    crc.update(text);
    return ByteBuffer.allocate(text.length + 8)
        .putInt(text.length - 4)
        .put(text)
        .putInt((int) crc.getValue())
        .array();
  }

  private static ByteBuffer marked(byte[] png) {
    return ByteBuffer.allocate(png.length + MARK.length)
        .put(png, 0, PNG_HEADER)
        .put(MARK)
        .put(png, PNG_HEADER, png.length - PNG_HEADER)
        .flip();
  }

  private static byte[] encode(BufferedImage image) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
    try (ImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
      writer.setOutput(out);
      writer.write(image);
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }

  /** Writes the bytes of a file; it is there completely or not at all. */
  public static void write(Path file, ByteBuffer encoded) throws IOException {
    AtomicFile.write(
        file,
        channel -> {
          while (encoded.hasRemaining()) {
            channel.write(encoded);
          }
        });
  }

  /** Pictures of equal height side by side, with a narrow white gap between them. */
  public static RgbImage sideBySide(List<RgbImage> images) {
    int height = images.get(0).height();
    int gap = 8;
    int width = -gap;
    for (RgbImage image : images) {
      if (image.height() != height) {
        throw new IllegalArgumentException("heights differ: " + image.height() + " and " + height);
      }
      width += image.width() + gap;
    }
    byte[] samples = new byte[3 * width * height];
    Arrays.fill(samples, (byte) 255);
    int left = 0;
    for (RgbImage image : images) {
      for (int y = 0; y < height; y++) {
        System.arraycopy(
            image.samples(),
            3 * y * image.width(),
            samples,
            3 * (y * width + left),
            3 * image.width());
      }
      left += image.width() + gap;
    }
    return new RgbImage(width, height, samples);
  }

  /** Whether a file's name ends as an image's that can be read; for picking files in folders. */
  public static boolean hasImageName(Path file) {
    Path last = file.getFileName();
    return last != null
        && last.toString()
            .toLowerCase(Locale.ROOT)
            .matches("[^.].*\\.(png|jpe?g|gif|bmp|tiff?|webp)");
  }
}
