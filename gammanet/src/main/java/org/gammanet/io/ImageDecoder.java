package org.gammanet.io;

import com.twelvemonkeys.imageio.plugins.jpeg.JPEGImageReaderSpi;
import com.twelvemonkeys.imageio.plugins.tiff.TIFFImageReaderSpi;
import com.twelvemonkeys.imageio.plugins.webp.WebPImageReaderSpi;
import java.awt.Point;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
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
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;
import org.gammanet.io.Pixels.Layout;
import org.jspecify.annotations.Nullable;
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

  /** Whether the marker at the end of a JPEG was missing and has been added. */
  private boolean endAdded;

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
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof OutOfMemoryError error) { // which the reader of PNG wraps
          throw tooLarge(name, error);
        }
      }
      throw new ImageException(name + " is truncated or damaged: " + reason(e), e);
    } catch (OutOfMemoryError e) {
      throw tooLarge(name, e);
    }
  }

  /** An image for which the heap is too small, so that the images beside it are still done. */
  static ImageException tooLarge(String name, OutOfMemoryError e) {
    return new ImageException(
        "%s needs more memory than the %s MB that Java has: give it more (-Xmx)"
            .formatted(name, Runtime.getRuntime().maxMemory() >> 20),
        e);
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
    if (begins("GIF87a") || begins("GIF89a")) {
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
    if (begins("\u00FF\n") || begins("\0\0\0\fJXL ")) {
      return " is a JPEG XL image, which cannot be read; convert it: magick IMAGE.jxl IMAGE.png";
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
          name + " has " + width + "×" + height + " pixels, more than the limit of 160 million");
    }
  }

  /**
   * Refuses an image whose pixels cannot all be in the file, before memory is allocated for them.
   *
   * @param stored bytes of compressed pixels
   * @param most pixels, or bytes of them, that the format can get out of a byte
   */
  private void checkStored(long needed, long stored, long most) throws ImageException {
    if (needed > most * stored + 4096) {
      throw truncated();
    }
  }

  private ImageException truncated() {
    return new ImageException(name + " is truncated: the end of the image is missing");
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
    return read(reader, new BytesInput(data, data.length), ignoreMetadata, decoding);
  }

  private <T> T read(
      ImageReader reader, BytesInput input, boolean ignoreMetadata, Decoding<T> decoding)
      throws IOException {
    try (BytesInput in = input) {
      boolean[] cut = new boolean[1];
      reader.addIIOReadWarningListener(
          (source, warning) ->
              cut[0] |=
                  warning.contains("Premature end")
                      || warning.contains("Truncated")
                      || endAdded && warning.contains("premature end"));
      reader.setInput(in, false, ignoreMetadata);
      checkSize(reader.getWidth(0), reader.getHeight(0));
      T result = decoding.apply(reader);
      if (cut[0]) { // libjpeg fills what is missing with gray and only mentions it
        throw truncated();
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

  /** Deflate gets at most 1032 bytes out of one. */
  private static final int DEFLATE = 1032;

  /**
   * Only the chunks that make the image are given to the reader: metadata may be a decompression
   * bomb, and the JDK refuses a transparent color beside an alpha channel, which PNG ignores.
   */
  private Pixels png() throws IOException {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    byte[] kept = new byte[bytes.length];
    int size = Math.min(8, bytes.length);
    System.arraycopy(bytes, 0, kept, 0, size);
    var orientation = new Orientation();
    int colorType = 0;
    long needed = 0;
    long stored = 0;
    int at = 8;
    while (at + 12 <= bytes.length) {
      int length = in.getInt(at);
      int data = at + 8;
      if (length < 0 || length > bytes.length - data) {
        break;
      }
      if (textAt(at + 4, "IHDR") && length >= 13) {
        long width = in.getInt(data) & 0xFFFFFFFFL;
        long height = in.getInt(data + 4) & 0xFFFFFFFFL;
        checkSize(width, height);
        colorType = bytes[data + 9];
        int samples = colorType == 2 ? 3 : colorType == 4 ? 2 : colorType == 6 ? 4 : 1;
        needed = width * height * samples * (bytes[data + 8] & 0xFF) / 8;
      } else if (textAt(at + 4, "IDAT")) {
        stored += length;
      } else if (textAt(at + 4, "eXIf")) {
        orientation.exif(bytes, data, data + length);
      } else if (textAt(at + 4, "iTXt") || textAt(at + 4, "zTXt") || textAt(at + 4, "tEXt")) {
        orientation.pngText(bytes, at + 4, data, data + length);
      }
      int end = Math.min(bytes.length, data + length + 4);
      boolean transparency = textAt(at + 4, "tRNS") && colorType < 4;
      if (transparency
          || textAt(at + 4, "IHDR")
          || textAt(at + 4, "PLTE")
          || textAt(at + 4, "IDAT")
          || textAt(at + 4, "IEND")) {
        System.arraycopy(bytes, at, kept, size, end - at);
        size += end - at;
      }
      at = end;
    }
    System.arraycopy(bytes, at, kept, size, bytes.length - at);
    size += bytes.length - at;
    checkStored(needed, stored + bytes.length - at, DEFLATE);
    var input = new BytesInput(kept, size);
    return Pixels.of(read(jdkReader("png"), input, true, r -> r.read(0)), orientation.value());
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
    private boolean sequential;
    private boolean completed;
    final Orientation orientation = new Orientation();
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
          orientation.exif(bytes, data + 6, end);
        } else if (marker == 0xE1 && textAt(data, Orientation.XMP_IN_JPEG)) {
          orientation.xmp(bytes, data + Orientation.XMP_IN_JPEG.length(), end);
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
      // Cameras and cut streams may lack the last marker alone. Of several scans the last ones
      // could
      // be missing.
      if (sequential && at + 4 < limit && bytes[at + 4] == components && !ends(at, limit)) {
        completed = true;
        out.write(0xFF);
        out.write(0xD9);
      }
      kept = out.toByteArray();
      if (components == 0) {
        throw damaged("there is no JPEG frame in it");
      }
    }

    private boolean ends(int from, int limit) {
      for (int i = from; i + 1 < limit; i++) {
        if (bytes[i] == (byte) 0xFF && bytes[i + 1] == (byte) 0xD9) {
          return true;
        }
      }
      return false;
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
      sequential = marker != 0xC2;
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
    endAdded = markers.completed;
    // A block takes a bit at least; those of a component with few samples may hold 1024 pixels.
    checkStored((long) markers.width * markers.height, data.length, 1024);
    ImageReader reader = reader(JPEGImageReaderSpi.class);
    if (markers.components == 4) {
      // The library would look for a printing profile on the machine and apply it.
      Raster inks = read(reader, data, true, r -> r.readRaster(0, null));
      return cmyk(writable(inks), markers);
    }
    return Pixels.of(read(reader, data, true, r -> r.read(0)), markers.orientation.value());
  }

  /** A raster that nobody else holds, to be changed in place: a copy only where it must be. */
  private static WritableRaster writable(Raster raster) {
    if (raster instanceof WritableRaster own) {
      return own;
    }
    WritableRaster copy = raster.createCompatibleWritableRaster();
    copy.setRect(raster);
    return copy;
  }

  /**
   * Inks of a CMYK or YCCK image. Adobe's programs, and nearly all others, store them inverted and
   * say so by their marker; YCCK is YCbCr (ITU-T T.871, full range) of the inverted inks.
   */
  private static Pixels cmyk(WritableRaster inks, JpegMarkers markers) {
    int width = inks.getWidth();
    int height = inks.getHeight();
    int[] row = new int[4 * width];
    for (int y = 0; y < height; y++) {
      inks.getPixels(0, y, width, 1, row);
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
    return new Pixels(inks, Layout.CMYK, 255, false, null, markers.orientation.value());
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
    checkSize(Math.max(1, screenWidth), Math.max(1, screenHeight));
    return read(
        jdkReader("gif"),
        bytes,
        false,
        reader -> {
          // A code has 12 bits at most and stands for 4096 pixels at most.
          checkStored((long) reader.getWidth(0) * reader.getHeight(0), bytes.length, 2731);
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
      throw damaged("its header has %s bytes".formatted(headerSize));
    }
    long width = old ? in.getShort(18) & 0xFFFF : in.getInt(18);
    long height = old ? in.getShort(20) & 0xFFFF : Math.abs((long) in.getInt(22));
    int bits = (old ? in.getShort(24) : in.getShort(28)) & 0xFFFF;
    int compression = old ? 0 : in.getInt(30);
    checkSize(width, height);
    if (compression < 0 || compression == 4 || compression == 5 || compression > 6) {
      throw refused("is a BMP with compression %s, which is not supported".formatted(compression));
    }
    if (!List.of(1, 4, 8, 16, 24, 32).contains(bits)) {
      throw damaged("it has %s bits per pixel".formatted(bits));
    }
    if (offset > bytes.length) {
      throw damaged("its pixels begin behind its end");
    }
    boolean runLengths = compression == 1 || compression == 2;
    long needed = runLengths ? 0 : (width * bits + 31) / 32 * 4 * height;
    if (needed > bytes.length - offset
        || runLengths && !runLengthsEnd((int) offset, compression == 1 ? 8 : 4, width, height)) {
      throw truncated();
    }
    if (!old) {
      long colors = in.getInt(46) & 0xFFFFFFFFL;
      if (colors > 1 << 16) {
        throw damaged("it has a palette of %s colors".formatted(colors));
      }
    }
    if (headerSize >= 108) {
      in.putInt(70, 0x73524742); // sRGB: the reader would otherwise load a color profile
    }
    return Pixels.of(read(jdkReader("bmp"), in.array(), true, r -> r.read(0)), 1);
  }

  /** Whether runs of pixels reach the end of the image: the reader leaves black what is missing. */
  private boolean runLengthsEnd(int from, int bits, long width, long height) {
    long x = 0;
    long y = 0;
    for (int at = from; at + 1 < bytes.length; ) {
      int count = bytes[at] & 0xFF;
      int value = bytes[at + 1] & 0xFF;
      at += 2;
      if (count > 0) {
        x += count;
      } else if (value == 0) { // end of a row
        x = 0;
        y++;
      } else if (value == 1) { // end of the image
        return true;
      } else if (value == 2 && at + 1 < bytes.length) { // a step to the right and up
        x += bytes[at] & 0xFF;
        y += bytes[at + 1] & 0xFF;
        at += 2;
      } else if (value > 2) { // pixels as they are, padded to two bytes
        at += (value * bits + 15) / 16 * 2;
        x += at > bytes.length ? 0 : value;
      }
      if (y >= height || y == height - 1 && x >= width) {
        return true;
      }
    }
    return false;
  }

  // WebP

  private Pixels webp() throws IOException {
    return new WebpDecoder().decode();
  }

  /**
   * The container is read here: the library decodes every picture that it finds in a file, takes
   * for opaque what is stored without compression, and reads on behind the end of damaged data. It
   * is given one picture at a time.
   */
  private final class WebpDecoder {
    private final ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    private final Orientation orientation = new Orientation();

    /** Size that the picture must have; 0 before anything says so. */
    private int width;

    private int height;

    /** Where the picture lies: whole, unless it is the first of an animation. */
    private int left;

    private int top;
    private int canvasWidth;
    private int canvasHeight;

    /** Begin and end of the first picture and of its opacity; 0 without. */
    private int picture;

    private int pictureEnd;
    private int opacity;
    private int opacityEnd;
    private boolean lossless;

    /** A lossless picture has a fourth band even where it says that it means nothing. */
    private boolean opaque;

    Pixels decode() throws IOException {
      long size = 8 + (in.getInt(4) & 0xFFFFFFFFL);
      if (size > bytes.length) {
        throw truncated();
      }
      chunks(12, (int) size, false);
      if (picture == 0) {
        throw damaged("there is no picture in it");
      }
      WritableRaster raster = lossless ? lossless() : lossy();
      if (canvasWidth == width && canvasHeight == height) {
        return pixels(raster);
      }
      if (opaque) {
        fillOpacity(raster);
        opaque = false;
      }
      WritableRaster canvas = rgba(canvasWidth, canvasHeight);
      canvas.setRect(left, top, raster);
      return pixels(canvas);
    }

    private Pixels pixels(Raster raster) {
      Layout layout = opaque ? Layout.RGB : Layout.RGB_ALPHA;
      return new Pixels(raster, layout, 255, false, null, orientation.value());
    }

    private static void fillOpacity(WritableRaster raster) {
      byte[] samples = ((DataBufferByte) raster.getDataBuffer()).getData();
      for (int i = 3; i < samples.length; i += 4) {
        samples[i] = (byte) 255;
      }
    }

    private void chunks(int from, int to, boolean inFrame) throws ImageException {
      for (long at = from; at + 8 <= to; ) {
        int chunk = (int) at;
        int data = chunk + 8;
        long length = in.getInt(chunk + 4) & 0xFFFFFFFFL;
        if (length > to - data) {
          throw truncated();
        }
        int end = data + (int) length;
        if (textAt(chunk, "VP8X") && length >= 10) {
          setSize(1 + (in.getInt(data + 4) & 0xFFFFFF), 1 + (in.getInt(data + 6) >>> 8));
        } else if (textAt(chunk, "ANMF") && length >= 16 && picture == 0 && !inFrame) {
          left = 2 * (in.getInt(data) & 0xFFFFFF);
          top = 2 * (in.getInt(data + 2) >>> 8);
          width = 1 + (in.getInt(data + 6) & 0xFFFFFF);
          height = 1 + (in.getInt(data + 8) >>> 8);
          checkSize(width, height);
          if (left > canvasWidth - width || top > canvasHeight - height) {
            throw damaged("its first picture lies outside of it");
          }
          chunks(data + 16, end, true);
        } else if (textAt(chunk, "ALPH") && length >= 1 && picture == 0) {
          opacity = data;
          opacityEnd = end;
        } else if (textAt(chunk, "VP8 ") && length >= 10 && picture == 0) {
          if ((bytes[data] & 1) != 0 || !textAt(data + 3, "\u009D\u0001\u002A")) {
            throw damaged("its picture does not begin with a key frame");
          }
          setPicture(
              data, end, in.getShort(data + 6) & 0x3FFF, in.getShort(data + 8) & 0x3FFF, false);
        } else if (textAt(chunk, "VP8L") && length >= 5 && picture == 0) {
          int sizes = in.getInt(data + 1);
          if (bytes[data] != 0x2F || sizes >>> 29 != 0) {
            throw damaged("its picture is of an unknown version");
          }
          setPicture(data, end, 1 + (sizes & 0x3FFF), 1 + (sizes >>> 14 & 0x3FFF), true);
        } else if (textAt(chunk, "EXIF")) {
          orientation.exif(bytes, textAt(data, "Exif\0\0") ? data + 6 : data, end);
        } else if (textAt(chunk, "XMP ")) {
          orientation.xmp(bytes, data, end);
        }
        at = end + (length & 1);
      }
    }

    private void setSize(int w, int h) throws ImageException {
      checkSize(w, h);
      width = canvasWidth = w;
      height = canvasHeight = h;
    }

    private void setPicture(int from, int to, int w, int h, boolean isLossless)
        throws ImageException {
      if (width == 0) {
        setSize(w, h);
      } else if (w != width || h != height) {
        throw damaged("its picture has %s×%s pixels, not %s×%s".formatted(w, h, width, height));
      }
      picture = from;
      pictureEnd = to;
      lossless = isLossless;
    }

    private static WritableRaster rgba(int width, int height) {
      return Raster.createInterleavedRaster(
          DataBuffer.TYPE_BYTE, width, height, 4 * width, 4, new int[] {0, 1, 2, 3}, null);
    }

    /** A file with one picture, followed by zeros that no picture needs but the library reads. */
    private BytesInput single(String kind, byte[] start, int from, int to) {
      int length = start.length + to - from;
      ByteBuffer file = ByteBuffer.allocate(20 + length + 16).order(ByteOrder.LITTLE_ENDIAN);
      file.put("RIFF    WEBP".getBytes(StandardCharsets.US_ASCII)).putInt(4, 12 + length);
      file.put(kind.getBytes(StandardCharsets.US_ASCII)).putInt(length);
      file.put(start).put(bytes, from, to - from);
      return new BytesInput(file.array(), file.capacity(), 20 + length);
    }

    private WritableRaster lossless() throws IOException {
      opaque = (in.getInt(picture + 1) & 1 << 28) == 0;
      return lossless(picture + 5, pictureEnd);
    }

    /** Red, green, blue and opacity of a lossless picture, whose header is made anew. */
    private WritableRaster lossless(int from, int to) throws IOException {
      byte[] start =
          ByteBuffer.allocate(5)
              .order(ByteOrder.LITTLE_ENDIAN)
              .put((byte) 0x2F)
              .putInt(width - 1 | (height - 1) << 14 | 1 << 28)
              .array();
      var raster = new BoundedRaster(rgba(width, height));
      decode(single("VP8L", start, from, to), raster, new int[] {8, 8, 8, 8});
      return raster;
    }

    private void decode(BytesInput file, WritableRaster into, int[] bits) throws IOException {
      boolean alpha = bits.length == 4;
      var model =
          new ComponentColorModel(
              ColorSpace.getInstance(ColorSpace.CS_sRGB),
              bits,
              alpha,
              false,
              alpha ? Transparency.TRANSLUCENT : Transparency.OPAQUE,
              DataBuffer.TYPE_BYTE);
      var parameters = new ImageReadParam();
      parameters.setDestination(new BufferedImage(model, into, false, null));
      read(reader(WebPImageReaderSpi.class), file, true, r -> r.read(0, parameters));
    }

    private WritableRaster lossy() throws IOException {
      // A macroblock of 256 pixels takes 3.4 bits at least, for the modes of prediction.
      checkStored((long) width * height, pictureEnd - picture, 600);
      WritableRaster raster = opacity == 0 ? opaque() : opacity();
      WritableRaster colors =
          raster.createWritableChild(0, 0, width, height, 0, 0, new int[] {0, 1, 2});
      decode(single("VP8 ", new byte[0], picture, pictureEnd), colors, new int[] {8, 8, 8});
      return raster;
    }

    private WritableRaster opaque() {
      WritableRaster raster = rgba(width, height);
      Arrays.fill(((DataBufferByte) raster.getDataBuffer()).getData(), (byte) 255);
      return raster;
    }

    /** A raster whose fourth band is the picture's opacity. */
    private WritableRaster opacity() throws IOException {
      int method = bytes[opacity] & 3;
      WritableRaster raster;
      if (method == 0) {
        if (opacityEnd - opacity - 1 < width * height) {
          throw truncated();
        }
        raster = rgba(width, height);
      } else if (method == 1) {
        raster = lossless(opacity + 1, opacityEnd); // opacity is its green
      } else {
        throw damaged("its opacity is stored by method %s".formatted(method));
      }
      byte[] samples = ((DataBufferByte) raster.getDataBuffer()).getData();
      for (int i = 0; i < width * height; i++) {
        int stored = method == 0 ? bytes[opacity + 1 + i] : samples[4 * i + 1];
        samples[4 * i + 3] = (byte) (stored + predicted(samples, i, bytes[opacity] >> 2 & 3));
      }
      return raster;
    }

    /** What opacity is stored relative to: nothing, left, above, or the gradient of both. */
    private int predicted(byte[] samples, int i, int filter) {
      int x = i % width;
      int before = x > 0 ? samples[4 * i - 1] & 0xFF : 0;
      int above = i >= width ? samples[4 * (i - width) + 3] & 0xFF : 0;
      if (filter == 0) {
        return 0;
      }
      if (i < width || x == 0) {
        return i < width ? before : above;
      }
      int diagonal = samples[4 * (i - width) - 1] & 0xFF;
      return filter == 1
          ? before
          : filter == 2 ? above : Math.clamp(before + above - diagonal, 0, 255);
    }
  }

  /**
   * Four bytes per pixel, each of which may be written a few times: once while a lossless picture
   * is decoded, and once for each of the four transforms, which a hostile file repeats at will.
   */
  private static final class BoundedRaster extends WritableRaster {
    private final byte[] samples;
    private long left;

    BoundedRaster(WritableRaster raster) {
      super(raster.getSampleModel(), raster.getDataBuffer(), new Point());
      this.samples = ((DataBufferByte) raster.getDataBuffer()).getData();
      this.left = 5L * width * height;
    }

    @Override
    public WritableRaster createWritableChild(
        int x, int y, int w, int h, int childX, int childY, int @Nullable [] bands) {
      boolean all = x == 0 && y == 0 && w == width && h == height && bands == null;
      return all ? this : super.createWritableChild(x, y, w, h, childX, childY, bands);
    }

    @Override
    public void setDataElements(int x, int y, Object pixel) {
      if (--left < 0) {
        throw new IllegalStateException("transforms are repeated");
      }
      System.arraycopy(pixel, 0, samples, 4 * (y * width + x), 4);
    }

    @Override
    public Object getDataElements(int x, int y, @Nullable Object pixel) {
      byte[] out = pixel == null ? new byte[4] : (byte[]) pixel;
      System.arraycopy(samples, 4 * (y * width + x), out, 0, 4);
      return out;
    }
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
        return reals(
            writable(raster), orientation); // as a raster, because an image of it would be clipped
      }
      BufferedImage image = ImageDecoder.this.read(reader, bytes, true, r -> r.read(0));
      Pixels pixels = Pixels.of(image, orientation);
      if (pixels.layout() == Layout.PALETTE || image.getRaster().getNumBands() < colors()) {
        return pixels;
      }
      if (photometric == 0 && (samples > 1 || depth % 8 != 0)) {
        uninvert(image.getRaster());
      }
      return new Pixels(
          image.getRaster(), layout(), (1 << depth) - 1, premultiplied(), null, orientation);
    }

    /**
     * Where 0 is white the library inverts every sample within the 8 or 16 bits that it unpacks it
     * to: opacity as well, and samples of 10 to 14 bits beyond their range.
     */
    private void uninvert(WritableRaster raster) {
      int unpacked = depth > 8 ? 0xFFFF : 0xFF;
      int bands = raster.getNumBands();
      int[] row = new int[bands * raster.getWidth()];
      for (int y = 0; y < raster.getHeight(); y++) {
        raster.getPixels(0, y, raster.getWidth(), 1, row);
        for (int i = 0; i < row.length; i++) {
          row[i] = i % bands == 0 ? row[i] - unpacked + (1 << depth) - 1 : unpacked - row[i];
        }
        raster.setPixels(0, y, raster.getWidth(), 1, row);
      }
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
      switch ((int) Math.min(photometric, 100)) {
        case 0, 1, 2, 3, 5, 6 -> {}
        case 8, 9, 10 -> throw refused("is in the Lab color space, which is not supported");
        case -1 -> throw damaged("it does not say its color space");
        default ->
            throw refused(
                "is in the TIFF color space %s, which is not supported".formatted(photometric));
      }
      if (samples < 1 || samples > MAX_SAMPLES || samples < colors()) {
        throw refused(
            "is a TIFF of %s samples per pixel, which is not supported".formatted(samples));
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
                "has integer samples of %s bits, whose white is not known; convert it to 8 or 16"
                        .formatted(depth)
                    + " bits");
          }
          if (!DEPTHS.contains(depth) || depth < 8 && colors() > 1) {
            throw refused("has samples of %s bits, which is not supported".formatted(depth));
          }
        }
        case 2 ->
            throw refused(
                "has signed integer samples, whose black and white are not known; convert it to"
                    + " unsigned samples of 8 or 16 bits");
        case 3 -> {
          if (depth != 16 && depth != 32 && depth != 64 || photometric > 2) {
            throw refused(
                "has floating-point samples of %s bits in color space %s, which is not supported"
                    .formatted(depth, photometric));
          }
        }
        default ->
            throw refused("has samples of format %s, which is not supported".formatted(format));
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
            "is compressed by method %s of TIFF, which is not supported".formatted(compression));
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
        throw damaged("it has tiles of %s×%s pixels".formatted(tileWidth, tileHeight));
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
          throw truncated();
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
          throw truncated();
        }
      }
    }

    /** A JPEG inside may claim a size of its own. */
    private void checkJpeg(int from, int to, long tileWidth, long tileHeight)
        throws ImageException {
      JpegMarkers markers = new JpegMarkers(from, to);
      if (markers.width > tileWidth + 64 || markers.height > tileHeight + 64) {
        throw damaged(
            "a part of it has %s×%s pixels instead of %s×%s"
                .formatted(markers.width, markers.height, tileWidth, tileHeight));
      }
    }

    /** Floating-point samples, which must lie in [0, 1]. */
    private Pixels reals(WritableRaster raster, int orientation) throws ImageException {
      int bands = raster.getNumBands();
      int w = raster.getWidth();
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
        raster.setPixels(0, y, w, 1, row);
      }
      // Rounding of sums may lead out of the range by a little.
      if (least < -1e-3f || most > 1 + 1e-3f) {
        throw refused(
            "has floating-point samples from %s to %s; scale them to 0 to 1"
                .formatted(least, most));
      }
      return new Pixels(raster, layout(), 1, premultiplied(), null, orientation);
    }
  }
}
