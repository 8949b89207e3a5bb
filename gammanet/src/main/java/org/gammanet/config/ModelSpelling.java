package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The spelling of the section {@code model} in files, which is the original program's, where it
 * differs from {@link ModelConfig}: the network is chosen by {@code name}, {@code use_backbone} and
 * {@code model_version}, and VGG16's blocks by the names of its layers.
 */
final class ModelSpelling {
  /** The keys that only files have. */
  static final Set<String> KEYS =
      Set.of(
          "model.name",
          "model.class",
          "model.use_backbone",
          "model.model_version",
          "model.base_config",
          "data.augmentation.preset");

  /** Components of the records that files spell otherwise. */
  static final Set<String> INTERNAL = Set.of("architecture", "levels");

  /** The layer names of VGG16 in order, as {@code layers} may list them. */
  private static final List<String> VGG_NAMES =
      List.of(
          "conv1_1 conv1_2 pool1 conv2_1 conv2_2 pool2 conv3_1 conv3_2 conv3_3 pool3 conv4_1 conv4_2"
              .concat(" conv4_3 pool4 conv5_1 conv5_2 conv5_3 pool5")
              .split(" "));

  private static final String LAYERS_EXPECTED =
      "a list of VGG16 layer names from conv1_1 on, or a list of maps with 'features'";

  private final ConfigTree tree;
  private final ObjectNode model;

  ModelSpelling(ConfigTree tree, BiConsumer<String, List<String>> unknown) {
    this.tree = tree;
    this.model = tree.section("model");
    for (String key : INTERNAL) {
      if (model.remove(key) != null) {
        unknown.accept("model." + key, List.of());
      }
    }
  }

  /** Turns a file's section into one that binds to {@link ModelConfig}. */
  void read() {
    String name = text("name");
    Ablation ablation = name == null ? null : Ablation.ofName(name);
    Architecture architecture = architecture(name, ablation);
    readLayers(architecture);
    String dotted = text("class");
    if (dotted != null
        && name != null
        && !dotted.substring(dotted.lastIndexOf('.') + 1).equals(name)) {
      throw tree.error("model.class", " is " + dotted + ", but model.name is " + name);
    }
    boolean described = model.hasNonNull("ablation");
    if (ablation != null) {
      readAblation(ablation);
    } else if (described) {
      throw tree.error(
          "model.ablation",
          " is given, but model.name must then name one, such as " + Ablation.NO_GATES.modelName());
    }
    model.put("architecture", architecture.word());
    kernel(model, "model", "kernel_size");
    kernel(tree.section("model.fgru"), "model.fgru", "kernel_size");
    JsonNode pretrained = model.path("pretrained");
    if (pretrained.isBoolean()) {
      if (pretrained.booleanValue()) {
        throw tree.error(
            "model.pretrained",
            " is true, but nothing is downloaded: give the path of a VGG16 checkpoint"
                + " (torchvision's vgg16-397923af.pth) or null");
      }
      model.putNull("pretrained");
    }
  }

