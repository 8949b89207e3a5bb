package org.gammanet.io;

import java.awt.color.CMMException;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.DataBufferUShort;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/**
 * Image files: PNG, JPEG, GIF, BMP and TIFF in, PNG out.
 *
 * <p>Samples are taken as they stand in the file; embedded colour profiles are not applied, as the
 * networks' training data were read that way. A photo is turned as its EXIF orientation says.
 * Transparent pixels are laid over white. CMYK is converted without a profile: {@code R =
 * (1-C)(1-K)} and so on.
 */
public final class Images {
  /** Larger pictures are refused before memory is allocated for them. */
  public static final long MAX_PIXELS = 100_000_000;

  private static final long MAX_FILE_BYTES = 1L << 30;

  private Images() {}

  // Reading

  /**
   * Reads a picture.
   *
   * @throws ImageException with one sentence, if the file is missing, empty, truncated, damaged, of
   *     another format or larger than {@link #MAX_PIXELS}
   */
  public static RgbImage read(Path file) throws ImageException {
    return decode(load(file), file.toString());
  }

  /**
   * Decodes the bytes of an image file.
   *
   * @param name what errors call it
   * @throws ImageException as {@link #read}
   */
  public static RgbImage decode(byte[] bytes, String name) throws ImageException {
    if (isJpeg(bytes)) {
      JpegHeader header = JpegHeader.parse(bytes, name);
      checkSize(header.width, header.height, name);
      RgbImage image =
          header.components == 4
              ? ofInks(readRaster(bytes, name), header)
              : RgbImage.of(readColors(bytes, name));
      return oriented(image, header.orientation);
    }
    RgbImage image = RgbImage.of(readColors(bytes, name));
    return oriented(image, isPng(bytes) ? pngOrientation(bytes) : 1);
  }

  /**
   * Reads probabilities from a grey picture of 8 or 16 bits: the greatest sample is 1. A colour
   * picture whose channels are equal counts as grey.
   *
   * @throws ImageException as {@link #read}, and for coloured pictures
   */
  public static EdgeMap readEdgeMap(Path file) throws ImageException {
    String name = file.toString();
    byte[] bytes = load(file);
    BufferedImage image = readColors(bytes, name);
    int width = image.getWidth();
    int height = image.getHeight();
    float[] values = new float[width * height];
    ColorModel model = image.getColorModel();
    Raster raster = image.getRaster();
    if (model instanceof ComponentColorModel
        && raster.getNumBands() == 1
        && model.getComponentSize(0) == 16) {
      raster.getSamples(0, 0, width, height, 0, values);
      for (int i = 0; i < values.length; i++) {
        values[i] /= 65535;
      }
    } else {
      byte[] samples = RgbImage.of(image).samples();
      for (int i = 0; i < values.length; i++) {
        if (samples[3 * i] != samples[3 * i + 1] || samples[3 * i] != samples[3 * i + 2]) {
          throw new ImageException(
              name + " is a colour picture, but a map of probabilities must be grey");
        }
        values[i] = (samples[3 * i] & 0xFF) / 255f;
      }
    }
    return new EdgeMap(width, height, values);
  }

  private static byte[] load(Path file) throws ImageException {
    try {
      if (Files.isDirectory(file)) {
        throw new ImageException(file + " is a folder, not an image");
      }
      long size = Files.size(file);
      if (size == 0) {
        throw new ImageException(file + " is empty");
      }
      if (size > MAX_FILE_BYTES) {
        throw new ImageException(file + " is larger than 1 GiB, which no accepted image is");
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

  /** What a decoder does with the picture it has found. */
  private interface Decoding<T> {
    T decode(ImageReader reader) throws IOException;
  }

  private static BufferedImage readColors(byte[] bytes, String name) throws ImageException {
    return withReader(
        bytes,
        name,
        reader -> {
          try {
            return reader.read(0);
          } catch (IllegalArgumentException | CMMException e) {
            // A damaged colour profile must not keep the samples from us.
            return withoutProfile(reader, e);
          }
        });
  }

  /** Decodes a JPEG around its colour profile; the decoder then leaves YCbCr as it is. */
  private static BufferedImage withoutProfile(ImageReader reader, RuntimeException reason)
      throws IOException {
    if (!reader.canReadRaster()) {
      throw reason;
    }
    Raster raster = reader.readRaster(0, null);
    int width = raster.getWidth();
    int height = raster.getHeight();
    int bands = raster.getNumBands();
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_3BYTE_BGR);
    int[] in = new int[bands];
    int[] out = new int[3];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        raster.getPixel(x, y, in);
        if (bands == 3) {
          ycbcrToRgb(in, out);
        } else {
          out[0] = out[1] = out[2] = in[0];
        }
        image.getRaster().setPixel(x, y, out);
      }
    }
    return image;
  }

