package org.gammanet.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
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
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/** Text to trees and back, in JSON and YAML. */
final class Documents {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final YAMLMapper YAML =
      YAMLMapper.builder(
              YAMLFactory.builder()
                  .enable(YAMLParser.Feature.EMPTY_STRING_AS_NULL)
                  .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                  .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
                  .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
                  .build())
          .build();

  private Documents() {}

  static JsonNode parseJson(String json, String source) {
    try {
      return JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw syntax(source, e);
    }
  }

  /**
   * Parses one YAML document.
   *
   * @param lines receives the dotted path and the line of every value
   */
  static JsonNode parseYaml(String yaml, String source, ObjIntConsumer<String> lines) {
    try (YAMLParser parser = YAML.getFactory().createParser(yaml)) {
      return new YamlTree(parser, source, lines).read();
    } catch (JsonProcessingException e) {
      throw syntax(source, e);
    } catch (IOException e) {
      throw new ConfigException(source + ": " + e.getMessage(), e);
    }
  }

  static String toJson(Map<String, Object> map) {
    return write(JSON, map);
  }

  static String toYaml(Map<String, Object> map) {
    return write(YAML, map);
  }

  private static String write(ObjectMapper mapper, Object tree) {
    try {
      return mapper.writeValueAsString(tree);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration is plain maps, lists and scalars", e);
    }
  }

  private static ConfigException syntax(String source, JsonProcessingException e) {
    JsonLocation where = e.getLocation();
    // Parsers explain over several lines and draw the place; the first line is the reason.
    String reason = String.valueOf(e.getOriginalMessage()).strip().lines().findFirst().orElse("");
    return new ConfigException(
        source + (where == null ? "" : " line " + where.getLineNr()) + ": " + reason, e);
  }

  /**
   * Builds a tree from YAML events. Jackson's own tree reader takes an alias for text and keeps the
   * last of two equal keys; here aliases of maps and lists and {@code <<} work, bounded (the parser
   * does not tell the anchors of scalars), and equal keys are refused.
   */
  private static final class YamlTree {
    private static final int MAX_DEPTH = 32;
    private static final int MAX_NODES = 20_000;

    private final YAMLParser parser;
    private final String source;
    private final ObjIntConsumer<String> lines;
    private final Map<String, JsonNode> anchors = new HashMap<>();
    private final Map<String, Integer> anchorSizes = new HashMap<>();
    private int nodes;

    YamlTree(YAMLParser parser, String source, ObjIntConsumer<String> lines) {
      this.parser = parser;
      this.source = source;
      this.lines = lines;
    }

    JsonNode read() throws IOException {
      if (parser.nextToken() == null) {
        return MissingNode.getInstance();
      }
      JsonNode root = value("", 0);
      if (parser.nextToken() != null) {
        throw error("the file holds more than one document");
      }
      return root;
    }

    private JsonNode value(String path, int depth) throws IOException {
      lines.accept(path, line());
      if (depth > MAX_DEPTH) {
        throw error("maps and lists are nested deeper than " + MAX_DEPTH);
      }
      if (parser.isCurrentAlias()) {
        return alias(parser.getText());
      }
      if (parser.getTypeId() != null) {
        throw error("the tag " + parser.getTypeId() + " is not accepted, only plain values");
      }
      String anchor = (String) parser.getObjectId();
      int before = nodes;
      count(1);
      JsonNode node =
          switch (parser.currentToken()) {
            case START_OBJECT -> map(path, depth);
            case START_ARRAY -> list(path, depth);
            case VALUE_NUMBER_INT ->
                switch (parser.getNumberType()) {
                  case INT, LONG -> JsonNodeFactory.instance.numberNode(parser.getLongValue());
                  default -> JsonNodeFactory.instance.numberNode(parser.getBigIntegerValue());
                };
            case VALUE_NUMBER_FLOAT -> JsonNodeFactory.instance.numberNode(parser.getDoubleValue());
            case VALUE_TRUE -> JsonNodeFactory.instance.booleanNode(true);
            case VALUE_FALSE -> JsonNodeFactory.instance.booleanNode(false);
            case VALUE_NULL -> JsonNodeFactory.instance.nullNode();
            default -> JsonNodeFactory.instance.textNode(parser.getText());
          };
      if (anchor != null) {
        anchors.put(anchor, node);
        anchorSizes.put(anchor, nodes - before);
      }
      return node;
    }

    private JsonNode alias(@Nullable String name) {
      JsonNode node = anchors.get(name);
      if (node == null) {
        throw error("no map or list before *" + name + " has the anchor &" + name);
      }
      count(anchorSizes.getOrDefault(name, 1));
      return node;
    }

    private ObjectNode map(String path, int depth) throws IOException {
      ObjectNode map = JsonNodeFactory.instance.objectNode();
      ObjectNode merged = JsonNodeFactory.instance.objectNode();
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        if (map.has(key)) {
          throw error("the key " + key + " is given twice in the same map");
        }
        parser.nextToken();
        JsonNode value = value(path.isEmpty() ? key : path + "." + key, depth + 1);
        if (!key.equals("<<")) {
          map.set(key, value);
        } else if (value.isObject()) {
          merged.setAll((ObjectNode) value);
        } else {
          throw error("<< needs an alias of a map");
        }
      }
      for (Map.Entry<String, JsonNode> entry : merged.properties()) {
        if (!map.has(entry.getKey())) {
          map.set(entry.getKey(), entry.getValue());
        }
      }
      return map;
    }

    private ArrayNode list(String path, int depth) throws IOException {
      ArrayNode list = JsonNodeFactory.instance.arrayNode();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        list.add(value(path + "[" + list.size() + "]", depth + 1));
      }
      return list;
    }

    /** Aliases of aliases grow exponentially: what they stand for counts, not what is written. */
    private void count(int more) {
      nodes += more;
      if (nodes > MAX_NODES) {
        throw error("the file describes more than " + MAX_NODES + " values");
      }
    }

    private ConfigException error(String what) {
      return new ConfigException(source + " line " + line() + ": " + what);
    }

    private int line() {
      return parser.currentTokenLocation().getLineNr();
    }
  }
}
