package org.gammanet.experiments.analysis;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.simd.StatisticsKernels;
import org.hipparchus.distribution.continuous.NormalDistribution;
import org.hipparchus.distribution.continuous.TDistribution;
import org.hipparchus.stat.correlation.PearsonsCorrelation;
import org.hipparchus.stat.descriptive.rank.Percentile;
import org.hipparchus.stat.descriptive.rank.Percentile.EstimationType;
import org.hipparchus.stat.inference.KolmogorovSmirnovTest;
import org.hipparchus.stat.inference.MannWhitneyUTest;
import org.hipparchus.stat.inference.TTest;
import org.hipparchus.stat.ranking.NaturalRanking;
import org.hipparchus.stat.ranking.TiesStrategy;

/**
 * Correlations, tests and intervals. All tests are two-sided. A network is deterministic: what is
 * sampled here are units, positions, phases or seeds, and units of one layer are not independent of
 * each other, so that each p is reported with what was sampled.
 */
public final class Statistics {
  private Statistics() {}

  /**
   * A test's outcome.
   *
   * @param statistic t, W, U or a mean difference, as the test says
   * @param p probability under the null hypothesis of a result at least so extreme
   * @param n size of the sample or, with two, of both together
   */
  public record Test(double statistic, double p, int n) {}

  /**
   * An estimate with an interval.
   *
   * @param value of the sample itself
   * @param low lower end
   * @param high upper end
   * @param n size of the sample
   */
  public record Interval(double value, double low, double high, int n) {}

  // Correlation

  /**
   * Pearson's correlation.
   *
   * @return NaN where one of both does not vary
   * @throws IllegalArgumentException for different lengths, fewer than two pairs or numbers that
   *     are not finite
   */
  public static double pearson(double[] a, double[] b) {
    Curves.sameLength(a, b, 2, "correlated values");
    double r = new PearsonsCorrelation().correlation(a, b);
    return Math.clamp(r, -1, 1);
  }

  /** p of a Pearson correlation of n pairs, by t with n - 2 degrees of freedom. */
  public static double pearsonP(double r, int n) {
    if (n < 3 || Double.isNaN(r)) {
      return Double.NaN;
    }
    return Math.abs(r) >= 1 ? 0 : studentP(r * Math.sqrt((n - 2) / (1 - r * r)), n - 2);
  }

  /** Spearman's correlation: Pearson's of the ranks, ties at their mean rank. */
  public static double spearman(double[] a, double[] b) {
    return pearson(ranks(a), ranks(b));
  }

  /** Ranks from 1, ties at their mean rank. */
  public static double[] ranks(double[] values) {
    return new NaturalRanking(TiesStrategy.AVERAGE).rank(values);
  }

  /**
   * Kendall's τ_a: concordant minus discordant pairs, over all pairs, in n log n time.
   *
   * @throws IllegalArgumentException for different lengths, fewer than two pairs or numbers that
   *     are not finite
   */
  public static double kendallTauA(double[] a, double[] b) {
    Curves.sameLength(a, b, 2, "correlated values");
    int n = a.length;
    Integer[] order = IntStream.range(0, n).boxed().toArray(Integer[]::new);
    Arrays.sort(
        order, Comparator.<Integer>comparingDouble(i -> a[i]).thenComparingDouble(i -> b[i]));
    double[] sorted = new double[n];
    long tiedA = 0;
    long tiedBoth = 0;
    int runA = 0;
    int runBoth = 0;
    for (int i = 0; i < n; i++) {
      sorted[i] = b[order[i]];
      boolean sameA = i > 0 && a[order[i]] == a[order[i - 1]];
      runA = sameA ? runA + 1 : 0;
      runBoth = sameA && sorted[i] == sorted[i - 1] ? runBoth + 1 : 0;
      tiedA += runA;
      tiedBoth += runBoth;
    }
    long discordant = inversions(sorted, new double[n], 0, n);
    long tiedB = 0;
    int runB = 0;
    for (int i = 1; i < n; i++) { // sorted now
      runB = sorted[i] == sorted[i - 1] ? runB + 1 : 0;
      tiedB += runB;
    }
    long pairs = (long) n * (n - 1) / 2;
    return (double) (pairs - tiedA - tiedB + tiedBoth - 2 * discordant) / pairs;
  }

  /** Pairs in falling order; sorts on the way. */
  private static long inversions(double[] v, double[] scratch, int from, int to) {
    if (to - from < 2) {
      return 0;
    }
    int mid = (from + to) >>> 1;
    long count = inversions(v, scratch, from, mid) + inversions(v, scratch, mid, to);
    int i = from;
    int j = mid;
    for (int k = from; k < to; k++) {
      if (j < to && (i >= mid || v[j] < v[i])) {
        count += mid - i;
        scratch[k] = v[j++];
      } else {
        scratch[k] = v[i++];
      }
    }
    System.arraycopy(scratch, from, v, from, to - from);
    return count;
  }

