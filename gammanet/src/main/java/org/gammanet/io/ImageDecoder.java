package org.gammanet.io;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * Decodes image files: PNG, GIF and BMP by the JDK's readers, JPEG, TIFF and WebP by
 * TwelveMonkeys'.
 *
 * <p>Each format has a class that adds what its reader lacks: it checks sizes and tables before
 * anything is allocated for them, hides color profiles so that no reader applies one, reads the
 * orientation, and keeps the meaning that the file gives to its samples.
 */
final class ImageDecoder {
  private ImageDecoder() {}

  /**
   * Decodes the first image in a file.
   *
   * @throws ImageException in one sentence that begins with {@code name}
   */
  static Pixels decode(byte[] bytes, String name) throws ImageException {
    var file = new ImageFile(bytes, name);
    try {
      return decode(file);
    } catch (ImageException e) {
      throw e;
    } catch (IOException | RuntimeException | StackOverflowError e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof OutOfMemoryError error) { // which the reader of PNG wraps
          throw tooLarge(name, error);
        }
      }
      ImageException damaged = file.damaged(reason(e));
      damaged.initCause(e);
      throw damaged;
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

  private static Pixels decode(ImageFile file) throws IOException {
    if (file.begins("\u0089PNG")) {
      return PngDecoder.decode(file);
    }
    if (file.begins("\u00FF\u00D8")) {
      return JpegDecoder.decode(file);
    }
    if (file.begins("GIF87a") || file.begins("GIF89a")) {
      return GifDecoder.decode(file);
    }
    if (file.begins("BM")) {
      return BmpDecoder.decode(file);
    }
    if (TiffTags.isTiff(file.bytes)) {
      return new TiffDecoder(file).decode();
    }
    if (file.begins("RIFF") && file.textAt(8, "WEBP")) {
      return new WebpDecoder(file).decode();
    }
    throw file.refused(unsupported(file));
  }

  private static String unsupported(ImageFile file) {
    if (file.textAt(4, "ftyp")) {
      byte[] bytes = file.bytes;
      String brand = new String(bytes, 8, Math.min(4, bytes.length - 8), StandardCharsets.US_ASCII);
      return switch (brand) {
        case "avif", "avis" ->
            "is an AVIF image, which cannot be read; convert it: magick IMAGE.avif IMAGE.png";
        case "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1" ->
            "is a HEIC image, which cannot be read; convert it: magick IMAGE.heic IMAGE.png"
                + " (or heif-convert IMAGE.heic IMAGE.png)";
        default -> "is a video, not an image";
      };
    }
    if (file.begins("\u00FF\n") || file.begins("\0\0\0\fJXL ")) {
      return "is a JPEG XL image, which cannot be read; convert it: magick IMAGE.jxl IMAGE.png";
    }
    if (file.begins("%PDF")) {
      return "is a PDF, not an image";
    }
    if (file.begins("\0\0\0\fjP  ") || file.begins("\u00FF\u004F\u00FF\u0051")) {
      return "is a JPEG 2000 image, which cannot be read; convert it to PNG";
    }
    return "is not an image in a known format; use PNG, JPEG, TIFF, WebP, GIF or BMP";
  }
}
