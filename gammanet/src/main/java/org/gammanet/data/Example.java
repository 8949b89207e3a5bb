package org.gammanet.data;

import java.util.Arrays;

/**
 * One decoded image with its annotation, as the cache of a data set holds it.
 *
 * @param id file name without extension
 * @param height rows
 * @param width columns
 * @param rgb {@code height * width * 3} bytes, row-major, red first
 * @param annotation edges drawn by people
 */
public record Example(String id, int height, int width, byte[] rgb, Annotation annotation) {
  /** The masks that the benchmark matches with, as {@link GroundTruth.Annotated#drawings}. */
  public GroundTruth drawings() {
    return GroundTruth.of(height, width, annotation);
  }

  /** Edges in an image; every form gives one soft target per pixel. */
  public sealed interface Annotation permits Layers, Soft {
    /** The target in [0, 1] per pixel, row-major; negative where it says "ignore". */
    float[] consensus();
  }

  /**
   * Binary masks, one per annotator, that share pixels: bit k of {@code bits} is mask k.
   *
   * @param bits one value per pixel
   * @param weights what each mask adds to the consensus; they sum to 1, at most 16 of them
   * @param lines whether the masks are one-pixel lines, which geometry must keep thin
   * @param drawings whether each mask is an annotator's drawing; otherwise they are the levels of
   *     one map
   */
  public record Layers(short[] bits, float[] weights, boolean lines, boolean drawings)
      implements Annotation {
    public Layers {
      if (weights.length < 1 || weights.length > 16) {
        throw new IllegalArgumentException(
            "%s annotators: 1 to 16 can be used".formatted(weights.length));
      }
    }

    /** Drawings of {@code count} annotators with equal weight. */
    public static Layers equal(short[] bits, int count, boolean lines) {
      float[] weights = new float[count];
      Arrays.fill(weights, 1f / count);
      return new Layers(bits, weights, lines, true);
    }

    private boolean isEqual() {
      for (float w : weights) {
        if (w != weights[0]) {
          return false;
        }
      }
      return true;
    }

    @Override
    public float[] consensus() {
      float[] sums = sums();
      float[] m = new float[bits.length];
      for (int i = 0; i < m.length; i++) {
        m[i] = sums[bits[i] & 0xFFFF];
      }
      return m;
    }

    /** The consensus of every combination of masks, indexed by bits. */
    private float[] sums() {
      int count = weights.length;
      float[] sums = new float[1 << count];
      boolean equal = isEqual();
      for (int code = 0; code < sums.length; code++) {
        if (equal) {
          // A quotient of whole numbers: 3 of 5 is the float nearest to 0.6, whatever the order.
          sums[code] = (float) Integer.bitCount(code) / count;
        } else {
          double sum = 0;
          for (int k = 0; k < count; k++) {
            sum += (code >> k & 1) * (double) weights[k];
          }
          sums[code] = (float) sum;
        }
      }
      return sums;
    }
  }

  /**
   * A map of real values.
   *
   * @param values one value per pixel in [0, 1]; negative says "ignore"
   */
  public record Soft(float[] values) implements Annotation {
    @Override
    public float[] consensus() {
      return values.clone();
    }

    /**
     * The same map as nested binary masks where it has at most 16 different positive values (a mean
     * over annotators has), else itself: masks survive rotation and scaling, means do not.
     */
    public Annotation layered(int height, int width) {
      float[] levels = new float[17];
      int n = 0;
      for (float v : values) {
        if (v < 0 || Float.isNaN(v)) {
          return this;
        }
        if (v > 0 && Arrays.binarySearch(levels, 0, n, v) < 0) {
          if (n == 16) {
            return this;
          }
          levels[n++] = v;
          Arrays.sort(levels, 0, n);
        }
      }
      if (n == 0 || levels[n - 1] != 1) {
        // The weights of masks sum to 1: the last level must be 1, or an empty mask fills the gap.
        if (n == 16) {
          return this;
        }
        levels[n++] = 1;
      }
      float[] weights = new float[n];
      for (int k = 0; k < n; k++) {
        weights[k] = levels[k] - (k == 0 ? 0 : levels[k - 1]);
      }
      short[] bits = new short[values.length];
      for (int i = 0; i < bits.length; i++) {
        int at = Arrays.binarySearch(levels, 0, n, values[i]);
        bits[i] = at < 0 ? 0 : (short) ((1 << at + 1) - 1);
      }
      return new Layers(bits, weights, isLines(bits, height, width), false);
    }

    /** Whether hardly any set pixel is the corner of a full 2 x 2 block. */
    private static boolean isLines(short[] bits, int height, int width) {
      int set = 0;
      int blocks = 0;
      for (int y = 0; y + 1 < height; y++) {
        for (int x = 0; x + 1 < width; x++) {
          int p = y * width + x;
          if (bits[p] != 0) {
            set++;
            blocks += bits[p + 1] != 0 && bits[p + width] != 0 && bits[p + width + 1] != 0 ? 1 : 0;
          }
        }
      }
      return blocks <= 0.1 * set;
    }
  }
}
