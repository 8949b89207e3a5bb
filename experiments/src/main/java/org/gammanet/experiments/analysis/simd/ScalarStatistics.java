package org.gammanet.experiments.analysis.simd;

import org.jspecify.annotations.Nullable;

/** Kernels in plain Java. */
final class ScalarStatistics implements StatisticsKernels {
  static final ScalarStatistics INSTANCE = new ScalarStatistics();

  /** Sums up to that count as no response. */
  static final float EPSILON = 1e-12f;

  /** Golden ratio in 64 bits: the step of the counter that random bits are mixed from. */
  static final long GOLDEN = 0x9E3779B97F4A7C15L;

  /** Rows of the other factor that are worked on at a time, so that they stay in the cache. */
  static final int BLOCK = 64;

  @Override
  public void addOrientation(
      float[] responses,
      float @Nullable [] blank,
      float cos,
      float sin,
      int index,
      OrientationSums s) {
    addOrientation(responses, blank, cos, sin, index, s, 0);
  }

  static void addOrientation(
      float[] responses,
      float @Nullable [] blank,
      float cos,
      float sin,
      int index,
      OrientationSums s,
      int from) {
    for (int u = from; u < s.sum.length; u++) {
      float r = Math.max(blank == null ? responses[u] : responses[u] - blank[u], 0);
      s.sum[u] += r;
      s.cosine[u] += r * cos;
      s.sine[u] += r * sin;
      if (r > s.largest[u]) {
        s.largest[u] = r;
        s.peak[u] = index;
      }
    }
  }

  @Override
  public void finish(OrientationSums s, float[] globalOsi) {
    // The compiler turns this loop into vectors by itself.
    for (int u = 0; u < globalOsi.length; u++) {
      globalOsi[u] = selectivity(s.sum[u], s.cosine[u], s.sine[u]);
    }
  }

  static float selectivity(float sum, float cosine, float sine) {
    float length = (float) Math.sqrt(cosine * cosine + sine * sine);
    return sum > EPSILON ? length / sum : Float.NaN;
  }

  @Override
  public void orientationIndices(
      float[] responses, int orientations, float @Nullable [] blank, OrientationIndices out) {
    orientationIndices(responses, orientations, blank, out, 0);
  }

  /** Cosines and then sines of twice k orientations, evenly spaced over 180 degrees. */
  static float[] harmonics(int k) {
    float[] table = new float[2 * k];
    for (int i = 0; i < k; i++) {
      table[i] = (float) Math.cos(2 * Math.PI * i / k);
      table[k + i] = (float) Math.sin(2 * Math.PI * i / k);
    }
    return table;
  }

  static void orientationIndices(
      float[] responses, int k, float @Nullable [] blank, OrientationIndices out, int from) {
    int units = out.units();
    float[] table = harmonics(k);
    float[] r = new float[k];
    for (int u = from; u < units; u++) {
      float base = blank == null ? 0 : blank[u];
      float sum = 0;
      float cosine = 0;
      float sine = 0;
      float largest = Float.NEGATIVE_INFINITY;
      float smallest = Float.POSITIVE_INFINITY;
      int peak = 0;
      for (int i = 0; i < k; i++) {
        float v = Math.max(responses[i * units + u] - base, 0);
        r[i] = v;
        sum += v;
        cosine += v * table[i];
        sine += v * table[k + i];
        smallest = Math.min(smallest, v);
        if (v > largest) {
          largest = v;
          peak = i;
        }
      }
      // With an odd number the orthogonal orientation lies between two samples.
      float orthogonal = 0.5f * (r[(peak + k / 2) % k] + r[(peak + (k + 1) / 2) % k]);
      out.globalOsi()[u] = selectivity(sum, cosine, sine);
      out.osi()[u] = ratio(largest - orthogonal, largest + orthogonal);
      out.modulation()[u] = ratio(largest - smallest, largest + smallest);
      out.peak()[u] = peak;
    }
  }

  private static float ratio(float over, float under) {
    return under > EPSILON ? over / under : Float.NaN;
  }

