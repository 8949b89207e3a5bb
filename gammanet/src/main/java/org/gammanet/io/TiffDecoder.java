package org.gammanet.io;

import com.twelvemonkeys.imageio.plugins.tiff.TIFFImageReaderSpi;
import java.awt.image.BufferedImage;
import java.awt.image.WritableRaster;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageReader;
import org.gammanet.io.Pixels.Layout;

/** Decodes TIFF. What the tags say decides how samples are read; the library unpacks them. */
final class TiffDecoder {
  /** Samples of one pixel: more are not an image of the kinds that are read. */
  private static final int MAX_SAMPLES = 16;

  private static final List<Integer> DEPTHS = List.of(1, 2, 4, 8, 10, 12, 14, 16);

  /** None, CCITT (three kinds), LZW, JPEG, Deflate (two numbers), PackBits. */
  private static final List<Long> COMPRESSIONS =
      List.of(1L, 2L, 3L, 4L, 5L, 7L, 8L, 32946L, 32773L);

  private static final int UNCOMPRESSED = 1;
  private static final int JPEG = 7;

  private static final int WHITE_IS_ZERO = 0;
  private static final int BLACK_IS_ZERO = 1;
  private static final int RGB = 2;
  private static final int PALETTE = 3;
  private static final int CMYK = 5;
  private static final int YCBCR = 6;

  private static final int UNSIGNED = 1;
  private static final int SIGNED = 2;
  private static final int FLOATING_POINT = 3;
  private static final int UNDEFINED = 4;

  private final ImageFile file;
  private final TiffTags tags;
  private final long width;
  private final long height;
  private final long[] bits;
  private final int depth;
  private final long samples;
  private final long format;
  private final long compression;
  private final long photometric;
  private final boolean planar;

  TiffDecoder(ImageFile file) {
    this.file = file;
    tags = TiffTags.of(file.bytes, 0, file.bytes.length);
    width = tags.get(TiffTags.WIDTH, 0);
    height = tags.get(TiffTags.HEIGHT, 0);
    bits = tags.all(TiffTags.BITS_PER_SAMPLE, MAX_SAMPLES);
    depth = bits.length == 0 ? 1 : (int) Math.min(bits[0], 1000);
    samples = tags.get(TiffTags.SAMPLES_PER_PIXEL, 1);
    format = tags.get(TiffTags.SAMPLE_FORMAT, UNSIGNED);
    compression = tags.get(TiffTags.COMPRESSION, UNCOMPRESSED);
    photometric = tags.get(TiffTags.PHOTOMETRIC, -1);
    planar = tags.get(TiffTags.PLANAR_CONFIGURATION, 1) == 2;
  }

  Pixels decode() throws IOException {
    file.checkSize(width, height);
    checkColors();
    checkSamples();
    checkLayout();
    checkStorage();
    ImageReader reader = ImageReaders.twelveMonkeys(TIFFImageReaderSpi.class);
    var input = new BytesInput(file.bytes, file.bytes.length);
    int orientation = tags.orientation();
    if (format == FLOATING_POINT) { // as a raster, because an image of it would be clipped
      return reals(ImageReaders.read(file, reader, input, ImageReaders::raster), orientation);
    }
    BufferedImage image = ImageReaders.read(file, reader, input, r -> r.read(0));
    Pixels pixels = Pixels.of(image, orientation);
    if (pixels.layout() == Layout.PALETTE || image.getRaster().getNumBands() < colors()) {
      return pixels;
    }
    if (photometric == WHITE_IS_ZERO && (samples > 1 || depth % 8 != 0)) {
      uninvert(image.getRaster());
    }
    return new Pixels(
        image.getRaster(), layout(), (1 << depth) - 1, premultiplied(), null, orientation);
  }

  // Checks

  private void checkColors() throws ImageException {
    switch ((int) Math.min(photometric, 100)) {
      case WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR -> {}
      case 8, 9, 10 -> throw file.refused("is in the Lab color space, which is not supported");
      case -1 -> throw file.damaged("it does not say its color space");
      default ->
          throw file.refused(
              "is in the TIFF color space %s, which is not supported".formatted(photometric));
    }
    if (samples < 1 || samples > MAX_SAMPLES || samples < colors()) {
      throw file.refused(
          "is a TIFF of %s samples per pixel, which is not supported".formatted(samples));
    }
  }

