package org.gammanet.experiments.stimuli;

import org.jspecify.annotations.Nullable;

/**
 * A sine grating in a disc or over the whole image.
 *
 * @param aperture null for the whole image
 */
public record Grating(Frame frame, Sine sine, @Nullable Aperture aperture) implements Stimulus {
  /** Its {@link StimulusMeta#type}. */
  public static final String TYPE = "oriented_grating";

  /** Checks that the disc fits into the image. */
  public Grating {
    if (aperture != null) {
      frame.requireFits(aperture.radius() + aperture.softEdge(), "a disc with a radius");
    }
  }

  @Override
  public float[] draw() {
    double[] pattern = sine.pattern(frame);
    if (aperture != null) {
      double[] disc = aperture.mask(frame);
      for (int i = 0; i < pattern.length; i++) {
        pattern[i] *= disc[i];
      }
    }
    return Patterns.luminance(pattern);
  }

  @Override
  public StimulusMeta meta() {
    Aperture disc = aperture;
    double height = disc == null ? frame.height() : disc.diameter();
    double width = disc == null ? frame.width() : disc.diameter();
    double wavelength = frame.wavelength(sine.cycles());
    return new StimulusMeta(
        TYPE,
        Orientation.ofModulation(sine.orientation()),
        sine.contrast(),
        sine.cycles(),
        sine.phase(),
        frame.center(),
        height,
        width,
        Stimulus.parameters(
            "spatial_frequency",
            sine.cycles(),
            "wavelength_px",
            wavelength,
            "aperture_diameter",
            disc == null ? null : disc.diameter(),
            "aperture_radius",
            disc == null ? Math.min(frame.height(), frame.width()) / 2 : disc.radius(),
            "aperture_rule",
            disc == null ? null : disc.rule().name(),
            "soft_edge",
            disc == null ? 0.0 : disc.softEdge(),
            "cycles_in_aperture",
            height / wavelength));
  }
}
