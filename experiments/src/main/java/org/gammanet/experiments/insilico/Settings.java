package org.gammanet.experiments.insilico;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.gammanet.experiments.Mode;

/**
 * How experiments are made. Together with the network's weights they determine every number.
 *
 * @param mode whose definitions are followed
 * @param full the whole set of conditions of each experiment; otherwise a selection that a laptop
 *     gets through in minutes
 * @param probes stimuli, of those of the orientation experiment, that later experiments vary; each
 *     unit is tested with the one that drives it best
 * @param contrast Michelson contrast of gratings
 * @param aperture diameter of the orientation experiment's gratings, pixels; 0 for the whole image
 * @param pixelsPerDegree pixels per degree of visual angle
 * @param seed of phases, resamples and splits
 */
public record Settings(
    Mode mode,
    boolean full,
    int probes,
    double contrast,
    double aperture,
    double pixelsPerDegree,
    long seed) {

  /** The library's own definitions and a selection of conditions. */
  public static final Settings DEFAULTS = new Settings(Mode.OWN, false, 3, 0.5, 0, 30, 1);

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

  /** With all conditions and 16 probes, or with the selection and 3. */
  public Settings withFull(boolean value) {
    return new Settings(mode, value, value ? 16 : 3, contrast, aperture, pixelsPerDegree, seed);
  }

  /** With the definitions of another mode. */
  public Settings withMode(Mode value) {
    return new Settings(value, full, probes, contrast, aperture, pixelsPerDegree, seed);
  }

  /** With so many probe stimuli. */
  public Settings withProbes(int value) {
    return new Settings(mode, full, value, contrast, aperture, pixelsPerDegree, seed);
  }

  /** With another contrast of gratings. */
  public Settings withContrast(double value) {
    return new Settings(mode, full, probes, value, aperture, pixelsPerDegree, seed);
  }

  /** With gratings of a diameter in the orientation experiment, pixels; 0 for the whole image. */
  public Settings withAperture(double value) {
    return new Settings(mode, full, probes, contrast, value, pixelsPerDegree, seed);
  }

  /** With so many pixels per degree of visual angle. */
  public Settings withPixelsPerDegree(double value) {
    return new Settings(mode, full, probes, contrast, aperture, value, seed);
  }

  /** With another seed. */
  public Settings withSeed(long value) {
    return new Settings(mode, full, probes, contrast, aperture, pixelsPerDegree, value);
  }

  ObjectNode toJson() {
    ObjectNode node = Result.JSON.createObjectNode();
    node.put("mode", mode.name().toLowerCase(java.util.Locale.ROOT));
    node.put("protocol", full ? "full" : "standard");
    node.put("probes", probes);
    node.put("contrast", contrast);
    node.put("aperture_px", aperture);
    node.put("pixels_per_degree", pixelsPerDegree);
    node.put("seed", seed);
    return node;
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws IllegalArgumentException for values that are missing or out of range
   */
  public static Settings fromJson(JsonNode node) {
    for (String name :
        new String[] {
          "mode", "protocol", "probes", "contrast", "aperture_px", "pixels_per_degree", "seed"
        }) {
      if (!node.hasNonNull(name)) {
        throw new IllegalArgumentException("the settings lack " + name);
      }
    }
    return new Settings(
        node.path("mode").asText().equals("parity") ? Mode.PARITY : Mode.OWN,
        node.path("protocol").asText().equals("full"),
        node.path("probes").asInt(),
        node.path("contrast").asDouble(),
        node.path("aperture_px").asDouble(),
        node.path("pixels_per_degree").asDouble(),
        node.path("seed").asLong());
  }
}
