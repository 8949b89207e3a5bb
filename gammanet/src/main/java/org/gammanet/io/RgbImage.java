package org.gammanet.io;

import java.awt.image.BufferedImage;
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

  /** Width in pixels. */
  public int width() {
    return width;
  }

  /** Height in pixels. */
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
   * The samples of an image in memory, without color management: gray becomes three equal samples,
   * 16 bits are rounded to 8, transparent pixels are laid over white.
   */
  public static RgbImage of(BufferedImage image) {
    return Pixels.of(image, 1).toRgb();
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
    return newWidth == width && newHeight == height
        ? this
        : resize(width, height, this::copyRow, newWidth, newHeight);
  }

  /** Gives rows of 8-bit red, green and blue samples. */
  interface RowSource {
    /** Writes row {@code y} into {@code row}, of 3 samples for each pixel. */
    void read(int y, byte[] row);
  }

  /** Copies the 3 * width samples of row y to the beginning of an array. */
  void copyRow(int y, byte[] row) {
    System.arraycopy(samples, 3 * y * width, row, 0, 3 * width);
  }

  /** {@link #resize(int, int)} of rows that are read one after the other. */
  static RgbImage resize(int width, int height, RowSource rows, int newWidth, int newHeight) {
    if (newWidth < 1 || newHeight < 1 || (long) newWidth * newHeight > Images.MAX_PIXELS) {
      throw new IllegalArgumentException(
          "cannot resize to %s×%s: an image has 1 to %s pixels"
              .formatted(newWidth, newHeight, Images.MAX_PIXELS));
    }
    if ((long) newWidth * height > Images.MAX_PIXELS) {
      throw new IllegalArgumentException(
          "cannot resize %s×%s pixels to %s×%s: the image is too long for such a width"
              .formatted(width, height, newWidth, newHeight));
    }
    // Rows first: [height, newWidth, 3] as floats, so that only the end result is rounded.
    Filter across = new Filter(width, newWidth);
    float[] wide = new float[3 * newWidth * height];
    byte[] row = new byte[3 * width];
    for (int y = 0; y < height; y++) {
      rows.read(y, row);
      for (int x = 0; x < newWidth; x++) {
        int from = 3 * across.first[x];
        float[] weight = across.weight[x];
        for (int c = 0; c < 3; c++) {
          float sum = 0;
          for (int k = 0; k < weight.length; k++) {
            sum += weight[k] * (row[from + 3 * k + c] & 0xFF);
          }
          wide[(y * newWidth + x) * 3 + c] = sum;
        }
      }
    }
    Filter down = new Filter(height, newHeight);
    byte[] result = new byte[3 * newWidth * newHeight];
    int stride = 3 * newWidth;
    for (int y = 0; y < newHeight; y++) {
      float[] weight = down.weight[y];
      for (int i = 0; i < stride; i++) {
        float sum = 0;
        for (int k = 0; k < weight.length; k++) {
          sum += weight[k] * wide[(down.first[y] + k) * stride + i];
        }
        result[y * stride + i] = (byte) Math.clamp(Math.round(sum), 0, 255);
      }
    }
    return new RgbImage(newWidth, newHeight, result);
  }

  /**
   * The picture with a longer side of at most {@code maxSide} pixels, in proportion; itself if it
   * has no more.
   *
   * @param maxSide 0 for any number
   */
  public RgbImage shrink(int maxSide) {
    int longer = Math.max(width, height);
    if (maxSide == 0 || longer <= maxSide) {
      return this;
    }
    return resize(scaled(width, longer, maxSide), scaled(height, longer, maxSide));
  }

  /** A side of an image whose longer one becomes {@code maxSide}. */
  static int scaled(int side, int longer, int maxSide) {
    return Math.max(1, (int) Math.round(side * ((double) maxSide / longer)));
  }

  /** A part of the picture. */
  public RgbImage crop(int left, int top, int partWidth, int partHeight) {
    if (left < 0 || top < 0 || left + partWidth > width || top + partHeight > height) {
      throw new IllegalArgumentException(
          "%s×%s pixels at (%s, %s) do not lie in %s"
              .formatted(partWidth, partHeight, left, top, this));
    }
    byte[] part = new byte[3 * partWidth * partHeight];
    for (int y = 0; y < partHeight; y++) {
      System.arraycopy(
          samples, 3 * ((top + y) * width + left), part, 3 * y * partWidth, 3 * partWidth);
    }
    return new RgbImage(partWidth, partHeight, part);
  }

  /** Source pixels and weights of each target pixel along one axis. */
  private static final class Filter {
    final int[] first;
    final float[][] weight;

    Filter(int from, int to) {
      first = new int[to];
      weight = new float[to][];
      double scale = (double) from / to;
      double reach = Math.max(1, scale);
      for (int i = 0; i < to; i++) {
        double center = (i + 0.5) * scale;
        int low = Math.max(0, (int) Math.floor(center - reach));
        int high = Math.min(from, (int) Math.ceil(center + reach));
        float[] weights = new float[high - low];
        double total = 0;
        for (int j = low; j < high; j++) {
          double w = Math.max(0, 1 - Math.abs(j + 0.5 - center) / reach);
          weights[j - low] = (float) w;
          total += w;
        }
        for (int j = 0; j < weights.length; j++) {
          weights[j] /= (float) total;
        }
        first[i] = low;
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
