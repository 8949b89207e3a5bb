package org.gammanet.experiments.stimuli;

/**
 * An orientation, which is the same after a rotation by 180 degrees, with its convention.
 *
 * <p>Gratings are described by the direction of their <em>modulation</em> (wave vector): 0 degrees
 * are vertical stripes. Bars are described by the direction of their long <em>axis</em>: 0 degrees
 * are a horizontal bar. The same number thus means orthogonal stimuli; a grating's stripes run
 * along modulation + 90 degrees. Both increase clockwise on the screen, from +x toward +y (down).
 *
 * @param modulation direction of the wave vector, degrees in [0, 180)
 */
public record Orientation(double modulation) {
  /** Brings the angle into [0, 180). */
  public Orientation {
    if (!Double.isFinite(modulation)) {
      throw new IllegalArgumentException("an orientation must be a finite number of degrees");
    }
    modulation = wrap(modulation);
  }

  /** From the direction of a grating's wave vector, degrees. */
  public static Orientation ofModulation(double degrees) {
    return new Orientation(degrees);
  }

  /** From the direction of a bar's long axis or of a grating's stripes, degrees. */
  public static Orientation ofAxis(double degrees) {
    return new Orientation(degrees - 90);
  }

  /** Direction of the long axis or of the stripes, degrees in [0, 180). */
  public double axis() {
    return wrap(modulation + 90);
  }

  /** An angle modulo 180 degrees, in [0, 180). */
  public static double wrap(double degrees) {
    double r = degrees % 180;
    r = r < 0 ? r + 180 : r;
    return r >= 180 ? 0 : r + 0.0; // -1e-20 + 180 rounds to 180; -0.0 becomes 0.0
  }

  /** The difference a - b of two orientations, degrees in [-90, 90). */
  public static double difference(double a, double b) {
    return wrap(a - b + 90) - 90;
  }

  /** Cosine of an angle in degrees, exact at multiples of 90. */
  public static double cos(double degrees) {
    return sin(degrees + 90);
  }

  /** Sine of an angle in degrees, exact at multiples of 90. */
  public static double sin(double degrees) {
    double r = ((degrees % 360) + 360) % 360;
    if (r % 90 == 0) {
      return r == 90 ? 1 : r == 270 ? -1 : 0;
    }
    return Math.sin(Math.toRadians(degrees));
  }
}
