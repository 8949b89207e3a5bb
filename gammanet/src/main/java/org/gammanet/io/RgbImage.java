package org.gammanet.io;

import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.util.Arrays;

/**
 * An immutable picture of 8-bit red, green and blue samples, {@code [height, width, 3]} in
 * row-major order, each 0 to 255 in the encoding that the file had (sRGB for nearly all).
 */
public final class RgbImage {
  private final int width;
  private final int height;
  private final byte[] samples;

  /**
   * Takes over an array, which must not be changed afterwards.
   *
   * @param samples red, green, blue of each pixel, row by row; 3 × width × height values
   */
  public RgbImage(int width, int height, byte[] samples) {
    if (width < 1 || height < 1 || samples.length != 3L * width * height) {
      throw new IllegalArgumentException(
          samples.length + " samples are not an RGB image of " + width + "×" + height);
    }
    this.width = width;
    this.height = height;
    this.samples = samples;
  }

  /** Pixels in a row. */
  public int width() {
    return width;
  }

  /** Number of rows. */
  public int height() {
    return height;
  }

  /** The samples themselves, {@code [height, width, 3]}, unsigned; not to be changed. */
  public byte[] samples() {
    return samples;
  }

  /** Sample of one channel (0 red, 1 green, 2 blue), 0 to 255. */
  public int sample(int x, int y, int channel) {
    return samples[(y * width + x) * 3 + channel] & 0xFF;
  }

  /**
   * Samples of any kind of picture as the file holds them, without colour management: grey becomes
   * three equal samples, 16 bits are rounded to 8, transparent pixels are laid over white.
   */
  public static RgbImage of(BufferedImage image) {
    ColorModel model = image.getColorModel();
    int bands = image.getRaster().getNumBands();
    int depth = model.getComponentSize(0);
    boolean plainSamples =
        model instanceof ComponentColorModel
            && bands <= 4
            && (model.getTransferType() == DataBuffer.TYPE_BYTE
                || model.getTransferType() == DataBuffer.TYPE_USHORT)
            && (depth == 8 || depth == 16);
    // getRGB would convert grey from a linear scale, which no file means.
    return plainSamples
        ? ofRaster(image.getRaster(), bands, depth, model.isAlphaPremultiplied())
        : ofColors(image);
  }

