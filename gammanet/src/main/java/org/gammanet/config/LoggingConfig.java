package org.gammanet.config;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
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

  /** Checks every value. */
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

  static LoggingConfig read(Section section, @Nullable String experimentName) {
    if (section.flag("wandb", false)) {
      section.unused("wandb", "runs are logged as TensorBoard event files and JSON lines");
    }
    section.text("wandb_project");
    String name = section.text("experiment_name");
    return section.build(
        () ->
            new LoggingConfig(
                Path.of(section.text("log_dir", "./logs")),
                name != null ? name : experimentName,
                section.flag("tensorboard", true),
                section.integer("log_images_freq", 5),
                section.integer("num_images_to_log", 8)));
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("log_dir", logDir.toString());
    map.put("experiment_name", experimentName);
    map.put("tensorboard", tensorboard);
    map.put("log_images_freq", logImagesFreq);
    map.put("num_images_to_log", numImagesToLog);
    return map;
  }
}
