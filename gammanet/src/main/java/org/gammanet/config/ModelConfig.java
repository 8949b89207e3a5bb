package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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
 * @param normalization feature normalisation of the same; {@code GROUP} is not accepted
 * @param useDistributionAlignment whether bottom-up signals pass a learnt 1×1 projection
 * @param skipConnections whether feedback is added to a state instead of replacing it
 * @param residualConnections {@link Architecture#GAMMANET}: whether a layer's drive is added to its
 *     state
 * @param fgru the recurrent cells
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
    @Nullable Path pretrained) {

  /** The layer names of VGG16 in order, as {@code layers} may list them. */
  private static final List<String> VGG_NAMES =
      List.of(
          "conv1_1 conv1_2 pool1 conv2_1 conv2_2 pool2 conv3_1 conv3_2 conv3_3 pool3 conv4_1 conv4_2"
              .concat(" conv4_3 pool4 conv5_1 conv5_2 conv5_3 pool5")
              .split(" "));

  private static final String LAYERS_EXPECTED =
      "a list of VGG16 layer names from conv1_1 on, or a list of maps with 'features'";

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
          null);

  /**
   * Checks every value. An ablation that makes one timestep sets {@code timesteps} to 1; without
   * VGG {@code levels} means nothing and is 5.
   */
  public ModelConfig {
    layers = List.copyOf(layers);
    Check.atLeast("timesteps", timesteps, 1);
    Check.that(levels >= 1 && levels <= 5, "layers", levels, "1 to 5 blocks of VGG16");
    if (hiddenChannels != null) {
      Check.atLeast("hidden_channels", hiddenChannels, 1);
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
    Check.oddKernel("kernel_size", kernelSize);
    Check.atLeast("input_channels", inputChannels, 1);
    Check.that(
        inputChannels == 3 || !architecture.usesVgg(),
        "input_channels",
        inputChannels,
        "3 for a network on VGG16");
    Check.atLeast("output_channels", outputChannels, 1);
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
          "below 8 or a multiple of 8 for group normalisation");
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

  // Copies with one value changed

  /** Another number of timesteps. */
  public ModelConfig withTimesteps(int newTimesteps) {
    return with(architecture, ablation, newTimesteps, levels, hiddenChannels, kernelSize);
  }

  /** Another number of VGG16 blocks. */
  public ModelConfig withLevels(int newLevels) {
    return with(architecture, ablation, timesteps, newLevels, hiddenChannels, kernelSize);
  }

  /** Another width of the cells; null for the width of each level. */
  public ModelConfig withHiddenChannels(@Nullable Integer newHiddenChannels) {
    return with(architecture, ablation, timesteps, levels, newHiddenChannels, kernelSize);
  }

  /** Another width of the first block. */
  public ModelConfig withBaseChannels(int newBaseChannels) {
    return new ModelConfig(
        architecture,
        ablation,
        timesteps,
        levels,
        layers,
        hiddenChannels,
        newBaseChannels,
        kernelSize,
        inputChannels,
        outputChannels,
        activation,
        normalization,
        useDistributionAlignment,
        skipConnections,
        residualConnections,
        fgru,
        pretrained);
  }

  /** Another side of the horizontal kernels. */
  public ModelConfig withKernelSize(int newKernelSize) {
    return with(architecture, ablation, timesteps, levels, hiddenChannels, newKernelSize);
  }

  /** Another network; an ablation is dropped. */
  public ModelConfig withArchitecture(Architecture newArchitecture) {
    return with(newArchitecture, null, timesteps, levels, hiddenChannels, kernelSize);
  }

  /** {@link Architecture#GAMMANET} with one mechanism taken out. */
  public ModelConfig withAblation(AblationConfig newAblation) {
    return with(Architecture.GAMMANET, newAblation, timesteps, levels, hiddenChannels, kernelSize);
  }

  /** With or without distribution alignment. */
  public ModelConfig withUseDistributionAlignment(boolean align) {
    return new ModelConfig(
        architecture,
        ablation,
        timesteps,
        levels,
        layers,
        hiddenChannels,
        baseChannels,
        kernelSize,
        inputChannels,
        outputChannels,
        activation,
        normalization,
        align,
        skipConnections,
        residualConnections,
        fgru,
        pretrained);
  }

  /** Another number of channels of the read-out. */
  public ModelConfig withOutputChannels(int newOutputChannels) {
    return new ModelConfig(
        architecture,
        ablation,
        timesteps,
        levels,
        layers,
        hiddenChannels,
        baseChannels,
        kernelSize,
        inputChannels,
        newOutputChannels,
        activation,
        normalization,
        useDistributionAlignment,
        skipConnections,
        residualConnections,
        fgru,
        pretrained);
  }

  /** With other cells. */
  public ModelConfig withFgru(FgruConfig newFgru) {
    return new ModelConfig(
        architecture,
        ablation,
        timesteps,
        levels,
        layers,
        hiddenChannels,
        baseChannels,
        kernelSize,
        inputChannels,
        outputChannels,
        activation,
        normalization,
        useDistributionAlignment,
        skipConnections,
        residualConnections,
        newFgru,
        pretrained);
  }

  private ModelConfig with(
      Architecture newArchitecture,
      @Nullable AblationConfig newAblation,
      int newTimesteps,
      int newLevels,
      @Nullable Integer newHiddenChannels,
      int newKernelSize) {
    return new ModelConfig(
        newArchitecture,
        newAblation,
        newTimesteps,
        newLevels,
        layers,
        newHiddenChannels,
        baseChannels,
        newKernelSize,
        inputChannels,
        outputChannels,
        activation,
        normalization,
        useDistributionAlignment,
        skipConnections,
        residualConnections,
        fgru,
        pretrained);
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
    Section root =
        Section.root(Documents.parseJson(json, source), new Source(source, null), Map.of(), notes);
    ModelConfig config = read(root);
    root.refuseUnknownKeys();
    return config;
  }

  static ModelConfig read(Section section) {
    ModelConfig d = CLASS_DEFAULTS;
    Section fgru = section.section("fgru");

    int levels = d.levels;
    List<LayerConfig> layers = d.layers;
    List<Section> maps = section.sections("layers");
    boolean namesGiven = false;
    if (maps != null) {
      layers = maps.stream().map(LayerConfig::read).toList();
    } else {
      List<String> names = section.texts("layers", LAYERS_EXPECTED);
      if (names != null) {
        levels = levelsOf(section, names);
        namesGiven = true;
      }
    }

    String name = section.text("name");
    Ablation ablation = name == null ? null : Ablation.ofName(name);
    Architecture architecture = architecture(section, name, ablation);
    if (namesGiven && architecture == Architecture.GAMMANET) {
      throw section.error(
          "layers", " is a list of VGG16 layer names, but GammaNet needs a list of maps");
    }
    checkClass(section, name);
    Section ablationSection = section.section("ablation");
    AblationConfig ablationConfig = null;
    if (ablation != null) {
      ablationConfig = AblationConfig.read(ablationSection, ablation);
    } else if (section.has("ablation")) {
      throw section.error(
          "ablation",
          " is given, but model.name must then name one, such as " + Ablation.NO_GATES.modelName());
    }

    int finalLevels = levels;
    List<LayerConfig> finalLayers = layers;
    AblationConfig finalAblation = ablationConfig;
    return section.build(
        () ->
            new ModelConfig(
                architecture,
                finalAblation,
                Objects.requireNonNullElse(
                    same(
                        section,
                        "timesteps",
                        section.integerOrNull("timesteps"),
                        "num_timesteps",
                        section.integerOrNull("num_timesteps")),
                    d.timesteps),
                finalLevels,
                finalLayers,
                same(
                    section,
                    "hidden_channels",
                    section.integerOrNull("hidden_channels"),
                    "fgru.hidden_channels",
                    fgru.integerOrNull("hidden_channels")),
                section.integer("base_channels", d.baseChannels),
                Objects.requireNonNullElse(
                    same(
                        section,
                        "kernel_size",
                        kernelOrNull(section),
                        "fgru.kernel_size",
                        kernelOrNull(fgru)),
                    d.kernelSize),
                section.integer("input_channels", d.inputChannels),
                section.integer("output_channels", d.outputChannels),
                section.word("activation", d.activation, Activation.values()),
                section.word(
                    "normalization",
                    d.normalization,
                    Normalization.NONE,
                    List.of(
                        Normalization.INSTANCE,
                        Normalization.LAYER,
                        Normalization.BATCH,
                        Normalization.NONE)),
                section.flag("use_distribution_alignment", d.useDistributionAlignment),
                section.flag("skip_connections", d.skipConnections),
                section.flag("residual_connections", d.residualConnections),
                FgruConfig.read(fgru),
                pretrained(section)));
  }

  private static Architecture architecture(
      Section section, @Nullable String name, @Nullable Ablation ablation) {
    boolean backbone = section.flag("use_backbone", true);
    // The name decides where there is one: it may override what a base file says.
    JsonNode version = section.get("model_version");
    String word = version == null || version.isNull() ? "v2" : version.asText();
    if (!word.equals("v1") && !word.equals("v2")) {
      throw section.wrong("model_version", "v1 or v2");
    }
    if (ablation != null) {
      return Architecture.GAMMANET;
    }
    if (name != null) {
      List<String> names = new ArrayList<>();
      for (Architecture candidate : Architecture.values()) {
        if (candidate.word().equalsIgnoreCase(name)) {
          return candidate;
        }
        names.add(candidate.word());
      }
      for (Ablation candidate : Ablation.values()) {
        names.add(candidate.modelName());
      }
      throw section.wrong("name", Section.choice(names));
    }
    if (!backbone) {
      return Architecture.GAMMANET;
    }
    return word.equals("v1") ? Architecture.VGG16_GAMMANET : Architecture.VGG16_GAMMANET_V2;
  }

  private static void checkClass(Section section, @Nullable String name) {
    String dotted = section.text("class");
    if (dotted != null
        && name != null
        && !dotted.substring(dotted.lastIndexOf('.') + 1).equals(name)) {
      throw section.error("class", " is " + dotted + ", but model.name is " + name);
    }
  }

  private static int levelsOf(Section section, List<String> names) {
    int n = names.size();
    for (int i = 0; i < n; i++) {
      if (i >= VGG_NAMES.size() || !names.get(i).equals(VGG_NAMES.get(i))) {
        throw section.error(
            "layers",
            " has "
                + names.get(i)
                + " at position "
                + (i + 1)
                + (i < VGG_NAMES.size()
                    ? ", but VGG16's order from conv1_1 on has " + VGG_NAMES.get(i) + " there"
                    : ", but VGG16 ends with pool5"));
      }
    }
    String last = n == 0 ? "" : names.get(n - 1);
    boolean complete =
        last.startsWith("pool") || (n < VGG_NAMES.size() && VGG_NAMES.get(n).startsWith("pool"));
    if (!complete) {
      throw section.error(
          "layers",
          n == 0
              ? " is an empty list, but must be " + LAYERS_EXPECTED
              : " ends with "
                  + last
                  + ", inside a block: go on with "
                  + VGG_NAMES.get(n)
                  + " or leave the block out");
    }
    return last.charAt(4) - '0'; // conv3_3 and pool3 have the block at the same place
  }

  private static @Nullable Integer kernelOrNull(Section section) {
    return section.has("kernel_size") ? LayerConfig.kernel(section, "kernel_size", 3) : null;
  }

  /** The value of a key or of its alias; an error when both are given and differ. */
  private static @Nullable Integer same(
      Section section, String key, @Nullable Integer value, String alias, @Nullable Integer other) {
    if (value != null && other != null && !value.equals(other)) {
      throw section.error(
          key, " is " + value + ", but its other spelling model." + alias + " is " + other);
    }
    return value != null ? value : other;
  }

  private static @Nullable Path pretrained(Section section) {
    JsonNode value = section.get("pretrained");
    if (value != null && value.isBoolean()) {
      if (!value.booleanValue()) {
        return null;
      }
      throw section.error(
          "pretrained",
          " is true, but nothing is downloaded: give the path of a VGG16 checkpoint"
              + " (torchvision's vgg16-397923af.pth) or null");
    }
    return section.path("pretrained");
  }

  /** The section as a file spells it, complete; {@link #read} gives the same record back. */
  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("name", name());
    map.put("use_backbone", architecture.usesVgg());
    map.put("model_version", architecture == Architecture.VGG16_GAMMANET ? "v1" : "v2");
    map.put("timesteps", timesteps);
    boolean asNames = levels < 5 || layers.equals(LayerConfig.DEFAULT_LAYERS);
    if (architecture.usesVgg() && asNames) {
      map.put("layers", VGG_NAMES.subList(0, VGG_NAMES.indexOf("pool" + levels) + 1));
    } else {
      map.put("layers", layers.stream().map(LayerConfig::toMap).toList());
    }
    map.put("hidden_channels", hiddenChannels);
    map.put("base_channels", baseChannels);
    map.put("kernel_size", kernelSize);
    map.put("input_channels", inputChannels);
    map.put("output_channels", outputChannels);
    map.put("activation", activation.word());
    map.put("normalization", normalization.word());
    map.put("use_distribution_alignment", useDistributionAlignment);
    map.put("skip_connections", skipConnections);
    map.put("residual_connections", residualConnections);
    map.put("fgru", fgru.toMap());
    map.put("pretrained", pretrained == null ? null : pretrained.toString());
    if (ablation != null) {
      map.put("ablation", ablation.toMap());
    }
    return map;
  }

  /** The section as JSON, complete; {@link #parseJson} gives an equal record back. */
  public String toJson() {
    return Documents.toJson(toMap());
  }
}