  // Paired samples

  /**
   * The paired t test; its statistic is t.
   *
   * @throws IllegalArgumentException for different lengths, fewer than two pairs or numbers that
   *     are not finite
   */
  public static Test pairedT(double[] a, double[] b) {
    Curves.sameLength(a, b, 2, "paired values");
    var test = new TTest();
    double t = test.pairedT(a, b);
    return new Test(t, Double.isFinite(t) ? test.pairedTTest(a, b) : Double.NaN, a.length);
  }

  /**
   * Wilcoxon's signed-rank test; its statistic is W, the smaller sum of ranks. Pairs without a
   * difference are left out. Exact up to 25 pairs, ties included; beyond that the normal
   * approximation with corrections for ties and continuity.
   *
   * @return p = 1 where no pair differs
   * @throws IllegalArgumentException for different lengths, fewer than two pairs or numbers that
   *     are not finite
   */
  public static Test wilcoxon(double[] a, double[] b) {
    double[] d = Arrays.stream(differences(a, b)).filter(x -> x != 0).toArray();
    int n = d.length;
    if (n == 0) {
      return new Test(0, 1, 0);
    }
    double[] ranks = ranks(Arrays.stream(d).map(Math::abs).toArray());
    double positive = 0;
    for (int i = 0; i < n; i++) {
      positive += d[i] > 0 ? ranks[i] : 0;
    }
    double total = n * (n + 1) / 2.0;
    double w = Math.min(positive, total - positive);
    return new Test(w, n <= 25 ? signedRankP(ranks, w) : signedRankNormalP(ranks, w), n);
  }

  /**
   * By counting the sign patterns with each sum; doubled ranks are whole numbers also with ties.
   */
  private static double signedRankP(double[] ranks, double w) {
    int most = (int) Math.round(2 * Curves.sum(ranks));
    double[] patterns = new double[most + 1];
    patterns[0] = 1;
    for (double rank : ranks) {
      int r = (int) Math.round(2 * rank);
      for (int s = most; s >= r; s--) {
        patterns[s] += patterns[s - r];
      }
    }
    double tail = 0;
    for (int s = 0; s <= Math.round(2 * w); s++) {
      tail += patterns[s];
    }
    return Math.min(1, 2 * tail / Math.pow(2, ranks.length));
  }

  private static double signedRankNormalP(double[] ranks, double w) {
    double n = ranks.length;
    double variance = n * (n + 1) * (2 * n + 1) / 24 - tieSum(ranks) / 48;
    double z = Math.max(0, n * (n + 1) / 4 - w - 0.5) / Math.sqrt(variance);
    return Math.min(1, 2 * normal(-z));
  }

  /** Σ t³ - t over groups of ties. */
  private static double tieSum(double[] ranks) {
    double[] sorted = ranks.clone();
    Arrays.sort(sorted);
    double sum = 0;
    for (int i = 0; i < sorted.length; ) {
      int j = i;
      while (j < sorted.length && sorted[j] == sorted[i]) {
        j++;
      }
      double t = j - i;
      sum += t * t * t - t;
      i = j;
    }
    return sum;
  }

