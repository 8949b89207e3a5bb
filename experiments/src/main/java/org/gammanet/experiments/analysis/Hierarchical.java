package org.gammanet.experiments.analysis;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.hipparchus.distribution.continuous.NormalDistribution;
import org.hipparchus.distribution.continuous.TDistribution;

/**
 * Inference over networks, each of which has a sample of units: units of one network share its
 * training and are not independent of each other (Saravanan, Berman and Sober 2020).
 */
public final class Hierarchical {
  private static final int MOST = 10_000;
  private static final int NODES = 400;

  private Hierarchical() {}

  /**
   * The mean of the networks' means with a hierarchical bootstrap interval: networks are drawn with
   * replacement, then units within each.
   *
   * @param networks the units of each; NaN are left out, and networks without a unit do not count
   * @param level coverage, such as 0.95
   * @param seed of the resamples
   * @return n is the number of networks; no interval for fewer than two
   */
  public static Interval mean(List<double[]> networks, double level, int resamples, long seed) {
    List<double[]> all =
        networks.stream()
            .map(units -> Arrays.stream(units).filter(Double::isFinite).toArray())
            .filter(units -> units.length > 0)
            .toList();
    double value = all.stream().mapToDouble(Hierarchical::mean).average().orElse(Double.NaN);
    return interval(
        value,
        all.size(),
        level,
        resamples,
        seed,
        (network, random) -> {
          double[] units = all.get(network);
          double sum = 0;
          for (int i = 0; i < units.length; i++) {
            sum += units[random.nextInt(units.length)];
          }
          return sum / units.length;
        });
  }

  /**
   * The same for numbers of which only the interval over units is known: networks are drawn with
   * replacement, and for each a normal deviate with the standard error that its interval implies.
   *
   * @param networks with intervals of 95 %; those without a value do not count
   */
  public static Interval ofIntervals(
      List<Interval> networks, double level, int resamples, long seed) {
    List<Interval> all = networks.stream().filter(i -> Double.isFinite(i.value())).toList();
    double value = all.stream().mapToDouble(Interval::value).average().orElse(Double.NaN);
    double z = new NormalDistribution().inverseCumulativeProbability(0.975);
    return interval(
        value,
        all.size(),
        level,
        resamples,
        seed,
        (network, random) -> {
          Interval i = all.get(network);
          double error = (i.high() - i.low()) / (2 * z);
          return i.value() + (Double.isFinite(error) ? error * random.nextGaussian() : 0);
        });
  }

  private interface Draw {
    double of(int network, SplittableRandom random);
  }

  private static Interval interval(
      double value, int n, double level, int resamples, long seed, Draw draw) {
    if (!(level > 0 && level < 1)) {
      throw new IllegalArgumentException("a level must lie between 0 and 1, not " + level);
    }
    if (n < 2) {
      return new Interval(value, Double.NaN, Double.NaN, n);
    }
    var random = new SplittableRandom(seed);
    double[] means = new double[resamples];
    for (int r = 0; r < resamples; r++) {
      double sum = 0;
      for (int i = 0; i < n; i++) {
        sum += draw.of(random.nextInt(n), random);
      }
      means[r] = sum / n;
    }
    Arrays.sort(means);
    return new Interval(
        value,
        Statistics.quantile(means, (1 - level) / 2),
        Statistics.quantile(means, (1 + level) / 2),
        n);
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElse(Double.NaN);
  }

  /** The standard deviation of a sample; NaN for fewer than two finite values. */
  public static double deviation(double[] values) {
    double[] finite = Arrays.stream(values).filter(Double::isFinite).toArray();
    double mean = mean(finite);
    double square = Arrays.stream(finite).map(v -> (v - mean) * (v - mean)).sum();
    return finite.length < 2 ? Double.NaN : Math.sqrt(square / (finite.length - 1));
  }

  /**
   * The power of the two-sided one-sample t test: the probability that a noncentral t exceeds the
   * critical value, integrated over the distribution of the sample's standard deviation.
   *
   * @param effect mean over standard deviation
   * @param n size of the sample, at least 2
   * @param alpha level of the test
   */
  public static double power(double effect, int n, double alpha) {
    int freedom = n - 1;
    double critical = new TDistribution(freedom).inverseCumulativeProbability(1 - alpha / 2);
    double shift = Math.abs(effect) * Math.sqrt(n);
    var normal = new NormalDistribution();
    double upper = 1 + 6 / Math.sqrt(freedom);
    double found = 0;
    double total = 0;
    for (int i = 0; i < NODES; i++) {
      double s = upper * (i + 0.5) / NODES; // sample over true standard deviation
      double density = Math.exp((freedom - 1) * Math.log(s) + freedom * (1 - s * s) / 2);
      total += density;
      found +=
          density
              * (normal.cumulativeProbability(shift - critical * s)
                  + normal.cumulativeProbability(-shift - critical * s));
    }
    return found / total;
  }

  /**
   * How many networks an effect needs.
   *
   * @param effect mean over the standard deviation between networks
   * @param alpha level of the two-sided t test
   * @param power wanted, such as 0.8
   * @return the smallest number, at least 2; 0 where no reasonable number is enough
   */
  public static int needed(double effect, double alpha, double power) {
    if (!(Math.abs(effect) > 0)) {
      return 0;
    }
    for (int n = 2; n <= MOST; n += Math.max(1, n / 500)) {
      if (power(effect, n, alpha) >= power) {
        return n;
      }
    }
    return 0;
  }
}
