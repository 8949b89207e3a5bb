package org.gammanet.parity;

import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.CurveFit;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.stimuli.Orientation;

/** The original's measures of orientation tuning. */
public final class OriginalTuning {
  private OriginalTuning() {}

  /**
   * Fits a von Mises curve with κ at most 10 (no half width below 10.7 degrees), a baseline that is
   * not negative, and one start. The half width is that above the baseline, 180 degrees for κ below
   * 0.347.
   *
   * @param orientations degrees
   * @return all NaN where a response is negative, at which the original's fit fails
   */
  public static TuningCurve fit(double[] orientations, double[] responses) {
    int peak = 0;
    for (int i = 0; i < responses.length; i++) {
      peak = responses[i] > responses[peak] ? i : peak;
    }
    double least = Arrays.stream(responses).min().orElse(Double.NaN);
    if (!(least >= 0)) {
      double nan = Double.NaN;
      return new TuningCurve(nan, nan, nan, nan, nan, nan, nan);
    }
    double none = Double.POSITIVE_INFINITY;
    CurveFit.Best best =
        CurveFit.fit(
            (theta, p) ->
                p[3] + p[0] * Math.exp(p[1] * (Math.cos(2 * Math.toRadians(theta - p[2])) - 1)),
            orientations,
            responses,
            new double[] {0, 0.01, 0, 0},
            new double[] {none, 10, 180, none},
            List.of(new double[] {responses[peak] - least, 1, orientations[peak], least}));
    double[] p = best.parameters();
    double halfWidth =
        p[1] < Math.log(2) / 2 ? 180 : Math.toDegrees(Math.acos(1 - Math.log(2) / p[1])) / 2;
    double total = squares(responses);
    return new TuningCurve(
        p[0],
        p[1],
        Orientation.wrap(p[2]),
        p[3],
        halfWidth,
        best.sse(),
        total > 0 ? 1 - best.sse() / total : Double.NaN);
  }

  /**
   * The one spatial frequency that is chosen for all units: that whose mean response over units has
   * the largest variance over orientations.
   *
   * @param meanResponses a row per frequency, in each one value per orientation
   * @return the row; 0 where no response varies
   */
  public static int bestFrequency(double[][] meanResponses) {
    int best = 0;
    for (int f = 0; f < meanResponses.length; f++) {
      best = squares(meanResponses[f]) > squares(meanResponses[best]) ? f : best;
    }
    return best;
  }

  private static double squares(double[] values) {
    double mean = Arrays.stream(values).sum() / values.length;
    return Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
  }
}
