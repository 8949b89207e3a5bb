package org.gammanet.experiments.analysis;

import org.gammanet.experiments.stimuli.Orientation;
import org.jspecify.annotations.Nullable;

/**
 * How alike a model's curve and a recorded one are. Both are scaled to [0, 1] between their least
 * and largest values first, except for χ², which means something only in like units.
 *
 * @param correlation Pearson's r; NaN where a curve is flat, as are all others but χ² then
 * @param interval r with a bootstrap interval of 95 % over points
 * @param p of r
 * @param rSquared 1 - SSE/SST of the scaled model against the scaled recording; below 0 where the
 *     recording's mean would do better
 * @param rmse root of the mean squared difference
 * @param mae mean absolute difference
 * @param chiSquared {@code Σ ((model - recorded)/se)²}, unscaled; NaN without standard errors
 * @param reducedChiSquared the same over n - 1
 * @param n number of points
 */
public record CurveSimilarity(
    double correlation,
    Statistics.Interval interval,
    double p,
    double rSquared,
    double rmse,
    double mae,
    double chiSquared,
    double reducedChiSquared,
    int n) {

  private static final int RESAMPLES = 2000;

  /** Whether there are too few points (below 8) for the correlation to mean much. */
  public boolean fewPoints() {
    return n < 8;
  }

  /**
   * Compares curves at the same points.
   *
   * @param standardErrors of the recording; null without
   * @param seed of the bootstrap
   * @throws IllegalArgumentException for different lengths, fewer than three points, numbers that
   *     are not finite, or standard errors that are not positive
   */
  public static CurveSimilarity of(
      double[] model, double[] recorded, double @Nullable [] standardErrors, long seed) {
    Curves.sameLength(model, recorded, 3, "compared values");
    int n = model.length;
    double chi = Double.NaN;
    if (standardErrors != null) {
      Curves.sameLength(recorded, standardErrors, 3, "values and standard errors");
      chi = 0;
      for (int i = 0; i < n; i++) {
        if (!(standardErrors[i] > 0)) {
          throw new IllegalArgumentException(
              "a standard error must be positive, but number %s is %s"
                  .formatted(i, standardErrors[i]));
        }
        double z = (model[i] - recorded[i]) / standardErrors[i];
        chi += z * z;
      }
    }
    double[] m = scaled(model);
    double[] r = scaled(recorded);
    double sse = 0;
    double absolute = 0;
    for (int i = 0; i < n; i++) {
      sse += (m[i] - r[i]) * (m[i] - r[i]);
      absolute += Math.abs(m[i] - r[i]);
    }
    boolean flat = Double.isNaN(sse);
    Statistics.Interval interval =
        flat
            ? new Statistics.Interval(Double.NaN, Double.NaN, Double.NaN, n)
            : Statistics.bootstrap(n, at -> resampled(m, r, at), 0.95, RESAMPLES, seed);
    double correlation = interval.value();
    return new CurveSimilarity(
        correlation,
        interval,
        Statistics.pearsonP(correlation, n),
        flat ? Double.NaN : Curves.rSquared(sse, r),
        Math.sqrt(sse / n),
        absolute / n,
        chi,
        chi / (n - 1),
        n);
  }

  private static double resampled(double[] a, double[] b, int[] at) {
    double[] x = new double[at.length];
    double[] y = new double[at.length];
    for (int i = 0; i < at.length; i++) {
      x[i] = a[at[i]];
      y[i] = b[at[i]];
    }
    return Statistics.pearson(x, y);
  }

  private static double[] scaled(double[] values) {
    double low = Curves.min(values);
    double range = values[Curves.argMax(values)] - low;
    double[] out = new double[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = range > 0 ? (values[i] - low) / range : Double.NaN;
    }
    return out;
  }

  /**
   * How the tuning of two units, or of a unit in two states, differs.
   *
   * @param preferred first minus second preferred orientation (vector), degrees in [-90, 90)
   * @param halfWidthRatio first over second half width
   * @param globalOsi difference of the global selectivity
   * @param osi difference of the preferred/orthogonal index
   */
  public record TuningDifference(
      double preferred, double halfWidthRatio, double globalOsi, double osi) {
    /** Compares two units. */
    public static TuningDifference between(OrientationMeasures a, OrientationMeasures b) {
      return new TuningDifference(
          Orientation.difference(a.preferredVector(), b.preferredVector()),
          a.halfWidth() / b.halfWidth(),
          a.globalOsi() - b.globalOsi(),
          a.osi() - b.osi());
    }
  }
}
