package org.gammanet.experiments.analysis;

/**
 * Selectivity for the direction of motion, from responses to directions evenly spaced over 360
 * degrees.
 *
 * @param globalDsi {@code |Σ r e^{iφ}| / Σ r}; NaN for a silent unit
 * @param preferredDirection {@code arg Σ r e^{iφ}}, degrees in [0, 360); NaN where undefined
 * @param dsi {@code (r_p - r_n)/(r_p + r_n)}, the null direction at 180 degrees from the maximum
 */
public record DirectionMeasures(double globalDsi, double preferredDirection, double dsi) {

  /**
   * Measures a curve.
   *
   * @param directions degrees, evenly spaced over 360, rising
   * @param responses one per direction
   * @param blank response to no stimulus; 0 without one
   * @throws IllegalArgumentException for fewer than two directions, uneven ones, or a response that
   *     is not a finite number
   */
  public static DirectionMeasures of(double[] directions, double[] responses, double blank) {
    Curves.require(directions, responses, 2, "direction");
    OrientationMeasures.requireEven(directions, 360);
    double[] r = Curves.rectified(responses, blank);
    double re = 0;
    double im = 0;
    for (int i = 0; i < r.length; i++) {
      re += r[i] * Math.cos(Math.toRadians(directions[i]));
      im += r[i] * Math.sin(Math.toRadians(directions[i]));
    }
    double sum = Curves.sum(r);
    double length = Math.hypot(re, im);
    double angle = Math.toDegrees(Math.atan2(im, re));
    int peak = Curves.argMax(r);
    double opposite = OrientationMeasures.between(r, peak + r.length / 2.0);
    return new DirectionMeasures(
        OrientationMeasures.ratio(length, sum),
        sum > Curves.EPSILON && length > 1e-9 * sum ? (angle + 360) % 360 : Double.NaN,
        OrientationMeasures.ratio(r[peak] - opposite, r[peak] + opposite));
  }
}
