package org.gammanet.io;

import com.twelvemonkeys.imageio.plugins.jpeg.JPEGImageReaderSpi;
import com.twelvemonkeys.imageio.plugins.tiff.TIFFImageReaderSpi;
import com.twelvemonkeys.imageio.plugins.webp.WebPImageReaderSpi;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.gammanet.io.Pixels.Layout;
import org.w3c.dom.Node;

/**
 * Decodes image files: PNG, GIF and BMP by the JDK's readers, JPEG, TIFF and WebP by
 * TwelveMonkeys'.
 *
 * <p>Around the readers stands what they do not do: sizes and tables are checked before anything is
 * allocated for them, color profiles are cut out so that no reader applies one, orientation is
 * read, and samples keep the meaning that the file gives them.
 */
final class ImageDecoder {
  private final byte[] bytes;
  private final String name;

  private ImageDecoder(byte[] bytes, String name) {
    this.bytes = bytes;
    this.name = name;
  }

  /**
   * Decodes the first image in a file.
   *
   * @throws ImageException in one sentence that begins with {@code name}
   */
  static Pixels decode(byte[] bytes, String name) throws ImageException {
    try {
      return new ImageDecoder(bytes, name).decode();
    } catch (ImageException e) {
      throw e;
    } catch (IOException | RuntimeException | StackOverflowError e) {
      throw new ImageException(name + " is truncated or damaged: " + reason(e), e);
    } catch (OutOfMemoryError e) {
      throw new ImageException(name + " needs more memory than Java has: give it more (-Xmx)", e);
    }
  }

  private static String reason(Throwable e) {
    String message = e.getMessage();
    if (message == null && e.getCause() != null) {
      message = e.getCause().getMessage();
    }
    return message == null ? e.getClass().getSimpleName() : message.lines().findFirst().orElse("");
  }

  private Pixels decode() throws IOException {
    if (begins("\u0089PNG")) {
      return png();
    }
    if (begins("\u00FF\u00D8")) {
      return jpeg();
    }
    if (begins("GIF8")) {
      return gif();
    }
    if (begins("BM")) {
      return bmp();
    }
    if (TiffTags.isTiff(bytes)) {
      return new TiffDecoder().decode();
    }
    if (begins("RIFF") && textAt(8, "WEBP")) {
      return webp();
    }
    throw new ImageException(name + unsupported());
  }

  private boolean begins(String text) {
    return textAt(0, text);
  }

  private boolean textAt(int at, String text) {
    byte[] expected = text.getBytes(StandardCharsets.ISO_8859_1);
    return at >= 0
        && bytes.length - at >= expected.length
        && Arrays.equals(bytes, at, at + expected.length, expected, 0, expected.length);
  }

  private String unsupported() {
    if (textAt(4, "ftyp")) {
      String brand = new String(bytes, 8, Math.min(4, bytes.length - 8), StandardCharsets.US_ASCII);
      return switch (brand) {
        case "avif", "avis" ->
            " is an AVIF image, which cannot be read; convert it: magick IMAGE.avif IMAGE.png";
        case "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1" ->
            " is a HEIC image, which cannot be read; convert it: magick IMAGE.heic IMAGE.png"
                + " (or heif-convert IMAGE.heic IMAGE.png)";
        default -> " is a video, not an image";
      };
    }
    if (begins("%PDF")) {
      return " is a PDF, not an image";
    }
    if (begins("\0\0\0\fjP  ") || begins("\u00FF\u004F\u00FF\u0051")) {
      return " is a JPEG 2000 image, which cannot be read; convert it to PNG";
    }
    return " is not an image in a known format; use PNG, JPEG, TIFF, WebP, GIF or BMP";
  }

  private void checkSize(long width, long height) throws ImageException {
    if (width < 1 || height < 1) {
      throw new ImageException(name + " has no pixels: " + width + "×" + height);
    }
    if (width > Images.MAX_PIXELS / height) {
      throw new ImageException(
          name + " has " + width + "×" + height + " pixels, more than the limit of 100 million");
    }
  }

  private ImageException damaged(String what) {
    return new ImageException(name + " is truncated or damaged: " + what);
  }

  private ImageException refused(String what) {
    return new ImageException(name + " " + what);
  }

  // Readers

  private interface Decoding<T> {
    T apply(ImageReader reader) throws IOException;
  }