  private void checkSamples() throws ImageException {
    for (long b : bits) {
      if (b != depth) {
        throw file.refused(
            "has samples of different sizes, %s bits".formatted(Arrays.toString(bits)));
      }
    }
    switch ((int) Math.min(format, 100)) {
      case UNSIGNED, UNDEFINED -> {
        if (depth > 16) {
          throw file.refused(
              "has integer samples of %s bits, whose white is not known; convert it to 8 or 16 bits"
                  .formatted(depth));
        }
        if (!DEPTHS.contains(depth) || depth < 8 && colors() > 1) {
          throw file.refused("has samples of %s bits, which is not supported".formatted(depth));
        }
      }
      case SIGNED ->
          throw file.refused(
              "has signed integer samples, whose black and white are not known; convert it to"
                  + " unsigned samples of 8 or 16 bits");
      case FLOATING_POINT -> {
        if (depth != 16 && depth != 32 && depth != 64 || photometric > RGB) {
          throw file.refused(
              "has floating-point samples of %s bits in color space %s, which is not supported"
                  .formatted(depth, photometric));
        }
      }
      default ->
          throw file.refused("has samples of format %s, which is not supported".formatted(format));
    }
  }

  private void checkLayout() throws ImageException {
    if (photometric == CMYK && (tags.get(TiffTags.INK_SET, 1) != 1 || depth != 8 && depth != 16)) {
      throw file.refused("has inks other than cyan, magenta, yellow and black of 8 or 16 bits");
    }
    if (planar && photometric == YCBCR) {
      throw file.refused("stores YCbCr in separate planes, which is not supported");
    }
    if (photometric == PALETTE && tags.all(TiffTags.COLOR_MAP, 1).length == 0) {
      throw file.damaged("it has no palette");
    }
    if (!COMPRESSIONS.contains(compression)) {
      throw file.refused(
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
      throw file.damaged("it has tiles of %s×%s pixels".formatted(tileWidth, tileHeight));
    }
    if (width * height > (1L << 30) / (samples * bytesPerSample)) {
      throw file.refused("takes more than 1 GiB of samples");
    }
    int most = 1 << 22;
    long[] offsets = tags.all(tiled ? TiffTags.TILE_OFFSETS : TiffTags.STRIP_OFFSETS, most);
    long[] lengths = tags.all(tiled ? TiffTags.TILE_BYTE_COUNTS : TiffTags.STRIP_BYTE_COUNTS, most);
    if (offsets.length == 0) {
      throw file.damaged("it does not say where its pixels are");
    }
    long stored = 0;
    int end = file.bytes.length;
    for (int i = 0; i < offsets.length; i++) {
      long length = i < lengths.length ? lengths[i] : 0;
      if (offsets[i] < 0 || offsets[i] > end || length > end - offsets[i]) {
        throw file.truncated();
      }
      stored += length;
      if (compression == JPEG && length > 4) {
        checkJpeg((int) offsets[i], (int) (offsets[i] + length), tileWidth, tileHeight);
      }
    }
    if (compression == UNCOMPRESSED && !tiled && photometric != YCBCR && stored > 0) {
      long rowBytes = (width * depth * (planar ? 1 : samples) + 7) / 8;
      if (stored < rowBytes * height * (planar ? samples : 1)) {
        throw file.truncated();
      }
    }
  }

  /** A JPEG inside may claim a size of its own. */
  private void checkJpeg(int from, int to, long tileWidth, long tileHeight) throws ImageException {
    var markers = new JpegMarkers(file, from, to);
    if (markers.width > tileWidth + 64 || markers.height > tileHeight + 64) {
      throw file.damaged(
          "a part of it has %s×%s pixels instead of %s×%s"
              .formatted(markers.width, markers.height, tileWidth, tileHeight));
    }
  }

  // Samples

  private int colors() {
    return photometric == CMYK ? 4 : photometric == RGB || photometric == YCBCR ? 3 : 1;
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
            throw file.refused("has samples that are not numbers (NaN)");
          }
          least = Math.min(least, row[i]);
          most = Math.max(most, row[i]);
        }
        if (photometric == WHITE_IS_ZERO && i % bands == 0) {
          row[i] = 1 - row[i];
        }
      }
      raster.setPixels(0, y, w, 1, row);
    }
    // Rounding of sums may lead out of the range by a little.
    if (least < -1e-3f || most > 1 + 1e-3f) {
      throw file.refused(
          "has floating-point samples from %s to %s; scale them to 0 to 1".formatted(least, most));
    }
    return new Pixels(raster, layout(), 1, premultiplied(), null, orientation);
  }
}
