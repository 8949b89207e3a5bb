package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
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
 * @param numGpus accepted for compatibility; a run uses one device
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

  private static final long MAX_BYTES = 1 << 20;
  private static final int MAX_BASES = 8;

  /** Checks every value. */
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
    return read(Tree.ofFile(file, 0), overrides, notes);
  }

  /**
   * Reads a configuration that ships with the library.
   *
   * @param name {@code default}, or an ablation such as {@code ablations/no_gates}
   * @param overrides as for {@link #load}
   * @throws ConfigException if there is none of this name, or for an impossible override
   */
  public static GammaNetConfig shipped(String name, List<String> overrides) {
    return read(Tree.ofResource(name + ".yaml", 0), overrides, note -> {});
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
    JsonNode tree = Documents.parseJson(json, source);
    if (tree.path("model") instanceof ObjectNode model) {
      model.remove("base_config"); // already merged, or not to be found any more
    }
    Section root = Section.root(tree, new Source(source, null), Map.of(), notes);
    GammaNetConfig config = read(root, notes);
    root.noteUnknownKeys();
    return config;
  }

  private static GammaNetConfig read(Tree tree, List<String> overrides, Consumer<String> notes) {
    for (String override : overrides) {
      tree.set(override);
    }
    Section root = Section.root(tree.node, tree.source, tree.sources, notes);
    GammaNetConfig config = read(root, null);
    root.refuseUnknownKeys();
    return config;
  }

  /** With {@code lenient}, sections that cannot be read are reported there and take defaults. */
  private static GammaNetConfig read(Section root, @Nullable Consumer<String> lenient) {
    ModelConfig model = ModelConfig.read(root.section("model"));
    Section trainingSection = root.section("training");
    DataConfig data =
        section(
            root, "data", lenient, () -> DataConfig.read(root.section("data")), DataConfig::read);
    TrainingConfig training =
        section(
            root,
            "training",
            lenient,
            () -> TrainingConfig.read(trainingSection),
            TrainingConfig::read);
    LoggingConfig logging =
        section(
            root,
            "logging",
            lenient,
            () ->
                LoggingConfig.read(
                    root.section("logging"), trainingSection.text("experiment_name")),
            empty -> LoggingConfig.read(empty, null));
    root.section("evaluation").unused("additional_metrics", "the benchmark's metrics are computed");
    int gpus = root.integer("num_gpus", 1);
    if (gpus > 1) {
      root.unused("num_gpus", "a run uses one device");
    }
    return root.build(
        () ->
            new GammaNetConfig(
                model,
                data,
                training,
                logging,
                root.text("device", "auto"),
                gpus,
                root.longInteger("seed", 42)));
  }

  private static <T> T section(
      Section root,
      String key,
      @Nullable Consumer<String> lenient,
      Supplier<T> read,
      Function<Section, T> readEmpty) {
    try {
      return read.get();
    } catch (ConfigException e) {
      if (lenient == null) {
        throw e;
      }
      lenient.accept(e.getMessage() + "; the section " + key + " is ignored");
      return readEmpty.apply(root.emptySection(key));
    }
  }

  // Copies with one part changed

  /** With another network. */
  public GammaNetConfig withModel(ModelConfig newModel) {
    return new GammaNetConfig(newModel, data, training, logging, device, numGpus, seed);
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
        : read(new Tree(toYaml(), new Source("the configuration", null)), overrides, note -> {});
  }

  // Writing

  /** Complete, as JSON on one line; {@link #parseStored} gives an equal record back. */
  public String toJson() {
    return Documents.toJson(toMap());
  }

  /** Complete, as YAML; {@link #load} of such a file gives an equal record back. */
  public String toYaml() {
    return Documents.toYaml(toMap());
  }

  private Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("model", model.toMap());
    map.put("data", data.toMap());
    map.put("training", training.toMap());
    map.put("logging", logging.toMap());
    map.put("device", device);
    map.put("num_gpus", numGpus);
    map.put("seed", seed);
    return map;
  }

  /** A configuration before it is understood: values, and where each of them was written. */
  private static final class Tree {
    final ObjectNode node;
    final Source source;
    final Map<String, Source> sources = new HashMap<>();

    private Tree(String yaml, Source source) {
      JsonNode parsed =
          Documents.parseYaml(
              yaml,
              source.label(),
              (path, line) ->
                  sources.put(path, new Source(source.label() + " line " + line, source.folder())));
      // Complains about anything but a map.
      Section.root(parsed, source, Map.of(), note -> {});
      this.node = (ObjectNode) parsed;
      this.source = source;
    }

    static Tree ofFile(Path file, int depth) {
      Tree tree = new Tree(readFile(file), new Source(file.toString(), parentOf(file)));
      String base = tree.takeBase(depth);
      if (base != null) {
        tree.addBase(ofFile(parentOf(file).resolve(base).normalize(), depth + 1));
      }
      return tree;
    }

    static Tree ofResource(String name, int depth) {
      try (InputStream in = GammaNetConfig.class.getResourceAsStream(name)) {
        if (in == null) {
          throw new ConfigException("there is no shipped configuration config/" + name);
        }
        String yaml = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        Tree tree = new Tree(yaml, new Source("config/" + name, null));
        String base = tree.takeBase(depth);
        if (base != null) {
          Path path = Path.of(name).resolveSibling(base).normalize();
          tree.addBase(ofResource(path.toString().replace('\\', '/'), depth + 1));
        }
        return tree;
      } catch (IOException e) {
        throw new ConfigException("config/" + name + " cannot be read: " + e.getMessage(), e);
      }
    }

    private static Path parentOf(Path file) {
      Path parent = file.toAbsolutePath().getParent();
      return parent == null ? file.toAbsolutePath() : parent;
    }

    private static String readFile(Path file) {
      try {
        if (Files.isDirectory(file)) {
          throw new ConfigException(file + " is a folder, but must be a YAML file");
        }
        if (Files.size(file) > MAX_BYTES) {
          throw new ConfigException(file + " is larger than 1 MiB, which no configuration is");
        }
        return Files.readString(file);
      } catch (NoSuchFileException e) {
        throw new ConfigException("there is no file " + file, e);
      } catch (CharacterCodingException e) {
        throw new ConfigException(file + " is not UTF-8 text", e);
      } catch (IOException e) {
        throw new ConfigException(file + " cannot be read: " + e.getMessage(), e);
      }
    }

    /** Removes {@code model.base_config} and returns it. */
    private @Nullable String takeBase(int depth) {
      JsonNode base =
          node.path("model") instanceof ObjectNode model ? model.remove("base_config") : null;
      if (base == null || base.isNull()) {
        return null;
      }
      if (!base.isTextual()) {
        throw new ConfigException(
            source.label() + ": model.base_config is " + base + ", but must be the path of a file");
      }
      if (depth >= MAX_BASES) {
        throw new ConfigException(
            source.label()
                + ": model.base_config files name each other more than "
                + MAX_BASES
                + " deep; is there a circle?");
      }
      return base.textValue();
    }

    /** Puts the base's values under this tree's own. */
    private void addBase(Tree base) {
      merge(node, base.node, "", base);
    }

    private void merge(ObjectNode own, ObjectNode base, String prefix, Tree from) {
      for (Map.Entry<String, JsonNode> entry : base.properties()) {
        String key = entry.getKey();
        String path = prefix.isEmpty() ? key : prefix + "." + key;
        JsonNode mine = own.get(key);
        if (mine == null) {
          own.set(key, entry.getValue());
          from.copySources(path, sources);
        } else if (mine instanceof ObjectNode map && entry.getValue() instanceof ObjectNode other) {
          merge(map, other, path, from);
        }
      }
    }

    private void copySources(String path, Map<String, Source> to) {
      sources.forEach(
          (key, value) -> {
            if (key.equals(path) || key.startsWith(path + ".")) {
              to.put(key, value);
            }
          });
    }

    /** Applies {@code key=value}. */
    void set(String override) {
      int equals = override.indexOf('=');
      String option = "--set " + override;
      if (equals < 1) {
        throw new ConfigException(option + ": write key=value, such as model.timesteps=8");
      }
      List<String> path =
          new ArrayList<>(List.of(override.substring(0, equals).strip().split("\\.", -1)));
      String last = path.removeLast();
      ObjectNode map = node;
      StringBuilder at = new StringBuilder();
      for (String key : path) {
        at.append(at.isEmpty() ? "" : ".").append(key);
        JsonNode child = map.get(key);
        if (child == null || child.isNull()) {
          child = map.putObject(key);
        }
        if (!(child instanceof ObjectNode childMap)) {
          throw new ConfigException(option + ": " + at + " is not a map of keys");
        }
        map = childMap;
      }
      JsonNode value =
          Documents.parseYaml(override.substring(equals + 1), option, (inner, line) -> {});
      map.set(last, value.isMissingNode() ? map.nullNode() : value);
      String full = at.isEmpty() ? last : at + "." + last;
      sources.keySet().removeIf(key -> key.startsWith(full + "."));
      sources.put(full, new Source(option, Path.of("").toAbsolutePath()));
    }
  }
}
