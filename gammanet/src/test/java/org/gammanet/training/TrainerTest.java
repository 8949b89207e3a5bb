package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Augmentation;
import org.gammanet.data.Batch;
import org.gammanet.data.BatchSource;
import org.gammanet.io.SystemMemory;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.model.NetworkWeights;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainerTest {
  @TempDir Path folder;

  /** What a run told. */
  private static class Log implements TrainingListener {
    final List<Step> steps = new ArrayList<>();
    final List<Epoch> epochs = new ArrayList<>();
    final List<String> notes = new ArrayList<>();
    Consumer<Step> then = step -> {};
    Runnable validating = () -> {};

    @Override
    public void validating(int done, int total) {
      validating.run();
    }

    @Override
    public void step(Step step) {
      steps.add(step);
      then.accept(step);
    }

    @Override
    public void epoch(Epoch epoch) {
      epochs.add(epoch);
    }

    @Override
    public void note(String sentence) {
      notes.add(sentence);
    }
  }

  /** Pictures of bright rectangles on a dark ground with their outlines as edges. */
  private void pictures(int count) throws IOException {
    Files.createDirectories(folder.resolve("data/images"));
    Files.createDirectories(folder.resolve("data/edges"));
    for (int i = 0; i < count; i++) {
      var image = new BufferedImage(24, 24, BufferedImage.TYPE_INT_RGB);
      var edges = new BufferedImage(24, 24, BufferedImage.TYPE_BYTE_GRAY);
      Graphics2D g = image.createGraphics();
      g.setColor(new Color(200 - 20 * i, 180, 90 + 30 * i));
      g.fillRect(4 + i, 5, 12, 10 + i);
      g.dispose();
      for (int x = 4 + i; x < 16 + i; x++) {
        edges.getRaster().setSample(x, 5, 0, 255);
        edges.getRaster().setSample(x, 14 + i, 0, 255);
      }
      for (int y = 5; y < 15 + i; y++) {
        edges.getRaster().setSample(4 + i, y, 0, 255);
        edges.getRaster().setSample(15 + i, y, 0, 255);
      }
      ImageIO.write(image, "png", folder.resolve("data/images/i" + i + ".png").toFile());
      ImageIO.write(edges, "png", folder.resolve("data/edges/i" + i + ".png").toFile());
    }
  }

  private GammaNetConfig config(String... settings) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "model.layers=[conv1_1, conv1_2]",
                "model.hidden_channels=4",
                "model.timesteps=2",
                "data.train_path='" + folder.resolve("data") + "'",
                "data.augmentation.preset=none",
                "data.augmentation.random_crop=24",
                "training.samples_per_epoch=4",
                "training.batch_size=2",
                "training.num_workers=1",
                "training.learning_rate=1e-2",
                "training.vgg_learning_rate=1e-3",
                "training.lr_scheduler=none",
                "training.loss=bce",
                "training.num_epochs=2"));
    all.addAll(List.of(settings));
    return GammaNetConfig.shipped("default", all);
  }

  private Trainer trainer(GammaNetConfig config, Network network, String output, Log log) {
    return new Trainer(
        config, network, TrainingData.open(config.data()), folder.resolve(output), log);
  }

  private static Map<String, float[]> weights(Network network) {
    Map<String, float[]> weights = new TreeMap<>();
    for (Parameter parameter : network.parameters()) {
      weights.put(parameter.name(), parameter.tensor().toFloatArray());
    }
    return weights;
  }

  private static List<Double> bytes(StoredTensor tensor) {
    return IntStream.range(0, (int) tensor.numel()).mapToObj(i -> (double) tensor.get(i)).toList();
  }

  private Path last(String output) {
    return folder.resolve(output).resolve("checkpoints/last.safetensors");
  }

  @Test
  void twoImagesAreLearnedByHeart() throws Exception {
    pictures(2);
    long before = Tensor.liveHandles();
    GammaNetConfig config = config("training.num_epochs=100", "training.validation_frequency=1000");
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", log)) {
      assertEquals(Trainer.End.FINISHED, trainer.run(Long.MAX_VALUE));
    }
    double first = log.steps.getFirst().loss();
    double end = log.steps.getLast().loss();
    assertTrue(end < first / 10, first + " fell to " + end);
    assertEquals(before, Tensor.liveHandles());
  }

  @Test
  void cropsAreNotSmallerThanTheNetworkTakes() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "model.use_backbone=false",
            "model.hidden_channels=null",
            IntStream.range(0, 9)
                .mapToObj(i -> "{features: 4, pool: " + (i < 4) + ", h_kernel: 1}")
                .collect(Collectors.joining(", ", "model.layers=[", "]")),
            "data.augmentation.random_crop=16");
    try (Network network = Network.create(config.model(), 1)) {
      String message =
          assertThrows(TrainingException.class, () -> trainer(config, network, "run", new Log()))
              .getMessage();
      assertTrue(message.startsWith("random_crop is 16, but"), message);
    }
    assertFalse(Files.exists(folder.resolve("run")));
  }

  @Test
  void aTrainedNetworkIsInEvaluationMode() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "model.use_backbone=false",
            "model.hidden_channels=null",
            "model.normalization=batch",
            "model.layers=[{features: 4, pool: true, h_kernel: 1}, {features: 4, pool: false,"
                + " h_kernel: 1}, {features: 4, pool: false, h_kernel: 1}]",
            "training.num_epochs=1");
    try (Network network = Network.create(config.model(), 1);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      try (Trainer trainer = trainer(config, network, "run", new Log())) {
        trainer.run(1);
      }
      String digest = network.digest();
      network.forward(Tensor.ones(1, 3, 16, 16));
      assertEquals(digest, network.digest(), "a pass has moved running statistics");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"none", "cells", "none, everything"})
  void aResumedRunMakesTheSameSteps(String mode) throws Exception {
    String recompute = mode.split(",")[0];
    List<String> more =
        mode.endsWith("everything")
            ? List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1, conv3_2,"
                    + " conv3_3]",
                "model.base_channels=4",
                "training.timesteps=[1, 4]",
                "training.side_loss=0.3",
                "training.stability_penalty=1",
                "training.stages=[{epochs: 1, random_crop: 16}, {epochs: 1, timesteps: [2, 3]},"
                    + " {epochs: 2, learning_rate: 5e-3, random_crop: 20}]",
                "training.timestep_loss=linear",
                "training.ema_decay=0.9",
                "training.gradient_accumulation=2",
                "training.samples_per_epoch=8",
                "training.weight_decay=0.1")
            : List.of();
    pictures(4);
    GammaNetConfig config =
        config(
            "training.num_epochs=4",
            "data.augmentation.preset=hed",
            "training.lr_scheduler=plateau",
            "training.optimizer=adamw",
            "training.recompute=" + recompute);
    config = config.with(more);
    Log straight = new Log();
    Map<String, float[]> expected;
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "straight", straight)) {
      trainer.run(Long.MAX_VALUE);
      expected = weights(network);
    }
    Log resumed = new Log();
    long before = Tensor.liveHandles();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "parts", resumed)) {
      assertEquals(Trainer.End.LIMIT, trainer.run(3)); // in the middle of the second epoch
    }
    assertEquals(before, Tensor.liveHandles());
    try (Network network = Network.create(config.model());
        Trainer trainer = trainer(config, network, "parts", resumed)) {
      trainer.resume(Checkpoint.load(last("parts")), "last");
      assertEquals(3, trainer.globalStep());
      assertEquals(Trainer.End.FINISHED, trainer.run(Long.MAX_VALUE));
      weights(network).forEach((name, w) -> assertArrayEquals(expected.get(name), w, name));
    }
    var last = Checkpoint.load(last("straight")).optimizer();
    var resumedLast = Checkpoint.load(last("parts")).optimizer();
    assertEquals(last.keySet(), resumedLast.keySet());
    for (String key : List.of("ema.output_projection.0.weight", "side.td_h1_exc.weight")) {
      assertEquals(mode.endsWith("everything"), last.containsKey(key), key);
    }
    last.forEach(
        (name, moment) ->
            assertEquals(bytes(moment), bytes(resumedLast.get(name)), "moments and averages"));
    assertEquals(
        straight.steps.stream().map(TrainingListener.Step::loss).toList(),
        resumed.steps.stream().map(TrainingListener.Step::loss).toList());
    int images = straight.epochs.get(1).images();
    assertEquals(images / 2, resumed.epochs.get(1).images(), "the other half was seen before");
    assertEquals(images, resumed.epochs.get(2).images());
    List<String> lines = Files.readAllLines(folder.resolve("parts/metrics.jsonl"));
    assertEquals(4, lines.size());
    for (int e = 0; e < 4; e++) {
      assertTrue(lines.get(e).startsWith("{\"epoch\":" + e + ","), lines.get(e));
    }
  }

  @ParameterizedTest
  @CsvSource({"last, 0, 0, 1", "uniform, 1, 1, 1", "linear, 1, 2, 3"})
  void theLossIsTheWeightedSumOverTimesteps(String word, double w1, double w2, double w3)
      throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.timesteps=[3, 3]", "training.timestep_loss=" + word);
    try (Network network = Network.create(config.model(), 1)) {
      double[] weights = {w1, w2, w3};
      double expected = 0;
      try (var scope = TensorScope.open()) {
        var source =
            new BatchSource(
                TrainingData.open(config.data()).train(),
                Augmentation.of(config.data()),
                config.seed(),
                4,
                2);
        Batch batch = source.batch(0);
        EdgeLoss loss = EdgeLoss.of(config.training(), 0.3, true);
        List<Tensor> logits =
            network
                .forward(
                    Tensor.of(batch.images(), 2, 3, 24, 24),
                    ForwardOptions.DEFAULTS.withTimesteps(3).withEveryTimestep())
                .logitsPerTimestep();
        for (int t = 0; t < 3; t++) {
          float[] z = logits.get(t).toFloatArray();
          double value = loss.evaluate(z, batch.targets(), batch.valid(), 2).value();
          expected += weights[t] / (w1 + w2 + w3) * value;
        }
      }
      Log log = new Log();
      try (Trainer trainer = trainer(config, network, "run", log)) {
        trainer.run(1);
      }
      assertEquals(expected, log.steps.getFirst().loss(), 1e-5 * expected);
    }
  }

  @Test
  void stagesChangeTimestepsCropsAndRates() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "training.timesteps=[1, 1]",
            "training.lr_scheduler=cosine",
            "training.lr_min=0",
            "training.validation_frequency=1000",
            "training.stages=[{epochs: 2, random_crop: 16},"
                + " {epochs: 2, timesteps: [3, 3], learning_rate: 4e-3}]");
    assertEquals(4, config.training().numEpochs());
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", log)) {
      trainer.run(Long.MAX_VALUE);
    }
    assertEquals(
        List.of(1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0),
        log.steps.stream().map(TrainingListener.Step::timesteps).toList());
    double[] rates = {1e-2, 5e-3, 4e-3, 2e-3}; // half a cosine in each stage
    for (int e = 0; e < 4; e++) {
      assertEquals(rates[e], log.steps.get(2 * e).rates().get("fgru"), 1e-12);
      assertEquals(rates[e] / 10, log.steps.get(2 * e).rates().get("vgg"), 1e-12);
    }
    List<Curriculum.Part> parts = Curriculum.of(config).stages();
    assertEquals(List.of(16, 24), parts.stream().map(Curriculum.Part::crop).toList());
    assertEquals(0, log.epochs.getLast().secondsLeft());
    assertTrue(log.epochs.getFirst().secondsLeft() > 0);
  }

  @Test
  void theAverageIsValidatedAndShipped() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.num_epochs=1", "training.ema_decay=0.9");
    try (Network network = Network.create(config.model(), 1)) {
      String name = "fgru_0.W_exc";
      List<float[]> seen = new ArrayList<>();
      seen.add(network.parameter(name).tensor().toFloatArray());
      Log log = new Log();
      log.then = step -> seen.add(network.parameter(name).tensor().toFloatArray());
      try (Trainer trainer = trainer(config, network, "run", log)) {
        trainer.run(Long.MAX_VALUE);
      }
      double[] mean =
          IntStream.range(0, seen.getFirst().length).mapToDouble(i -> seen.getFirst()[i]).toArray();
      for (int k = 1; k < seen.size(); k++) {
        double d = Math.min(0.9, (1.0 + k) / (10.0 + k));
        for (int i = 0; i < mean.length; i++) {
          mean[i] += (1 - d) * (seen.get(k)[i] - mean[i]);
        }
      }
      Checkpoint best = Checkpoint.load(folder.resolve("run/checkpoints/best_model.safetensors"));
      try (Network averaged = Network.create(config.model())) {
        NetworkWeights.load(best, averaged);
        float[] shipped = averaged.parameter(name).tensor().toFloatArray();
        for (int i = 0; i < mean.length; i++) {
          assertEquals(mean[i], shipped[i], 1e-6);
        }
      }
      assertArrayEquals(seen.getLast(), network.parameter(name).tensor().toFloatArray());
    }
  }

  @Test
  void theLastCheckpointIsWrittenByTimeToo() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.samples_per_epoch=40", "training.save_minutes=1e-9");
    Log log = new Log();
    log.then =
        step -> {
          if (step.globalStep() == 7) {
            throw new ArithmeticException("a power failure");
          }
        };
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", log)) {
      assertThrows(ArithmeticException.class, () -> trainer.run(Long.MAX_VALUE));
    }
    assertEquals("6", Checkpoint.load(last("run")).metadata().get("next_update"));
  }

  @Test
  void stoppingSavesAndNothingLeaks() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.num_epochs=50", "training.validation_frequency=1000");
    long before = Tensor.liveHandles();
    try (Network network = Network.create(config.model(), 1)) {
      Log log = new Log();
      try (Trainer trainer = trainer(config, network, "run", log)) {
        log.then =
            step -> {
              if (step.globalStep() == 5) {
                trainer.stop();
              }
            };
        assertEquals(Trainer.End.STOPPED, trainer.run(Long.MAX_VALUE));
      }
      assertEquals(5, log.steps.size());
      assertEquals("5", Checkpoint.load(last("run")).metadata().get("global_step"));
    }
    assertEquals(before, Tensor.liveHandles());
  }

  @Test
  void aRunThatContinuesAValidationEstimatesNoTime() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.num_epochs=3", "training.validation_frequency=1");
    try (Network network = Network.create(config.model(), 1)) {
      Log log = new Log();
      try (Trainer trainer = trainer(config, network, "run", log)) {
        log.validating = trainer::stop;
        assertEquals(Trainer.End.STOPPED, trainer.run(Long.MAX_VALUE));
      }
      assertEquals(List.of(), log.epochs);
      Log resumed = new Log();
      try (Trainer trainer = trainer(config, network, "run", resumed)) {
        trainer.resume(Checkpoint.load(last("run")), "last");
        assertEquals(Trainer.End.FINISHED, trainer.run(Long.MAX_VALUE));
      }
      assertEquals(0, resumed.epochs.getFirst().images());
      assertEquals(Double.NaN, resumed.epochs.getFirst().secondsLeft());
      assertTrue(resumed.epochs.get(1).secondsLeft() > 0);
    }
  }

  @Test
  void handlesStayAsTheyAreOverAHundredSteps() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config("training.num_epochs=1000", "training.validation_frequency=1000");
    try (Network network = Network.create(config.model(), 1)) {
      Log log = new Log();
      List<Long> live = new ArrayList<>();
      log.then =
          step -> {
            live.add(Tensor.liveHandles());
            if (step.globalStep() % 10 == 0) {
              throw new ArithmeticException("on purpose");
            }
          };
      try (Trainer trainer = trainer(config, network, "run", log)) {
        int thrown = 0;
        while (trainer.globalStep() < 100) {
          try {
            trainer.run(100);
          } catch (ArithmeticException expected) {
            thrown++;
          }
        }
        assertEquals(10, thrown);
      }
      assertEquals(100, live.size());
      // The moments of each parameter come with the first update.
      assertTrue(live.stream().allMatch(n -> n.equals(live.getFirst())), live.toString());
    }
  }

  @Test
  void updatesThatAreNotFiniteAreLeftOut() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.num_epochs=50", "training.validation_frequency=1000");
    try (Network network = Network.create(config.model(), 1);
        var scope = TensorScope.open()) {
      Log log = new Log();
      try (Trainer trainer = trainer(config, network, "run", log)) {
        trainer.run(2);
        var good = weights(network);
        network.parameter("output_projection.0.bias").set(Tensor.of(new float[] {Float.NaN}, 1));
        var e =
            assertThrows(TrainingException.class, () -> trainer.run(Long.MAX_VALUE)).getMessage();
        assertTrue(e.contains("10 updates in a row") && e.contains("i0"), e);
        var kept = weights(network);
        good.remove("output_projection.0.bias");
        good.forEach((name, w) -> assertArrayEquals(w, kept.get(name), name));
      }
      assertEquals(11, log.steps.size()); // the tenth failure is not told but thrown
      assertTrue(log.steps.getLast().skipped());
    }
  }

  @Test
  void validationImagesThatRunAwayAreNamed() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.num_epochs=1");
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1);
        var scope = TensorScope.open();
        Trainer trainer = trainer(config, network, "run", log)) {
      Tensor infinite = Tensor.of(new float[] {Float.POSITIVE_INFINITY}, 1);
      log.then = step -> network.parameter("output_projection.0.bias").set(infinite);
      trainer.run(Long.MAX_VALUE);
    }
    assertTrue(
        log.notes.getLast().contains("not finite on 2 of 2 validation"), log.notes::toString);
    assertEquals(1, log.epochs.size());
  }

  @Test
  void trainingEndsWhenNothingImproves() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "training.num_epochs=50",
            "training.learning_rate=1e-30",
            "training.vgg_learning_rate=1e-30",
            "training.lr_min=0",
            "training.early_stopping_metric=loss",
            "training.early_stopping_patience=3");
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", log)) {
      assertEquals(Trainer.End.EARLY_STOP, trainer.run(Long.MAX_VALUE));
    }
    assertEquals(4, log.epochs.size()); // the first is the best
    assertTrue(Files.exists(folder.resolve("run/checkpoints/best_model.safetensors")));
  }

  @Test
  void theNewestFiveCheckpointsAreKeptByNumber() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "training.num_epochs=12",
            "training.save_frequency=1",
            "training.samples_per_epoch=2",
            "training.validation_frequency=1000");
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", log)) {
      Files.createDirectories(folder.resolve("run/checkpoints"));
      Path left = folder.resolve("run/checkpoints/.last.safetensors.4711.tmp");
      Files.writeString(left, "of a run that was killed");
      trainer.run(Long.MAX_VALUE);
      assertFalse(Files.exists(left));
    }
    try (Stream<Path> files = Files.list(folder.resolve("run/checkpoints"))) {
      assertEquals(
          List.of(
              "best_model.safetensors",
              "checkpoint_epoch_10.safetensors",
              "checkpoint_epoch_11.safetensors",
              "checkpoint_epoch_7.safetensors",
              "checkpoint_epoch_8.safetensors",
              "checkpoint_epoch_9.safetensors",
              "last.safetensors"),
          files.map(f -> String.valueOf(f.getFileName())).sorted().toList());
    }
    assertNotNull(log.epochs.getLast().benchmark()); // the last validation ends with it
  }

  @Test
  void anotherNetworkOrBareWeightsAreNotResumed() throws Exception {
    pictures(2);
    GammaNetConfig config = config();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", new Log())) {
      trainer.run(Long.MAX_VALUE);
      Checkpoint best = Checkpoint.load(folder.resolve("run/checkpoints/best_model.safetensors"));
      String message =
          assertThrows(TrainingException.class, () -> trainer.resume(best, "best")).getMessage();
      assertTrue(message.contains("weights alone"), message);
    }
    GammaNetConfig other = config("model.timesteps=3");
    try (Network network = Network.create(other.model(), 1);
        Trainer trainer = trainer(other, network, "run", new Log())) {
      Checkpoint last = Checkpoint.load(last("run"));
      String message =
          assertThrows(TrainingException.class, () -> trainer.resume(last, "last")).getMessage();
      assertTrue(message.contains("another model section"), message);
    }
  }

  @Test
  void aResumedRunMayFreezeTheBackbone() throws Exception {
    pictures(2);
    GammaNetConfig config = config("training.num_epochs=2");
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", new Log())) {
      trainer.run(1);
    }
    GammaNetConfig frozen = config.with(List.of("training.vgg_learning_rate=0"));
    try (Network network = Network.create(frozen.model(), 1);
        Trainer trainer = trainer(frozen, network, "run", new Log())) {
      trainer.resume(Checkpoint.load(last("run")), "last");
      Map<String, float[]> before = weights(network);
      assertEquals(Trainer.End.FINISHED, trainer.run(Long.MAX_VALUE));
      Map<String, float[]> after = weights(network);
      List<String> same =
          after.keySet().stream().filter(n -> Arrays.equals(before.get(n), after.get(n))).toList();
      assertTrue(same.size() < after.size());
      assertTrue(
          same.containsAll(after.keySet().stream().filter(Optimizer::isBackbone).toList()),
          same.toString());
    }
  }

  @Test
  void accumulatedBatchesMakeOneUpdateOfTheirMean() throws Exception {
    pictures(4);
    Map<String, float[]> whole = afterOneUpdate("training.batch_size=4");
    Map<String, float[]> parts =
        afterOneUpdate("training.batch_size=1", "training.gradient_accumulation=4");
    Map<String, float[]> before = new HashMap<>();
    try (Network network = Network.create(config().model(), 1)) {
      network.parameters().forEach(p -> before.put(p.name(), p.tensor().toFloatArray()));
    }
    // Adam's first step is nearly the sign of a gradient: where that is within rounding of zero the
    // elements may differ by the whole step, so the bound is one on the norm of all.
    double difference = 0;
    double change = 0;
    for (String name : before.keySet()) {
      float[] w = whole.get(name);
      for (int i = 0; i < w.length; i++) {
        difference += Math.pow(w[i] - parts.get(name)[i], 2);
        change += Math.pow(w[i] - before.get(name)[i], 2);
      }
    }
    assertTrue(
        Math.sqrt(difference) < 0.01 * Math.sqrt(change), Math.sqrt(difference / change) + "");
  }

  private Map<String, float[]> afterOneUpdate(String... settings) throws Exception {
    List<String> all = new ArrayList<>(List.of(settings));
    // bi_bce_hed is a mean over images; bce counts its classes over a batch.
    all.add("training.loss=bi_bce_hed");
    all.add("training.num_epochs=1");
    all.add("training.grad_clip=0");
    GammaNetConfig config = config(all.toArray(String[]::new));
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run" + settings.length, new Log())) {
      trainer.run(1);
      return weights(network);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"v2", "v1"})
  void halfPrecisionLearnsToo(String version) throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "model.model_version=" + version,
            "training.num_epochs=30",
            "training.mixed_precision=true",
            "training.validation_frequency=1000");
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1)) {
      boolean kernels = network.fallbackReason() == null;
      try (Trainer trainer = trainer(config, network, "run", log)) {
        boolean half = !kernels || NativeKernels.supports(Precision.BFLOAT16);
        assertEquals(half, trainer.precision().startsWith("bfloat16"), trainer.precision());
        assertEquals(kernels && half ? Precision.BFLOAT16 : Precision.FLOAT32, network.precision());
        trainer.run(Long.MAX_VALUE);
        assertEquals(half ? 0 : 1, log.notes.size(), log.notes.toString());
      }
      assertEquals(Precision.FLOAT32, network.precision());
    }
    double first = log.steps.getFirst().loss();
    double end = log.steps.getLast().loss();
    assertTrue(end < first / 2, first + " fell to " + end);
    assertFalse(log.steps.stream().anyMatch(TrainingListener.Step::skipped));
  }

  @Test
  void halfPrecisionThatIsNotToBeHadIsSaid() throws Exception {
    pictures(2);
    GammaNetConfig config =
        config(
            "training.num_epochs=1", "training.mixed_precision=true", "training.half_type=float16");
    Log log = new Log();
    try (Network network = Network.create(config.model(), 1);
        Trainer trainer = trainer(config, network, "run", log)) {
      assumeTrue(network.fallbackReason() == null, "there are no native kernels");
      assertTrue(trainer.precision().startsWith("float32: native kernels"), trainer.precision());
      trainer.run(1);
      assertTrue(
          log.notes.getFirst().contains("mixed_precision has no effect"), log.notes::toString);
    }
  }

  @Test
  void theScaleOfFloat16FollowsOverflows() {
    LossScale scale = new LossScale(true);
    assertEquals(65536, scale.value());
    assertTrue(scale.overflowed());
    assertEquals(32768, scale.value());
    for (int i = 0; i < 2000; i++) {
      scale.succeeded();
    }
    assertEquals(65536, scale.value());
    for (int i = 0; i < 16; i++) {
      assertTrue(scale.overflowed());
    }
    assertFalse(scale.overflowed());
    LossScale none = new LossScale(false);
    assertFalse(none.overflowed());
    assertEquals(1, none.value());
  }

  @Test
  void memoryIsPlannedForByMode() {
    GammaNetConfig config =
        config("model.layers=null", "model.hidden_channels=16", "model.model_version=v1");
    try (Network network = Network.create(config.model())) {
      long none = TrainingMemory.estimate(network, 1, 320, 320, 8, Recompute.NONE);
      long cells = TrainingMemory.estimate(network, 1, 320, 320, 8, Recompute.CELLS);
      long timesteps = TrainingMemory.estimate(network, 1, 320, 320, 8, Recompute.TIMESTEPS);
      assertTrue(none > 2 * cells && cells > timesteps, none + ", " + cells + ", " + timesteps);
      assertTrue(SystemMemory.available() > 0);
    }
  }
}
