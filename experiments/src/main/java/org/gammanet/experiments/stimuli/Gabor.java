package org.gammanet.experiments.stimuli;

/**
 * A grating under a Gaussian window, as luminance.
 *
 * @param modulation direction of the wave vector, degrees
 * @param cycles per image height
 * @param sigma of the window, pixels
 * @param phase radians
 * @param contrast Michelson, 0 to 1
 */
public record Gabor(
    Frame frame, double modulation, double cycles, double sigma, double phase, double contrast)
    implements Stimulus {

  /** Checks the ranges. */
  public Gabor {
    Checks.contrast(contrast);
    Checks.cycles(cycles);
    Checks.positive(sigma, "a Gaussian window's sigma");
  }

  @Override
  public float[] draw() {
    return Patterns.luminance(Patterns.gabor(frame, modulation, cycles, sigma, phase, contrast));
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "gabor",
        Orientation.ofModulation(modulation),
        contrast,
        cycles,
        phase,
        frame.center(),
        6 * sigma,
        6 * sigma,
        Stimulus.parameters(
            "spatial_frequency",
            cycles,
            "wavelength_px",
            frame.wavelength(cycles),
            "sigma",
            sigma));
  }
}
