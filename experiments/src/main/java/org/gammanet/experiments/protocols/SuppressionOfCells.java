package org.gammanet.experiments.protocols;

import java.util.Arrays;
import org.gammanet.experiments.analysis.Statistics;

/**
 * Suppression indices of the cells of Cavanaugh, Bair and Movshon (2002): how many are below 0.1
 * (their text) and below multiples of 0.2 (the counts 66, 44, 38, 23, 16 and 3 of their histogram,
 * as Brain-Score has them).
 */
final class SuppressionOfCells {
  static final int N = 190;
  static final double[] EDGES = {0, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.2};

  /** Fraction of the cells below each edge. */
  static final double[] FRACTIONS =
      Samples.scaled(new double[] {0, 42, 66, 110, 148, 171, 187, 190}, 1.0 / N);

  private SuppressionOfCells() {}

  /** The fraction of values below each edge. */
  static double[] below(double[] values) {
    return Samples.fill(
        EDGES.length,
        i ->
            Arrays.stream(values).filter(v -> v < EDGES[i]).count()
                / (double) Math.max(1, values.length));
  }

  /** The largest difference between the distributions of units and cells, at the edges. */
  static Statistics.Interval distance(double[] index, long seed) {
    return index.length < 2
        ? new Statistics.Interval(Double.NaN, Double.NaN, Double.NaN, index.length)
        : Statistics.bootstrap(
            index.length,
            drawn -> {
              double[] f = below(Samples.pick(index, drawn));
              return Samples.largest(Samples.fill(f.length, i -> f[i] - FRACTIONS[i]));
            },
            0.95,
            1000,
            seed);
  }
}
