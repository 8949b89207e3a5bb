package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.Stream;

/**
 * Random changes of training samples ({@code data.augmentation}). A {@code preset} in the file sets
 * the defaults of the other keys.
 *
 * @param randomCrop side of the square crop, in pixels
 * @param randomFlip whether half of the samples are mirrored left to right
 * @param verticalFlip probability of mirroring top to bottom
 * @param colorJitter whether brightness, contrast, saturation and hue vary
 * @param scales factors by which images are resized, one drawn per sample
 * @param rotations number of equally spaced angles in a full turn, one drawn per sample; 1 for none
 * @param occluders probability that a uniform surface covers part of a crop, its outline a contour
 */
public record AugmentationConfig(
    int randomCrop,
    boolean randomFlip,
    double verticalFlip,
    boolean colorJitter,
    List<Double> scales,
    int rotations,
    double occluders) {

  /** What the {@code preset} key accepts. */
  private enum Preset implements Word {
    /** 16 angles, 3 scales, mirroring: as Xie and Tu 2015 enlarged the training set. */
    HED(new AugmentationConfig(320, true, 0, false, List.of(0.5, 1.0, 1.5), 16, 0)),
    /** Mirroring both ways, quarter turns, color jitter. */
    LIGHT(new AugmentationConfig(320, true, 0.5, true, List.of(1.0), 4, 0)),
    /** Crops only. */
    NONE(new AugmentationConfig(320, false, 0, false, List.of(1.0), 1, 0));

    final AugmentationConfig values;

    Preset(AugmentationConfig values) {
      this.values = values;
    }
  }

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public AugmentationConfig {
    scales = List.copyOf(scales);
    Check.atLeast("random_crop", randomCrop, 16);
    Check.that(
        verticalFlip >= 0 && verticalFlip <= 1, "vertical_flip", verticalFlip, "from 0 to 1");
    Check.that(
        !scales.isEmpty() && scales.stream().allMatch(s -> s >= 0.1 && s <= 10),
        "scales",
        scales,
        "a list of factors from 0.1 to 10");
    Check.that(rotations >= 1 && rotations <= 360, "rotations", rotations, "from 1 to 360");
    Check.that(occluders >= 0 && occluders <= 1, "occluders", occluders, "from 0 to 1");
  }

  /** The values of keys that are absent. */
  static final AugmentationConfig CLASS_DEFAULTS = Preset.HED.values;

  /** Replaces the key {@code preset} by the keys that it stands for, where these are absent. */
  static void normalize(ConfigTree tree) {
    ObjectNode section = tree.section("data.augmentation");
    JsonNode word = section.remove("preset");
    if (word == null || word.isNull()) {
      return;
    }
    Preset preset =
        Stream.of(Preset.values())
            .filter(p -> p.word().equalsIgnoreCase(word.asText()))
            .findFirst()
            .orElseThrow(
                () ->
                    tree.error(
                        "data.augmentation.preset",
                        " is " + ConfigTree.describe(word) + ", but must be hed, light or none"));
    ConfigBinder.tree(preset.values)
        .properties()
        .forEach(e -> section.putIfAbsent(e.getKey(), e.getValue()));
  }
}
