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
 * @param centre its centre; null for none
 * @param surround its surround; null for none
 * @param orientation of the centre, which the surround is compared with, degrees of modulation;
 *     also where the centre is not shown
 * @param cycles per image height, of both
 */
public record CentreSurround(
    Frame frame,
    String type,
    @Nullable Centre centre,
    @Nullable Surround surround,
    double orientation,
    double cycles,
    Mode mode)
    implements Stimulus {

  /**
   * A disc of grating.
   *
   * @param plaid direction of a second grating, with which the centre is the mean of both; null for
   *     one
   * @param phase radians
   * @param contrast of each grating before the mean
   * @param radius pixels
   */
  public record Centre(@Nullable Double plaid, double phase, double contrast, double radius) {
    /** Checks the ranges. */
    public Centre {
      Checks.contrast(contrast);
      Checks.positive(radius, "a centre's radius");
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
  public CentreSurround {
    Checks.cycles(cycles);
    if (mode == Mode.OWN) {
      if (centre != null) {
        frame.requireFits(centre.radius, "a centre with a radius");
      }
      if (surround != null) {
        frame.requireFits(surround.outer, "a surround with a radius");
      }
    }
  }

  @Override
  public float[] draw() {
    double[] out = new double[frame.pixels()];
    if (centre != null) {
      double[] disc = Patterns.disc(frame, centre.radius);
      double[] first = Patterns.grating(frame, orientation, cycles, centre.phase, 1);
      double share = centre.plaid == null ? centre.contrast : centre.contrast / 2;
      Patterns.addProduct(out, share, first, disc);
      if (centre.plaid != null) {
        double[] second = Patterns.grating(frame, centre.plaid, cycles, centre.phase, 1);
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
        surround == null ? "center_only" : centre == null ? "surround_only" : "center_surround");
    double extent = 0;
    if (centre != null) {
      extent = 2 * centre.radius;
      parameters.put("center_radius", centre.radius);
      if (centre.plaid != null) {
        parameters.put("plaid_orientation", centre.plaid);
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
        centre == null ? 0 : centre.contrast,
        cycles,
        centre == null ? Double.NaN : centre.phase,
        frame.centre(),
        extent,
        extent,
        parameters);
  }
}
