package org.gammanet.config;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a training run writes down, and where ({@code logging}).
 *
 * @param logDir folder of checkpoints and event files, relative to the working folder
 * @param experimentName name of the run; null for one made from the model's name
 * @param tensorboard whether TensorBoard event files are written
 * @param logImagesFreq epochs between pictures
 * @param numImagesToLog images in a picture
 */
public record LoggingConfig(
    Path logDir,
    @Nullable String experimentName,
    boolean tensorboard,
    int logImagesFreq,
    int numImagesToLog) {

  /** The values of keys that are absent. */
  static final LoggingConfig CLASS_DEFAULTS =
      new LoggingConfig(Path.of("./logs"), null, true, 5, 8);

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public LoggingConfig {
    Check.atLeast("log_images_freq", logImagesFreq, 1);
    Check.atLeast("num_images_to_log", numImagesToLog, 0);
    if (experimentName != null) {
      // It becomes a file name.
      Check.that(
          experimentName.matches("[\\w][\\w. -]*"),
          "experiment_name",
          experimentName,
          "letters, digits, dots, dashes, underscores and spaces");
    }
  }
}
