package org.gammanet.experiments.analysis;

import java.util.List;
import org.gammanet.experiments.stimuli.Orientation;

/** What the context of a stimulus does to a unit's response to it. */
public final class Context {
  private Context() {}

  /**
   * {@code (R_c - R_cs) / R_c}: positive where the surround suppresses.
   *
   * @return NaN where the center alone evokes at most 1e-12
   */
  public static double suppression(double center, double withSurround) {
    return OrientationMeasures.ratio(center - withSurround, center);
  }

  /** {@code (R_cs - R_c) / (R_cs + R_c)}, in [-1, 1] for responses that are not negative. */
  public static double modulation(double center, double withSurround) {
    return contrast(withSurround, center);
  }

  /** {@code R_cs / R_c}; NaN where the center alone evokes at most 1e-12. */
  public static double normalized(double center, double withSurround) {
    return OrientationMeasures.ratio(withSurround, center);
  }

  /**
   * {@code (R_cross - R_iso) / (R_cross + R_iso)}: positive where a surround of the center's own
   * orientation suppresses more.
   */
  public static double isoCross(double iso, double cross) {
    return contrast(cross, iso);
  }

  /** {@code R_tf / R_t - 1}: positive where flankers facilitate the target. */
  public static double facilitation(double target, double withFlankers) {
    return OrientationMeasures.ratio(withFlankers, target) - 1;
  }

  /**
   * {@code (R_tf - R_t - R_f + R_b) / (R_t - R_b)}: positive only where target and flankers
   * together evoke more than the sum of both.
   *
   * @return NaN where the target alone evokes no more than the blank
   */
  public static double superadditivity(
      double target, double flankers, double withFlankers, double blank) {
    return OrientationMeasures.ratio(withFlankers - target - flankers + blank, target - blank);
  }

  /** {@code (R_boundary - R_uniform) / (R_boundary + R_uniform)}. */
  public static double boundary(double boundary, double uniform) {
    return contrast(boundary, uniform);
  }

  private static double contrast(double a, double b) {
    return OrientationMeasures.ratio(a - b, a + b);
  }

  /**
   * {@code (m₁ - m₀) / sqrt((s₁² + s₀²)/2)} with variances over n - 1.
   *
   * @return NaN where neither sample varies
   * @throws IllegalArgumentException for samples of fewer than two, or values that are not finite
   */
  public static double dPrime(double[] signal, double[] reference) {
    Curves.require(signal, signal, 2, "sample");
    Curves.require(reference, reference, 2, "sample");
    double variance =
        (Curves.squares(signal) / (signal.length - 1)
                + Curves.squares(reference) / (reference.length - 1))
            / 2;
    return variance > 0
        ? (Curves.mean(signal) - Curves.mean(reference)) / Math.sqrt(variance)
        : Double.NaN;
  }

  /**
   * Shift of the decoded orientation of the center by a surround: {@code -sign(θ_s - θ_c) ·
   * wrap₉₀(θ_with - θ_alone)}, degrees. Positive is repulsion from the surround (the tilt illusion,
   * O'Toole and Wenderoth 1977), negative attraction. At a difference of 0 it is 0.
   *
   * @param surroundMinusCenter degrees; its sign after wrapping to [-90, 90)
   * @param alone orientation read without the surround, degrees
   * @param withSurround orientation read with it, degrees
   */
  public static double tiltBias(double surroundMinusCenter, double alone, double withSurround) {
    return -Math.signum(Orientation.difference(surroundMinusCenter, 0))
            * Orientation.difference(withSurround, alone)
        + 0.0;
  }