  private static Raster readRaster(byte[] bytes, String name) throws ImageException {
    return withReader(bytes, name, reader -> reader.readRaster(0, null));
  }

  private static <T> T withReader(byte[] bytes, String name, Decoding<T> decoding)
      throws ImageException {
    // The JDK's own decoders: which others a program has installed must not change results.
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
      ImageReader reader = null;
      for (Iterator<ImageReader> it = ImageIO.getImageReaders(in); it.hasNext(); ) {
        ImageReader candidate = it.next();
        if (reader == null && candidate.getClass().getModule() == ImageIO.class.getModule()) {
          reader = candidate;
        }
      }
      if (reader == null) {
        throw new ImageException(name + " is " + guess(bytes) + "; use PNG or JPEG");
      }
      List<String> warnings = new ArrayList<>();
      reader.addIIOReadWarningListener((source, warning) -> warnings.add(warning));
      try {
        // Without metadata: compressed text in it may be a bomb.
        reader.setInput(in, true, true);
        checkSize(reader.getWidth(0), reader.getHeight(0), name);
        T result = decoding.decode(reader);
        // The JPEG decoder fills up what is missing with grey and only mentions it.
        for (String warning : warnings) {
          if (warning.contains("Premature end") || warning.contains("Truncated")) {
            throw new ImageException(name + " is truncated: the end of the image is missing");
          }
        }
        return result;
      } finally {
        reader.dispose();
      }
    } catch (ImageException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw new ImageException(name + " is truncated or damaged: " + reason(e), e);
    }
  }

  private static String reason(Exception e) {
    String message = e.getMessage();
    if (message == null && e.getCause() != null) {
      message = e.getCause().getMessage();
    }
    return message == null ? e.getClass().getSimpleName() : message.lines().findFirst().orElse("");
  }

  private static void checkSize(long width, long height, String name) throws ImageException {
    if (width < 1 || height < 1) {
      throw new ImageException(name + " has no pixels: " + width + "×" + height);
    }
    if (width * height > MAX_PIXELS) {
      throw new ImageException(
          name + " has " + width + "×" + height + " pixels, more than the limit of 100 million");
    }
  }

  private static boolean isPng(byte[] bytes) {
    return bytes.length > 8 && bytes[0] == (byte) 0x89 && bytes[1] == 'P' && bytes[2] == 'N';
  }

  private static boolean isJpeg(byte[] bytes) {
    return bytes.length > 2 && bytes[0] == (byte) 0xFF && bytes[1] == (byte) 0xD8;
  }

  private static String guess(byte[] bytes) {
    String head = new String(bytes, 0, Math.min(bytes.length, 16), StandardCharsets.ISO_8859_1);
    if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) {
      return "a WebP image, which is not supported";
    }
    if (head.startsWith("ftyp", 4)) {
      return "a HEIC, AVIF or video file, which is not supported";
    }
    if (head.startsWith("%PDF")) {
      return "a PDF, not an image";
    }
    return "not an image of a known format";
  }

  // CMYK

  /**
   * RGB from the four bands of a CMYK or YCCK picture. Adobe's programs, and nearly all others,
   * store inks inverted and say so by their marker; YCCK is YCbCr of the inverted inks.
   */
  private static RgbImage ofInks(Raster raster, JpegHeader header) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    byte[] samples = new byte[3 * width * height];
    int[] pixel = new int[4];
    int[] rgb = new int[3];
    int out = 0;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        raster.getPixel(x, y, pixel);
        if (header.adobeTransform == JpegHeader.YCCK) {
          ycbcrToRgb(pixel, rgb);
          for (int c = 0; c < 3; c++) {
            pixel[c] = 255 - rgb[c];
          }
        }
        for (int c = 0; c < 3; c++) {
          int paper = header.isAdobe() ? pixel[c] * pixel[3] : (255 - pixel[c]) * (255 - pixel[3]);
          samples[out++] = (byte) ((paper + 127) / 255);
        }
      }
    }
    return new RgbImage(width, height, samples);
  }

  /** ITU-T T.871 (JFIF), full range. */
  private static void ycbcrToRgb(int[] in, int[] out) {
    double y = in[0];
    double cb = in[1] - 128;
    double cr = in[2] - 128;
    out[0] = (int) Math.clamp(Math.round(y + 1.402 * cr), 0, 255);
    out[1] = (int) Math.clamp(Math.round(y - 0.344136286 * cb - 0.714136286 * cr), 0, 255);
    out[2] = (int) Math.clamp(Math.round(y + 1.772 * cb), 0, 255);
  }

  // Headers and orientation

  /** What a JPEG's markers say before its pixels. */
  private static final class JpegHeader {
    static final int YCCK = 2;

    int width;
    int height;
    int components;
    int orientation = 1;
    int adobeTransform = -1;

    boolean isAdobe() {
      return adobeTransform >= 0;
    }

    static JpegHeader parse(byte[] bytes, String name) throws ImageException {
      JpegHeader header = new JpegHeader();
      ByteBuffer in = ByteBuffer.wrap(bytes);
      int at = 2;
      while (at + 4 <= bytes.length) {
        if (bytes[at] != (byte) 0xFF) {
          at++; // some writers leave stray bytes between segments
          continue;
        }
        int marker = bytes[at + 1] & 0xFF;
        if (marker == 0xFF || marker == 0 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
          at += marker == 0xFF ? 1 : 2;
          continue;
        }
        if (marker == 0xD9 || marker == 0xDA) {
          break;
        }
        int length = in.getShort(at + 2) & 0xFFFF;
        int data = at + 4;
        int end = at + 2 + length;
        if (length < 2 || end > bytes.length) {
          break;
        }
        boolean frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (frame && length >= 8) {
          header.frame(marker, in, data, name);
        } else if (marker == 0xE1 && startsWith(bytes, data, end, "Exif\0\0")) {
          header.orientation = exifOrientation(bytes, data + 6, end);
        } else if (marker == 0xEE && startsWith(bytes, data, end, "Adobe") && length >= 14) {
          header.adobeTransform = bytes[data + 11] & 0xFF;
        }
        at = end;
      }
      if (header.components == 0) {
        throw new ImageException(name + " is truncated or damaged: no JPEG frame in it");
      }
      return header;
    }

    private void frame(int marker, ByteBuffer in, int data, String name) throws ImageException {
      int precision = in.get(data) & 0xFF;
      if (precision != 8) {
        throw new ImageException(
            name + " is a JPEG of " + precision + " bits a sample; only 8 are supported");
      }
      if (marker > 0xC2) {
        throw new ImageException(
            name
                + (marker == 0xC3 ? " is a lossless" : " is a hierarchical or arithmetic-coded")
                + " JPEG, which is not supported; save it as an ordinary JPEG or as PNG");
      }
      height = in.getShort(data + 1) & 0xFFFF;
      width = in.getShort(data + 3) & 0xFFFF;
      components = in.get(data + 5) & 0xFF;
      if (components != 1 && components != 3 && components != 4) {
        throw new ImageException(name + " is a JPEG of " + components + " colour components");
      }
    }
  }

  private static boolean startsWith(byte[] bytes, int from, int end, String text) {
    return end - from >= text.length()
        && new String(bytes, from, text.length(), StandardCharsets.ISO_8859_1).equals(text);
  }

  private static int pngOrientation(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    for (long at = 8; at + 12 <= bytes.length; ) {
      int length = in.getInt((int) at);
      int data = (int) at + 8;
      if (length < 0 || length > bytes.length - data) {
        return 1;
      }
      if (startsWith(bytes, data - 4, bytes.length, "eXIf")) {
        return exifOrientation(bytes, data, data + length);
      }
      if (startsWith(bytes, data - 4, bytes.length, "IDAT")) {
        return 1; // a later eXIf chunk is allowed, but nobody writes one
      }
      at = (long) data + length + 4;
    }
    return 1;
  }

  /** Tag 0x0112 of the first directory of a TIFF structure; 1, upright, if there is none. */
  private static int exifOrientation(byte[] bytes, int from, int end) {
    if (end - from < 8) {
      return 1;
    }
    ByteBuffer tiff = ByteBuffer.wrap(bytes, from, end - from).slice();
    if (tiff.get(0) == 'I' && tiff.get(1) == 'I') {
      tiff.order(ByteOrder.LITTLE_ENDIAN);
    } else if (tiff.get(0) != 'M' || tiff.get(1) != 'M') {
      return 1;
    }
    int directory = tiff.getInt(4);
    if (tiff.getShort(2) != 42 || directory < 8 || directory > tiff.capacity() - 2) {
      return 1;
    }
    int entries = tiff.getShort(directory) & 0xFFFF;
    for (int i = 0; i < entries; i++) {
      int entry = directory + 2 + 12 * i;
      if (entry + 12 > tiff.capacity()) {
        return 1;
      }
      if ((tiff.getShort(entry) & 0xFFFF) == 0x0112) {
        int value = tiff.getShort(entry + 8) & 0xFFFF;
        return value >= 1 && value <= 8 ? value : 1;
      }
    }
    return 1;
  }

  /** The upright picture; {@code orientation} says where EXIF puts the first row and column. */
  private static RgbImage oriented(RgbImage image, int orientation) {
    if (orientation == 1) {
      return image;
    }
    int w = image.width();
    int h = image.height();
    boolean turned = orientation >= 5;
    int width = turned ? h : w;
    int height = turned ? w : h;
    byte[] from = image.samples();
    byte[] to = new byte[from.length];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int sx =
            switch (orientation) {
              case 2, 3 -> w - 1 - x;
              case 4 -> x;
              case 5, 6 -> y;
              default -> w - 1 - y;
            };
        int sy =
            switch (orientation) {
              case 2 -> y;
              case 3, 4 -> h - 1 - y;
              case 5, 8 -> x;
              default -> h - 1 - x;
            };
        System.arraycopy(from, 3 * (sy * w + sx), to, 3 * (y * width + x), 3);
      }
    }
    return new RgbImage(width, height, to);
  }

  // Writing

  /** Writes an 8-bit RGB PNG; the file is there completely or not at all. */
  public static void writePng(Path file, RgbImage image) throws IOException {
    writePng(file, image.toBufferedImage());
  }

  /** Writes probabilities as an 8-bit grey PNG: 0 is 0, 1 is 255, rounded to the nearest. */
  public static void writePng8(Path file, EdgeMap map) throws IOException {
    byte[] grey = new byte[map.values().length];
    for (int i = 0; i < grey.length; i++) {
      grey[i] = (byte) Math.round(map.values()[i] * 255);
    }
    writePng(file, greyImage(new DataBufferByte(grey, grey.length), map));
  }

  /** Writes probabilities as a 16-bit grey PNG: 0 is 0, 1 is 65535, rounded to the nearest. */
  public static void writePng16(Path file, EdgeMap map) throws IOException {
    short[] grey = new short[map.values().length];
    for (int i = 0; i < grey.length; i++) {
      grey[i] = (short) Math.round(map.values()[i] * 65535);
    }
    writePng(file, greyImage(new DataBufferUShort(grey, grey.length), map));
  }

  private static BufferedImage greyImage(DataBuffer samples, EdgeMap map) {
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
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
    try (ImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
      writer.setOutput(out);
      writer.write(image);
    } finally {
      writer.dispose();
    }
    ByteBuffer encoded = ByteBuffer.wrap(bytes.toByteArray());
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
        && last.toString().toLowerCase(Locale.ROOT).matches("[^.].*\\.(png|jpe?g|gif|bmp|tiff?)");
  }
}
