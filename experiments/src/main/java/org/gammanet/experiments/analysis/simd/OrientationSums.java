package org.gammanet.experiments.analysis.simd;

import java.util.Arrays;

/** Running sums over orientations, one of each per unit; 20 bytes a unit however many stimuli. */
public final class OrientationSums {
  final float[] sum;
  final float[] cosine;
  final float[] sine;
  final float[] largest;
  final int[] peak;

  /** Empty sums of this many units. */
  public OrientationSums(int units) {
    sum = new float[units];
    cosine = new float[units];
    sine = new float[units];
    largest = new float[units];
    Arrays.fill(largest, -1);
    peak = new int[units];
  }

  /** Number of units. */
  public int units() {
    return sum.length;
  }

  /** Σ r of a unit. */
  public float sum(int unit) {
    return sum[unit];
  }

  /** Largest r of a unit; -1 before any. */
  public float largest(int unit) {
    return largest[unit];
  }

  /** Index of the first orientation with the largest r of a unit. */
  public int peak(int unit) {
    return peak[unit];
  }

  /**
   * Preferred orientation {@code ½ arg Σ r e^{2iθ}} of a unit, degrees in [0, 180).
   *
   * @return NaN where |Σ| ≤ 1e-6 Σ r, which is what sums in single precision resolve
   */
  public double preferred(int unit) {
    double length = Math.hypot(cosine[unit], sine[unit]);
    if (!(length > 1e-6 * sum[unit])) {
      return Double.NaN;
    }
    double degrees = Math.toDegrees(Math.atan2(sine[unit], cosine[unit])) / 2;
    return degrees < 0 ? degrees + 180 : degrees;
  }
}
