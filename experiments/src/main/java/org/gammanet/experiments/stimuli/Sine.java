package org.gammanet.experiments.stimuli;

/**
 * A sine grating without borders, {@code contrast · sin(2π (dx cosθ + dy sinθ) f / H + phase)}.
 * Methods named like a component return a changed copy.
 *
 * @param orientation θ, direction of the modulation, degrees: 0 has vertical stripes
 * @param cycles f, per image height
 * @param phase radians; 0 has a zero crossing at the center
 * @param contrast Michelson, 0 to 1
 */
public record Sine(double orientation, double cycles, double phase, double contrast) {
  /** Checks the ranges. */
  public Sine {
    Checks.contrast(contrast);
    Checks.cycles(cycles);
  }

  /** A grating of phase 0 and contrast 1. */
  public static Sine of(double orientation, double cycles) {
    return new Sine(orientation, cycles, 0, 1);
  }

  /** Changes the orientation, degrees. */
  public Sine orientation(double degrees) {
    return new Sine(degrees, cycles, phase, contrast);
  }

  /** Changes the orientation by an angle, degrees. */
  public Sine rotated(double by) {
    return orientation(orientation + by);
  }

  /** Changes the phase, radians. */
  public Sine phase(double radians) {
    return new Sine(orientation, cycles, radians, contrast);
  }

  /** Changes the contrast, 0 to 1. */
  public Sine contrast(double michelson) {
    return new Sine(orientation, cycles, phase, michelson);
  }

  /** Values between -contrast and contrast, H x W, rows first. */
  double[] pattern(Frame frame) {
    return Patterns.grating(frame, orientation, cycles, phase, contrast);
  }
}
