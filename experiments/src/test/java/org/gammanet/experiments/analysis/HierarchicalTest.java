package org.gammanet.experiments.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.junit.jupiter.api.Test;

class HierarchicalTest {
  /** SciPy 1.17's noncentral t gives these sample sizes. */
  @Test
  void sampleSizesAreThoseOfTheTTest() {
    assertEquals(199, Hierarchical.needed(0.2, 0.05, 0.8));
    assertEquals(34, Hierarchical.needed(0.5, 0.05, 0.8));
    assertEquals(15, Hierarchical.needed(0.8, 0.05, 0.8));
    assertEquals(10, Hierarchical.needed(-1, 0.05, 0.8));
    assertEquals(5, Hierarchical.needed(2, 0.05, 0.8));
    assertEquals(0, Hierarchical.needed(0, 0.05, 0.8));
    assertEquals(0, Hierarchical.needed(Double.NaN, 0.05, 0.8));
  }

  /**
   * 2,000 simulated samples with an effect of one deviation: the t test finds them as often as is
   * promised.
   */
  @Test
  void powerIsWhatASimulationFinds() {
    var random = new SplittableRandom(3);
    int found = 0;
    int runs = 2000;
    for (int r = 0; r < runs; r++) {
      double[] sample =
          IntStream.range(0, 10).mapToDouble(i -> 1 + random.nextGaussian()).toArray();
      found += Statistics.pairedT(sample, new double[10]).p() < 0.05 ? 1 : 0;
    }
    double expected = Hierarchical.power(1, 10, 0.05);
    double error = Math.sqrt(expected * (1 - expected) / runs);
    assertEquals(expected, (double) found / runs, 4 * error);
  }

  /**
   * Units that share their network's mean: with 8 networks of 20 units, intervals over units alone
   * would miss the true mean in most runs; hierarchical ones hold it in most.
   */
  @Test
  void intervalsCoverTheMeanOverNetworks() {
    var random = new SplittableRandom(5);
    int covered = 0;
    int asUnits = 0;
    int runs = 200;
    for (int r = 0; r < runs; r++) {
      List<double[]> networks = new ArrayList<>();
      List<Double> all = new ArrayList<>();
      for (int k = 0; k < 8; k++) {
        double mean = random.nextGaussian();
        double[] units =
            IntStream.range(0, 20).mapToDouble(i -> mean + random.nextGaussian()).toArray();
        networks.add(units);
        for (double u : units) {
          all.add(u);
        }
      }
      Interval i = Hierarchical.mean(networks, 0.95, 400, r);
      covered += i.low() <= 0 && 0 <= i.high() ? 1 : 0;
      Interval flat =
          Statistics.bootstrapMean(all.stream().mapToDouble(v -> v).toArray(), 0.95, 400, r);
      asUnits += flat.low() <= 0 && 0 <= flat.high() ? 1 : 0;
    }
    System.out.printf("covered: hierarchical %d, units alone %d of %d%n", covered, asUnits, runs);
    assertTrue(covered > 0.88 * runs, "covered " + covered);
    assertTrue(asUnits < 0.7 * runs, "covered by units alone " + asUnits);
  }

  @Test
  void networksCountAlikeWhateverTheirUnits() {
    List<double[]> networks = List.of(new double[] {1, 1, 1, 1}, new double[] {3, Double.NaN});
    Interval i = Hierarchical.mean(networks, 0.95, 500, 1);
    assertEquals(2, i.value());
    assertEquals(2, i.n());
    assertEquals(1, i.low());
    assertEquals(3, i.high());
    Interval same =
        Hierarchical.ofIntervals(
            List.of(new Interval(1, 1, 1, 4), new Interval(3, Double.NaN, Double.NaN, 1)),
            0.95,
            500,
            1);
    assertEquals(i.value(), same.value());
    assertEquals(1, same.low());
    assertTrue(Double.isNaN(Hierarchical.mean(networks.subList(0, 1), 0.95, 10, 1).low()));
  }
}
