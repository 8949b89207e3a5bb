package org.gammanet.experiments.stimuli;

import java.util.List;

/**
 * One grating with a contrast in its center and another in its surround, which thus share phase and
 * orientation; mid gray outside.
 *
 * @param modulation direction of the wave vector, degrees
 * @param cycles per image height
 * @param phase radians
 * @param centerContrast for distances up to half the center's diameter
 * @param surroundContrast from there to half the surround's diameter
 * @param centerDiameter pixels
 * @param surroundDiameter pixels
 */
public record HybridContrast(
    Frame frame,
    double modulation,
    double cycles,
    double phase,
    double centerContrast,
    double surroundContrast,
    double centerDiameter,
    double surroundDiameter)
    implements Stimulus {

  /** Checks the ranges, and that the surround fits into the image. */
  public HybridContrast {
    Checks.contrast(centerContrast);
    Checks.contrast(surroundContrast);
    Checks.cycles(cycles);
    Checks.positive(centerDiameter, "a center's diameter");
    if (surroundDiameter < centerDiameter) {
      throw new IllegalArgumentException(
          "the surround's diameter %s px is smaller than the center's %s px"
              .formatted(Frame.number(surroundDiameter), Frame.number(centerDiameter)));
    }
    frame.requireFits(surroundDiameter / 2, "a surround with a radius");
  }

  /** A stimulus for each orientation, on an image with the stimulus at its center. */
  public static StimulusSet set(
      Frame frame,
      List<Double> modulations,
      double cycles,
      double centerContrast,
      double surroundContrast,
      double centerDiameter,
      double surroundDiameter) {
    return StimulusSet.of(
        modulations.stream()
            .map(
                theta ->
                    (Stimulus)
                        new HybridContrast(
                            frame,
                            theta,
                            cycles,
                            0,
                            centerContrast,
                            surroundContrast,
                            centerDiameter,
                            surroundDiameter))
            .toList());
  }

  @Override
  public float[] draw() {
    double[] grating = Patterns.grating(frame, modulation, cycles, phase, 1);
    double[] out = new double[grating.length];
    Patterns.addProduct(out, centerContrast, grating, Patterns.disc(frame, centerDiameter / 2));
    Patterns.addProduct(
        out,
        surroundContrast,
        grating,
        Patterns.ring(frame, centerDiameter / 2, surroundDiameter / 2));
    return Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "hybrid_contrast",
        Orientation.ofModulation(modulation),
        centerContrast,
        cycles,
        phase,
        frame.center(),
        surroundDiameter,
        surroundDiameter,
        Stimulus.parameters(
            "spatial_frequency",
            cycles,
            "wavelength_px",
            frame.wavelength(cycles),
            "surround_contrast",
            surroundContrast,
            "center_diameter",
            centerDiameter,
            "surround_diameter",
            surroundDiameter));
  }
}