  /**
   * Facilitation over the distance of the flankers.
   *
   * @param bestDistance of the largest index
   * @param maximum the largest index
   * @param sigma of a Gaussian {@code a exp(-½ ((x - m)/σ)²)} fitted to the profile, in the unit of
   *     the distances; NaN where no such fit exists
   */
  public record FacilitationProfile(double bestDistance, double maximum, double sigma) {
    /**
     * Describes a profile.
     *
     * @param distances rising
     * @param indices facilitation, one per distance
     * @throws IllegalArgumentException for no distances, ones that do not rise, or an index that is
     *     not a finite number
     */
    public static FacilitationProfile of(double[] distances, double[] indices) {
      Curves.require(distances, indices, 1, "distance");
      Curves.rising(distances, "distance");
      int peak = Curves.argMax(indices);
      double maximum = indices[peak];
      double sigma = Double.NaN;
      double free = Double.NEGATIVE_INFINITY;
      double none = Double.POSITIVE_INFINITY;
      if (distances.length >= 4 && maximum > 0) {
        CurveFit.Best best =
            CurveFit.fit(
                (x, p) -> p[0] * Math.exp(-0.5 * (x - p[1]) * (x - p[1]) / (p[2] * p[2])),
                distances,
                indices,
                new double[] {free, free, free},
                new double[] {none, none, none},
                List.of(new double[] {maximum, distances[peak], 10}));
        double found = Math.abs(best.parameters()[2]);
        double span = distances[distances.length - 1] - distances[0];
        // A width far beyond what was sampled is a flat profile, not a Gaussian.
        sigma = found <= 100 * span ? found : Double.NaN;
      }
      return new FacilitationProfile(distances[peak], maximum, sigma);
    }
  }

  /**
   * What a surround does to a tuning curve.
   *
   * @param preferred change of the preferred orientation, degrees in [-90, 90)
   * @param halfWidth change of the half width, degrees
   * @param amplitude change of the fitted amplitude
   * @param suppression {@link Context#suppression} of the amplitudes
   */
  public record Shift(double preferred, double halfWidth, double amplitude, double suppression) {
    /** From the curve without to the curve with a surround. */
    public static Shift between(TuningCurve alone, TuningCurve withSurround) {
      return new Shift(
          Orientation.difference(withSurround.preferred(), alone.preferred()),
          withSurround.halfWidth() - alone.halfWidth(),
          withSurround.amplitude() - alone.amplitude(),
          Context.suppression(alone.amplitude(), withSurround.amplitude()));
    }
  }

  /**
   * Whether a surround scales a population's responses or changes their profile (Trott and Born
   * 2015). With centers of one orientation both kinds of gain control may look like scaling; with
   * plaids, one component of which matches the surround, control of the input suppresses that
   * component and moves the population's peak away from it.
   *
   * @param scale g of {@code P_with = g · P_alone}, least squares; NaN for a silent population
   * @param residual {@code |P_with - g P_alone| / |P_with|}: 0 where the surround merely scales
   * @param vectorShift how the population vector turns, degrees in [-90, 90); NaN where undefined
   */
  public record PopulationGain(double scale, double residual, double vectorShift) {
    /**
     * Compares the responses of a population.
     *
     * @param preferences preferred orientation of each unit, degrees
     * @throws IllegalArgumentException where the three lengths differ or a number is not finite
     */
    public static PopulationGain of(double[] preferences, double[] alone, double[] withSurround) {
      Curves.require(preferences, alone, 1, "preferred orientation");
      Curves.require(preferences, withSurround, 1, "preferred orientation");
      double cross = 0;
      double square = 0;
      for (int i = 0; i < alone.length; i++) {
        cross += alone[i] * withSurround[i];
        square += alone[i] * alone[i];
      }
      double scale = OrientationMeasures.ratio(cross, square);
      double error = 0;
      double power = 0;
      for (int i = 0; i < alone.length; i++) {
        double e = withSurround[i] - scale * alone[i];
        error += e * e;
        power += withSurround[i] * withSurround[i];
      }
      return new PopulationGain(
          scale,
          OrientationMeasures.ratio(Math.sqrt(error), Math.sqrt(power)),
          Orientation.difference(
              Population.vector(withSurround, preferences), Population.vector(alone, preferences)));
    }
  }
}
