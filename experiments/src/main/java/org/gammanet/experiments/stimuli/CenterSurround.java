package org.gammanet.experiments.stimuli;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A disc of grating, or of two crossed ones, within a ring of grating: {@code sine_c·disc(r) +
 * sine_s·ring(a, b)} as luminance.
 *
 * @param center null for the ring alone
 * @param surround null for the disc alone
 */
public record CenterSurround(Frame frame, @Nullable Disc center, @Nullable Ring surround)
    implements Stimulus {

  /**
   * A disc of grating.
   *
   * @param plaid orientation of a second grating, with which the center is the mean of both,
   *     degrees; null for one grating
   * @param radius pixels
   */
  public record Disc(Sine sine, @Nullable Double plaid, double radius) {
    /** Checks the ranges. */
    public Disc {
      Checks.positive(radius, "a center's radius");
    }

    /** A disc of one grating. */
    public static Disc of(Sine sine, double radius) {
      return new Disc(sine, null, radius);
    }
  }

  /**
   * A ring of grating.
   *
   * @param inner radius outside which it begins, pixels
   * @param outer radius, pixels
   */
  public record Ring(Sine sine, double inner, double outer) {
    /** Checks the ranges. */
    public Ring {
      Checks.notNegative(inner, "a ring's inner radius");
      if (!(outer > inner)) {
        throw new IllegalArgumentException(
            "a ring from %s to %s px is empty".formatted(Frame.number(inner), Frame.number(outer)));
      }
    }
  }

  /** Checks that everything fits into the image. */
  public CenterSurround {
    if (center == null && surround == null) {
      throw new IllegalArgumentException("neither a center nor a surround is given");
    }
    if (center != null) {
      frame.requireFits(center.radius, "a center with a radius");
    }
    if (surround != null) {
      frame.requireFits(surround.outer, "a surround with a radius");
    }
  }

  @Override
  public float[] draw() {
    double[] out = new double[frame.pixels()];
    if (center != null) {
      double[] disc = Patterns.disc(frame, center.radius);
      double weight = center.sine.contrast() / (center.plaid == null ? 1 : 2);
      Sine full = center.sine.contrast(1);
      Patterns.addProduct(out, weight, full.pattern(frame), disc);
      if (center.plaid != null) {
        Patterns.addProduct(out, weight, full.orientation(center.plaid).pattern(frame), disc);
      }
    }
    if (surround != null) {
      Patterns.addProduct(
          out,
          surround.sine.contrast(),
          surround.sine.contrast(1).pattern(frame),
          Patterns.ring(frame, surround.inner, surround.outer));
    }
    return Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    Sine main = center != null ? center.sine : surround != null ? surround.sine : Sine.of(0, 1);
    Map<String, @Nullable Object> parameters =
        Stimulus.parameters(
            "spatial_frequency", main.cycles(), "wavelength_px", frame.wavelength(main.cycles()));
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
      parameters.put("surround_orientation", surround.sine.orientation());
      parameters.put("surround_contrast", surround.sine.contrast());
      parameters.put("surround_phase", surround.sine.phase());
      parameters.put("surround_inner_radius", surround.inner);
      parameters.put("surround_outer_radius", surround.outer);
      if (center != null) {
        parameters.put("orientation_difference", surround.sine.orientation() - main.orientation());
      }
    }
    return new StimulusMeta(
        surround == null ? "center_only" : center == null ? "surround_only" : "center_surround",
        Orientation.ofModulation(main.orientation()),
        center == null ? 0 : main.contrast(),
        main.cycles(),
        center == null ? Double.NaN : main.phase(),
        frame.center(),
        extent,
        extent,
        parameters);
  }
}
