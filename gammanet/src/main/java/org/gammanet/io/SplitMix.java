package org.gammanet.io;

/**
 * SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
 * 2014), kept here because sequences must stay the same on every JDK: augmentation, sampling order
 * and initial weights are functions of the seed.
 */
public final class SplitMix {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private long state;

  /** A generator whose sequence is a function of all {@code keys} in their order. */
  public SplitMix(long... keys) {
    long h = 0xCBF29CE484222325L;
    for (long key : keys) {
      h = mix(h + GOLDEN ^ mix(key + GOLDEN));
    }
    state = h;
  }

  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /** The next 64 random bits. */
  public long nextLong() {
    state += GOLDEN;
    return mix(state);
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  public double nextDouble() {
    return (nextLong() >>> 11) * 0x1p-53;
  }

  /** Uniform in [low, high). */
  public double nextDouble(double low, double high) {
    return low + (high - low) * nextDouble();
  }

  /** Uniform in 0 … bound-1 (bound at least 1); the bias is below 2^-32. */
  public int nextInt(int bound) {
    return (int) ((nextLong() >>> 32) * bound >>> 32);
  }

  /** Normal numbers of mean 0 (Box and Muller 1958), two from each pair of uniform ones. */
  public void fillNormal(float[] out, int from, int count, double deviation) {
    for (int i = 0; i < count; i += 2) {
      double radius = deviation * Math.sqrt(-2 * Math.log(1 - nextDouble()));
      double angle = 2 * Math.PI * nextDouble();
      out[from + i] = (float) (radius * Math.cos(angle));
      if (i + 1 < count) {
        out[from + i + 1] = (float) (radius * Math.sin(angle));
      }
    }
  }

  /** A uniformly random order of 0 … n-1 (Fisher and Yates). */
  public int[] permutation(int n) {
    int[] order = new int[n];
    for (int i = 0; i < n; i++) {
      int j = nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }
}
