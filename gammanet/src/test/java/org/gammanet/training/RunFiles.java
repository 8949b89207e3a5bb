package org.gammanet.training;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.testing.Mutations;

/** What training reads back of its own files, for the tests with damaged ones. */
public final class RunFiles {
  private static final GammaNetConfig CONFIG =
      GammaNetConfig.shipped("default", List.of("logging.tensorboard=false"));

  private RunFiles() {}

  /** A {@code metrics.jsonl}. */
  public static byte[] metrics() {
    return "{\"epoch\":0,\"train_loss\":0.5}\n{\"epoch\":1,\"train_loss\":null,\"val_ods\":0.1}\n"
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Goes on with a {@code metrics.jsonl} at epoch 1. */
  public static void readMetrics(byte[] bytes) throws IOException {
    Path folder = Path.of(System.getProperty("java.io.tmpdir"));
    folder =
        Files.createDirectories(folder.resolve("gammanet-run-" + ProcessHandle.current().pid()));
    Files.write(folder.resolve("metrics.jsonl"), bytes);
    try (RunLog log = new RunLog(CONFIG, folder, 1, new TrainingListener() {})) {
      List<String> kept = Files.readAllLines(folder.resolve("metrics.jsonl"));
      if (kept.size() > 2) {
        throw new AssertionError(kept);
      }
    }
  }

  /** A checkpoint that can be resumed. */
  public static byte[] state() {
    TrainerState state =
        new TrainerState(
            3,
            7,
            41,
            12.5,
            7,
            0.61,
            2,
            3,
            new LearningRate.State(0.5, 1, 2),
            1024,
            3,
            41,
            "auto",
            "val_ods",
            "0a1b");
    return Mutations.written(
        file -> Checkpoint.of(Map.of(), Map.of(), state.metadata()).save(file));
  }

  /** Reads where a checkpoint stands in its run. */
  public static void readState(byte[] bytes) {
    try {
      TrainerState.parse(Checkpoint.load("a", bytes).metadata(), "a");
    } catch (CheckpointException | TrainingException e) {
      // documented
    }
  }
}
