package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.gammanet.config.Ablation;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.Network;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every network of the family, in its shipped size and in a small one that is trained. With {@code
 * -Dgammanet.test.variants=full} for 50 updates on pictures of 64x64; else for fewer on smaller
 * ones.
 */
class VariantsTest {
  private static final boolean FULL = "full".equals(System.getProperty("gammanet.test.variants"));

  /** Side of the pictures. */
  private static final int SIZE = FULL ? 64 : 32;

  /** Updates at the beginning and at the end whose losses are averaged: each picture equally. */
  private static final int AVERAGED = FULL ? 6 : 4;

  @TempDir Path folder = Path.of("");

  private static int updates(String network) {
    return FULL ? 50 : network.equals("backbone") ? 8 : 14; // that one is large
  }

  static Stream<String> ablations() {
    return Arrays.stream(Ablation.values()).map(Ablation::word);
  }

  static Stream<String> networks() {
    return Stream.concat(Stream.of("v2", "v1", "backbone", "full"), ablations());
  }

  private static GammaNetConfig config(String network, List<String> settings) {
    List<String> all = new ArrayList<>(settings);
    switch (network) {
      case "v2" -> {}
      case "v1" -> all.add("model.model_version=v1");
      case "backbone" -> all.add("model.name=GammaNetBackbone");
      case "full" -> all.add("model.use_backbone=false");
      default -> {
        return GammaNetConfig.shipped("ablations/" + network, all);
      }
    }
    return GammaNetConfig.shipped("default", all);
  }

  private static long parameters(String network) {
    try (Network created = Network.create(config(network, List.of()).model())) {
      return created.parameterCount();
    }
  }

  @Test
  void shippedConfigurationsHaveThePublishedSizes() {
    assertEquals(42_793_473, parameters("v2"));
    assertEquals(39_951_105, parameters("v1"));
    assertEquals(694_481, parameters("full"));
  }

  @ParameterizedTest
  @MethodSource("ablations")
  void ablationsKeepAllParameters(String network) {
    assertEquals(694_481, parameters(network));
  }

  /** Two pictures of bright squares with their outlines. */
  private void pictures() throws IOException {
    Files.createDirectories(folder.resolve("data/images"));
    Files.createDirectories(folder.resolve("data/edges"));
    for (int i = 0; i < 2; i++) {
      byte[] photo = new byte[3 * SIZE * SIZE];
      float[] edges = new float[SIZE * SIZE];
      for (int k = 0; k < edges.length; k++) {
        int x = k % SIZE;
        int y = k / SIZE;
        int left = (10 + 9 * i) * SIZE / 64;
        int right = 44 * SIZE / 64;
        int top = 12 * SIZE / 64;
        int bottom = 50 * SIZE / 64;
        boolean inside = x >= left && x <= right && y >= top && y <= bottom;
        boolean border = inside && (x == left || x == right || y == top || y == bottom);
        Arrays.fill(photo, 3 * k, 3 * k + 3, (byte) (inside ? 210 : 30));
        edges[k] = border ? 1 : 0;
      }
      Images.writePng(
          folder.resolve("data/images/i" + i + ".png"), new RgbImage(SIZE, SIZE, photo));
      Images.writePng8(folder.resolve("data/edges/i" + i + ".png"), new EdgeMap(SIZE, SIZE, edges));
    }
  }

  private static final String NARROW =
      "model.layers=["
          + "{features: 6, pool: true, h_kernel: [3, 3], ff_kernel: [3, 3], ff_repeats: 1}, "
          + "{features: 8, pool: false, h_kernel: [1, 1], ff_kernel: [3, 3], ff_repeats: 1}, "
          + "{features: 6, pool: false, h_kernel: [1, 1], ff_kernel: [3, 3], ff_repeats: 1}]";

  private static List<String> small(String network) {
    return switch (network) {
      case "v2", "v1" -> List.of("model.layers=[conv1_1, conv1_2]", "model.hidden_channels=6");
      case "backbone" -> List.of();
      case "delayed_td" -> List.of(NARROW, "model.ablation.delay_timesteps=1");
      default -> List.of(NARROW);
    };
  }

  @ParameterizedTest
  @MethodSource("networks")
  void updatesLowerTheLoss(String network) throws Exception {
    pictures();
    List<String> settings = new ArrayList<>(small(network));
    settings.addAll(
        List.of(
            "model.timesteps=" + (network.equals("backbone") ? 1 : 2),
            "data.train_path='" + folder.resolve("data") + "'",
            "data.augmentation.preset=none",
            "data.augmentation.random_crop=" + SIZE,
            "training.samples_per_epoch=60",
            "training.batch_size=1",
            "training.learning_rate=3e-3",
            "training.vgg_learning_rate=" + (network.equals("backbone") ? "0" : "1e-3"),
            "training.num_workers=1",
            "training.num_epochs=9",
            "logging.tensorboard=false"));
    GammaNetConfig config = config(network, settings);
    int updates = updates(network);
    List<Double> losses = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void step(Step step) {
            losses.add(step.loss());
          }
        };
    long before = Tensor.liveHandles();
    try (Network created = Network.create(config.model(), config.seed());
        Trainer trainer =
            new Trainer(
                config,
                created,
                TrainingData.open(config.data()),
                folder.resolve("run"),
                listener)) {
      assertEquals(Trainer.End.LIMIT, trainer.run(updates));
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
    double first = mean(losses.subList(0, AVERAGED));
    double last = mean(losses.subList(updates - AVERAGED, updates));
    System.out.printf("%-20s loss %10.3f to %10.3f in %d updates%n", network, first, last, updates);
    assertTrue(last < first, network + ": " + first + " became " + last);
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).average().orElse(Double.NaN);
  }
}
