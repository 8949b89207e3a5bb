package org.gammanet.experiments.analysis;

import java.util.ArrayList;
import java.util.List;
import org.hipparchus.special.Erf;

/**
 * How a unit's response depends on the diameter of its stimulus.
 *
 * @param preferredDiameter of the largest response, pixels
 * @param summationField smallest diameter with at least 0.95 of it, pixels
 * @param suppressionIndex {@code (r_max - r_largest) / r_max}, of responses less the blank
 * @param surroundDiameter smallest diameter above the preferred one at which r has come down to
 *     {@code r_largest + 0.05 |r_largest|}; NaN where the suppression index is at most 0.1
 */
public record SizeTuning(
    double preferredDiameter,
    double summationField,
    double suppressionIndex,
    double surroundDiameter) {

  /**
   * Measures a curve.
   *
   * @param diameters rising, pixels
   * @param responses one per diameter
   * @param blank response to no stimulus; 0 without one
   * @return all NaN where no response exceeds the blank's
   * @throws IllegalArgumentException for fewer than three diameters, ones that do not rise, or a
   *     response that is not a finite number
   */
  public static SizeTuning of(double[] diameters, double[] responses, double blank) {
    Curves.require(diameters, responses, 3, "diameter");
    Curves.rising(diameters, "diameter");
    double[] r = responses.clone();
    for (int i = 0; i < r.length; i++) {
      r[i] -= blank;
    }
    int peak = Curves.argMax(r);
    double largest = r[peak];
    if (largest <= Curves.EPSILON) {
      return new SizeTuning(Double.NaN, Double.NaN, Double.NaN, Double.NaN);
    }
    int summation = 0;
    while (r[summation] < 0.95 * largest) {
      summation++;
    }
    double last = r[r.length - 1];
    double suppression = (largest - last) / largest;
    double surround = Double.NaN;
    if (suppression > 0.1) {
      int i = peak + 1;
      while (r[i] > last + 0.05 * Math.abs(last)) {
        i++;
      }
      surround = diameters[i];
    }
    return new SizeTuning(diameters[peak], diameters[summation], suppression, surround);
  }

  /** A curve that is fitted to responses over diameter. */
  public enum Model {
    /**
     * {@code B + k_c L_c / (1 + k_s L_s)} with {@code L(x) = erf(x/w)²} (Cavanaugh, Bair and
     * Movshon 2002).
     */
    RATIO_OF_GAUSSIANS,
    /** {@code B + k_c erf(x/w_c) - k_s erf(x/w_s)} (Sceniak, Ringach, Hawken and Shapley 1999). */
    DIFFERENCE_OF_GAUSSIANS;

    double at(double x, double[] p) {
      double center = Erf.erf(x / p[1]);
      double surround = Erf.erf(x / p[3]);
      return switch (this) {
        case RATIO_OF_GAUSSIANS -> p[4] + p[0] * center * center / (1 + p[2] * surround * surround);
        case DIFFERENCE_OF_GAUSSIANS -> p[4] + p[0] * center - p[2] * surround;
      };
    }
  }

  /**
   * A fitted curve. Its parameters trade off against each other: judge and compare fits by their
   * errors.
   *
   * @param centerGain k_c
   * @param centerWidth w_c, pixels
   * @param surroundGain k_s
   * @param surroundWidth w_s, pixels
   * @param baseline B
   * @param sse sum of squared errors
   * @param rSquared 1 - SSE/SST; NaN for flat responses
   */
  public record Fit(
      Model model,
      double centerGain,
      double centerWidth,
      double surroundGain,
      double surroundWidth,
      double baseline,
      double sse,
      double rSquared) {
    /** The response to a diameter in pixels. */
    public double at(double diameter) {
      return model.at(
          diameter, new double[] {centerGain, centerWidth, surroundGain, surroundWidth, baseline});
    }
  }

  /**
   * Fits a curve. All parameters are at least 0, widths between a fifth of the smallest and three
   * times the largest diameter, the baseline at most the largest response, gains at most 50 times
   * that (the surround's of a ratio at most 50).
   *
   * @param diameters rising, positive, pixels
   * @param responses one per diameter; some must be positive
   * @throws IllegalArgumentException for fewer than six diameters, ones that do not rise, responses
   *     none of which is positive or one of which is not a finite number
   */
  public static Fit fit(double[] diameters, double[] responses, Model model) {
    Curves.require(diameters, responses, 6, "diameter");
    Curves.rising(diameters, "diameter");
    double largest = responses[Curves.argMax(responses)];
    if (!(diameters[0] > 0 && largest > 0)) {
      throw new IllegalArgumentException(
          "size tuning is fitted to positive responses over positive diameters; the largest"
              + " response is %s, the smallest diameter %s".formatted(largest, diameters[0]));
    }
    double narrow = 0.2 * diameters[0];
    double wide = 3 * diameters[diameters.length - 1];
    boolean ratio = model == Model.RATIO_OF_GAUSSIANS;
    List<double[]> starts = new ArrayList<>();
    double base = Math.max(0, Math.min(Curves.min(responses), 0.1 * largest));
    double[] widths = CurveFit.logSpaced(1.5 * narrow, 0.7 * wide, 12);
    double[] fractions =
        ratio ? new double[] {0.1, 0.5, 1, 2, 5, 15} : new double[] {0.1, 0.3, 0.6, 0.9};
    for (double center : widths) {
      for (double surround : widths) {
        for (double fraction : fractions) {
          // The center's gain for which the curve has the responses' peak.
          double[] p = {1, center, fraction, surround, 0};
          double peak = 0;
          for (double x : diameters) {
            peak = Math.max(peak, model.at(x, p));
          }
          if (peak > 0) {
            double gain = (largest - base) / peak;
            starts.add(
                new double[] {gain, center, ratio ? fraction : fraction * gain, surround, base});
          }
        }
      }
    }
    CurveFit.Best best =
        CurveFit.fit(
            model::at,
            diameters,
            responses,
            new double[] {0, narrow, 0, narrow, 0},
            new double[] {50 * largest, wide, ratio ? 50 : 50 * largest, wide, largest},
            starts);
    double[] p = best.parameters();
    return new Fit(
        model, p[0], p[1], p[2], p[3], p[4], best.sse(), Curves.rSquared(best.sse(), responses));
  }
}
