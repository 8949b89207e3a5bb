package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class TrainCommandTest {
  private static final List<String> TINY =
      List.of(
          "model.layers=[conv1_1, conv1_2]",
          "model.hidden_channels=3",
          "model.timesteps=2",
          "data.augmentation.random_crop=16",
          "training.samples_per_epoch=2",
          "training.num_workers=1");

  @TempDir Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... arguments) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(Arrays.stream(arguments).map(Object::toString).toArray(String[]::new));
  }

  private int train(Object... arguments) {
    List<Object> all = new ArrayList<>(List.of("train"));
    TINY.forEach(setting -> all.addAll(List.of("--set", setting)));
    all.addAll(List.of(arguments));
    return run(all.toArray());
  }

  /** A dark and a bright half. */
  @BeforeEach
  void pictures() throws IOException {
    for (String kind : List.of("images", "edges")) {
      Files.createDirectories(folder.resolve("data").resolve(kind));
      for (int i = 0; i < 2; i++) {
        var picture = new BufferedImage(20, 20, BufferedImage.TYPE_BYTE_GRAY);
        for (int y = 0; y < 20; y++) {
          int from = 8 + i;
          for (int x = from; x < (kind.equals("edges") ? from + 1 : 20); x++) {
            picture.getRaster().setSample(x, y, 0, 255);
          }
        }
        Path file = folder.resolve("data").resolve(kind).resolve(i + ".png");
        ImageIO.write(picture, "png", file.toFile());
      }
    }
  }

  @Test
  void aDryRunTellsThePlanAndWritesNothing() {
    Path output = folder.resolve("run");
    int status = train("--data-dir", folder.resolve("data"), "--output", output, "--dry-run");
    assertEquals(0, status, err.toString());
    for (String line :
        List.of(
            "network     VGG16GammaNetV2, T = 2",
            "38,720 in group vgg at rate",
            "2 images of",
            "2000 epochs of 2 updates, 1 crops of 16x16 each, T = 2",
            "work ",
            "4,000 to come",
            "training.recompute=none (chosen)",
            "training.recompute=timesteps")) {
      assertTrue(out.toString().contains(line), out.toString());
    }
    assertFalse(Files.exists(output));
  }

  @Test
  void aRunGoesOnWhereItEnded() throws IOException {
    long before = Tensor.liveHandles();
    Path output = folder.resolve("run");
    int status = train("--data-dir", folder.resolve("data"), "--output", output, "--max-steps", 3);
    assertEquals(0, status, err.toString());
    assertTrue(out.toString().contains("stopped after 3 updates"), out.toString());
    assertEquals(1, train("--data-dir", folder.resolve("data"), "--output", output));
    assertTrue(err.toString().contains("holds a run already"), err.toString());
    assertEquals(0, run("train", "--resume", output, "--num-epochs", 3), err.toString());
    assertTrue(out.toString().contains("resumed     at epoch 1, after 3 updates"), out.toString());
    assertTrue(out.toString().contains("done: all epochs"), out.toString());
    assertTrue(out.toString().contains("benchmark ODS"), out.toString());
    assertEquals(3, Files.readAllLines(output.resolve("metrics.jsonl")).size());
    for (String file : List.of("curves.png", "curves.svg", "checkpoints/best_model.safetensors")) {
      assertTrue(Files.size(output.resolve(file)) > 0, file);
    }
    Path best = output.resolve("checkpoints/best_model.safetensors");
    Object[] start = {"--data-dir", folder.resolve("data"), "--checkpoint", best, "--max-steps", 1};
    assertEquals(
        0, trainMore(start, "--set", "model.timesteps=3", "--output", folder.resolve("more")));
    assertEquals(
        2,
        trainMore(start, "--set", "model.fgru.gate_norm_position=post", "--output", folder + "/x"));
    assertTrue(
        err.toString()
            .contains(
                "than the configuration describes (model.fgru.gate_norm_position pre, not post)"),
        err.toString());
    assertEquals(before, Tensor.liveHandles());
  }

  private int trainMore(Object[] start, Object... more) {
    return train(Stream.of(start, more).flatMap(Arrays::stream).toArray());
  }

  @Test
  void theBundledNetworkCanBeTrainedFurther() {
    List<Object> arguments =
        new ArrayList<>(List.of("train", "--checkpoint", "bundled", "--max-steps", 1));
    for (String setting :
        List.of(
            "data.train_splits=[train]",
            "data.augmentation.random_crop=16",
            "training.samples_per_epoch=2",
            "training.batch_size=1")) {
      arguments.addAll(List.of("--set", setting));
    }
    Path output = folder.resolve("tuned");
    arguments.addAll(List.of("--data-dir", folder.resolve("data"), "--output", output));
    assertEquals(0, run(arguments.toArray()), err.toString());
    assertTrue(Files.exists(output.resolve("checkpoints/last.safetensors")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"small", "bundled", "control", "full", "full-control"})
  void presetsArePlansThatCanBeRun(String name) {
    Path file = Path.of("../config/presets", name + ".yaml");
    Object[] start = {"train", "--config", file, "--data-dir", folder.resolve("data"), "--dry-run"};
    assertEquals(
        0,
        run(
            Stream.concat(Stream.of(start), Stream.of("-s", "data.train_splits=[train]"))
                .toArray()),
        err.toString());
    assertTrue(out.toString().contains("work "), out.toString());
  }

  @Test
  void aPresetIsNamedWithoutAFile() {
    assumeTrue(GammaNetConfig.class.getResource("presets/small.yaml") != null);
    Object[] plan = {"train", "--preset", "small", "-d", folder.resolve("data"), "--dry-run"};
    assertEquals(0, run(plan), err.toString());
    assertTrue(out.toString().contains("10 epochs of 20 updates"), out.toString());
    assertEquals(
        2,
        run(
            Stream.of(plan, new Object[] {"--config", "x.yaml"})
                .flatMap(Arrays::stream)
                .toArray()));
    assertTrue(err.toString().contains("--preset excludes --config"), err.toString());
    assertEquals(2, run("train", "--preset", "full", "-d", folder.resolve("data")));
    assertTrue(err.toString().contains("--set model.pretrained=FILE"), err.toString());
    assertEquals(2, run("train", "--preset", "huge", "-d", folder.resolve("data")));
  }

  @Test
  void durationsHaveTwoUnits() {
    assertEquals("40 s", TrainCommand.duration(40.2));
    assertEquals("3 min 5 s", TrainCommand.duration(185));
    assertEquals("24 h 17 min", TrainCommand.duration(24 * 3600 + 17 * 60));
    assertEquals("12 days", TrainCommand.duration(12 * 86400));
    assertEquals("16 years", TrainCommand.duration(5.2e8));
  }

  @Test
  void mistakesAreNamedInOneSentence() throws IOException {
    assertEquals(1, train("--data-dir", folder.resolve("nowhere")));
    assertTrue(err.toString().contains("has no folder images/train"), err.toString());
    assertEquals(1, run("train", "--resume", folder.resolve("data")));
    assertTrue(err.toString().contains("there is nothing to resume in"), err.toString());
    Path cut = folder.resolve("cut.safetensors");
    Files.write(cut, new byte[100]);
    assertEquals(1, run("train", "--resume", cut));
    assertEquals(2, train("--data-dir", folder.resolve("data"), "--max-steps", 0));
    assertEquals(2, train("--data-dir", folder.resolve("data"), "--set", "training.loss=bde"));
    assertTrue(err.toString().contains("training.loss"), err.toString());
    Files.delete(folder.resolve("data/edges/1.png"));
    assertEquals(1, train("--data-dir", folder.resolve("data"), "--dry-run"));
    assertTrue(err.toString().contains("have no annotation"), err.toString());
    err.toString().lines().forEach(l -> assertFalse(l.contains("fault in gammanet"), l));
  }
}
