package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.junit.jupiter.api.Test;

/** Simulated comparisons: how often they call nothing an effect, and find an effect. */
class SimulatedComparisonTest {
  private static final int RUNS = 2000;

  /** Units of a network: what a condition does to all of them, and noise of their own. */
  private static double[][] units(SplittableRandom random, double[] effect, int n, double sd) {
    double[][] at = new double[effect.length][n];
    for (int i = 0; i < effect.length; i++) {
      for (int u = 0; u < n; u++) {
        at[i][u] = effect[i] + sd * random.nextGaussian();
      }
    }
    return at;
  }

  /** The normalized response of V1 to a surround of rising difference of orientation. */
  private static final double[] RECORDED = {0.45, 0.5, 0.65, 0.8, 0.9, 0.95, 1};

  /** The correlation with the recording of a network's mean over 12 units. */
  private static double resemblance(SplittableRandom random, double[] effect) {
    double[] mean =
        Arrays.stream(units(random, effect, 12, 0.3))
            .mapToDouble(u -> Arrays.stream(u).average().orElseThrow())
            .toArray();
    return Statistics.pearson(mean, RECORDED);
  }

  /** Its rank among 39 networks without the effect. */
  private static double p(SplittableRandom random, double[] effect) {
    double[] controls = new double[39];
    for (int i = 0; i < controls.length; i++) {
      controls[i] = resemblance(random, new double[RECORDED.length]);
    }
    return p(resemblance(random, effect), controls);
  }

  @Test
  void networksWithoutAnEffectAreSignificantInFivePercent() {
    var random = new SplittableRandom(11);
    int significant = 0;
    for (int r = 0; r < RUNS; r++) {
      significant += p(random, new double[RECORDED.length]) <= 0.05 ? 1 : 0;
    }
    System.out.printf("no effect: %d of %d significant%n", significant, RUNS);
    assertEquals(0.05, significant / (double) RUNS, 0.015);
  }

  @Test
  void anEffectOfTheSizeInTheLiteratureIsFound() {
    var random = new SplittableRandom(12);
    int found = 0;
    for (int r = 0; r < RUNS; r++) {
      found += p(random, RECORDED) <= 0.05 ? 1 : 0;
    }
    System.out.printf("with the effect: %d of %d significant%n", found, RUNS);
    assertTrue(found >= 0.8 * RUNS, "found " + found);
  }

  /** The rank among 19 controls, where the network is one of them. */
  @Test
  void aNetworkLikeItsControlsIsSignificantInFivePercent() {
    var random = new SplittableRandom(13);
    int significant = 0;
    int found = 0;
    for (int r = 0; r < RUNS; r++) {
      double[] controls = new double[19];
      for (int i = 0; i < controls.length; i++) {
        controls[i] = random.nextGaussian();
      }
      significant += p(random.nextGaussian(), controls) <= 0.05 ? 1 : 0;
      found += p(3.5 + random.nextGaussian(), controls) <= 0.05 ? 1 : 0;
    }
    System.out.printf("among controls: %d of %d; planted: %d%n", significant, RUNS, found);
    assertEquals(0.05, significant / (double) RUNS, 0.015);
    assertTrue(found >= 0.8 * RUNS, "found " + found);
  }

  @Test
  void aNetworkWithoutAValueHasNoP() {
    assertEquals(Double.NaN, p(Double.NaN, new double[19]));
  }

  private static double p(double network, double[] controls) {
    return ControlComparison.Against.of("random", new Interval(network, 0, 0, 12), controls).p();
  }
}
