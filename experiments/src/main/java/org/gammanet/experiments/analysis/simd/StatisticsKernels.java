package org.gammanet.experiments.analysis.simd;

import org.gammanet.simd.Simd;
import org.jspecify.annotations.Nullable;

/**
 * The loops that statistics of large populations spend their time in. Responses lie orientation
 * after orientation, K x U, so that neighboring lanes hold neighboring units; in the same order of
 * additions both implementations give the same bits, except where said.
 *
 * <p>Arguments are not checked beyond what arrays check themselves: callers validate once.
 */
public sealed interface StatisticsKernels permits ScalarStatistics, VectorStatistics {
  /** The implementation that {@link Simd} decides on. */
  static StatisticsKernels best() {
    return BestStatistics.KERNELS;
  }

  /** The scalar twin, for comparison. */
  static StatisticsKernels scalar() {
    return ScalarStatistics.INSTANCE;
  }

  /**
   * Takes in the responses of all units to one orientation: {@code r = max(responses - blank, 0)}
   * is added to the sum, {@code r cos} and {@code r sin} to the vector sum; the largest r and its
   * index are kept.
   *
   * @param responses one per unit
   * @param blank responses to no stimulus, one per unit; null for 0
   * @param cos of twice the orientation
   * @param sin of twice the orientation
   * @param index of the orientation, rising from call to call
   */
  void addOrientation(
      float[] responses,
      float @Nullable [] blank,
      float cos,
      float sin,
      int index,
      OrientationSums sums);

  /**
   * Global selectivity {@code |Σ r e^{2iθ}| / Σ r} of what was taken in, which is 1 less the
   * circular variance.
   *
   * @param globalOsi receives one per unit; NaN where Σ r ≤ 1e-12
   */
  void finish(OrientationSums sums, float[] globalOsi);

  /**
   * Indices of all units from a table that holds all orientations.
   *
   * @param responses K x U
   * @param orientations K, evenly spaced over 180 degrees from 0 on
   * @param blank responses to no stimulus, U; null for 0
   */
  void orientationIndices(
      float[] responses, int orientations, float @Nullable [] blank, OrientationIndices out);

  /**
   * Half widths at a fraction of the height between the least and the largest r of each unit, by
   * walking from the first maximum to both sides with linear interpolation between samples.
   *
   * @param responses K x U
   * @param orientations K
   * @param blank responses to no stimulus, U; null for 0
   * @param fraction 0.5 for half height
   * @param halfWidths receives degrees, U; NaN for flat curves and for those that do not fall to
   *     the level within 90 degrees
   */
  void halfWidths(
      float[] responses,
      int orientations,
      float @Nullable [] blank,
      float fraction,
      float[] halfWidths);

  /**
   * Adds the products of all pairs of rows, {@code gram[i n + j] += Σ x_if x_jf} for j ≥ i; what is
   * below the diagonal is left alone. Sums are in another order in each implementation.
   *
   * @param x rows x columns
   * @param gram rows x rows
   */
  void addGram(double[] x, int rows, int columns, double[] gram);

  /**
   * Means of random resamples with repetition. The i-th draw of the r-th resample depends on the
   * seed, r, i and the number of values only.
   *
   * @param values the sample
   * @param means receives one per resample
   */
  void bootstrapMeans(double[] values, long seed, double[] means);

  /**
   * Means of the values with random signs.
   *
   * @param values the sample
   * @param means receives one per pattern of signs
   */
  void signFlipMeans(double[] values, long seed, double[] means);
}
