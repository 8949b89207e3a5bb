package org.gammanet.experiments.stimuli;

import java.util.Map;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * A grating, or two crossed ones, in a disc within a ring of another: {@code
 * c_c·grating(θ_c)·disc(r) + c_s·grating(θ_s)·ring(a, b)}. As luminance, or in parity as the bare
 * pattern about 0.
 *
 * @param type which experiment it belongs to
 * @param center its center; null for none
 * @param surround its surround; null for none
 * @param orientation of the center, which the surround is compared with, degrees of modulation;
 *     also where the center is not shown
 * @param cycles per image height, of both
 */
public record CenterSurround(
    Frame frame,
    String type,
    @Nullable Center center,
    @Nullable Surround surround,
    double orientation,
    double cycles,
    Mode mode)
    implements Stimulus {

  /**
   * A disc of grating.
   *
   * @param plaid direction of a second grating, with which the center is the mean of both; null for
   *     one
   * @param phase radians
   * @param contrast of each grating before the mean
   * @param radius pixels
   */
  public record Center(@Nullable Double plaid, double phase, double contrast, double radius) {
    /** Checks the ranges. */
    public Center {
      Checks.contrast(contrast);
      Checks.positive(radius, "a center's radius");
    }
  }

  /**
   * A ring of grating.
   *
   * @param modulation direction of its wave vector, degrees
   * @param phase radians
   * @param contrast Michelson
   * @param inner radius, pixels, outside of which it begins
   * @param outer radius, pixels
   */
  public record Surround(
      double modulation, double phase, double contrast, double inner, double outer) {
    /** Checks the ranges. */
    public Surround {
      Checks.contrast(contrast);
      Checks.notNegative(inner, "a ring's inner radius");
      if (!(outer > inner)) {
        throw new IllegalArgumentException(
            "a ring from %s to %s px is empty".formatted(Frame.number(inner), Frame.number(outer)));
      }
    }
  }

  /** Checks that everything fits into the image. */
  public CenterSurround {
    Checks.cycles(cycles);
    if (mode == Mode.OWN) {
      if (center != null) {
        frame.requireFits(center.radius, "a center with a radius");
      }
      if (surround != null) {
        frame.requireFits(surround.outer, "a surround with a radius");
      }
    }
  }

  @Override
  public float[] draw() {
    double[] out = new double[frame.pixels()];
    if (center != null) {
      double[] disc = Patterns.disc(frame, center.radius);
      double[] first = Patterns.grating(frame, orientation, cycles, center.phase, 1);
      double share = center.plaid == null ? center.contrast : center.contrast / 2;
      Patterns.addProduct(out, share, first, disc);
      if (center.plaid != null) {
        double[] second = Patterns.grating(frame, center.plaid, cycles, center.phase, 1);
        Patterns.addProduct(out, share, second, disc);
      }
    }
    if (surround != null) {
      Patterns.addProduct(
          out,
          surround.contrast,
          Patterns.grating(frame, surround.modulation, cycles, surround.phase, 1),
          Patterns.ring(frame, surround.inner, surround.outer));
    }
    return mode == Mode.PARITY ? Patterns.floats(out) : Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    Map<String, @Nullable Object> parameters =
        Stimulus.parameters("spatial_frequency", cycles, "wavelength_px", frame.wavelength(cycles));
    parameters.put(
        "condition",
        surround == null ? "center_only" : center == null ? "surround_only" : "center_surround");
    double extent = 0;
    if (center != null) {
      extent = 2 * center.radius;
      parameters.put("center_radius", center.radius);
      if (center.plaid != null) {
        parameters.put("plaid_orientation", center.plaid);
      }
    }
    if (surround != null) {
      extent = 2 * surround.outer;
      double difference = surround.modulation - orientation;
      parameters.put("surround_orientation", surround.modulation);
      parameters.put("surround_contrast", surround.contrast);
      parameters.put("surround_phase", surround.phase);
      parameters.put(
          type.equals("tilt_illusion") ? "surround_tilt" : "orientation_difference", difference);
      parameters.put("surround_inner_radius", surround.inner);
      parameters.put("surround_outer_radius", surround.outer);
      if (type.equals("tilt_illusion")) {
        parameters.put("surround_radius", surround.outer);
      }
    }
    return new StimulusMeta(
        type,
        Orientation.ofModulation(orientation),
        center == null ? 0 : center.contrast,
        cycles,
        center == null ? Double.NaN : center.phase,
        frame.center(),
        extent,
        extent,
        parameters);
  }
}
