package org.gammanet.experiments.stimuli;

/**
 * A disc about the center. Methods named like a component return a changed copy.
 *
 * @param diameter pixels
 * @param rule how the radius follows from the diameter
 * @param softEdge width of a raised-cosine edge outside the disc, pixels; 0 for a hard edge
 */
public record Aperture(double diameter, ApertureRule rule, double softEdge) {
  /** Checks the ranges. */
  public Aperture {
    Checks.positive(diameter, "a diameter");
    Checks.notNegative(softEdge, "a soft edge");
  }

  /** A disc of radius diameter/2 with a hard edge. */
  public static Aperture disc(double diameter) {
    return new Aperture(diameter, ApertureRule.EXACT_DIAMETER, 0);
  }

  /** Changes how the radius follows from the diameter. */
  public Aperture rule(ApertureRule value) {
    return new Aperture(diameter, value, softEdge);
  }

  /** Changes the width of the edge. */
  public Aperture softEdge(double pixels) {
    return new Aperture(diameter, rule, pixels);
  }

  /** Pixels. */
  public double radius() {
    return rule.radius(diameter);
  }

  /** 1 inside, 0 outside, between them on the edge; H x W, rows first. */
  public double[] mask(Frame frame) {
    return Patterns.disc(frame, radius(), softEdge);
  }
}
