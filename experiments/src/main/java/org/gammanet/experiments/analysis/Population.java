package org.gammanet.experiments.analysis;

import java.util.List;
import org.gammanet.experiments.stimuli.Orientation;

/** What a population of units tells of a stimulus. */
public final class Population {
  private Population() {}

  /**
   * The population vector {@code ½ atan2(Σ r sin 2φ, Σ r cos 2φ)}.
   *
   * @param responses one per unit
   * @param preferences preferred orientation of each unit, degrees
   * @return degrees in [0, 180); NaN where the vectors cancel
   * @throws IllegalArgumentException where the lengths differ or a number is not finite
   */
  public static double vector(double[] responses, double[] preferences) {
    Curves.require(preferences, responses, 1, "preferred orientation");
    double re = 0;
    double im = 0;
    double all = 0;
    for (int i = 0; i < responses.length; i++) {
      double angle = 2 * Math.toRadians(preferences[i]);
      re += responses[i] * Math.cos(angle);
      im += responses[i] * Math.sin(angle);
      all += Math.abs(responses[i]);
    }
    return Math.hypot(re, im) > 1e-9 * all
        ? Orientation.wrap(Math.toDegrees(Math.atan2(im, re)) / 2)
        : Double.NaN;
  }

  /**
   * Fisher information of independent Poisson units, {@code Σ f'(θ)² / f(θ)}, per squared degree.
   *
   * @throws IllegalArgumentException where a curve is not positive at θ
   */
  public static double fisherInformation(List<TuningCurve> curves, double theta) {
    double sum = 0;
    for (int u = 0; u < curves.size(); u++) {
      double slope = curves.get(u).slopeAt(theta);
      sum += slope * slope / positive(curves.get(u), u, theta);
    }
    return sum;
  }

  private static double positive(TuningCurve curve, int unit, double theta) {
    double f = curve.at(theta);
    if (!(f > 0)) {
      throw new IllegalArgumentException(
          "the tuning curve of unit %s is %s at %s degrees, but Poisson units have positive rates"
              .formatted(unit, f, theta));
    }
    return f;
  }

  /**
   * Sparseness {@code (1 - (mean r)² / mean r²) / (1 - 1/n)} (Rolls and Tovee 1995, normalized as
   * by Vinje and Gallant 2000): 0 where all respond alike, 1 where one responds. Of one unit over
   * stimuli it is lifetime sparseness, of units to one stimulus population sparseness.
   *
   * @return NaN where nothing responds
   * @throws IllegalArgumentException for fewer than two responses or one that is not finite
   */
  public static double sparseness(double[] responses) {
    Curves.require(responses, responses, 2, "response");
    double squares = 0;
    for (double r : responses) {
      squares += r * r;
    }
    double mean = Curves.mean(responses);
    double n = responses.length;
    return squares > 0 ? (1 - mean * mean / (squares / n)) / (1 - 1 / n) : Double.NaN;
  }
}