  /**
   * The sign-flip permutation test of the mean difference, which is its statistic: over all
   * patterns up to 12 pairs, beyond that over random ones, the observed one included.
   *
   * @param resamples number of random patterns
   * @param seed of these
   * @throws IllegalArgumentException for different lengths, fewer than two pairs or numbers that
   *     are not finite
   */
  public static Test signFlip(double[] a, double[] b, int resamples, long seed) {
    double[] d = differences(a, b);
    int n = d.length;
    double observed = Curves.mean(d);
    double limit = Math.abs(observed) * (1 - 1e-9); // sums in another order still count as equal
    long extreme = 0;
    if (n <= 12) {
      for (int pattern = 0; pattern < 1 << n; pattern++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
          sum += (pattern >> i & 1) == 0 ? d[i] : -d[i];
        }
        extreme += Math.abs(sum / n) >= limit ? 1 : 0;
      }
      return new Test(observed, extreme / (double) (1 << n), n);
    }
    double[] means = new double[requireResamples(resamples)];
    StatisticsKernels.best().signFlipMeans(d, seed, means);
    for (double m : means) {
      extreme += Math.abs(m) >= limit ? 1 : 0;
    }
    return new Test(observed, (extreme + 1.0) / (resamples + 1.0), n);
  }

  private static double[] differences(double[] a, double[] b) {
    Curves.sameLength(a, b, 2, "paired values");
    double[] d = new double[a.length];
    for (int i = 0; i < d.length; i++) {
      d[i] = a[i] - b[i];
    }
    return d;
  }

  // Independent samples

  /**
   * The test of Mann and Whitney; its statistic is U of the first sample. Normal approximation with
   * corrections for ties and continuity.
   *
   * @throws IllegalArgumentException for an empty sample or numbers that are not finite
   */
  public static Test mannWhitney(double[] a, double[] b) {
    Curves.require(a, a, 1, "first sample");
    Curves.require(b, b, 1, "second sample");
    double[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    double na = a.length;
    double u = Curves.sum(Arrays.copyOf(ranks(all), a.length)) - na * (na + 1) / 2;
    boolean constant = Arrays.stream(all).allMatch(v -> v == all[0]);
    double p = constant ? 1 : new MannWhitneyUTest().mannWhitneyUTest(a, b, false);
    return new Test(u, p, all.length);
  }

  /**
   * The distance of Kolmogorov and Smirnov between two samples: the largest difference of their
   * cumulative distributions, 0 to 1. {@code 1 - D} is used as a similarity of distributions.
   *
   * @throws IllegalArgumentException for an empty sample or numbers that are not finite
   */
  public static double kolmogorovSmirnov(double[] a, double[] b) {
    Curves.require(a, a, 2, "first sample");
    Curves.require(b, b, 2, "second sample");
    return new KolmogorovSmirnovTest().kolmogorovSmirnovStatistic(a, b);
  }

  // Intervals

  /**
   * The mean with a percentile bootstrap interval.
   *
   * @param level coverage, such as 0.95
   * @param resamples such as 10 000
   * @param seed of the resamples
   * @throws IllegalArgumentException for fewer than two values, values that are not finite, or a
   *     level outside of 0 … 1
   */
  public static Interval bootstrapMean(double[] values, double level, int resamples, long seed) {
    Curves.require(values, values, 2, "sample");
    double[] means = new double[requireResamples(resamples)];
    StatisticsKernels.best().bootstrapMeans(values, seed, means);
    return percentiles(Curves.mean(values), means, level, values.length);
  }

  /**
   * Any statistic of a sample with a percentile bootstrap interval.
   *
   * @param n size of the sample
   * @param statistic of the observations with these indices, of which some come several times;
   *     resamples where it is NaN do not count
   * @param level coverage, such as 0.95
   * @throws IllegalArgumentException for n below 2 or a level outside of 0 … 1
   */
  public static Interval bootstrap(
      int n, ToDoubleFunction<int[]> statistic, double level, int resamples, long seed) {
    if (n < 2) {
      throw new IllegalArgumentException("a bootstrap needs at least two observations, not " + n);
    }
    var random = new SplittableRandom(seed);
    double[] values = new double[requireResamples(resamples)];
    int[] indices = new int[n];
    for (int r = 0; r < values.length; r++) {
      for (int i = 0; i < n; i++) {
        indices[i] = random.nextInt(n);
      }
      values[r] = statistic.applyAsDouble(indices);
    }
    double[] defined = Arrays.stream(values).filter(v -> !Double.isNaN(v)).toArray();
    double value = statistic.applyAsDouble(IntStream.range(0, n).toArray());
    return percentiles(value, defined, level, n);
  }

  private static int requireResamples(int resamples) {
    if (resamples < 1) {
      throw new IllegalArgumentException("at least one resample is needed, not " + resamples);
    }
    return resamples;
  }

  private static Interval percentiles(double value, double[] resampled, double level, int n) {
    if (!(level > 0 && level < 1)) {
      throw new IllegalArgumentException("a level must lie between 0 and 1, not " + level);
    }
    Arrays.sort(resampled);
    return new Interval(
        value, quantile(resampled, (1 - level) / 2), quantile(resampled, (1 + level) / 2), n);
  }

  /**
   * A quantile of rising values, between them by linear interpolation.
   *
   * @param fraction 0 is the first, 1 the last
   * @return NaN of no values
   */
  public static double quantile(double[] sorted, double fraction) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    // Percentile refuses 0, whose limit is the first value.
    double percent = Math.max(100 * fraction, Double.MIN_NORMAL);
    return new Percentile().withEstimationType(EstimationType.R_7).evaluate(sorted, percent);
  }

  // Many tests

  /**
   * q of Benjamini and Hochberg (1995): calling all q ≤ x discoveries keeps the expected fraction
   * of false ones below x.
   *
   * @param p one per test, NaN for tests that do not count and get NaN
   */
  public static double[] falseDiscovery(double[] p) {
    int[] order =
        IntStream.range(0, p.length)
            .filter(i -> !Double.isNaN(p[i]))
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -p[i]))
            .mapToInt(i -> i)
            .toArray();
    double[] q = new double[p.length];
    Arrays.fill(q, Double.NaN);
    double least = 1;
    for (int i = 0; i < order.length; i++) {
      least = Math.min(least, p[order[i]] * order.length / (order.length - i));
      q[order[i]] = least;
    }
    return q;
  }

  private static double studentP(double t, double degrees) {
    return Double.isNaN(t)
        ? Double.NaN
        : 2 * new TDistribution(degrees).cumulativeProbability(-Math.abs(t));
  }

  private static double normal(double z) {
    return new NormalDistribution().cumulativeProbability(z);
  }
}
