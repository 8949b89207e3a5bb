package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.study.Series;
import org.jspecify.annotations.Nullable;

/** Arrays of responses and measures. */
final class Samples {
  private Samples() {}

  static double[] fill(int n, IntToDoubleFunction f) {
    return IntStream.range(0, n).mapToDouble(f).toArray();
  }

  /** 0, 1, …, the timesteps. */
  static double[] steps(int n) {
    return fill(n, t -> t);
  }

  static double[] pick(double[] values, int[] at) {
    return Arrays.stream(at).mapToDouble(i -> values[i]).toArray();
  }

  /** Columns of rows of equal length. */
  static double[][] columns(List<double[]> rows, int n) {
    return IntStream.range(0, n)
        .mapToObj(i -> rows.stream().mapToDouble(r -> r[i]).toArray())
        .toArray(double[][]::new);
  }

  /** Divided by the largest absolute value; null where all are 0. */
  static double @Nullable [] normalized(double[] values) {
    double largest = largest(values);
    return largest > 1e-12 ? Arrays.stream(values).map(v -> v / largest).toArray() : null;
  }

  static double maximum(double[] values) {
    return Arrays.stream(values).max().orElse(0);
  }

  static double largest(double... values) {
    return Arrays.stream(values).map(Math::abs).max().orElse(0);
  }

  /** A quantile of the finite values; NaN without any. */
  static double quantile(double[] values, double level) {
    double[] sorted = Series.finite(values);
    Arrays.sort(sorted);
    return sorted.length == 0 ? Double.NaN : Statistics.quantile(sorted, level);
  }

  static double median(double[] values) {
    return quantile(values, 0.5);
  }

  static double[] quartiles(double[] values) {
    return new double[] {quantile(values, 0.25), median(values), quantile(values, 0.75)};
  }

  /** Values below 0 as 0. */
  static double[] rectified(double[] values) {
    return Arrays.stream(values).map(v -> Math.max(v, 0)).toArray();
  }

  static double[] scaled(double[] values, double factor) {
    return Arrays.stream(values).map(v -> factor * v).toArray();
  }

  static double mean(double[] values) {
    return Arrays.stream(values).average().orElse(Double.NaN);
  }

  /** The pairs of which both are finite. */
  static double[][] pairs(double[] a, double[] b) {
    int[] both =
        IntStream.range(0, a.length)
            .filter(i -> Double.isFinite(a[i]) && Double.isFinite(b[i]))
            .toArray();
    return new double[][] {pick(a, both), pick(b, both)};
  }

  /** Wilcoxon's test of pairs that are both finite; null for fewer than five. */
  static Statistics.@Nullable Test wilcoxon(double[] a, double[] b) {
    double[][] pairs = pairs(a, b);
    return pairs[0].length < 5 ? null : Statistics.wilcoxon(pairs[0], pairs[1]);
  }

  /**
   * How much of a response is lost, at most all of it: 1 - w/base, where w is {@code with} or 0;
   * where the response grows, base/w - 1, so that the index lies in [-1, 1]. NaN without a base.
   */
  static double suppression(double base, double with) {
    double w = Math.max(with, 0);
    return base > 0 ? (base - w) / Math.max(base, w) : Double.NaN;
  }

  /** The edges of twenty bins that hold all values and 0. */
  static double[] edges(double[] values) {
    double low = Math.min(0, quantile(values, 0));
    double high = Math.max(0, quantile(values, 1));
    double from = high > low ? low : -1;
    double width = ((high > low ? high : 1) - from) / 20;
    return fill(21, i -> from + i * width);
  }

  /** The values up to a limit. */
  static double[] upTo(double limit, double... values) {
    return Arrays.stream(values).filter(v -> v <= limit).toArray();
  }
}
