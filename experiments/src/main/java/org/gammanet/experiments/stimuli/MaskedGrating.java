package org.gammanet.experiments.stimuli;

/**
 * A grating that fills the image, and a mask: a second grating of the same spatial frequency and
 * phase that is added to it.
 *
 * @param modulation direction of the grating's wave vector, degrees
 * @param cycles per image height, of both
 * @param phase radians, of both
 * @param contrast Michelson contrast of the grating, 0 to 1
 * @param maskModulation direction of the mask's wave vector, degrees
 * @param maskContrast Michelson contrast of the mask; both together are at most 1
 */
public record MaskedGrating(
    Frame frame,
    double modulation,
    double cycles,
    double phase,
    double contrast,
    double maskModulation,
    double maskContrast)
    implements Stimulus {

  /** Checks the ranges. */
  public MaskedGrating {
    Checks.contrast(contrast);
    Checks.contrast(maskContrast);
    Checks.contrast(contrast + maskContrast);
    Checks.cycles(cycles);
  }

  @Override
  public float[] draw() {
    double[] pattern = Patterns.grating(frame, modulation, cycles, phase, contrast);
    double[] mask = Patterns.grating(frame, maskModulation, cycles, phase, maskContrast);
    for (int i = 0; i < pattern.length; i++) {
      pattern[i] += mask[i];
    }
    return Patterns.luminance(pattern);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "masked_grating",
        Orientation.ofModulation(modulation),
        contrast,
        cycles,
        phase,
        frame.center(),
        frame.height(),
        frame.width(),
        Stimulus.parameters("mask_orientation", maskModulation, "mask_contrast", maskContrast));
  }
}
