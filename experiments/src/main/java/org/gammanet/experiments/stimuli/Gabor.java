package org.gammanet.experiments.stimuli;

/**
 * A sine grating under a Gaussian window.
 *
 * @param sigma of the window, pixels
 */
public record Gabor(Frame frame, Sine sine, double sigma) implements Stimulus {
  /** Its {@link StimulusMeta#type}. */
  public static final String TYPE = "gabor";

  /** Checks the ranges. */
  public Gabor {
    Checks.positive(sigma, "a Gaussian window's sigma");
  }

  @Override
  public float[] draw() {
    return Patterns.luminance(
        Patterns.gabor(
            frame, sine.orientation(), sine.cycles(), sigma, sine.phase(), sine.contrast()));
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        TYPE,
        Orientation.ofModulation(sine.orientation()),
        sine.contrast(),
        sine.cycles(),
        sine.phase(),
        frame.center(),
        6 * sigma,
        6 * sigma,
        Stimulus.parameters(
            "spatial_frequency",
            sine.cycles(),
            "wavelength_px",
            frame.wavelength(sine.cycles()),
            "sigma",
            sigma));
  }
}