  @Override
  public void halfWidths(
      float[] responses, int k, float @Nullable [] blank, float fraction, float[] halfWidths) {
    halfWidths(responses, k, blank, fraction, halfWidths, 0);
  }

  static void halfWidths(
      float[] responses,
      int k,
      float @Nullable [] blank,
      float fraction,
      float[] halfWidths,
      int from) {
    int units = halfWidths.length;
    float[] r = new float[k];
    for (int u = from; u < units; u++) {
      float base = blank == null ? 0 : blank[u];
      int peak = 0;
      float smallest = Float.POSITIVE_INFINITY;
      float total = 0;
      for (int i = 0; i < k; i++) {
        r[i] = Math.max(responses[i * units + u] - base, 0);
        total += r[i];
        smallest = Math.min(smallest, r[i]);
        if (r[i] > r[peak]) {
          peak = i;
        }
      }
      float height = r[peak] - smallest;
      float level = smallest + fraction * height;
      float up = height > EPSILON ? walk(r, peak, 1, level) : Float.NaN;
      float down = height > EPSILON ? walk(r, peak, k - 1, level) : Float.NaN;
      halfWidths[u] = Float.isNaN(total) ? Float.NaN : (up + down) * (90f / k);
    }
  }

  /** Steps to where the curve falls to the level; NaN where it does not within 90 degrees. */
  private static float walk(float[] r, int peak, int stride, float level) {
    int k = r.length;
    float previous = r[peak];
    int at = peak;
    for (int j = 1; j <= k / 2; j++) {
      at += stride;
      at = at >= k ? at - k : at;
      if (r[at] <= level) {
        return j - 1 + (previous - level) / (previous - r[at]);
      }
      previous = r[at];
    }
    return Float.NaN;
  }

  @Override
  public void addGram(double[] x, int rows, int columns, double[] gram) {
    for (int block = 0; block < rows; block += BLOCK) {
      int end = Math.min(rows, block + BLOCK);
      for (int i = 0; i < end; i++) {
        for (int j = Math.max(block, i); j < end; j++) {
          gram[i * rows + j] += dot(x, i * columns, j * columns, columns);
        }
      }
    }
  }

  /** Four sums, since each waits for its own last addition only. */
  static double dot(double[] x, int a, int b, int n) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int f = 0;
    for (; f <= n - 4; f += 4) {
      s0 += x[a + f] * x[b + f];
      s1 += x[a + f + 1] * x[b + f + 1];
      s2 += x[a + f + 2] * x[b + f + 2];
      s3 += x[a + f + 3] * x[b + f + 3];
    }
    for (; f < n; f++) {
      s0 += x[a + f] * x[b + f];
    }
    return (s0 + s1) + (s2 + s3);
  }

  @Override
  public void bootstrapMeans(double[] values, long seed, double[] means) {
    bootstrapMeans(values, seed, means, 0);
  }

  static void bootstrapMeans(double[] values, long seed, double[] means, int from) {
    int n = values.length;
    for (int r = from; r < means.length; r++) {
      long counter = seed + (long) r * n * GOLDEN;
      double sum = 0;
      for (int i = 0; i < n; i++) {
        counter += GOLDEN;
        sum += values[(int) ((mix(counter) >>> 32) * n >>> 32)];
      }
      means[r] = sum / n;
    }
  }

  @Override
  public void signFlipMeans(double[] values, long seed, double[] means) {
    signFlipMeans(values, seed, means, 0);
  }

  static void signFlipMeans(double[] values, long seed, double[] means, int from) {
    int n = values.length;
    int words = (n + 63) / 64;
    for (int r = from; r < means.length; r++) {
      long counter = seed + (long) r * words * GOLDEN;
      double sum = 0;
      for (int w = 0; w < words; w++) {
        counter += GOLDEN;
        long bits = mix(counter);
        for (int i = 64 * w; i < Math.min(n, 64 * w + 64); i++) {
          // The lowest bit becomes the sign's.
          sum += Double.longBitsToDouble(Double.doubleToRawLongBits(values[i]) ^ bits << 63);
          bits >>>= 1;
        }
      }
      means[r] = sum / n;
    }
  }

  /** The finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
  static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
