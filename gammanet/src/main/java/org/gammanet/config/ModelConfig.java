package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The network, as the section {@code model} describes it.
 *
 * @param architecture which network
 * @param ablation mechanism taken out, only for {@link Architecture#GAMMANET}; null for none
 * @param timesteps T, at least 1
 * @param levels VGG models: blocks of VGG16 used, 1 to 5
 * @param layers {@link Architecture#GAMMANET}: encoder and decoder layers
 * @param hiddenChannels VGG models: width of all cells; null gives each the width of its level
 * @param baseChannels VGG models: width of the first block; the blocks have 1, 2, 4, 8 and 8 times
 *     that. 64 makes VGG16; other widths make a network of the same plan that needs less.
 * @param kernelSize VGG models: side of the horizontal kernels of bottom-up cells, odd
 * @param inputChannels channels of an image; VGG models take 3 only
 * @param outputChannels channels of the read-out
 * @param activation non-linearity of the models without VGG or on top of it
 * @param normalization feature normalization of the same; {@code GROUP} is not accepted
 * @param useDistributionAlignment whether bottom-up signals pass a learned 1×1 projection
 * @param skipConnections whether feedback is added to a state instead of replacing it
 * @param residualConnections {@link Architecture#GAMMANET}: whether a layer's drive is added to its
 *     state
 * @param fgru the recurrent cells
 * @param init weights that training starts from, apart from those of {@code pretrained};
 *     pass-through for networks on VGG16's trainable blocks only
 * @param pretrained file with VGG16 weights to start from; null for random weights. Nothing is ever
 *     downloaded.
 */
public record ModelConfig(
    Architecture architecture,
    @Nullable AblationConfig ablation,
    int timesteps,
    int levels,
    List<LayerConfig> layers,
    @Nullable Integer hiddenChannels,
    int baseChannels,
    int kernelSize,
    int inputChannels,
    int outputChannels,
    Activation activation,
    Normalization normalization,
    boolean useDistributionAlignment,
    boolean skipConnections,
    boolean residualConnections,
    FgruConfig fgru,
    ModelInit init,
    @Nullable Path pretrained) {

  /** What a network is when a configuration says nothing about it. */
  public static final ModelConfig CLASS_DEFAULTS =
      new ModelConfig(
          Architecture.VGG16_GAMMANET_V2,
          null,
          8,
          5,
          LayerConfig.DEFAULT_LAYERS,
          null,
          64,
          3,
          3,
          1,
          Activation.ELU,
          Normalization.INSTANCE,
          false,
          true,
          false,
          FgruConfig.CLASS_DEFAULTS,
          ModelInit.ORIGINAL,
          null);

  /**
   * Checks every value. An ablation that makes one timestep sets {@code timesteps} to 1; without
   * VGG {@code levels} means nothing and is 5.
   */
  public ModelConfig {
    layers = List.copyOf(layers);
    Check.count("timesteps", timesteps, 10_000);
    Check.that(levels >= 1 && levels <= 5, "layers", levels, "1 to 5 blocks of VGG16");
    if (hiddenChannels != null) {
      Check.count("hidden_channels", hiddenChannels, 8192);
    }
    Check.that(
        baseChannels >= 1 && baseChannels <= 1024, "base_channels", baseChannels, "1 to 1024");
    Check.that(
        baseChannels == 64 || architecture != Architecture.GAMMANET_BACKBONE,
        "base_channels",
        baseChannels,
        "64 for a network on the fixed VGG16");
    Check.that(
        baseChannels == 64 || pretrained == null,
        "base_channels",
        baseChannels,
        "64 for a network that starts from VGG16's weights");
    Check.that(
        init == ModelInit.ORIGINAL
            || architecture == Architecture.VGG16_GAMMANET_V2
            || architecture == Architecture.VGG16_GAMMANET,
        "init",
        init.word(),
        "original for a network without trainable VGG16 blocks");
    Check.oddKernel("kernel_size", kernelSize);
    Check.count("input_channels", inputChannels, 1024);
    Check.that(
        inputChannels == 3 || !architecture.usesVgg(),
        "input_channels",
        inputChannels,
        "3 for a network on VGG16");
    Check.count("output_channels", outputChannels, 1024);
    Check.oneOf(
        "normalization",
        normalization,
        Normalization.INSTANCE,
        Normalization.LAYER,
        Normalization.BATCH,
        Normalization.NONE);
    if (architecture == Architecture.GAMMANET) {
      levels = 5;
      checkLayers(layers);
    }
    if (ablation != null) {
      Check.that(
          architecture == Architecture.GAMMANET,
          "name",
          architecture.word(),
          "GammaNet for an ablation");
      timesteps = ablation.ablation().singleTimestep() ? 1 : timesteps;
    }
    if (!architecture.hasInhibitoryStates()) {
      Check.that(
          fgru.normalizationType() != Normalization.GROUP,
          "fgru.normalization_type",
          "group",
          "layer, instance or none for " + architecture.word());
    }
    if (architecture == Architecture.VGG16_GAMMANET_V2
        && fgru.normalizationType() == Normalization.GROUP
        && hiddenChannels != null) {
      Check.that(
          hiddenChannels < 8 || hiddenChannels % 8 == 0,
          "hidden_channels",
          hiddenChannels,
          "below 8 or a multiple of 8 for group normalization");
    }
  }

  /** {@link Architecture#GAMMANET}: number of layers that go up; the rest come down again. */
  public int encoderCount() {
    return encoderCount(layers);
  }

  private static int encoderCount(List<LayerConfig> layers) {
    int last = 0;
    for (int i = 0; i < layers.size(); i++) {
      if (layers.get(i).pool() || (i > 0 && layers.get(i - 1).pool())) {
        last = i + 1;
      }
    }
    return last == 0 || last == layers.size() ? layers.size() / 2 : last;
  }

  private static void checkLayers(List<LayerConfig> layers) {
    int encoders = encoderCount(layers);
    int decoders = layers.size() - encoders;
    Check.that(
        encoders >= 1 && decoders <= encoders - 1,
        "layers",
        encoders + " encoders and " + decoders + " decoders",
        "a list with fewer decoders than encoders");
    for (int j = 0; j < decoders; j++) {
      int found = layers.get(encoders + j).features();
      int expected = layers.get(encoders - 2 - j).features();
      Check.that(
          found == expected,
          "layers[" + (encoders + j) + "].features",
          found,
          expected + ", as in layers[" + (encoders - 2 - j) + "], which that decoder modulates");
    }
  }

  /** The model's name: the architecture's, or the ablation's such as {@code GammaNetNoGates}. */
  public String name() {
    return ablation == null ? architecture.word() : ablation.ablation().modelName();
  }

  // Comparison

  /**
   * The keys in which another configuration describes another network, such as {@code
   * model.base_channels 16, not 64}: other names or shapes of weights, or other equations. Keys
   * that have no effect on the networks are not compared, nor is the number of timesteps.
   *
   * @return nothing for one network that is spelled in two ways
   */
  public List<String> differencesFrom(ModelConfig other) {
    List<String> out = new ArrayList<>();
    if (equals(other)) {
      return out;
    }
    ObjectNode mine = written(effective());
    ObjectNode theirs = written(other.effective());
    compare("model.", mine, theirs, out);
    return out;
  }

  private static ObjectNode written(ModelConfig config) {
    return ModelSpelling.write(config, ConfigBinder.tree(config));
  }

  private static void compare(String prefix, JsonNode mine, JsonNode theirs, List<String> out) {
    Set<String> keys = new LinkedHashSet<>();
    mine.fieldNames().forEachRemaining(keys::add);
    theirs.fieldNames().forEachRemaining(keys::add);
    for (String key : keys) {
      JsonNode a = mine.path(key);
      JsonNode b = theirs.path(key);
      if (a.isObject() && b.isObject()) {
        compare(prefix + key + ".", a, b, out);
      } else if (!a.equals(b)) {
        out.add(
            a.isValueNode() && b.isValueNode()
                ? "%s%s %s, not %s".formatted(prefix, key, a.asText(), b.asText())
                : prefix + key);
      }
    }
  }

  /** This network with the defaults for everything that has no effect on it. */
  private ModelConfig effective() {
    boolean scratch = architecture == Architecture.GAMMANET;
    boolean backbone = architecture == Architecture.GAMMANET_BACKBONE;
    boolean leveled = !scratch && !backbone;
    ModelConfig d = CLASS_DEFAULTS;
    return new ModelConfig(
        architecture,
        ablation,
        d.timesteps,
        leveled ? levels : d.levels,
        scratch ? layers : d.layers,
        leveled ? hiddenChannels : d.hiddenChannels,
        leveled ? baseChannels : d.baseChannels,
        leveled ? kernelSize : d.kernelSize,
        inputChannels,
        outputChannels,
        leveled ? d.activation : activation,
        leveled ? d.normalization : normalization,
        leveled ? useDistributionAlignment : d.useDistributionAlignment,
        scratch ? d.skipConnections : skipConnections,
        scratch ? residualConnections : d.residualConnections,
        fgru.effective(architecture.hasInhibitoryStates()),
        d.init,
        null);
  }

  // Copies with one value changed

  public ModelConfig withTimesteps(int newTimesteps) {
    return Copies.with(this, "timesteps", newTimesteps);
  }

  /** Another number of VGG16 blocks. */
  public ModelConfig withLevels(int newLevels) {
    return Copies.with(this, "levels", newLevels);
  }

  /** Another width of the cells; null for the width of each level. */
  public ModelConfig withHiddenChannels(@Nullable Integer newHiddenChannels) {
    return Copies.with(this, "hiddenChannels", newHiddenChannels);
  }

  /** Another width of the first block. */
  public ModelConfig withBaseChannels(int newBaseChannels) {
    return Copies.with(this, "baseChannels", newBaseChannels);
  }

  /** Another side of the horizontal kernels. */
  public ModelConfig withKernelSize(int newKernelSize) {
    return Copies.with(this, "kernelSize", newKernelSize);
  }

  /** Another network; an ablation is dropped. */
  public ModelConfig withArchitecture(Architecture newArchitecture) {
    return Copies.with(Copies.with(this, "ablation", null), "architecture", newArchitecture);
  }

  /** {@link Architecture#GAMMANET} with one mechanism taken out. */
  public ModelConfig withAblation(AblationConfig newAblation) {
    return Copies.with(withArchitecture(Architecture.GAMMANET), "ablation", newAblation);
  }

  /** With or without distribution alignment. */
  public ModelConfig withUseDistributionAlignment(boolean align) {
    return Copies.with(this, "useDistributionAlignment", align);
  }

  /** Another number of channels of the read-out. */
  public ModelConfig withOutputChannels(int newOutputChannels) {
    return Copies.with(this, "outputChannels", newOutputChannels);
  }

  public ModelConfig withFgru(FgruConfig newFgru) {
    return Copies.with(this, "fgru", newFgru);
  }

  // Reading and writing

  /**
   * Reads the JSON form of a {@code model} section; absent keys take {@link #CLASS_DEFAULTS}.
   *
   * @param source name of the file for error messages
   * @throws ConfigException for anything unknown or impossible
   */
  public static ModelConfig parseJson(String json, String source) {
    return parseJson(json, source, note -> {});
  }

  /** As above; {@code notes} receives a sentence for each key that has no effect. */
  public static ModelConfig parseJson(String json, String source, Consumer<String> notes) {
    String document = "{\"model\":" + json + "}";
    ConfigTree tree =
        ConfigTree.of(Documents.parseJson(document, source), new Source(source, null));
    return ConfigBinder.bind(tree, notes).model();
  }

  /** The section as JSON, complete; {@link #parseJson} gives an equal record back. */
  public String toJson() {
    return Documents.toJson(ModelSpelling.write(this, ConfigBinder.tree(this)));
  }
}