  private @Nullable String text(String key) {
    JsonNode value = model.remove(key);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isTextual() || value.textValue().isBlank()) {
      throw wrong("model." + key, value, "text");
    }
    return value.textValue();
  }

  private ConfigException wrong(String path, JsonNode value, String expected) {
    return tree.error(path, " is " + ConfigTree.describe(value) + ", but must be " + expected);
  }

  private Architecture architecture(@Nullable String name, @Nullable Ablation ablation) {
    JsonNode backbone = model.remove("use_backbone");
    boolean vgg = backbone == null || backbone.isNull() || backbone.booleanValue();
    if (backbone != null && !backbone.isNull() && !backbone.isBoolean()) {
      throw wrong("model.use_backbone", backbone, "true or false");
    }
    JsonNode version = model.remove("model_version");
    String word = version == null || version.isNull() ? "v2" : version.asText();
    if (!word.equals("v1") && !word.equals("v2")) {
      throw wrong("model.model_version", TextNode.valueOf(word), "v1 or v2");
    }
    // The name decides where there is one: it may override what a base file says.
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
      throw wrong("model.name", TextNode.valueOf(name), Spelling.choice(names));
    }
    if (!vgg) {
      return Architecture.GAMMANET;
    }
    return word.equals("v1") ? Architecture.VGG16_GAMMANET : Architecture.VGG16_GAMMANET_V2;
  }

  // Layers

  private void readLayers(Architecture architecture) {
    JsonNode layers = model.get("layers");
    if (layers == null || layers.isNull()) {
      return;
    }
    if (!layers.isArray()) {
      throw wrong("model.layers", layers, LAYERS_EXPECTED);
    }
    if (!layers.isEmpty() && layers.get(0).isObject()) {
      readMaps((ArrayNode) layers);
      return;
    }
    List<String> names = new ArrayList<>();
    for (JsonNode name : layers) {
      if (!name.isTextual()) {
        throw wrong("model.layers", layers, LAYERS_EXPECTED);
      }
      names.add(name.textValue());
    }
    int levels = levelsOf(names);
    if (architecture == Architecture.GAMMANET) {
      throw tree.error(
          "model.layers", " is a list of VGG16 layer names, but GammaNet needs a list of maps");
    }
    model.remove("layers");
    model.put("levels", levels);
  }

  private void readMaps(ArrayNode layers) {
    for (int i = 0; i < layers.size(); i++) {
      String path = "model.layers[" + i + "]";
      if (!(layers.get(i) instanceof ObjectNode layer)) {
        throw wrong(path, layers.get(i), "a map, as the entries before it");
      }
      if (!layer.hasNonNull("features")) {
        throw tree.error(path + ".features", " is missing: the layer's number of channels");
      }
      kernel(layer, path, "h_kernel");
      kernel(layer, path, "ff_kernel");
      layer.putIfAbsent("h_kernel", layer.numberNode(3));
      layer.putIfAbsent("ff_kernel", layer.numberNode(3));
      layer.putIfAbsent("pool", layer.booleanNode(false));
      layer.putIfAbsent("ff_repeats", layer.numberNode(1));
    }
  }

  /** An odd number, or a list of it twice. */
  private void kernel(ObjectNode section, String path, String key) {
    JsonNode value = section.path(key);
    if (value.isArray()) {
      boolean square =
          value.size() == 2 && value.get(0).isIntegralNumber() && value.get(0).equals(value.get(1));
      if (!square) {
        throw wrong(path + "." + key, value, "an odd number or two equal odd numbers");
      }
      section.set(key, value.get(0));
    }
  }

  private int levelsOf(List<String> names) {
    int n = names.size();
    for (int i = 0; i < n; i++) {
      if (i >= VGG_NAMES.size() || !names.get(i).equals(VGG_NAMES.get(i))) {
        throw tree.error(
            "model.layers",
            " has "
                + names.get(i)
                + " at position "
                + (i + 1)
                + (i < VGG_NAMES.size()
                    ? ", but VGG16's order from conv1_1 on has " + VGG_NAMES.get(i) + " there"
                    : ", but VGG16 ends with pool5"));
      }
    }
    if (n == 0) {
      throw tree.error("model.layers", " is an empty list, but must be " + LAYERS_EXPECTED);
    }
    String last = names.getLast();
    if (!last.startsWith("pool") && !VGG_NAMES.get(n).startsWith("pool")) {
      throw tree.error(
          "model.layers",
          " ends with "
              + last
              + ", inside a block: add "
              + VGG_NAMES.get(n)
              + " or leave the block out");
    }
    return last.charAt(4) - '0'; // conv3_3, pool3
  }

  // Ablation

  private void readAblation(Ablation ablation) {
    ObjectNode section = tree.section("model.ablation");
    section.remove("type");
    section.remove("description");
    ablation
        .switches()
        .forEach(
            (key, expected) -> {
              JsonNode given = section.remove(key);
              if (given != null && given.isBoolean() && given.booleanValue() != expected) {
                throw tree.error(
                    "model.ablation." + key,
                    " is "
                        + given
                        + ", but model.name says "
                        + ablation.modelName()
                        + ", where it is "
                        + expected);
              } else if (given != null && !given.isBoolean() && !given.isNull()) {
                throw wrong("model.ablation." + key, given, "true or false");
              }
            });
    JsonNode steps = section.remove("recurrent_timesteps");
    if (steps != null && ablation.singleTimestep() && steps.asInt(1) != 1) {
      throw tree.error(
          "model.ablation.recurrent_timesteps",
          " is " + steps + ", but " + ablation.modelName() + " runs one timestep");
    }
    AblationConfig defaults = AblationConfig.of(ablation);
    section.put("ablation", ablation.word());
    section.putIfAbsent("fixed_g1", section.numberNode(defaults.fixedG1()));
    section.putIfAbsent("fixed_g2", section.numberNode(defaults.fixedG2()));
    section.putIfAbsent("delay_timesteps", section.numberNode(defaults.delayTimesteps()));
  }

  // Writing

  /** The section as a file spells it. */
  static ObjectNode write(ModelConfig config, ObjectNode model) {
    ObjectNode written = model.objectNode();
    written.put("name", config.name());
    written.put("use_backbone", config.architecture().usesVgg());
    written.put(
        "model_version", config.architecture() == Architecture.VGG16_GAMMANET ? "v1" : "v2");
    written.setAll(model);
    written.remove(INTERNAL);
    boolean asNames = config.levels() < 5 || config.layers().equals(LayerConfig.DEFAULT_LAYERS);
    if (config.architecture().usesVgg() && asNames) {
      ArrayNode names = written.putArray("layers");
      VGG_NAMES.subList(0, VGG_NAMES.indexOf("pool" + config.levels()) + 1).forEach(names::add);
    }
    if (written.get("ablation") instanceof ObjectNode ablation) {
      ablation.remove("ablation");
    } else {
      written.remove("ablation");
    }
    return written;
  }
}
