package org.gammanet.experiments.stimuli;

import java.util.List;

/**
 * One grating with a contrast in its centre and another in its surround, which thus share phase and
 * orientation; mid grey outside.
 *
 * @param modulation direction of the wave vector, degrees
 * @param cycles per image height
 * @param phase radians
 * @param centreContrast for distances up to half the centre's diameter
 * @param surroundContrast from there to half the surround's diameter
 * @param centreDiameter pixels
 * @param surroundDiameter pixels
 */
public record HybridContrast(
    Frame frame,
    double modulation,
    double cycles,
    double phase,
    double centreContrast,
    double surroundContrast,
    double centreDiameter,
    double surroundDiameter)
    implements Stimulus {

  /** Checks the ranges, and that the surround fits into the image. */
  public HybridContrast {
    Checks.contrast(centreContrast);
    Checks.contrast(surroundContrast);
    Checks.cycles(cycles);
    Checks.positive(centreDiameter, "a centre's diameter");
    if (surroundDiameter < centreDiameter) {
      throw new IllegalArgumentException(
          "the surround's diameter %s px is smaller than the centre's %s px"
              .formatted(Frame.number(surroundDiameter), Frame.number(centreDiameter)));
    }
    frame.requireFits(surroundDiameter / 2, "a surround with a radius");
  }

  /** A stimulus for each orientation, on an image with the stimulus at its centre. */
  public static StimulusSet set(
      Frame frame,
      List<Double> modulations,
      double cycles,
      double centreContrast,
      double surroundContrast,
      double centreDiameter,
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
                            centreContrast,
                            surroundContrast,
                            centreDiameter,
                            surroundDiameter))
            .toList());
  }

  @Override
  public float[] draw() {
    double[] grating = Patterns.grating(frame, modulation, cycles, phase, 1);
    double[] out = new double[grating.length];
    Patterns.addProduct(out, centreContrast, grating, Patterns.disc(frame, centreDiameter / 2));
    Patterns.addProduct(
        out,
        surroundContrast,
        grating,
        Patterns.ring(frame, centreDiameter / 2, surroundDiameter / 2));
    return Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "hybrid_contrast",
        Orientation.ofModulation(modulation),
        centreContrast,
        cycles,
        phase,
        frame.centre(),
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
            centreDiameter,
            "surround_diameter",
            surroundDiameter));
  }
}
