package org.gammanet.io;

import java.util.Arrays;

/**
 * Probability of an edge at each pixel, {@code [height, width]} in row-major order, 0 to 1.
 * Immutable.
 */
public final class EdgeMap {
  private final int width;
  private final int height;
  private final float[] values;

  /**
   * Takes over an array, which must not be changed afterwards.
   *
   * @param values width × height probabilities, row by row
   * @throws IllegalArgumentException if the number of values is wrong or one is not in [0, 1]
   */
  public EdgeMap(int width, int height, float[] values) {
    if (width < 1 || height < 1 || values.length != (long) width * height) {
      throw new IllegalArgumentException(
          values.length + " values are not a map of " + width + "×" + height);
    }
    for (float value : values) {
      if (!(value >= 0 && value <= 1)) {
        throw new IllegalArgumentException(value + " is not a probability");
      }
    }
    this.width = width;
    this.height = height;
    this.values = values;
  }

  /** Width in pixels. */
  public int width() {
    return width;
  }

  /** Height in pixels. */
  public int height() {
    return height;
  }

  /** The probabilities themselves, {@code [height, width]}; not to be changed. */
  public float[] values() {
    return values;
  }

  /** The probability in [0, 1] at column x and row y, from the top left. */
  public float value(int x, int y) {
    return values[y * width + x];
  }

  /** The map in another size, bilinearly between pixel centers. */
  public EdgeMap resize(int newWidth, int newHeight) {
    if (newWidth == width && newHeight == height) {
      return this;
    }
    float[] out = new float[Math.multiplyExact(newWidth, newHeight)];
    for (int y = 0; y < newHeight; y++) {
      double sy = Math.clamp((y + 0.5) * height / newHeight - 0.5, 0, height - 1);
      int y0 = (int) sy;
      int y1 = Math.min(y0 + 1, height - 1);
      for (int x = 0; x < newWidth; x++) {
        double sx = Math.clamp((x + 0.5) * width / newWidth - 0.5, 0, width - 1);
        int x0 = (int) sx;
        int x1 = Math.min(x0 + 1, width - 1);
        double top = value(x0, y0) + (value(x1, y0) - value(x0, y0)) * (sx - x0);
        double bottom = value(x0, y1) + (value(x1, y1) - value(x0, y1)) * (sx - x0);
        // Rounding may lead out of the range by one unit in the last place.
        out[y * newWidth + x] = Math.clamp((float) (top + (bottom - top) * (sy - y0)), 0, 1);
      }
    }
    return new EdgeMap(newWidth, newHeight, out);
  }

  /** The map as a gray picture: 0 black, 1 white. */
  public RgbImage toImage() {
    byte[] samples = new byte[3 * values.length];
    for (int i = 0; i < values.length; i++) {
      byte gray = (byte) Math.round(values[i] * 255);
      samples[3 * i] = gray;
      samples[3 * i + 1] = gray;
      samples[3 * i + 2] = gray;
    }
    return new RgbImage(width, height, samples);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof EdgeMap map
        && map.width == width
        && map.height == height
        && Arrays.equals(map.values, values);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * width + height) + Arrays.hashCode(values);
  }

  @Override
  public String toString() {
    return "EdgeMap " + width + "×" + height;
  }
}
