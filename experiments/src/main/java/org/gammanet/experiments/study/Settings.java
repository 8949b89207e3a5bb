package org.gammanet.experiments.study;

import java.io.Serializable;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * Settings of experiments. Together with the network's weights they determine every number.
 *
 * @param mode whose definitions are followed
 * @param full all conditions of each experiment; otherwise a selection that takes minutes on a
 *     processor
 * @param probes number of probe gratings that later experiments vary; each unit is tested with the
 *     one that drives it best
 * @param contrast Michelson contrast of gratings, above 0 and up to 1
 * @param aperture diameter of the orientation experiment's gratings, pixels; 0 for the whole image
 * @param pixelsPerDegree pixels per degree of visual angle, which scales all stimuli: lengths in
 *     experiments are stated in pixels at 30 pixels per degree
 * @param seed of phases, resamples and splits
 * @param stimulation of the experiment {@code perturbation}; null for {@link Stimulation#DEFAULTS}
 */
public record Settings(
    Mode mode,
    boolean full,
    int probes,
    double contrast,
    double aperture,
    double pixelsPerDegree,
    long seed,
    @Nullable Stimulation stimulation)
    implements Serializable {

  private static final double PIXELS_PER_DEGREE = 30;
  private static final int PROBES = 4;

  /** A selection of conditions, four probes, contrast 0.5, whole images, 30 px/deg, seed 1. */
  public static final Settings DEFAULTS =
      new Settings(Mode.OWN, false, PROBES, 0.5, 0, PIXELS_PER_DEGREE, 1, null);

  /** Checks the ranges. */
  public Settings {
    if (probes < 1) {
      throw new IllegalArgumentException("there must be at least 1 probe stimulus, not " + probes);
    }
    if (!(contrast > 0 && contrast <= 1)) {
      throw new IllegalArgumentException(
          "the contrast must lie above 0 and up to 1, not " + contrast);
    }
    if (!(aperture >= 0 && aperture < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("an aperture must not be negative, but is " + aperture);
    }
    if (!(pixelsPerDegree > 0 && pixelsPerDegree < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "pixels per degree must be positive, not " + pixelsPerDegree);
    }
  }

  /**
   * A length of a stimulus in pixels of the image.
   *
   * @param at30 its length in pixels at 30 pixels per degree
   */
  public double pixels(double at30) {
    return at30 * (pixelsPerDegree / PIXELS_PER_DEGREE);
  }

  /** All conditions and 16 probes, or the selection and 4. */
  public Settings withFull(boolean value) {
    return new Settings(
        mode, value, value ? 16 : PROBES, contrast, aperture, pixelsPerDegree, seed, stimulation);
  }

  /** Another mode. */
  public Settings withMode(Mode value) {
    return new Settings(
        value, full, probes, contrast, aperture, pixelsPerDegree, seed, stimulation);
  }

  /** Another number of probes. */
  public Settings withProbes(int value) {
    return new Settings(mode, full, value, contrast, aperture, pixelsPerDegree, seed, stimulation);
  }

  /** Another contrast. */
  public Settings withContrast(double value) {
    return new Settings(mode, full, probes, value, aperture, pixelsPerDegree, seed, stimulation);
  }

  /** Another aperture, pixels; 0 for the whole image. */
  public Settings withAperture(double value) {
    return new Settings(mode, full, probes, contrast, value, pixelsPerDegree, seed, stimulation);
  }

  /** Another number of pixels per degree. */
  public Settings withPixelsPerDegree(double value) {
    return new Settings(mode, full, probes, contrast, aperture, value, seed, stimulation);
  }

  /** Another seed. */
  public Settings withSeed(long value) {
    return new Settings(
        mode, full, probes, contrast, aperture, pixelsPerDegree, value, stimulation);
  }

  /** Another stimulation of the experiment {@code perturbation}. */
  public Settings withStimulation(Stimulation value) {
    return new Settings(mode, full, probes, contrast, aperture, pixelsPerDegree, seed, value);
  }
}
