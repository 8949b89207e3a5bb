package org.gammanet.config;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where samples come from and how they become network inputs and targets ({@code data}).
 *
 * @param trainPath folder that holds {@code images} and {@code groundTruth}; null if not configured
 * @param valPath the same for validation; null if not configured
 * @param testPath the same for the benchmark; null if not configured
 * @param trainSplits splits that are trained on, such as {@code train} or {@code train, val}
 * @param target how annotators are combined
 * @param positiveThreshold fraction of annotators from which on a pixel is an edge, in (0, 1]
 * @param ignoreMinority whether pixels that fewer annotators marked are left out of the loss
 * @param thinTargets whether targets are thinned to one pixel
 * @param fraction part of the training images that is used, in (0, 1]
 * @param fractionSeed which part
 * @param normalizeMean mean per channel (red, green, blue) of images scaled to [0, 1]
 * @param normalizeStd standard deviation per channel
 * @param augmentation random changes of training samples
 */
public record DataConfig(
    @Nullable Path trainPath,
    @Nullable Path valPath,
    @Nullable Path testPath,
    List<String> trainSplits,
    TargetKind target,
    double positiveThreshold,
    boolean ignoreMinority,
    boolean thinTargets,
    double fraction,
    long fractionSeed,
    List<Double> normalizeMean,
    List<Double> normalizeStd,
    AugmentationConfig augmentation) {

  /** Mean of ImageNet's photos, on which VGG16 was trained. */
  public static final List<Double> IMAGENET_MEAN = List.of(0.485, 0.456, 0.406);

  /** Standard deviation of ImageNet's photos. */
  public static final List<Double> IMAGENET_STD = List.of(0.229, 0.224, 0.225);

  /** The values of keys that are absent. */
  static final DataConfig CLASS_DEFAULTS =
      new DataConfig(
          null,
          null,
          null,
          List.of("train"),
          TargetKind.CONSENSUS,
          0.3,
          true,
          false,
          1,
          0,
          IMAGENET_MEAN,
          IMAGENET_STD,
          AugmentationConfig.CLASS_DEFAULTS);

  private static final String CHANNELS = "three numbers, for red, green and blue";

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public DataConfig {
    trainSplits = List.copyOf(trainSplits);
    normalizeMean = List.copyOf(normalizeMean);
    normalizeStd = List.copyOf(normalizeStd);
    Check.that(!trainSplits.isEmpty(), "train_splits", trainSplits, "a list such as [train]");
    Check.that(
        positiveThreshold > 0 && positiveThreshold <= 1,
        "positive_threshold",
        positiveThreshold,
        "greater than 0 and at most 1");
    Check.that(fraction > 0 && fraction <= 1, "fraction", fraction, "greater than 0 and at most 1");
    Check.that(normalizeMean.size() == 3, "normalize_mean", normalizeMean, CHANNELS);
    Check.that(
        normalizeStd.size() == 3 && normalizeStd.stream().allMatch(s -> s > 0),
        "normalize_std",
        normalizeStd,
        CHANNELS + ", all greater than 0");
  }
}
