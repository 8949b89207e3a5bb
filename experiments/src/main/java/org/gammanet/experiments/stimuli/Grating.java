package org.gammanet.experiments.stimuli;

import java.util.Map;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * A sine grating, in a disc or filling the image; luminance {@code 0.5 + 0.5 · grating · disc}.
 *
 * @param modulation direction of the wave vector, degrees
 * @param cycles per image height
 * @param phase radians; 0 has a zero crossing at the center
 * @param contrast Michelson, 0 to 1
 * @param diameter of the disc, pixels; null without one
 * @param rule how the disc's radius follows from the diameter
 * @param softEdge width of a raised-cosine edge outside of the disc, pixels; 0 for a hard edge
 * @param mode what the metadata say of the size: the diameter, or with parity twice the radius
 */
public record Grating(
    Frame frame,
    double modulation,
    double cycles,
    double phase,
    double contrast,
    @Nullable Double diameter,
    ApertureRule rule,
    double softEdge,
    Mode mode)
    implements Stimulus {

  /** Checks the ranges, and that the disc fits into the image. */
  public Grating {
    Checks.contrast(contrast);
    Checks.cycles(cycles);
    Checks.notNegative(softEdge, "a soft edge");
    if (diameter != null) {
      Checks.positive(diameter, "a diameter");
      if (mode == Mode.OWN) {
        frame.requireFits(rule.radius(diameter) + softEdge, "a disc with a radius");
      }
    }
  }

  @Override
  public float[] draw() {
    double[] pattern = Patterns.grating(frame, modulation, cycles, phase, contrast);
    if (diameter != null) {
      double[] disc = Patterns.disc(frame, rule.radius(diameter), softEdge);
      for (int i = 0; i < pattern.length; i++) {
        pattern[i] *= disc[i];
      }
    }
    return Patterns.luminance(pattern);
  }

  @Override
  public StimulusMeta meta() {
    // Without a diameter the original notes half of the shorter side.
    double radius =
        diameter == null ? Math.min(frame.height(), frame.width()) / 2 : rule.radius(diameter);
    double height = frame.height();
    double width = frame.width();
    if (mode == Mode.PARITY) {
      height = 2 * radius;
      width = 2 * radius;
    } else if (diameter != null) {
      height = diameter;
      width = diameter;
    }
    Map<String, @Nullable Object> parameters =
        Stimulus.parameters(
            "spatial_frequency",
            cycles,
            "wavelength_px",
            frame.wavelength(cycles),
            "aperture_diameter",
            diameter,
            "aperture_radius",
            radius,
            "aperture_rule",
            rule.name(),
            "soft_edge",
            softEdge,
            "cycles_in_aperture",
            height / frame.wavelength(cycles));
    return new StimulusMeta(
        "oriented_grating",
        Orientation.ofModulation(modulation),
        contrast,
        cycles,
        phase,
        frame.center(),
        height,
        width,
        parameters);
  }
}
