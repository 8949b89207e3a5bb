package org.gammanet.io;

import com.twelvemonkeys.imageio.plugins.jpeg.JPEGImageReaderSpi;
import java.awt.image.WritableRaster;
import java.io.IOException;
import java.util.regex.Pattern;
import javax.imageio.ImageReader;
import org.gammanet.io.Pixels.Layout;

/** Decodes JPEG of 8 bits, baseline or progressive: gray, YCbCr, RGB, CMYK and YCCK. */
final class JpegDecoder {
  /** Where an end was added, libjpeg finds it too early in a file that lacks more than that. */
  private static final Pattern TRUNCATION_BEFORE_END =
      Pattern.compile(ImageReaders.TRUNCATION + "|premature end");

  private JpegDecoder() {}

  static Pixels decode(ImageFile file) throws IOException {
    var markers = new JpegMarkers(file, 0, file.bytes.length);
    byte[] data = markers.withoutMetadata();
    // A block takes a bit at least; those of a component with few samples may hold 1024 pixels.
    file.checkStored((long) markers.width * markers.height, data.length, 1024);
    if (markers.components == 4) {
      // As a raster: the library would look for a printing profile on the machine and apply it.
      return cmyk(read(file, markers, data, ImageReaders::raster), markers);
    }
    return Pixels.of(read(file, markers, data, r -> r.read(0)), markers.orientation.value());
  }

  private static <T> T read(
      ImageFile file, JpegMarkers markers, byte[] data, ImageReaders.Decoding<T> decoding)
      throws IOException {
    ImageReader reader = ImageReaders.twelveMonkeys(JPEGImageReaderSpi.class);
    Pattern truncation = markers.lacksEnd ? TRUNCATION_BEFORE_END : ImageReaders.TRUNCATION;
    var input = new BytesInput(data, data.length);
    return ImageReaders.read(file, reader, input, true, truncation, decoding);
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
}
