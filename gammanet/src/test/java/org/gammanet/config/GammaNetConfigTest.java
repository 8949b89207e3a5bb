package org.gammanet.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.gammanet.config.TrainingConfig.Loss;
import org.gammanet.config.TrainingConfig.LossReduction;
import org.gammanet.config.TrainingConfig.Metric;
import org.gammanet.config.TrainingConfig.Optimizer;
import org.gammanet.config.TrainingConfig.Schedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GammaNetConfigTest {
  @TempDir Path folder;
  private final List<String> notes = new ArrayList<>();

  private GammaNetConfig load(String yaml, String... overrides) throws IOException {
    Path file = folder.resolve("my.yaml");
    Files.writeString(file, yaml);
    return GammaNetConfig.load(file, List.of(overrides), notes::add);
  }

  /** The message of the error, without the temporary folder's name. */
  private String error(String yaml, String... overrides) {
    ConfigException e = assertThrows(ConfigException.class, () -> load(yaml, overrides));
    String message = String.valueOf(e.getMessage()).replace(folder + "/", "");
    assertFalse(message.contains("\n"), "one line: " + message);
    return message.replaceFirst("^(my|a).yaml line 1:", "$1.yaml:");
  }

  // Values

  /** Some are in comments there; one is read only since the PyTorch program has it. */
  @Test
  void shippedDefaultNamesEveryKey() throws IOException {
    String text;
    try (InputStream in = GammaNetConfig.class.getResourceAsStream("default.yaml")) {
      text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    List<String> missing = new ArrayList<>();
    GammaNetConfig config = GammaNetConfig.defaults();
    for (Record section :
        List.of(config.model().fgru(), config.data(), config.training(), config.logging())) {
      names(ConfigBinder.tree(section), missing);
    }
    missing.removeIf(name -> text.contains(name) || name.equals("partial_padding"));
    assertEquals(List.of(), missing);
  }

  private static void names(JsonNode node, List<String> out) {
    node.fields()
        .forEachRemaining(
            f -> {
              if (f.getValue().isObject()) {
                names(f.getValue(), out);
              } else {
                out.add(f.getKey());
              }
            });
  }

  @Test
  void shippedDefaultHasTheReferenceValues() {
    GammaNetConfig config = GammaNetConfig.defaults();
    ModelConfig model = config.model();
    assertEquals(Architecture.VGG16_GAMMANET_V2, model.architecture());
    assertEquals(4, model.timesteps());
    assertEquals(5, model.levels());
    assertEquals(LayerConfig.DEFAULT_LAYERS, model.layers());
    assertEquals(Activation.RELU, model.activation());
    assertTrue(model.useDistributionAlignment());
    assertTrue(model.skipConnections());
    FgruConfig fgru = model.fgru();
    assertTrue(fgru.useDynamicParameters());
    assertFalse(fgru.normalizesCircuitInputs());
    assertEquals(Symmetry.NONE, fgru.effectiveSymmetry());
    assertEquals(GatePosition.PRE, fgru.gateNormPosition());
    TrainingConfig training = config.training();
    assertEquals(3e-4, training.learningRate());
    assertEquals(1e-5, training.vggLearningRate());
    assertEquals(2000, training.numEpochs());
    assertEquals(Schedule.EXPONENTIAL, training.lrScheduler());
    assertEquals(Map.of(Loss.BI_BCE_HED, 1.0), training.losses());
    assertEquals(5.0, training.gradClip());
    assertEquals(Metric.ODS, training.earlyStoppingMetric());
    assertEquals(320, config.data().augmentation().randomCrop());
    assertTrue(config.data().augmentation().randomFlip());
    assertFalse(config.data().augmentation().colorJitter());
    assertEquals(42, config.seed());
  }

  @Test
  void emptySectionsTakeClassDefaults() throws IOException {
    GammaNetConfig config = load("model:\n");
    assertEquals(ModelConfig.CLASS_DEFAULTS, config.model());
    assertEquals(8, config.model().timesteps());
    assertEquals(Symmetry.CHANNEL, config.model().fgru().symmetricWeights());
    assertFalse(config.model().useDistributionAlignment());
    assertEquals(0.0, config.training().gradClip());
    assertEquals(config.training().learningRate(), config.training().vggLearningRate());
    assertEquals(Map.of(Loss.BCE, 1.0), config.training().losses());
    assertEquals(DataConfig.IMAGENET_MEAN, config.data().normalizeMean());
  }

  @Test
  void nullIsNotTheSameAsAbsent() throws IOException {
    FgruConfig fgru =
        load("model: {fgru: {symmetric_weights: null, normalization_type: ~}}").model().fgru();
    assertEquals(Symmetry.NONE, fgru.symmetricWeights());
    assertEquals(Normalization.NONE, fgru.normalizationType());
  }

  @Test
  void quickExampleConfiguration() throws IOException {
    ModelConfig model =
        load("""
        model:
          layers: [conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2,
                   conv3_1, conv3_2, conv3_3, pool3]
          kernel_size: 3
          hidden_channels: 48
          num_timesteps: 8
          fgru: {use_separate_ei_states: true, use_symmetric_conv: true}
        """)
            .model();
    assertEquals(3, model.levels());
    assertEquals(8, model.timesteps());
    assertEquals(48, model.hiddenChannels());
  }

  @ParameterizedTest
  @CsvSource({"conv1_2, 1", "pool1, 1", "conv2_2, 2", "pool4, 4", "conv5_3, 5", "pool5, 5"})
  void levelsFollowFromTheLastLayer(String last, int levels) throws IOException {
    String all =
        "conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1, conv3_2, conv3_3, pool3,"
            + " conv4_1, conv4_2, conv4_3, pool4, conv5_1, conv5_2, conv5_3, pool5";
    String list = all.substring(0, all.indexOf(last) + last.length());
    GammaNetConfig config = load("model: {layers: [" + list + "]}");
    assertEquals(levels, config.model().levels());
    assertEquals(config, GammaNetConfig.parseStored(config.toJson(), "x", notes::add));
  }

  @Test
  void numbersInEverySpelling() throws IOException {
    GammaNetConfig config =
        load(
            """
            training: {learning_rate: 1e-4, lr_min: 1.5E-7, weight_decay: "2e-4", num_epochs: 1e3,
                       grad_clip: 5, batch_size: 4.0}
            seed: 9223372036854775807
            model: {kernel_size: [5, 5], skip_connections: no, residual_connections: On}
            """);
    assertEquals(1e-4, config.training().learningRate());
    assertEquals(1.5e-7, config.training().lrMin());
    assertEquals(2e-4, config.training().weightDecay());
    assertEquals(1000, config.training().numEpochs());
    assertEquals(5.0, config.training().gradClip());
    assertEquals(4, config.training().batchSize());
    assertEquals(Long.MAX_VALUE, config.seed());
    assertEquals(5, config.model().kernelSize());
    assertFalse(config.model().skipConnections());
    assertTrue(config.model().residualConnections());
  }

  @Test
  void synonyms() throws IOException {
    GammaNetConfig config =
        load(
            """
            model: {fgru: {hidden_channels: 16, kernel_size: 5}}
            data: {thin_edges: true}
            training: {gradient_clip_norm: 0.5, grad_clip: 5.0, early_stopping_metric: f1_score,
                       experiment_name: mine}
            """);
    assertEquals(16, config.model().hiddenChannels());
    assertEquals(5, config.model().kernelSize());
    assertTrue(config.data().thinTargets());
    assertEquals(0.5, config.training().gradClip());
    assertEquals("mine", config.logging().experimentName());
  }

  @Test
  void weightedLossesKeepTheirOrder() throws IOException {
    TrainingConfig training =
        load("training: {loss: {pearson: 2, bi_bce_hed: 1.5}, loss_reduction: mean}").training();
    assertEquals(List.of(Loss.PEARSON, Loss.BI_BCE_HED), List.copyOf(training.losses().keySet()));
    assertEquals(1.5, training.losses().get(Loss.BI_BCE_HED));
    assertEquals(LossReduction.MEAN, training.lossReduction());
  }

  @Test
  void augmentationPresetGivesDefaults() throws IOException {
    AugmentationConfig none =
        load("data: {augmentation: {preset: none, color_jitter: true}}").data().augmentation();
    assertFalse(none.randomFlip());
    assertTrue(none.colorJitter());
    assertEquals(1, none.rotations());
    assertEquals(16, load("data:\n").data().augmentation().rotations());
  }

  @Test
  void pathsAreRelativeToTheFileThatNamesThem() throws IOException {
    Files.createDirectories(folder.resolve("sub"));
    Files.writeString(
        folder.resolve("sub/base.yaml"), "data: {train_path: ../bsds, val_path: v}\n");
    GammaNetConfig config =
        load("model: {base_config: sub/base.yaml}\ndata: {val_path: mine}\n", "data.test_path=t");
    assertEquals(folder.resolve("bsds"), config.data().trainPath());
    assertEquals(folder.resolve("mine"), config.data().valPath());
    assertEquals(Path.of("t").toAbsolutePath(), config.data().testPath());
    assertEquals(
        folder.resolve("vgg.pth"), load("model: {pretrained: vgg.pth}").model().pretrained());
    assertNull(load("model: {pretrained: false}").model().pretrained());
  }

  // Base files and ablations

  @Test
  void basesMergeRecursively() throws IOException {
    Files.writeString(
        folder.resolve("a.yaml"), "model: {timesteps: 2, fgru: {use_attention: se}}\nseed: 1\n");
    Files.writeString(
        folder.resolve("b.yaml"),
        "model: {base_config: a.yaml, timesteps: 3, fgru: {attention_layers: 2}}\n");
    GammaNetConfig config =
        load("model: {base_config: b.yaml, fgru: {normalization_type: none}}\nseed: 7\n");
    assertEquals(3, config.model().timesteps());
    assertEquals(Attention.SE, config.model().fgru().attention());
    assertEquals(2, config.model().fgru().attentionLayers());
    assertEquals(Normalization.NONE, config.model().fgru().normalizationType());
    assertEquals(7, config.seed());
  }

  @Test
  void errorsNameTheFileThatHoldsTheValue() throws IOException {
    Files.writeString(folder.resolve("a.yaml"), "model: {timesteps: 0, fgru: {kernel_sise: 3}}\n");
    assertEquals(
        "a.yaml: model.timesteps is 0, but must be at least 1",
        error("model: {base_config: a.yaml}"));
    assertEquals(
        "my.yaml: model.timesteps is -1, but must be at least 1",
        error("model: {base_config: a.yaml, timesteps: -1}"));
    assertEquals(
        "--set model.timesteps=-2: model.timesteps is -2, but must be at least 1",
        error("model: {base_config: a.yaml, timesteps: 1}", "model.timesteps=-2"));
    assertTrue(
        error("model: {base_config: a.yaml, timesteps: 1}")
            .startsWith("a.yaml: unknown key model.fgru.kernel_sise (did you mean"));
  }

  @Test
  void errorsNameTheLine() {
    assertEquals(
        "my.yaml line 3: model.fgru.use_attention is \"x\", but must be none, se or gala",
        error("model:\n  fgru:\n    use_attention: x\n"));
    assertEquals(
        "my.yaml line 4: model.layers[1].ff_repeats is 0, but must be at least 1",
        error("model:\n  layers:\n  - {features: 4}\n  - {features: 4, ff_repeats: 0}\n"));
    assertEquals(
        "my.yaml line 2: unknown key sed (did you mean seed?)", error("device: cpu\nsed: 1\n"));
  }

  @Test
  void baseErrors() throws IOException {
    Files.writeString(folder.resolve("loop.yaml"), "model: {base_config: loop.yaml}\n");
    assertTrue(
        error("model: {base_config: loop.yaml}").contains("more than 8 nested files (a cycle?)"));
    assertTrue(error("model: {base_config: none.yaml}").contains("there is no file"));
    assertTrue(error("model: {base_config: [1]}").contains("must be the path of a file"));
  }

  @ParameterizedTest
  @EnumSource(Ablation.class)
  void everyAblationShips(Ablation ablation) {
    GammaNetConfig config = GammaNetConfig.shipped("ablations/" + ablation.word(), List.of());
    ModelConfig model = config.model();
    assertEquals(Architecture.GAMMANET, model.architecture());
    assertEquals(ablation, model.ablation() == null ? null : model.ablation().ablation());
    assertEquals(AblationConfig.of(ablation), model.ablation());
    assertEquals(LayerConfig.DEFAULT_LAYERS, model.layers());
    assertEquals(ablation.word(), config.logging().experimentName());
    assertTrue(model.fgru().useDynamicParameters(), "inherited");
    assertEquals(ablation.singleTimestep(), model.timesteps() == 1);
    assertEquals(config, GammaNetConfig.parseStored(config.toJson(), "x", notes::add));
  }

  @Test
  void ablationsUseTheirPublishedRates() {
    TrainingConfig only =
        GammaNetConfig.shipped("ablations/multiplicative_only", List.of()).training();
    assertEquals(5e-4, only.learningRate());
    assertEquals(250, only.numEpochs());
    assertEquals(0.1, only.gradClip());
    TrainingConfig noRecurrence =
        GammaNetConfig.shipped("ablations/no_recurrence", List.of()).training();
    assertEquals(16, noRecurrence.batchSize());
    assertEquals(2e-3, noRecurrence.learningRate());
    assertEquals(
        Optimizer.ADAM,
        GammaNetConfig.shipped("ablations/no_gates", List.of()).training().optimizer());
  }

  @ParameterizedTest
  @ValueSource(strings = {"GammaNetNoGates", "NoGates", "no_gates", "nogates"})
  void ablationNames(String name) throws IOException {
    ModelConfig model =
        load("model: {name: " + name + ", ablation: {gates: false, fixed_g1: 0.9}}").model();
    assertEquals("GammaNetNoGates", model.name());
    assertEquals(0.9, model.ablation() == null ? 0 : model.ablation().fixedG1());
  }

  @Test
  void ablationContradictions() {
    assertEquals(
        "my.yaml: model.ablation.gates is true, but model.name says GammaNetNoGates, where it is"
            + " false",
        error("model: {name: no_gates, ablation: {gates: true}}"));
    assertEquals(
        "my.yaml: model.ablation.recurrent_timesteps is 4, but GammaNetNoRecurrence runs one"
            + " timestep",
        error("model: {name: NoRecurrence, ablation: {recurrent_timesteps: 4}}"));
    assertTrue(
        error("model: {ablation: {type: gating}}").contains("model.name must then name one"));
    assertEquals(
        "my.yaml: model.class is models.GammaNetHOnly, but model.name is GammaNetNoGates",
        error("model: {name: GammaNetNoGates, class: models.GammaNetHOnly}"));
  }

  @Test
  void unreadKeysAreAcceptedWithANote() throws IOException {
    load(
        """
        training: {weight_init: xavier_uniform, batch_norm: true}
        logging: {wandb: true, wandb_project: p}
        evaluation: {additional_metrics: [a, b]}
        num_gpus: 4
        """);
    assertEquals(5, notes.size(), notes.toString());
    assertTrue(notes.toString().contains("training.weight_init is accepted but has no effect"));
    notes.clear();
    load("logging: {wandb: false}\nnum_gpus: 1\n");
    assertEquals(List.of(), notes);
  }

  // Overrides

  @Test
  void overridesReplaceValuesOfEveryType() throws IOException {
    GammaNetConfig config =
        load(
            "model: {timesteps: 4, hidden_channels: 8}\n",
            "model.timesteps=6",
            "model.hidden_channels=null",
            "model.layers=[conv1_1, conv1_2]",
            "training.learning_rate=1e-2",
            "data.augmentation.preset=none",
            "device=cuda:1",
            "seed=7");
    assertEquals(6, config.model().timesteps());
    assertNull(config.model().hiddenChannels());
    assertEquals(1, config.model().levels());
    assertEquals(1e-2, config.training().learningRate());
    assertEquals(1, config.data().augmentation().rotations());
    assertEquals("cuda:1", config.device());
    assertEquals(7, config.seed());
  }

  @Test
  void overrideErrors() {
    assertEquals(
        "--set model.timestep=3: unknown key model.timestep (did you mean model.timesteps?)",
        error("seed: 1", "model.timestep=3"));
    assertEquals(
        "--set timesteps=3: unknown key timesteps (did you mean model.timesteps?)",
        error("seed: 1", "timesteps=3"));
    assertEquals(
        "--set timesteps: write key=value, such as model.timesteps=8",
        error("seed: 1", "timesteps"));
    assertEquals("--set seed.x=1: seed is not a map of keys", error("seed: 1", "seed.x=1"));
    assertTrue(error("seed: 1", "model..timesteps=3").endsWith("such as model.timesteps=8"));
    assertEquals(
        "--set model.fgru.kernel_size=2: model.kernel_size is 2, but must be an odd number from 1"
            + " to 63",
        error("seed: 1", "model.fgru.kernel_size=2"));
    assertTrue(error("seed: 1", "seed=[1").startsWith("--set seed=[1 line 1: "));
  }

  // Errors

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "model: {timesteps: abc}|model.timesteps is \"abc\", but must be an integer",
        "model: {timesteps: 2.5}|model.timesteps is 2.5, but must be an integer",
        "model: {timesteps: true}|model.timesteps is true, but must be an integer",
        "model: {timesteps: [1]}|model.timesteps is the list [1], but must be an integer",
        "model: {timesteps: 99999999999}|model.timesteps is 99999999999, but must be an integer",
        "model: {timesteps: 3, num_timesteps: 4}|model.timesteps is 3, but its other spelling"
            + " model.num_timesteps is 4",
        "model: {fgru: {use_attention: sse}}|model.fgru.use_attention is \"sse\", but must be none,"
            + " se or gala (did you mean se?)",
        "model: {fgru: {normalization_type: batch}}|model.fgru.normalization_type is batch, but"
            + " must be layer, instance, group or none",
        "model: {model_version: v1, fgru: {normalization_type:"
            + " group}}|model.fgru.normalization_type is group, but must be layer, instance or none"
            + " for VGG16GammaNet",
        "model: {model_version: v3}|model.model_version is \"v3\", but must be v1 or v2",
        "model: {name: VGG}|model.name is \"VGG\", but must be VGG16GammaNetV2, VGG16GammaNet,",
        "model: {kernel_size: 4}|model.kernel_size is 4, but must be an odd number from 1 to 63",
        "model: {kernel_size: [3, 5]}|model.kernel_size is the list [3,5], but must be an odd"
            + " number or two equal odd numbers",
        "model: {hidden_channels: 0}|model.hidden_channels is 0, but must be at least 1",
        "model: {input_channels: 1}|model.input_channels is 1, but must be 3 for a network on"
            + " VGG16",
        "model: {pretrained: true}|model.pretrained is true, but nothing is downloaded",
        "model: {layers: []}|model.layers is an empty list, but must be a list of VGG16",
        "model: {layers: [conv1_1]}|model.layers ends with conv1_1, inside a block: add"
            + " conv1_2 or leave the block out",
        "model: {layers: [conv1_2]}|model.layers has conv1_2 at position 1, but VGG16's order from"
            + " conv1_1 on has conv1_1 there",
        "model: {layers: 3}|model.layers is 3, but must be a list of VGG16 layer names",
        "model: {use_backbone: false, layers: [conv1_1, conv1_2]}|model.layers is a list of VGG16"
            + " layer names, but GammaNet needs a list of maps",
        "model: {layers: [{pool: true}]}|model.layers[0].features is missing",
        "model: {layers: [{features: 4, h_kernel: 2}]}|model.layers[0].h_kernel is 2, but must be"
            + " an odd number",
        "model: {layers: [{features: 4, wide: 2}]}|unknown key model.layers[0].wide (known here:"
            + " features, ff_kernel, ff_repeats, h_kernel, pool)",
        "model: {use_backbone: false, layers: [{features: 4, pool: true}, {features: 8},"
            + " {features: 5}]}|model.layers[2].features is 5, but must be 4, as in layers[0]",
        "model: 3|model is 3, but must be a map of keys",
        "model: {timestep: 3}|unknown key model.timestep (did you mean model.timesteps?)",
        "{modle: {}, tranining: {}}|unknown keys modle (did you mean model?), tranining (did you"
            + " mean training?)",
        "training: {learning_rate: fast}|training.learning_rate is \"fast\", but must be a number",
        "training: {learning_rate: .inf}|training.learning_rate is \".inf\", but must be a number",
        "training: {learning_rate: 1e999}|training.learning_rate is \"Infinity\", but must be a"
            + " number",
        "training: {learning_rate: 0}|training.learning_rate is 0.0, but must be greater than 0",
        "training: {batch_size: 0}|training.batch_size is 0, but must be at least 1",
        "training: {optimizer: sgd}|training.optimizer is \"sgd\", but must be adam or adamw",
        "training: {loss: hinge}|training.loss is \"hinge\", but must be bce, bi_bce_hed, focal,",
        "training: {loss: {hinge: 1}}|training.loss is \"hinge\", but must be bce,",
        "training: {loss: {bce: -1}}|training.loss is {BCE=-1.0}",
        "training: {early_stopping_metric: acc}|training.early_stopping_metric is \"acc\"",
        "training: {mixed_precision: maybe}|training.mixed_precision is \"maybe\", but must be true"
            + " or false",
        "data: {normalize_mean: [1, 2]}|data.normalize_mean is [1.0, 2.0], but must be three"
            + " numbers",
        "data: {normalize_std: [1, 0, 1]}|data.normalize_std is [1.0, 0.0, 1.0], but must be three"
            + " numbers, for red, green and blue, all greater than 0",
        "data: {positive_threshold: 0}|data.positive_threshold is 0.0, but must be greater than 0",
        "data: {train_path: [a]}|data.train_path is the list [\"a\"], but must be text",
        "data: {augmentation: {random_crop: 8}}|data.augmentation.random_crop is 8, but must be at"
            + " least 16",
        "logging: {experiment_name: ../x}|logging.experiment_name is ../x, but must be letters,",
        "device: gpu|device is gpu, but must be auto, cpu, cuda or cuda:N",
        "seed: 1.5|seed is 1.5, but must be an integer",
      })
  void errorsSayWhatWasFoundAndWhatIsAccepted(String yaml, String expected) {
    String message = error(yaml);
    assertTrue(message.startsWith("my.yaml: " + expected), message);
  }

  @Test
  void files() throws IOException {
    assertEquals(
        "my.yaml: the file is empty, but must be a map of sections such as 'model:'", error(""));
    assertTrue(error("# only a comment\n").contains("the file is empty"));
    assertTrue(error("[1, 2]").contains("the file holds the list [1,2]"));
    assertTrue(error("just text").contains("the file holds \"just text\""));
    assertTrue(error("a: 1\n---\nb: 2\n").contains("expected a single document"));
    ConfigException missing =
        assertThrows(
            ConfigException.class,
            () -> GammaNetConfig.load(folder.resolve("no.yaml"), List.of(), notes::add));
    assertTrue(String.valueOf(missing.getMessage()).startsWith("there is no file "));
    ConfigException directory =
        assertThrows(
            ConfigException.class, () -> GammaNetConfig.load(folder, List.of(), notes::add));
    assertTrue(String.valueOf(directory.getMessage()).contains("is a folder"));
    Path binary = folder.resolve("binary.yaml");
    Files.write(binary, new byte[] {'a', ':', ' ', (byte) 0xff, (byte) 0xfe});
    ConfigException notText =
        assertThrows(
            ConfigException.class, () -> GammaNetConfig.load(binary, List.of(), notes::add));
    assertTrue(String.valueOf(notText.getMessage()).contains("is not UTF-8 text"));
    Path large = folder.resolve("large.yaml");
    Files.write(large, "#".repeat(1 << 21).getBytes(StandardCharsets.UTF_8));
    ConfigException tooLarge =
        assertThrows(
            ConfigException.class, () -> GammaNetConfig.load(large, List.of(), notes::add));
    assertTrue(String.valueOf(tooLarge.getMessage()).contains("larger than 1 MiB"));
    assertTrue(
        String.valueOf(
                assertThrows(
                        ConfigException.class,
                        () -> GammaNetConfig.shipped("ablations/none", List.of()))
                    .getMessage())
            .contains("no shipped configuration"));
  }

  @Test
  void dottedKeysAreRefused() {
    assertEquals(
        "my.yaml: unknown key model.timesteps (did you mean model: {timesteps: …}?)",
        error("model.timesteps: 3"));
    assertEquals(
        "my.yaml: unknown key model.fgru.use_attention (did you mean"
            + " model: {fgru: {use_attention: …}}?)",
        error("model.fgru.use_attention: se"));
    assertTrue(error("model: {fgru.use_attention: se}").contains("unknown key model.fgru.use_att"));
    assertTrue(error("model: {levels: 3}").contains("unknown key model.levels"));
    assertTrue(error("model: {architecture: GammaNet}").contains("unknown key model.architecture"));
  }

  @Test
  void pipesAndDevices() throws IOException {
    Path device = Path.of("/dev/null");
    org.junit.jupiter.api.Assumptions.assumeTrue(Files.exists(device), "no /dev/null");
    assertTrue(error("model: {base_config: /dev/null}").contains("is not a regular file"));
    assertTrue(error("model: {base_config: \"a\\0b\"}").contains("is not a path"));
    ConfigException endless =
        assertThrows(
            ConfigException.class,
            () -> GammaNetConfig.load(Path.of("/dev/zero"), List.of(), notes::add));
    assertTrue(String.valueOf(endless.getMessage()).contains("larger than 1 MiB"));
  }

  @Test
  void yamlSyntaxErrorsNameTheLine() {
    assertTrue(error("model:\n  timesteps: [1, 2\nseed: 1\n").startsWith("my.yaml line 3: "));
    assertEquals(
        "my.yaml line 3: the key seed is given twice in the same map",
        error("seed: 1\ndevice: cpu\nseed: 2\n"));
    assertTrue(error("seed: !!python/object:os.system 1").contains("tag is not allowed"));
    assertTrue(error("seed: !mine 1").contains("the tag !mine is not accepted"));
    assertTrue(error("\tmodel: 1").startsWith("my.yaml: while scanning for the next token, found"));
    assertTrue(error("model:\n\ttimesteps: 1\n").contains("(TAB)"));
  }

  @Test
  void anchorsWorkAndBombsDoNot() throws IOException {
    GammaNetConfig config =
        load(
            """
            data: {normalize_mean: &half [0.5, 0.5, 0.5], normalize_std: *half}
            """);
    assertEquals(List.of(0.5, 0.5, 0.5), config.data().normalizeStd());
    assertEquals(
        9,
        load("model: {fgru: &f {attention_layers: 9}}\n", "model.timesteps=2")
            .model()
            .fgru()
            .attentionLayers());
    ModelConfig merged =
        load("""
        model:
          layers:
            - &l {features: 4, pool: true, h_kernel: 5}
            - {<<: *l, features: 6, pool: false}
        """)
            .model();
    assertEquals(new LayerConfig(6, false, 5, 3, 1), merged.layers().get(1));
    GammaNetConfig scalar = load("model: {timesteps: &t 3}\ntraining: {num_epochs: *t}\n");
    assertEquals(3, scalar.training().numEpochs());
    GammaNetConfig two =
        load(
            """
            data: {augmentation: &a {rotations: 4, random_crop: 64}}
            logging: &b {num_images_to_log: 3}
            training: {<<: [{batch_size: 2}, {batch_size: 3, num_epochs: 7}]}
            """);
    assertEquals(2, two.training().batchSize());
    assertEquals(7, two.training().numEpochs());
    StringBuilder bomb = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
      String again = ("*a" + (i - 1) + ",").repeat(9);
      bomb.append("a").append(i).append(": &a").append(i).append(" [").append(again).append("]\n");
    }
    assertTrue(error(bomb.toString()).contains("more than 20000 values"));
    assertTrue(error("a: *nowhere").contains("undefined alias nowhere"));
    assertTrue(error("a: &a [*a]").contains("an alias stands inside the value that it names"));
    assertTrue(error("[".repeat(500) + "]".repeat(500)).contains("nested deeper than 32"));
  }

  // Writing

  @Test
  void writtenYamlAndJsonReadBackEqual() throws IOException {
    for (String yaml :
        List.of(
            "model:\n",
            "model: {use_backbone: false, layers: [{features: 4, pool: true}, {features: 8},"
                + " {features: 4, h_kernel: 1}]}",
            "model: {layers: [{features: 4, pool: true}, {features: 8}]}",
            "model: {name: DelayedTD, ablation: {delay_timesteps: 2}}",
            "model: {name: GammaNetBackbone, hidden_channels: 3, pretrained: 'a b.pth'}",
            "data: {train_path: x, augmentation: {preset: light}, normalize_mean: [0, 0, 1e-3]}",
            "training: {loss: {bce: 2}, pos_weight: 3, loss_reduction: sum, lr_scheduler: null}",
            "logging: {experiment_name: '123'}\nseed: -5\ndevice: cuda:2\nnum_gpus: 0")) {
      GammaNetConfig config = load(yaml);
      assertEquals(config, load(config.toYaml()), yaml);
      assertEquals(config, GammaNetConfig.parseStored(config.toJson(), "x", notes::add), yaml);
      assertEquals(List.of(), notes, "a written file has no key without effect");
    }
    GammaNetConfig defaults = GammaNetConfig.defaults();
    assertEquals(defaults, load(defaults.toYaml()));
    assertFalse(defaults.toJson().contains("\n"));
  }

  @Test
  void storedConfigurationsOfOtherProgramsDoNotStopLoading() {
    GammaNetConfig config =
        GammaNetConfig.parseStored(
            """
            {"model": {"timesteps": 4, "base_config": "gone.yaml", "mystery": 1}, "note": "x",
             "training": {"optimizer": "sgd", "learning_rate": 0.1}, "seed": 3}
            """,
            "old.pt",
            notes::add);
    assertEquals(4, config.model().timesteps());
    assertEquals(3e-4, config.training().learningRate());
    assertEquals(3, config.seed());
    assertEquals(2, notes.size(), notes.toString());
    assertTrue(notes.get(0).contains("the section training is ignored"));
    assertTrue(notes.get(1).contains("unknown keys model.mystery"), notes.get(1));
    assertThrows(
        ConfigException.class,
        () -> GammaNetConfig.parseStored("{\"model\": {\"timesteps\": 0}}", "x", notes::add));
    assertThrows(
        ConfigException.class, () -> GammaNetConfig.parseStored("{\"model\"", "x", notes::add));
    assertThrows(ConfigException.class, () -> GammaNetConfig.parseStored("[]", "x", notes::add));
  }

  @Test
  void recordsRefuseImpossibleValuesInPrograms() {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> ModelConfig.CLASS_DEFAULTS.withTimesteps(0));
    assertEquals("timesteps is 0, but must be at least 1", e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> ModelConfig.CLASS_DEFAULTS.withLevels(6));
  }

  /** Networks are compared by what they are, not by how they are spelled. */
  @Test
  void networksAreComparedByWhatTheyAre() {
    ModelConfig base = ModelConfig.CLASS_DEFAULTS;
    String dynamic = "\"fgru\":{\"use_dynamic_parameters\":true";
    ModelConfig plain = ModelConfig.parseJson("{" + dynamic + "}}", "plain");
    ModelConfig spelled =
        ModelConfig.parseJson(
            "{"
                + dynamic
                + ",\"force_alpha_divisive\":false,\"multiplicative_excitation\":false,"
                + "\"partial_padding\":true,\"attention_layers\":3},"
                + "\"activation\":\"relu\",\"residual_connections\":true,\"timesteps\":3}",
            "spelled");
    assertNotEquals(plain, spelled);
    assertEquals(List.of(), plain.differencesFrom(spelled), "nothing of it has an effect");
    assertEquals(
        List.of("model.kernel_size 3, not 5"), base.differencesFrom(base.withKernelSize(5)));
    assertEquals(
        List.of("model.fgru.force_alpha_divisive true, not false"),
        base.differencesFrom(
            ModelConfig.parseJson("{\"fgru\":{\"force_alpha_divisive\":false}}", "static")));
    assertFalse(base.differencesFrom(base.withLevels(4)).isEmpty());
  }
}
