package org.gammanet.experiments.analysis.simd;

import org.gammanet.simd.Simd;

/** Holds the chosen kernels: {@link VectorStatistics} is loaded only where it can be. */
final class BestStatistics {
  static final StatisticsKernels KERNELS =
      Simd.bits() > 0 ? new VectorStatistics() : ScalarStatistics.INSTANCE;

  private BestStatistics() {}
}
