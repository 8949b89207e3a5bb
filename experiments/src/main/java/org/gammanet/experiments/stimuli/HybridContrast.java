package org.gammanet.experiments.stimuli;

/**
 * One grating with a contrast in its center and another in its surround, which thus share phase and
 * orientation; mid gray outside.
 *
 * @param sine the grating; its contrast has no effect
 * @param center for distances up to half its diameter
 * @param surround from there to half its diameter
 */
public record HybridContrast(Frame frame, Sine sine, Zone center, Zone surround)
    implements Stimulus {

  /**
   * A contrast within a circle.
   *
   * @param diameter pixels
   * @param contrast Michelson, 0 to 1
   */
  public record Zone(double diameter, double contrast) {
    /** Checks the ranges. */
    public Zone {
      Checks.positive(diameter, "a diameter");
      Checks.contrast(contrast);
    }
  }

  /** Checks that the surround is larger than the center and fits into the image. */
  public HybridContrast {
    if (surround.diameter < center.diameter) {
      throw new IllegalArgumentException(
          "the surround's diameter %s px is smaller than the center's %s px"
              .formatted(Frame.number(surround.diameter), Frame.number(center.diameter)));
    }
    frame.requireFits(surround.diameter / 2, "a surround with a radius");
  }

  @Override
  public float[] draw() {
    double[] grating = sine.contrast(1).pattern(frame);
    double[] out = new double[grating.length];
    double radius = center.diameter / 2;
    Patterns.addProduct(out, center.contrast, grating, Patterns.disc(frame, radius));
    Patterns.addProduct(
        out, surround.contrast, grating, Patterns.ring(frame, radius, surround.diameter / 2));
    return Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "hybrid_contrast",
        Orientation.ofModulation(sine.orientation()),
        center.contrast,
        sine.cycles(),
        sine.phase(),
        frame.center(),
        surround.diameter,
        surround.diameter,
        Stimulus.parameters(
            "spatial_frequency",
            sine.cycles(),
            "wavelength_px",
            frame.wavelength(sine.cycles()),
            "surround_contrast",
            surround.contrast,
            "center_diameter",
            center.diameter,
            "surround_diameter",
            surround.diameter));
  }
}
