package org.gammanet.experiments.analysis;

import java.util.ArrayList;
import java.util.List;

/**
 * A fit of {@code R(c) = B + R_max cⁿ / (cⁿ + c₅₀ⁿ)} (Naka and Rushton 1966; Albrecht and Hamilton
 * 1982) to responses over contrast. Input that is standardized per image hides contrast from the
 * network; with it this measures nothing.
 *
 * @param rMax not negative
 * @param c50 contrast of the half maximum, in [0.005, 1]
 * @param exponent n, in [0.5, 6]
 * @param baseline B, free
 * @param saturationIndex {@code (max - R(1)) / (max - R(c_min))} of the responses themselves:
 *     positive where the response falls again at high contrast (Peirce 2007); NaN for flat ones
 * @param sse sum of squared errors
 * @param rSquared 1 - SSE/SST; NaN for flat responses
 */
public record ContrastResponse(
    double rMax,
    double c50,
    double exponent,
    double baseline,
    double saturationIndex,
    double sse,
    double rSquared) {
  /** R² that a fit must reach to be accepted. */
  private static final double LEAST_FIT = 0.75;

  /**
   * Fits responses.
   *
   * @param contrasts rising, in (0, 1]
   * @param responses one per contrast
   * @throws IllegalArgumentException for fewer than four contrasts, contrasts out of range or out
   *     of order, or a response that is not a finite number
   */
  public static ContrastResponse fit(double[] contrasts, double[] responses) {
    Curves.require(contrasts, responses, 4, "contrast");
    Curves.rising(contrasts, "contrast");
    if (!(contrasts[0] > 0 && contrasts[contrasts.length - 1] <= 1)) {
      throw new IllegalArgumentException(
          "contrasts must lie above 0 and up to 1, not in %s … %s"
              .formatted(contrasts[0], contrasts[contrasts.length - 1]));
    }
    List<double[]> starts = new ArrayList<>();
    double[] shape = new double[contrasts.length];
    for (double c50 : CurveFit.logSpaced(0.006, 0.95, 16)) {
      for (double n : new double[] {0.7, 1, 1.5, 2, 2.7, 3.5, 4.5, 5.5}) {
        for (int i = 0; i < shape.length; i++) {
          shape[i] = fraction(contrasts[i], c50, n);
        }
        double[] line = CurveFit.line(shape, responses);
        starts.add(new double[] {line[1], c50, n, line[0]});
      }
    }
    double free = Double.NEGATIVE_INFINITY;
    double none = Double.POSITIVE_INFINITY;
    CurveFit.Best best =
        CurveFit.fit(
            (c, p) -> p[3] + p[0] * fraction(c, p[1], p[2]),
            contrasts,
            responses,
            new double[] {0, 0.005, 0.5, free},
            new double[] {none, 1, 6, none},
            starts);
    double[] p = best.parameters();
    double largest = responses[Curves.argMax(responses)];
    double range = largest - responses[0];
    return new ContrastResponse(
        p[0],
        p[1],
        p[2],
        p[3],
        OrientationMeasures.ratio(largest - responses[responses.length - 1], range),
        best.sse(),
        Curves.rSquared(best.sse(), responses));
  }

  /** Whether the fit describes the responses, with parameters that are not at a bound. */
  public boolean accepted() {
    return rSquared >= LEAST_FIT && c50 > 0.0051 && c50 < 0.99 && exponent > 0.51 && exponent < 5.9;
  }

  /** The response to a contrast. */
  public double at(double contrast) {
    return baseline + rMax * fraction(contrast, c50, exponent);
  }

  /** Slope at the half maximum, {@code n R_max / (4 c₅₀)}. */
  public double gain() {
    return exponent * rMax / (4 * c50);
  }

  private static double fraction(double c, double c50, double n) {
    return 1 / (1 + Math.pow(c50 / c, n));
  }
}
