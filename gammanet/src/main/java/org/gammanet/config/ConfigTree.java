package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The values of a configuration, with the file and line or the option that each came from. {@code
 * model.base_config} is resolved: maps are merged key by key, lists and scalars are replaced.
 */
final class ConfigTree {
  private static final int MAX_BASES = 8;

  private final ObjectNode root;
  private final Source source;
  private final Map<String, Source> sources = new HashMap<>();

  private ConfigTree(ObjectNode root, Source source) {
    this.root = root;
    this.source = source;
  }

  static ConfigTree ofYaml(String yaml, Source source) {
    Map<String, Source> sources = new HashMap<>();
    JsonNode parsed =
        Documents.parseYaml(
            yaml,
            source.label(),
            (path, line) ->
                sources.put(path, new Source(source.label() + " line " + line, source.folder())));
    ConfigTree tree = of(parsed, source);
    tree.sources.putAll(sources);
    return tree;
  }

  /** A tree that is all from one source, such as a checkpoint. */
  static ConfigTree of(JsonNode parsed, Source source) {
    if (!(parsed instanceof ObjectNode root)) {
      throw new ConfigException(
          source.label()
              + ": "
              + (parsed.isMissingNode() || parsed.isNull()
                  ? "the file is empty"
                  : "the file holds " + describe(parsed))
              + ", but must be a map of sections such as 'model:'");
    }
    return new ConfigTree(root, source);
  }

  /** Reads a file, or a pipe such as {@code /dev/stdin}. */
  static ConfigTree ofFile(Path file) {
    return ofFile(file, 0);
  }

  private static ConfigTree ofFile(Path file, int depth) {
    ConfigTree tree = ofYaml(Documents.readFile(file), new Source(file.toString(), parentOf(file)));
    String base = tree.takeBase(depth);
    if (base != null) {
      Path path;
      try {
        path = parentOf(file).resolve(base).normalize();
      } catch (InvalidPathException e) {
        throw tree.error("model.base_config", " is not a path: " + e.getReason());
      }
      if (Files.exists(path) && !Files.isRegularFile(path) && !Files.isDirectory(path)) {
        throw tree.error("model.base_config", " is " + path + ", which is not a regular file");
      }
      tree.merge(ofFile(path, depth + 1));
    }
    return tree;
  }

  /** Reads a configuration that ships with the library, by its path below {@code config/}. */
  static ConfigTree ofResource(String name) {
    return ofResource(name, 0);
  }

  private static ConfigTree ofResource(String name, int depth) {
    try (InputStream in = ConfigTree.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new ConfigException("there is no shipped configuration config/" + name);
      }
      String yaml = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      ConfigTree tree = ofYaml(yaml, new Source("config/" + name, null));
      String base = tree.takeBase(depth);
      if (base != null) {
        Path path = Path.of(name).resolveSibling(base).normalize();
        tree.merge(ofResource(path.toString().replace('\\', '/'), depth + 1));
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

  /** Removes {@code model.base_config} and returns it. */
  private @Nullable String takeBase(int depth) {
    JsonNode base =
        root.path("model") instanceof ObjectNode model ? model.remove("base_config") : null;
    if (base == null || base.isNull()) {
      return null;
    }
    if (!base.isTextual()) {
      throw error("model.base_config", " is " + base + ", but must be the path of a file");
    }
    if (depth >= MAX_BASES) {
      throw error("model.base_config", ": more than " + MAX_BASES + " nested files (a cycle?)");
    }
    return base.textValue();
  }

  /** Puts the base's values under this tree's own. */
  private void merge(ConfigTree base) {
    merge(root, base.root, "", base);
  }

  private void merge(ObjectNode own, ObjectNode base, String prefix, ConfigTree from) {
    for (Map.Entry<String, JsonNode> entry : base.properties()) {
      String key = entry.getKey();
      String path = prefix.isEmpty() ? key : prefix + "." + key;
      JsonNode mine = own.get(key);
      if (mine == null) {
        own.set(key, entry.getValue());
        from.sources.forEach(
            (p, s) -> {
              if (p.equals(path) || p.startsWith(path + ".") || p.startsWith(path + "[")) {
                sources.put(p, s);
              }
            });
      } else if (mine instanceof ObjectNode map && entry.getValue() instanceof ObjectNode other) {
        merge(map, other, path, from);
      }
    }
  }

  /**
   * Applies {@code key=value}, whose value is YAML and whose paths are relative to the work folder.
   */
  void set(String override) {
    int equals = override.indexOf('=');
    String option = "--set " + override;
    String key = equals < 0 ? "" : override.substring(0, equals).strip();
    List<String> path = new ArrayList<>(List.of(key.split("\\.", -1)));
    if (path.contains("")) {
      throw new ConfigException(option + ": write key=value, such as model.timesteps=8");
    }
    String last = path.removeLast();
    ObjectNode map = root;
    String at = "";
    for (String name : path) {
      at = at.isEmpty() ? name : at + "." + name;
      JsonNode child = map.get(name);
      if (child == null || child.isNull()) {
        child = map.putObject(name);
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
    sources.keySet().removeIf(p -> p.startsWith(full + ".") || p.startsWith(full + "["));
    sources.put(full, new Source(option, Path.of("").toAbsolutePath()));
  }

  /** Notes that a value has been given by another key. */
  void setSource(String path, String given) {
    sources.put(path, sourceOf(given));
  }

  ObjectNode root() {
    return root;
  }

  /** The section of this name, created if it is absent or empty. */
  ObjectNode section(String path) {
    ObjectNode map = root;
    for (String key : path.split("\\.", -1)) {
      JsonNode child = map.get(key);
      if (child == null || child.isNull()) {
        child = map.putObject(key);
      } else if (!child.isObject()) {
        throw error(path, " is " + describe(child) + ", but must be a map of keys");
      }
      map = (ObjectNode) child;
    }
    return map;
  }

  /** The file and line, or option, that set the value or the map around it. */
  Source sourceOf(String path) {
    String p = path;
    while (!p.isEmpty()) {
      Source found = sources.get(p);
      if (found != null) {
        return found;
      }
      int end = Math.max(p.lastIndexOf('.'), p.lastIndexOf('['));
      p = end < 0 ? "" : p.substring(0, end);
    }
    return source;
  }

  /** The error of a key: its source, its dotted path, then the rest of the sentence. */
  ConfigException error(String path, String rest) {
    return new ConfigException(sourceOf(path).label() + ": " + path + rest);
  }

  /** The value at a dotted path with indices, such as {@code model.layers[0].features}. */
  JsonNode at(String path) {
    return root.at("/" + path.replace('.', '/').replaceAll("\\[(\\d+)]", "/$1"));
  }

  /** A value as an error quotes it. */
  static String describe(JsonNode node) {
    return switch (node.getNodeType()) {
      case OBJECT -> "a map";
      case NULL, MISSING -> "empty";
      default -> {
        String text = node.toString();
        text = text.length() > 60 ? text.substring(0, 57) + "..." : text;
        yield node.isArray() ? "the list " + text : text;
      }
    };
  }
}
