package org.gammanet.experiments.stimuli;

/** How the radius of a disc of pixels follows from a diameter D. */
public enum ApertureRule {
  /** r = floor(D/2): 5 gives 13 pixels, 37 gives 1009, as 36 does. The original's grating sets. */
  FLOOR_RADIUS,
  /** r = D/2: 5 gives 21 pixels, 37 gives 1085. Hybrid stimuli and perturbation masks. */
  EXACT_DIAMETER;

  /** Radius in pixels; a pixel belongs to the disc when its distance is at most that. */
  public double radius(double diameter) {
    return this == FLOOR_RADIUS ? Math.floor(diameter / 2) : diameter / 2;
  }
}
