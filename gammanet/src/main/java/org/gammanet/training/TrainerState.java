package org.gammanet.training;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The position of a run without its tensors, as it stands in a checkpoint's metadata.
 *
 * @param epoch the next one, from 0
 * @param update the next one in its epoch, from 0
 * @param globalStep updates so far
 * @param lossSum over the updates of the unfinished epoch
 * @param lossCount number of these updates
 * @param best value of the metric; NaN before the first validation
 * @param patience validations since the best
 * @param validations so far
 * @param schedule of the learning rate
 * @param lossScale of float16 training
 * @param lossScaleUpdates since the scale has changed
 * @param averaged updates in the averaged weights
 * @param recompute the mode of the backward pass, which changes rounding
 * @param metric which metric {@code best} is of
 * @param data fingerprint of the training images
 */
record TrainerState(
    int epoch,
    int update,
    long globalStep,
    double lossSum,
    int lossCount,
    double best,
    int patience,
    int validations,
    LearningRate.State schedule,
    double lossScale,
    int lossScaleUpdates,
    long averaged,
    String recompute,
    String metric,
    String data) {
  private static final int FORMAT_VERSION = 1;

  /** The metadata of a checkpoint of weights alone. */
  Map<String, String> summary() {
    Map<String, String> text = new LinkedHashMap<>();
    text.put("epoch", "" + (epoch - 1));
    text.put("global_step", "" + globalStep);
    text.put("best_metric", "" + best);
    text.put("metric_name", metric);
    return text;
  }

  /** The metadata of a checkpoint that can be resumed. */
  Map<String, String> metadata() {
    Map<String, String> text = summary();
    text.put("format_version", "" + FORMAT_VERSION);
    text.put("next_epoch", "" + epoch);
    text.put("next_update", "" + update);
    text.put("epoch_loss_sum", "" + lossSum);
    text.put("epoch_loss_count", "" + lossCount);
    text.put("patience_counter", "" + patience);
    text.put("validations", "" + validations);
    text.put("schedule_best", "" + schedule.best());
    text.put("schedule_bad", "" + schedule.bad());
    text.put("schedule_reductions", "" + schedule.reductions());
    text.put("loss_scale", "" + lossScale);
    text.put("loss_scale_updates", "" + lossScaleUpdates);
    text.put("ema_updates", "" + averaged);
    text.put("recompute", recompute);
    text.put("data_fingerprint", data);
    return text;
  }

  /**
   * Reads the metadata of a checkpoint.
   *
   * @param name of the checkpoint for messages
   * @throws TrainingException when it holds weights alone, or something is missing or damaged
   */
  static TrainerState parse(Map<String, String> text, String name) {
    if (!text.containsKey("next_epoch")) {
      throw new TrainingException(
          name
              + " holds weights alone: --resume needs last.safetensors or a numbered checkpoint of"
              + " a run");
    }
    try {
      return new TrainerState(
          Integer.parseInt(required(text, "next_epoch")),
          Integer.parseInt(required(text, "next_update")),
          Long.parseLong(required(text, "global_step")),
          Double.parseDouble(required(text, "epoch_loss_sum")),
          Integer.parseInt(required(text, "epoch_loss_count")),
          Double.parseDouble(required(text, "best_metric")),
          Integer.parseInt(required(text, "patience_counter")),
          Integer.parseInt(text.getOrDefault("validations", "0")),
          new LearningRate.State(
              Double.parseDouble(required(text, "schedule_best")),
              Integer.parseInt(required(text, "schedule_bad")),
              Integer.parseInt(required(text, "schedule_reductions"))),
          Double.parseDouble(text.getOrDefault("loss_scale", "0")),
          Integer.parseInt(text.getOrDefault("loss_scale_updates", "0")),
          Long.parseLong(text.getOrDefault("ema_updates", "0")),
          text.getOrDefault("recompute", ""),
          text.getOrDefault("metric_name", ""),
          text.getOrDefault("data_fingerprint", ""));
    } catch (NumberFormatException e) {
      throw new TrainingException(
          "the training state in " + name + " is damaged: " + e.getMessage(), e);
    }
  }

  private static String required(Map<String, String> text, String key) {
    String value = text.get(key);
    if (value == null) {
      throw new NumberFormatException(key + " is missing");
    }
    return value;
  }
}
