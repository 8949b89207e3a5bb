package org.gammanet.experiments.analysis.simd;

/**
 * Indices of orientation tuning, one of each per unit; NaN where undefined.
 *
 * @param globalOsi {@code |Σ r e^{2iθ}| / Σ r}, which is 1 less the circular variance
 * @param osi {@code (r_p - r_o) / (r_p + r_o)}, r_o at 90 degrees from the maximum
 * @param modulation {@code (max - min) / (max + min)}
 * @param peak index of the first maximum
 */
public record OrientationIndices(float[] globalOsi, float[] osi, float[] modulation, int[] peak) {
  /** Allocates the indices of this many units. */
  public OrientationIndices(int units) {
    this(new float[units], new float[units], new float[units], new int[units]);
  }

  /** Number of units. */
  public int units() {
    return peak.length;
  }
}
