package org.gammanet.config;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The whole configuration: a YAML file, a program or a checkpoint's header.
 *
 * <p>A file may name another one in {@code model.base_config} (relative to itself) and then needs
 * to hold only what differs: maps are merged key by key at every depth, lists and values are
 * replaced.
 *
 * @param model the network
 * @param data where samples come from
 * @param training how it is trained
 * @param logging what a run writes down
 * @param device {@code auto}, {@code cpu}, {@code cuda} or {@code cuda:N}
 * @param numGpus accepted for compatibility; a process uses one device, see {@code gammanet train
 *     --nproc}
 * @param seed of weights, sample order and augmentation
 */
public record GammaNetConfig(
    ModelConfig model,
    DataConfig data,
    TrainingConfig training,
    LoggingConfig logging,
    String device,
    int numGpus,
    long seed) {

  /** The values of keys that are absent. */
  static final GammaNetConfig CLASS_DEFAULTS =
      new GammaNetConfig(
          ModelConfig.CLASS_DEFAULTS,
          DataConfig.CLASS_DEFAULTS,
          TrainingConfig.CLASS_DEFAULTS,
          LoggingConfig.CLASS_DEFAULTS,
          "auto",
          1,
          42);

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public GammaNetConfig {
    Check.that(
        device.matches("auto|cpu|cuda(:\\d{1,3})?"), "device", device, "auto, cpu, cuda or cuda:N");
    Check.atLeast("num_gpus", numGpus, 0);
  }

  // Reading

  /**
   * Reads a YAML file.
   *
   * @param overrides {@code key=value} pairs that win over the file, such as {@code
   *     model.timesteps=8}; values are YAML, and paths in them are relative to the working folder
   * @param notes receives one sentence for each key that is accepted but has no effect
   * @throws ConfigException naming file, key, what was found and what is accepted
   */
  public static GammaNetConfig load(Path file, List<String> overrides, Consumer<String> notes) {
    return read(ConfigTree.ofFile(file), overrides, notes);
  }

  /**
   * Reads a configuration that ships with the library.
   *
   * @param name {@code default}, or an ablation such as {@code ablations/no_gates}
   * @param overrides as for {@link #load}
   * @throws ConfigException if there is none of this name, or for an impossible override
   */
  public static GammaNetConfig shipped(String name, List<String> overrides) {
    return read(ConfigTree.ofResource(name + ".yaml"), overrides, note -> {});
  }

  /**
   * A network that is compared with others: {@code full} (GammaNet from scratch), one of its
   * ablations, {@code v1}, {@code v2} or {@code backbone}.
   *
   * @param overrides as for {@link #load}
   * @return null for another name
   * @throws ConfigException for an impossible override
   */
  public static @Nullable GammaNetConfig variant(String name, List<String> overrides) {
    Ablation ablation = Ablation.ofName(name);
    if (ablation != null) {
      return shipped("ablations/" + ablation.word(), overrides);
    }
    String model =
        switch (name) {
          case "full" -> "model.use_backbone=false";
          case "v1" -> "model.model_version=v1";
          case "v2" -> "model.model_version=v2";
          case "backbone" -> "model.name=GammaNetBackbone";
          default -> null;
        };
    return model == null
        ? null
        : shipped("default", Stream.concat(Stream.of(model), overrides.stream()).toList());
  }

  /** The shipped {@code config/default.yaml}. */
  public static GammaNetConfig defaults() {
    return shipped("default", List.of());
  }

  /**
   * Reads a configuration that a checkpoint carries, as JSON. What other programs wrote into it
   * must not stop a network from loading: unknown keys, and a section other than {@code model} that
   * cannot be used, become notes.
   *
   * @param source name of the checkpoint for messages
   * @throws ConfigException if the model section is impossible
   */
  public static GammaNetConfig parseStored(String json, String source, Consumer<String> notes) {
    ConfigTree tree = ConfigTree.of(Documents.parseJson(json, source), new Source(source, null));
    if (tree.root().path("model") instanceof ObjectNode model) {
      model.remove("base_config"); // merged when it was written, or nowhere to be found
    }
    return ConfigBinder.bindStored(tree, notes);
  }

  private static GammaNetConfig read(
      ConfigTree tree, List<String> overrides, Consumer<String> notes) {
    overrides.forEach(tree::set);
    return ConfigBinder.bind(tree, notes);
  }

  // Copies with one part changed

  public GammaNetConfig withModel(ModelConfig newModel) {
    return Copies.with(this, "model", newModel);
  }

  /**
   * With single values changed.
   *
   * @param overrides as for {@link #load}
   * @throws ConfigException for a key that does not exist or a value that is not possible
   */
  public GammaNetConfig with(List<String> overrides) {
    return overrides.isEmpty()
        ? this
        : read(
            ConfigTree.ofYaml(toYaml(), new Source("the configuration", null)),
            overrides,
            note -> {});
  }

  // Writing

  /** Complete, as JSON on one line; {@link #parseStored} gives an equal record back. */
  public String toJson() {
    return Documents.toJson(ConfigBinder.toTree(this));
  }

  /** Complete, as YAML; {@link #load} of such a file gives an equal record back. */
  public String toYaml() {
    return Documents.toYaml(ConfigBinder.toTree(this));
  }
}
