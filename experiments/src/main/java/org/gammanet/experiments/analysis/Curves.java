package org.gammanet.experiments.analysis;

/** What all measures ask of a curve, and sums that several of them need. */
final class Curves {
  /** Sums and differences up to that count as zero. */
  static final double EPSILON = 1e-12;

  private Curves() {}

  /** Requires one finite response per condition, and a least number of them. */
  static void require(double[] conditions, double[] responses, int least, String condition) {
    if (conditions.length != responses.length) {
      throw new IllegalArgumentException(
          "there are %s responses to %s values of %s"
              .formatted(responses.length, conditions.length, condition));
    }
    if (conditions.length < least) {
      throw new IllegalArgumentException(
          conditions.length == 0
              ? "no %s is given: at least %s are needed".formatted(condition, least)
              : "a curve over %s needs at least %s values, not %s"
                  .formatted(condition, least, conditions.length));
    }
    finite(conditions, condition);
    finite(responses, "response");
  }

  /** Requires numbers. */
  static void finite(double[] values, String what) {
    for (int i = 0; i < values.length; i++) {
      if (!Double.isFinite(values[i])) {
        throw new IllegalArgumentException(
            "%s number %s is %s; measures need finite numbers".formatted(what, i, values[i]));
      }
    }
  }

  /** Requires two lists of one length. */
  static void sameLength(double[] a, double[] b, int least, String what) {
    if (a.length != b.length) {
      throw new IllegalArgumentException(
          "%s come in pairs, but there are %s and %s".formatted(what, a.length, b.length));
    }
    if (a.length < least) {
      throw new IllegalArgumentException(
          "%s: at least %s are needed, not %s".formatted(what, least, a.length));
    }
    finite(a, what);
    finite(b, what);
  }

  /** Requires that each value is larger than the one before. */
  static void rising(double[] values, String what) {
    for (int i = 1; i < values.length; i++) {
      if (!(values[i] > values[i - 1])) {
        throw new IllegalArgumentException(
            "values of %s must rise, but %s follows %s".formatted(what, values[i], values[i - 1]));
      }
    }
  }

  /** Index of the first maximum. */
  static int argMax(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[best]) {
        best = i;
      }
    }
    return best;
  }

  static double min(double[] values) {
    double least = values[0];
    for (double v : values) {
      least = Math.min(least, v);
    }
    return least;
  }

  static double sum(double[] values) {
    double sum = 0;
    for (double v : values) {
      sum += v;
    }
    return sum;
  }

  static double mean(double[] values) {
    return sum(values) / values.length;
  }

  /** Sum of squared distances from the mean. */
  static double squares(double[] values) {
    double mean = mean(values);
    double sum = 0;
    for (double v : values) {
      sum += (v - mean) * (v - mean);
    }
    return sum;
  }

  /** 1 - SSE/SST; NaN for a flat curve. */
  static double rSquared(double sse, double[] responses) {
    double total = squares(responses);
    return total > 0 ? 1 - sse / total : Double.NaN;
  }

  /** {@code max(responses - blank, 0)}. */
  static double[] rectified(double[] responses, double blank) {
    double[] r = new double[responses.length];
    for (int i = 0; i < r.length; i++) {
      r[i] = Math.max(responses[i] - blank, 0);
    }
    return r;
  }
}
