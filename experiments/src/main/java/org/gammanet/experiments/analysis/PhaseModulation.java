package org.gammanet.experiments.analysis;

/**
 * How responses depend on the phase of a grating.
 *
 * @param f0 mean over phases
 * @param f1 amplitude of the first harmonic, {@code 2 |DFT₁| / P}
 * @param ratio F1/F0: above 1 a unit is called simple, below complex; NaN where F0 ≤ 1e-12
 */
public record PhaseModulation(double f0, double f1, double ratio) {

  /**
   * Measures responses to P phases, equally spaced over a cycle.
   *
   * @throws IllegalArgumentException for fewer than two phases or a response that is not finite
   */
  public static PhaseModulation of(double[] responses) {
    Curves.require(responses, responses, 2, "phase");
    double re = 0;
    double im = 0;
    for (int i = 0; i < responses.length; i++) {
      double angle = 2 * Math.PI * i / responses.length;
      re += responses[i] * Math.cos(angle);
      im += responses[i] * Math.sin(angle);
    }
    double f0 = Curves.mean(responses);
    double f1 = 2 * Math.hypot(re, im) / responses.length;
    return new PhaseModulation(f0, f1, OrientationMeasures.ratio(f1, f0));
  }
}
