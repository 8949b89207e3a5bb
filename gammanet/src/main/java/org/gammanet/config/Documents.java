package org.gammanet.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.ObjIntConsumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/** Text to trees and back, in JSON and YAML. */
public final class Documents {
  private static final int MAX_BYTES = 1 << 20;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /** Made when it is first needed, as a checkpoint's configuration does not need it. */
  private static final class YamlWriter {
    static final YAMLMapper MAPPER =
        YAMLMapper.builder(
                YAMLFactory.builder()
                    .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                    .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
                    .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
                    .build())
            .build();
  }

  private Documents() {}

  /**
   * Parses one YAML document. Tags other than those of plain values, equal keys in one map, and
   * documents that are too deep or expand too far are refused.
   *
   * @param source names the file in messages
   * @throws ConfigException for what is no such document
   */
  public static JsonNode readYaml(String yaml, String source) {
    return parseYaml(yaml, source, (path, line) -> {});
  }

  /**
   * Reads a file of one YAML document, as {@link #readYaml(String, String)} parses it.
   *
   * @throws ConfigException if it cannot be read or is no such document; the message names it
   */
  public static JsonNode readYaml(Path file) {
    return readYaml(readFile(file), file.toString());
  }

  /** The text of a file, or of a pipe such as {@code /dev/stdin}. */
  static String readFile(Path file) {
    if (Files.isDirectory(file)) {
      throw new ConfigException(file + " is a folder, but must be a YAML file");
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new ConfigException(file + " is larger than 1 MiB, which no configuration is");
      }
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (NoSuchFileException e) {
      throw new ConfigException("there is no file " + file, e);
    } catch (CharacterCodingException e) {
      throw new ConfigException(file + " is not UTF-8 text", e);
    } catch (IOException e) {
      throw new ConfigException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** Parses the configuration that a checkpoint holds. */
  static JsonNode parseJson(String json, String source) {
    try {
      return JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw new ConfigException(
          source + ": its configuration is damaged: " + firstLine(e.getOriginalMessage()), e);
    }
  }

  /**
   * Parses one YAML document. Anchors, aliases and {@code <<} work; tags other than those of plain
   * values, equal keys in one map, and documents that are too deep or expand too far are refused.
   *
   * @param lines receives the dotted path and the line of every value
   */
  static JsonNode parseYaml(String yaml, String source, ObjIntConsumer<String> lines) {
    try {
      LoaderOptions options = new LoaderOptions();
      options.setNestingDepthLimit(1000); // YamlTree has limits of its own
      options.setMaxAliasesForCollections(Integer.MAX_VALUE);
      Node root = new Yaml(options).compose(new StringReader(yaml));
      return root == null ? MissingNode.getInstance() : new YamlTree(source, lines).value(root, "");
    } catch (MarkedYAMLException e) {
      Mark mark = e.getProblemMark() != null ? e.getProblemMark() : e.getContextMark();
      String line = mark == null ? "" : " line " + (mark.getLine() + 1);
      String problem =
          Stream.of(e.getContext(), e.getProblem())
              .filter(Objects::nonNull)
              .map(Documents::firstLine)
              .collect(Collectors.joining(", "));
      throw new ConfigException(source + line + ": " + problem, e);
    } catch (YAMLException e) {
      throw new ConfigException(source + ": " + firstLine(e.getMessage()), e);
    }
  }

  static String toJson(JsonNode tree) {
    return write(JSON, tree);
  }

  static String toYaml(JsonNode tree) {
    return write(YamlWriter.MAPPER, tree);
  }

  private static String write(ObjectMapper mapper, JsonNode tree) {
    try {
      return mapper.writeValueAsString(tree);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration is maps, lists and scalars", e);
    }
  }

  private static String firstLine(@Nullable String message) {
    return String.valueOf(message).strip().lines().findFirst().orElse("");
  }

  /** Converts SnakeYAML's nodes, in which aliases are shared nodes, within fixed bounds. */
  private static final class YamlTree {
    static final int MAX_DEPTH = 32;
    private static final int MAX_VALUES = 20_000;
    private static final Pattern NUMBER =
        Pattern.compile("[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?");
    private static final Set<Tag> PLAIN =
        Set.of(Tag.NULL, Tag.BOOL, Tag.INT, Tag.FLOAT, Tag.STR, Tag.TIMESTAMP);
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private final String source;
    private final ObjIntConsumer<String> lines;
    private final Set<Node> open = new HashSet<>(); // Node compares by identity
    private int values;

    YamlTree(String source, ObjIntConsumer<String> lines) {
      this.source = source;
      this.lines = lines;
    }

    JsonNode value(Node node, String path) {
      lines.accept(path, node.getStartMark().getLine() + 1);
      // An alias of aliases grows exponentially: count what it stands for.
      if (++values > MAX_VALUES) {
        throw error(node, "the file describes more than " + MAX_VALUES + " values");
      }
      if (!open.add(node)) {
        throw error(node, "an alias stands inside the value that it names");
      }
      if (open.size() > MAX_DEPTH) {
        throw error(node, "maps and lists are nested deeper than " + MAX_DEPTH);
      }
      JsonNode converted =
          switch (node) {
            case MappingNode map when map.getTag().equals(Tag.MAP) -> map(map, path);
            case SequenceNode list when list.getTag().equals(Tag.SEQ) -> list(list, path);
            case ScalarNode scalar -> scalar(scalar);
            default -> throw tag(node);
          };
      open.remove(node);
      return converted;
    }

    private ObjectNode map(MappingNode node, String path) {
      ObjectNode map = NODES.objectNode();
      Map<String, JsonNode> merged = new HashMap<>();
      for (NodeTuple tuple : node.getValue()) {
        if (!(tuple.getKeyNode() instanceof ScalarNode keyNode)) {
          throw error(tuple.getKeyNode(), "a key must be a word");
        }
        String key = keyNode.getValue();
        if (keyNode.getTag().equals(Tag.MERGE)) {
          merge(tuple.getValueNode(), path, merged);
        } else if (map.has(key)) {
          throw error(keyNode, "the key " + key + " is given twice in the same map");
        } else {
          map.set(key, value(tuple.getValueNode(), path.isEmpty() ? key : path + "." + key));
        }
      }
      merged.forEach(map::putIfAbsent);
      return map;
    }

    /** {@code <<: *a} or {@code <<: [*a, *b]}; of equal keys the first counts. */
    private void merge(Node node, String path, Map<String, JsonNode> merged) {
      List<Node> maps = node instanceof SequenceNode list ? list.getValue() : List.of(node);
      for (Node map : maps) {
        if (!(value(map, path) instanceof ObjectNode values)) {
          throw error(node, "<< needs an alias of a map, or a list of such aliases");
        }
        values.properties().forEach(e -> merged.putIfAbsent(e.getKey(), e.getValue()));
      }
    }

    private ArrayNode list(SequenceNode node, String path) {
      ArrayNode list = NODES.arrayNode();
      for (Node element : node.getValue()) {
        list.add(value(element, path + "[" + list.size() + "]"));
      }
      return list;
    }

    private JsonNode scalar(ScalarNode node) {
      String text = node.getValue();
      Tag tag = node.getTag();
      if (!PLAIN.contains(tag)) {
        throw tag(node);
      }
      if (tag.equals(Tag.NULL)) {
        return NODES.nullNode();
      }
      if (tag.equals(Tag.BOOL)) {
        return NODES.booleanNode(
            Set.of("true", "yes", "on").contains(text.toLowerCase(Locale.ROOT)));
      }
      boolean plain = node.isPlain();
      if (plain && text.matches("[-+]?[0-9]+")) {
        BigInteger integer = new BigInteger(text);
        return integer.bitLength() < Long.SIZE
            ? NODES.numberNode(integer.longValue())
            : NODES.numberNode(integer);
      }
      // YAML 1.1 takes 1e-4, without a dot, for text; nobody who writes it means that.
      if (plain && NUMBER.matcher(text).matches()) {
        return NODES.numberNode(Double.parseDouble(text));
      }
      return NODES.textNode(text);
    }

    private ConfigException tag(Node node) {
      return error(node, "the tag " + node.getTag() + " is not accepted, only plain values");
    }

    private ConfigException error(Node node, String what) {
      return new ConfigException(
          source + " line " + (node.getStartMark().getLine() + 1) + ": " + what);
    }
  }
}
