package org.gammanet.training;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.io.AtomicFile;
import org.jspecify.annotations.Nullable;

/**
 * The log of a run below its folder: {@code config.yaml}, a line of JSON per epoch in {@code
 * metrics.jsonl}, and TensorBoard event files if the configuration wants them.
 */
final class RunLog implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final GammaNetConfig config;
  private final Path folder;
  private final @Nullable EventFile events;

  /**
   * Begins or continues: epochs from {@code epoch} on, which will run again, are removed.
   *
   * @param folder exists
   * @param listener receives a note about damaged lines of an earlier log
   */
  RunLog(GammaNetConfig config, Path folder, int epoch, TrainingListener listener)
      throws IOException {
    this.config = config;
    this.folder = folder;
    dropFrom(epoch, listener);
    AtomicFile.write(folder.resolve("config.yaml"), config.toYaml());
    if (!config.logging().tensorboard()) {
      events = null;
      return;
    }
    events = new EventFile(folder.resolve("tensorboard"));
    events.text("config", 0, "```yaml\n" + config.toYaml() + "```");
    events.hyperparameters(
        String.valueOf(folder.toAbsolutePath().normalize().getFileName()),
        hyperparameters(),
        List.of("val/loss", "val/ods_f1", "val/ois_f1", "val/ap"));
  }

  /** The TensorBoard file; null without TensorBoard. */
  @Nullable EventFile events() {
    return events;
  }

  private Path metrics() {
    return folder.resolve("metrics.jsonl");
  }

  private void dropFrom(int epoch, TrainingListener listener) throws IOException {
    if (!Files.exists(metrics())) {
      return;
    }
    StringBuilder kept = new StringBuilder();
    // Damage need not be UTF-8: it costs its line, not the run.
    String text = new String(Files.readAllBytes(metrics()), StandardCharsets.UTF_8);
    for (String line : text.lines().toList()) {
      try {
        if (JSON.readTree(line).path("epoch").asInt(Integer.MAX_VALUE) < epoch) {
          kept.append(line).append('\n');
        }
      } catch (JsonProcessingException e) {
        listener.note("a damaged line of " + metrics() + " is dropped");
      }
    }
    AtomicFile.write(metrics(), kept.toString());
  }

  private Map<String, Object> hyperparameters() {
    TrainingConfig training = config.training();
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("timesteps", config.model().timesteps());
    values.put("learning_rate", training.learningRate());
    values.put("vgg_learning_rate", training.vggLearningRate());
    values.put("batch_size", training.batchSize() * training.gradientAccumulation());
    values.put("crop", config.data().augmentation().randomCrop());
    values.put(
        "loss",
        training.losses().keySet().stream()
            .map(TrainingConfig.Loss::word)
            .collect(Collectors.joining("+")));
    values.put("optimizer", training.optimizer().word());
    values.put("lr_scheduler", training.lrScheduler().word());
    values.put("weight_decay", training.weightDecay());
    values.put("seed", config.seed());
    return values;
  }

  /**
   * An update.
   *
   * @param clipped whether the gradient was shortened
   * @param empty samples whose target is empty
   * @param lossScale of the gradients; null where they are not scaled
   */
  void step(TrainingListener.Step step, boolean clipped, int empty, @Nullable Double lossScale)
      throws IOException {
    if (events == null) {
      return;
    }
    long at = step.globalStep();
    events.scalar("train/loss", at, step.loss());
    events.scalar("train/grad_norm", at, step.gradientNorm());
    events.scalar("train/clipped", at, clipped ? 1 : 0);
    events.scalar("train/empty_targets", at, empty);
    if (lossScale != null) {
      events.scalar("train/loss_scale", at, lossScale);
    }
    for (var rate : step.rates().entrySet()) {
      String tag = step.rates().size() == 1 ? "train/lr" : "train/lr_" + rate.getKey();
      events.scalar(tag, at, rate.getValue());
    }
  }

  /**
   * An epoch.
   *
   * @param trainingOds quick F on some of its samples; null if there is none
   * @param validation null if it was not validated
   */
  void epoch(
      TrainingListener.Epoch report,
      long globalStep,
      @Nullable Double trainingOds,
      Validation.@Nullable Result validation)
      throws IOException {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("epoch", report.epoch());
    line.put("global_step", globalStep);
    line.put("train_loss", report.loss());
    if (validation != null) {
      line.put("val_loss", validation.loss());
      line.put("val_ods", validation.metrics().ods());
      line.put("val_ois", validation.metrics().ois());
      line.put("val_ap", validation.metrics().ap());
      line.put("val_threshold", validation.metrics().threshold());
      line.put("best", report.best());
    }
    BoundaryScores benchmark = report.benchmark();
    if (benchmark != null) {
      line.put("bench_ods", benchmark.ods().f());
      line.put("bench_ois", benchmark.ois().f());
      line.put("bench_ap", benchmark.ap());
      line.put("bench_r50", benchmark.r50());
      line.put("bench_threshold", benchmark.ods().threshold());
    }
    report.rates().forEach((name, rate) -> line.put("lr_" + name, rate));
    line.put("seconds", report.seconds());
    try {
      Files.writeString(
          metrics(),
          JSON.writeValueAsString(line) + "\n",
          StandardCharsets.UTF_8,
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw AtomicFile.named(metrics(), e);
    }
    if (events != null) {
      events.scalar("train/epoch_loss", report.epoch(), report.loss());
      if (trainingOds != null) {
        events.scalar("train/ods_f1", report.epoch(), trainingOds);
      }
      if (validation != null) {
        events.scalar("val/loss", report.epoch(), validation.loss());
        events.scalar("val/ods_f1", report.epoch(), validation.metrics().ods());
        events.scalar("val/ois_f1", report.epoch(), validation.metrics().ois());
        events.scalar("val/ap", report.epoch(), validation.metrics().ap());
        events.precisionRecall("val/pr", report.epoch(), validation.counts());
      }
      if (benchmark != null) {
        events.scalar("val_bench/ods", report.epoch(), benchmark.ods().f());
        events.scalar("val_bench/ois", report.epoch(), benchmark.ois().f());
        events.scalar("val_bench/ap", report.epoch(), benchmark.ap());
        events.scalar("val_bench/r50", report.epoch(), benchmark.r50());
        events.scalar("val_bench/threshold", report.epoch(), benchmark.ods().threshold());
      }
    }
  }

  @Override
  public void close() throws IOException {
    if (events != null) {
      events.close();
    }
  }
}