  private <T> T read(ImageReader reader, byte[] data, boolean ignoreMetadata, Decoding<T> decoding)
      throws IOException {
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(data))) {
      boolean[] cut = new boolean[1];
      reader.addIIOReadWarningListener(
          (source, warning) ->
              cut[0] |= warning.contains("Premature end") || warning.contains("Truncated"));
      reader.setInput(in, false, ignoreMetadata);
      checkSize(reader.getWidth(0), reader.getHeight(0));
      T result = decoding.apply(reader);
      if (cut[0]) { // libjpeg fills what is missing with gray and only mentions it
        throw new ImageException(name + " is truncated: the end of the image is missing");
      }
      return result;
    } finally {
      reader.dispose();
    }
  }

  /** The JDK's reader, whichever others a program has installed. */
  private static ImageReader jdkReader(String format) throws IOException {
    for (Iterator<ImageReader> it = ImageIO.getImageReadersByFormatName(format); it.hasNext(); ) {
      ImageReader reader = it.next();
      if (reader.getClass().getModule() == ImageIO.class.getModule()) {
        return reader;
      }
    }
    throw new IOException("this Java has no reader for " + format);
  }

  /** A reader of TwelveMonkeys; registered, because its provider finds what it builds on so. */
  private static ImageReader reader(Class<? extends ImageReaderSpi> type) throws IOException {
    IIORegistry registry = IIORegistry.getDefaultInstance();
    ImageReaderSpi provider = registry.getServiceProviderByClass(type);
    if (provider == null) {
      ImageIO.scanForPlugins();
      provider = registry.getServiceProviderByClass(type);
    }
    if (provider == null) {
      try {
        provider = type.getDeclaredConstructor().newInstance();
      } catch (ReflectiveOperationException e) {
        throw new IOException(type.getName() + " cannot be created", e);
      }
      registry.registerServiceProvider(provider, ImageReaderSpi.class);
    }
    return provider.createReaderInstance();
  }

  // PNG

  /**
   * Only the chunks that make the image are given to the reader: metadata may be a decompression
   * bomb, and the JDK refuses a transparent color beside an alpha channel, which PNG ignores.
   */
  private Pixels png() throws IOException {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    ByteArrayOutputStream kept = new ByteArrayOutputStream(bytes.length);
    kept.write(bytes, 0, Math.min(8, bytes.length));
    int orientation = 1;
    int colorType = 0;
    int at = 8;
    while (at + 12 <= bytes.length) {
      int length = in.getInt(at);
      int data = at + 8;
      if (length < 0 || length > bytes.length - data) {
        break;
      }
      if (textAt(at + 4, "IHDR") && length >= 13) {
        checkSize(in.getInt(data) & 0xFFFFFFFFL, in.getInt(data + 4) & 0xFFFFFFFFL);
        colorType = bytes[data + 9];
      } else if (textAt(at + 4, "eXIf")) {
        orientation = TiffTags.of(bytes, data, data + length).orientation();
      }
      int end = Math.min(bytes.length, data + length + 4);
      boolean transparency = textAt(at + 4, "tRNS") && colorType < 4;
      if (transparency
          || textAt(at + 4, "IHDR")
          || textAt(at + 4, "PLTE")
          || textAt(at + 4, "IDAT")
          || textAt(at + 4, "IEND")) {
        kept.write(bytes, at, end - at);
      }
      at = end;
    }
    kept.write(bytes, at, bytes.length - at);
    return Pixels.of(read(jdkReader("png"), kept.toByteArray(), true, r -> r.read(0)), orientation);
  }

  // JPEG

  /**
   * Markers of a JPEG. Application segments are cut out but for JFIF's and Adobe's, which say what
   * the components mean: with a color profile in the file, readers would apply it or stumble over
   * it.
   */
  private final class JpegMarkers {
    int width;
    int height;
    int components;
    int orientation = 1;
    boolean adobe;
    int adobeTransform = -1;
    final byte[] kept;

    JpegMarkers(int from, int limit) throws ImageException {
      ByteBuffer in = ByteBuffer.wrap(bytes);
      List<int[]> cuts = new ArrayList<>();
      boolean hasJfif = false;
      int at = from + 2;
      while (at + 4 <= limit) {
        if (bytes[at] != (byte) 0xFF) {
          at++; // some writers leave stray bytes between segments
          continue;
        }
        int marker = bytes[at + 1] & 0xFF;
        if (marker == 0xFF || marker == 0 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
          at += marker == 0xFF ? 1 : 2;
          continue;
        }
        int length = in.getShort(at + 2) & 0xFFFF;
        int data = at + 4;
        int end = at + 2 + length;
        if (marker == 0xD9 || marker == 0xDA || length < 2 || end > limit) {
          break;
        }
        boolean frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        boolean application = marker >= 0xE0 && marker <= 0xEF;
        boolean jfif = marker == 0xE0 && textAt(data, "JFIF\0");
        boolean isAdobe = marker == 0xEE && textAt(data, "Adobe") && length >= 14;
        if (frame && length >= 8) {
          frame(marker, in, data);
        } else if (marker == 0xE1 && textAt(data, "Exif\0\0")) {
          orientation = TiffTags.of(bytes, data + 6, end).orientation();
        } else if (isAdobe) {
          adobe = true;
          adobeTransform = bytes[data + 11] & 0xFF;
        }
        hasJfif |= jfif;
        if (application && !jfif || marker == 0xFE) {
          cuts.add(new int[] {at, end, isAdobe ? 1 : 0});
        }
        at = end;
      }
      // As libjpeg has it, JFIF means YCbCr whatever Adobe says; the library thinks otherwise.
      boolean keepsAdobe = !(hasJfif && components == 3);
      ByteArrayOutputStream out = new ByteArrayOutputStream(limit - from);
      int copied = from;
      for (int[] cut : cuts) {
        if (cut[2] == 0 || !keepsAdobe) {
          out.write(bytes, copied, cut[0] - copied);
          copied = cut[1];
        }
      }
      out.write(bytes, copied, limit - copied);
      kept = out.toByteArray();
      if (components == 0) {
        throw damaged("there is no JPEG frame in it");
      }
    }

    private void frame(int marker, ByteBuffer in, int data) throws ImageException {
      int precision = in.get(data) & 0xFF;
      if (precision != 8) {
        throw refused("is a JPEG of " + precision + " bits per sample; only 8 are supported");
      }
      if (marker > 0xC2) {
        throw refused(
            (marker == 0xC3 ? "is a lossless" : "is a hierarchical or arithmetic-coded")
                + " JPEG, which is not supported; save it as an ordinary JPEG or as PNG");
      }
      height = in.getShort(data + 1) & 0xFFFF;
      width = in.getShort(data + 3) & 0xFFFF;
      components = in.get(data + 5) & 0xFF;
      if (components != 1 && components != 3 && components != 4) {
        throw refused("is a JPEG of " + components + " color components");
      }
      checkSize(width, height);
    }
  }

  private Pixels jpeg() throws IOException {
    JpegMarkers markers = new JpegMarkers(0, bytes.length);
    byte[] data = markers.kept;
    ImageReader reader = reader(JPEGImageReaderSpi.class);
    if (markers.components == 4) {
      // The library would look for a printing profile on the machine and apply it.
      Raster inks = read(reader, data, true, r -> r.readRaster(0, null));
      return cmyk(inks, markers);
    }
    return Pixels.of(read(reader, data, true, r -> r.read(0)), markers.orientation);
  }

  /**
   * Inks of a CMYK or YCCK image. Adobe's programs, and nearly all others, store them inverted and
   * say so by their marker; YCCK is YCbCr (ITU-T T.871, full range) of the inverted inks.
   */
  private static Pixels cmyk(Raster raster, JpegMarkers markers) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    var inks = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, width, height, 4, null);
    int[] row = new int[4 * width];
    for (int y = 0; y < height; y++) {
      raster.getPixels(0, y, width, 1, row);
      for (int i = 0; i < row.length; i += 4) {
        if (markers.adobeTransform == 2) {
          double luma = row[i];
          double cb = row[i + 1] - 128;
          double cr = row[i + 2] - 128;
          row[i] = 255 - clamp(luma + 1.402 * cr);
          row[i + 1] = 255 - clamp(luma - 0.344136286 * cb - 0.714136286 * cr);
          row[i + 2] = 255 - clamp(luma + 1.772 * cb);
        }
        for (int c = 0; c < 4 && markers.adobe; c++) {
          row[i + c] = 255 - row[i + c];
        }
      }
      inks.setPixels(0, y, width, 1, row);
    }
    return new Pixels(inks, Layout.CMYK, 255, false, null, markers.orientation);
  }

  private static int clamp(double value) {
    return (int) Math.clamp(Math.round(value), 0, 255);
  }

  // GIF

  /** The first frame in its place on the screen, the rest of which is transparent. */
  private Pixels gif() throws IOException {
    if (bytes.length < 13) {
      throw damaged("it ends inside the header");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int screenWidth = in.getShort(6) & 0xFFFF;
    int screenHeight = in.getShort(8) & 0xFFFF;
    return read(
        jdkReader("gif"),
        bytes,
        false,
        reader -> {
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
          checkSize(width, height);
          var screen = new BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB);
          int[] row = new int[frame.getWidth()];
          IndexColorModel palette =
              frame.getColorModel() instanceof IndexColorModel index ? index : null;
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
          return Pixels.of(screen, 1);
        });
  }

  private static int number(IIOMetadataNode node, String attribute) {
    return Integer.parseInt(node.getAttribute(attribute));
  }

  // BMP

  /** Checks the header: the JDK's reader allocates what it asks for before it looks further. */
  private Pixels bmp() throws IOException {
    if (bytes.length < 26) {
      throw damaged("it ends inside the header");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
    long offset = in.getInt(10) & 0xFFFFFFFFL;
    int headerSize = in.getInt(14);
    boolean old = headerSize == 12;
    if (!old && (headerSize < 40 || headerSize > 124 || bytes.length < 14 + headerSize)) {
      throw damaged("its header has %d bytes".formatted(headerSize));
    }
    long width = old ? in.getShort(18) & 0xFFFF : in.getInt(18);
    long height = old ? in.getShort(20) & 0xFFFF : Math.abs((long) in.getInt(22));
    int bits = (old ? in.getShort(24) : in.getShort(28)) & 0xFFFF;
    int compression = old ? 0 : in.getInt(30);
    checkSize(width, height);
    if (compression < 0 || compression == 4 || compression == 5 || compression > 6) {
      throw refused("is a BMP with compression %d, which is not supported".formatted(compression));
    }
    if (!List.of(1, 4, 8, 16, 24, 32).contains(bits)) {
      throw damaged("it has %d bits per pixel".formatted(bits));
    }
    if (offset > bytes.length) {
      throw damaged("its pixels begin behind its end");
    }
    boolean runLengths = compression == 1 || compression == 2;
    long needed = runLengths ? 0 : (width * bits + 31) / 32 * 4 * height;
    if (needed > bytes.length - offset) {
      throw new ImageException(name + " is truncated: the end of the image is missing");
    }
    if (!old) {
      long colors = in.getInt(46) & 0xFFFFFFFFL;
      if (colors > 1 << 16) {
        throw damaged("it has a palette of %d colors".formatted(colors));
      }
    }
    if (headerSize >= 108) {
      in.putInt(70, 0x73524742); // sRGB: the reader would otherwise load a color profile
    }
    return Pixels.of(read(jdkReader("bmp"), in.array(), true, r -> r.read(0)), 1);
  }

  // WebP

  /** Chunks of the container are visited for orientation; a color profile is made unreadable. */
  private Pixels webp() throws IOException {
    ByteBuffer in = ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
    int orientation = 1;
    for (long at = 12; at + 8 <= bytes.length; ) {
      int chunk = (int) at;
      long length = in.getInt(chunk + 4) & 0xFFFFFFFFL;
      int data = chunk + 8;
      if (textAt(chunk, "VP8X") && length >= 10 && bytes.length - data >= 10) {
        in.put(data, (byte) (in.get(data) & ~0x20));
        long width = 1 + (in.getInt(data + 4) & 0xFFFFFF);
        long height = 1 + (in.getInt(data + 6) >>> 8 & 0xFFFFFF);
        checkSize(width, height);
      } else if (textAt(chunk, "ICCP")) {
        in.putInt(chunk, 0x204B4E55); // "UNK "
      } else if (textAt(chunk, "EXIF")) {
        int from = textAt(data, "Exif\0\0") ? data + 6 : data;
        int end = (int) Math.min(bytes.length, data + length);
        orientation = TiffTags.of(bytes, from, end).orientation();
      }
      at = data + length + (length & 1);
    }
    return Pixels.of(
        read(reader(WebPImageReaderSpi.class), in.array(), true, r -> r.read(0)), orientation);
  }

  // TIFF

  /** What the tags say decides how samples are read; the library unpacks them. */
  private final class TiffDecoder {
    /** Samples of one pixel: more are not an image of the kinds that are read. */
    private static final int MAX_SAMPLES = 16;

    private static final List<Integer> DEPTHS = List.of(1, 2, 4, 8, 10, 12, 14, 16);

    /** None, CCITT (three kinds), LZW, JPEG, Deflate (two numbers), PackBits. */
    private static final List<Long> COMPRESSIONS =
        List.of(1L, 2L, 3L, 4L, 5L, 7L, 8L, 32946L, 32773L);

    private static final int JPEG = 7;

    private final TiffTags tags = TiffTags.of(bytes, 0, bytes.length);
    private final long width = tags.get(TiffTags.WIDTH, 0);
    private final long height = tags.get(TiffTags.HEIGHT, 0);
    private final long[] bits = tags.all(TiffTags.BITS_PER_SAMPLE, MAX_SAMPLES);
    private final int depth = bits.length == 0 ? 1 : (int) Math.min(bits[0], 1000);
    private final long samples = tags.get(TiffTags.SAMPLES_PER_PIXEL, 1);
    private final long format = tags.get(TiffTags.SAMPLE_FORMAT, 1);
    private final long compression = tags.get(TiffTags.COMPRESSION, 1);
    private final long photometric = tags.get(TiffTags.PHOTOMETRIC, -1);
    private final boolean planar = tags.get(TiffTags.PLANAR_CONFIGURATION, 1) == 2;

    Pixels decode() throws IOException {
      checkSize(width, height);
      check();
      checkStorage();
      ImageReader reader = reader(TIFFImageReaderSpi.class);
      int orientation = tags.orientation();
      if (format == 3) {
        Raster raster = ImageDecoder.this.read(reader, bytes, true, r -> r.readRaster(0, null));
        return reals(raster, orientation); // as a raster, because an image of it would be clipped
      }
      BufferedImage image = ImageDecoder.this.read(reader, bytes, true, r -> r.read(0));
      Pixels pixels = Pixels.of(image, orientation);
      if (pixels.layout() == Layout.PALETTE || image.getRaster().getNumBands() < colors()) {
        return pixels;
      }
      return new Pixels(
          image.getRaster(), layout(), (1 << depth) - 1, premultiplied(), null, orientation);
    }

    private int colors() {
      return photometric == 5 ? 4 : photometric <= 1 || photometric == 3 ? 1 : 3;
    }

    /** Only an extra sample that is called opacity is one; others may be infrared or depth. */
    private boolean hasAlpha() {
      long extra = tags.get(TiffTags.EXTRA_SAMPLES, 0);
      return samples > colors() && (extra == 1 || extra == 2);
    }

    private boolean premultiplied() {
      return tags.get(TiffTags.EXTRA_SAMPLES, 0) == 1;
    }

    private Layout layout() {
      return switch (colors()) {
        case 4 -> Layout.CMYK;
        case 1 -> hasAlpha() ? Layout.GRAY_ALPHA : Layout.GRAY;
        default -> hasAlpha() ? Layout.RGB_ALPHA : Layout.RGB;
      };
    }

    private void check() throws ImageException {
      if (samples < 1 || samples > MAX_SAMPLES || samples < colors()) {
        throw refused(
            "is a TIFF of %d samples per pixel, which is not supported".formatted(samples));
      }
      for (long b : bits) {
        if (b != depth) {
          throw refused("has samples of different sizes, %s bits".formatted(Arrays.toString(bits)));
        }
      }
      switch ((int) Math.min(format, 100)) {
        case 1, 4 -> {
          if (depth > 16) {
            throw refused(
                "has integer samples of %d bits, whose white is not known; convert it to 8 or 16"
                        .formatted(depth)
                    + " bits");
          }
          if (!DEPTHS.contains(depth) || depth < 8 && colors() > 1) {
            throw refused("has samples of %d bits, which is not supported".formatted(depth));
          }
        }
        case 2 ->
            throw refused(
                "has signed integer samples, whose black and white are not known; convert it to"
                    + " unsigned samples of 8 or 16 bits");
        case 3 -> {
          if (depth != 16 && depth != 32 && depth != 64 || photometric > 2) {
            throw refused(
                "has floating-point samples of %d bits in color space %d, which is not supported"
                    .formatted(depth, photometric));
          }
        }
        default ->
            throw refused("has samples of format %d, which is not supported".formatted(format));
      }
      switch ((int) Math.min(photometric, 100)) {
        case 0, 1, 2, 3, 5, 6 -> {}
        case 8, 9, 10 -> throw refused("is in the Lab color space, which is not supported");
        case -1 -> throw damaged("it does not say its color space");
        default ->
            throw refused(
                "is in the TIFF color space %d, which is not supported".formatted(photometric));
      }
      if (photometric == 5 && (tags.get(TiffTags.INK_SET, 1) != 1 || depth != 8 && depth != 16)) {
        throw refused("has inks other than cyan, magenta, yellow and black of 8 or 16 bits");
      }
      if (planar && photometric == 6) {
        throw refused("stores YCbCr in separate planes, which is not supported");
      }
      if (photometric == 3 && tags.all(TiffTags.COLOR_MAP, 1).length == 0) {
        throw damaged("it has no palette");
      }
      if (!COMPRESSIONS.contains(compression)) {
        throw refused(
            "is compressed by method %d of TIFF, which is not supported".formatted(compression));
      }
    }

    /** Checks that strips or tiles are of a sensible size and lie inside the file. */
    private void checkStorage() throws ImageException {
      boolean tiled = tags.all(TiffTags.TILE_OFFSETS, 1).length > 0;
      long tileWidth = tags.get(TiffTags.TILE_WIDTH, width);
      long tileHeight = tags.get(TiffTags.TILE_HEIGHT, height);
      long bytesPerSample = (depth + 7) / 8;
      if (tileWidth < 1
          || tileHeight < 1
          || tileWidth > Math.max(2 * width, 4096)
          || tileHeight > Math.max(2 * height, 4096)) {
        throw damaged("it has tiles of %d×%d pixels".formatted(tileWidth, tileHeight));
      }
      if (width * height > (1L << 30) / (samples * bytesPerSample)) {
        throw refused("takes more than 1 GiB of samples");
      }
      int most = 1 << 22;
      long[] offsets = tags.all(tiled ? TiffTags.TILE_OFFSETS : TiffTags.STRIP_OFFSETS, most);
      long[] lengths =
          tags.all(tiled ? TiffTags.TILE_BYTE_COUNTS : TiffTags.STRIP_BYTE_COUNTS, most);
      if (offsets.length == 0) {
        throw damaged("it does not say where its pixels are");
      }
      long stored = 0;
      for (int i = 0; i < offsets.length; i++) {
        long length = i < lengths.length ? lengths[i] : 0;
        if (offsets[i] < 0 || offsets[i] > bytes.length || length > bytes.length - offsets[i]) {
          throw new ImageException(name + " is truncated: the end of the image is missing");
        }
        stored += length;
        if (compression == JPEG && length > 4) {
          checkJpeg((int) offsets[i], (int) (offsets[i] + length), tileWidth, tileHeight);
        }
      }
      boolean subsampled = photometric == 6;
      long rowBytes = (width * depth * (planar ? 1 : samples) + 7) / 8;
      long needed = rowBytes * height * (planar ? samples : 1);
      if (compression == 1 && !tiled && !subsampled && lengths.length > 0 && stored > 0) {
        if (stored < needed) {
          throw new ImageException(name + " is truncated: the end of the image is missing");
        }
      }
    }

    /** A JPEG inside may claim a size of its own. */
    private void checkJpeg(int from, int to, long tileWidth, long tileHeight)
        throws ImageException {
      JpegMarkers markers = new JpegMarkers(from, to);
      if (markers.width > tileWidth + 64 || markers.height > tileHeight + 64) {
        throw damaged(
            "a part of it has %d×%d pixels instead of %d×%d"
                .formatted(markers.width, markers.height, tileWidth, tileHeight));
      }
    }

    /** Floating-point samples, which must lie in [0, 1]. */
    private Pixels reals(Raster raster, int orientation) throws ImageException {
      int bands = raster.getNumBands();
      int w = raster.getWidth();
      WritableRaster copy = raster.createCompatibleWritableRaster(w, raster.getHeight());
      float[] row = new float[bands * w];
      float least = Float.POSITIVE_INFINITY;
      float most = Float.NEGATIVE_INFINITY;
      int used = colors() + (hasAlpha() ? 1 : 0);
      for (int y = 0; y < raster.getHeight(); y++) {
        raster.getPixels(0, y, w, 1, row);
        for (int i = 0; i < row.length; i++) {
          if (i % bands < used) {
            if (Float.isNaN(row[i])) {
              throw refused("has samples that are not numbers (NaN)");
            }
            least = Math.min(least, row[i]);
            most = Math.max(most, row[i]);
          }
          if (photometric == 0 && i % bands == 0) {
            row[i] = 1 - row[i];
          }
        }
        copy.setPixels(0, y, w, 1, row);
      }
      // Rounding of sums may lead out of the range by a little.
      if (least < -1e-3f || most > 1 + 1e-3f) {
        throw refused(
            "has floating-point samples from %s to %s; scale them to 0 to 1"
                .formatted(least, most));
      }
      return new Pixels(copy, layout(), 1, premultiplied(), null, orientation);
    }
  }
}