  private static RgbImage ofRaster(Raster raster, int bands, int depth, boolean premultiplied) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    byte[] samples = new byte[3 * width * height];
    int[] row = new int[bands * width];
    boolean grey = bands <= 2;
    boolean alpha = bands == 2 || bands == 4;
    int most = (1 << depth) - 1;
    for (int y = 0, out = 0; y < height; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      for (int x = 0; x < width; x++) {
        int in = x * bands;
        int opacity = alpha ? row[in + bands - 1] : most;
        for (int c = 0; c < 3; c++) {
          int value = row[in + (grey ? 0 : c)];
          samples[out++] = (byte) overWhite(value, opacity, most, premultiplied);
        }
      }
    }
    return new RgbImage(width, height, samples);
  }

  /** An 8-bit sample from one of 0 to {@code most}, laid over white with the opacity given. */
  private static int overWhite(int value, int opacity, int most, boolean premultiplied) {
    if (opacity == most) {
      return most == 255 ? value : (value * 255 + most / 2) / most;
    }
    double covered = premultiplied ? value : (double) value * opacity / most;
    return (int) Math.min(255, Math.round((covered + most - opacity) * 255 / most));
  }

  private static RgbImage ofColors(BufferedImage image) {
    int width = image.getWidth();
    int height = image.getHeight();
    byte[] samples = new byte[3 * width * height];
    int[] row = new int[width];
    int[] palette = null;
    if (image.getColorModel() instanceof IndexColorModel index) {
      palette = new int[index.getMapSize()];
      index.getRGBs(palette);
    }
    for (int y = 0, out = 0; y < height; y++) {
      if (palette == null) {
        image.getRGB(0, y, width, 1, row, 0, width);
      } else {
        image.getRaster().getPixels(0, y, width, 1, row);
      }
      for (int x = 0; x < width; x++) {
        int argb = palette == null ? row[x] : palette[row[x]];
        int opacity = argb >>> 24;
        samples[out++] = (byte) overWhite(argb >> 16 & 0xFF, opacity, 255, false);
        samples[out++] = (byte) overWhite(argb >> 8 & 0xFF, opacity, 255, false);
        samples[out++] = (byte) overWhite(argb & 0xFF, opacity, 255, false);
      }
    }
    return new RgbImage(width, height, samples);
  }

  /** A copy for drawing and for programs that work with AWT. */
  public BufferedImage toBufferedImage() {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    int[] row = new int[width];
    for (int y = 0, in = 0; y < height; y++) {
      for (int x = 0; x < width; x++, in += 3) {
        row[x] =
            (samples[in] & 0xFF) << 16 | (samples[in + 1] & 0xFF) << 8 | (samples[in + 2] & 0xFF);
      }
      image.setRGB(0, y, width, 1, row, 0, width);
    }
    return image;
  }

  /**
   * The picture in another size: a triangle filter along rows, then columns, as wide as a source
   * pixel when enlarging and as a target pixel when shrinking, so that nothing aliases.
   */
  public RgbImage resize(int newWidth, int newHeight) {
    if (newWidth < 1 || newHeight < 1) {
      throw new IllegalArgumentException("no image is " + newWidth + "×" + newHeight);
    }
    if (newWidth == width && newHeight == height) {
      return this;
    }
    // Rows first: [height, newWidth, 3] as floats, so that only the end result is rounded.
    Filter across = new Filter(width, newWidth);
    float[] wide = new float[3 * newWidth * height];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < newWidth; x++) {
        for (int c = 0; c < 3; c++) {
          float sum = 0;
          for (int k = 0; k < across.count[x]; k++) {
            sum +=
                across.weight[x][k] * (samples[(y * width + across.first[x] + k) * 3 + c] & 0xFF);
          }
          wide[(y * newWidth + x) * 3 + c] = sum;
        }
      }
    }
    Filter down = new Filter(height, newHeight);
    byte[] result = new byte[3 * newWidth * newHeight];
    int stride = 3 * newWidth;
    for (int y = 0; y < newHeight; y++) {
      for (int i = 0; i < stride; i++) {
        float sum = 0;
        for (int k = 0; k < down.count[y]; k++) {
          sum += down.weight[y][k] * wide[(down.first[y] + k) * stride + i];
        }
        result[y * stride + i] = (byte) Math.clamp(Math.round(sum), 0, 255);
      }
    }
    return new RgbImage(newWidth, newHeight, result);
  }

  /** Source pixels and weights of each target pixel along one axis. */
  private static final class Filter {
    final int[] first;
    final int[] count;
    final float[][] weight;

    Filter(int from, int to) {
      first = new int[to];
      count = new int[to];
      weight = new float[to][];
      double scale = (double) from / to;
      double reach = Math.max(1, scale);
      for (int i = 0; i < to; i++) {
        double centre = (i + 0.5) * scale;
        int low = Math.max(0, (int) Math.floor(centre - reach));
        int high = Math.min(from, (int) Math.ceil(centre + reach));
        float[] weights = new float[high - low];
        double total = 0;
        for (int j = low; j < high; j++) {
          double w = Math.max(0, 1 - Math.abs(j + 0.5 - centre) / reach);
          weights[j - low] = (float) w;
          total += w;
        }
        for (int j = 0; j < weights.length; j++) {
          weights[j] /= (float) total;
        }
        first[i] = low;
        count[i] = weights.length;
        weight[i] = weights;
      }
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RgbImage image
        && image.width == width
        && image.height == height
        && Arrays.equals(image.samples, samples);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * width + height) + Arrays.hashCode(samples);
  }

  @Override
  public String toString() {
    return "RgbImage " + width + "×" + height;
  }
}
