package org.gammanet.experiments.analysis;

/**
 * A fitted curve {@code R(θ) = baseline + amplitude · exp(κ (cos 2(θ - preferred) - 1))}.
 *
 * @param preferred μ, degrees in [0, 180)
 * @param halfWidth half width at half height between trough and peak, degrees
 * @param sse sum of squared errors
 * @param rSquared 1 - SSE/SST; NaN for flat responses
 */
public record TuningCurve(
    double amplitude,
    double kappa,
    double preferred,
    double baseline,
    double halfWidth,
    double sse,
    double rSquared) {

  /** A curve that follows from its parameters rather than from a fit. */
  public static TuningCurve vonMises(
      double amplitude, double kappa, double preferred, double baseline) {
    return new TuningCurve(
        amplitude, kappa, preferred, baseline, halfWidth(kappa), Double.NaN, Double.NaN);
  }

  /** The response to an orientation in degrees. */
  public double at(double theta) {
    return baseline
        + amplitude * Math.exp(kappa * (Math.cos(2 * Math.toRadians(theta - preferred)) - 1));
  }

  /** The slope at an orientation, response per degree. */
  public double slopeAt(double theta) {
    double angle = 2 * Math.toRadians(theta - preferred);
    return -2
        * Math.toRadians(1)
        * kappa
        * amplitude
        * Math.sin(angle)
        * Math.exp(kappa * (Math.cos(angle) - 1));
  }

  /**
   * Half width at half height between trough and peak, {@code ½ acos(1 + ln((1 + e^{-2κ})/2)/κ)},
   * degrees: 45 as κ goes to 0.
   */
  public static double halfWidth(double kappa) {
    double cos = 1 + Math.log((1 + Math.exp(-2 * kappa)) / 2) / kappa;
    return Math.toDegrees(Math.acos(cos)) / 2;
  }
}
