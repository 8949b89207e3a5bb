package org.gammanet.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One map of a configuration while it is read. Asking for a key makes it a known key, so that the
 * accepted keys are written down nowhere but in the code that reads them.
 */
final class Section {
  /** What all sections of one document share. */
  private static final class Document {
    final JsonNode root;
    final Map<String, Source> sources;
    final Source source;
    final Consumer<String> notes;
    final Set<String> known = new LinkedHashSet<>();
    final Set<String> containers = new LinkedHashSet<>();

    Document(JsonNode root, Source source, Map<String, Source> sources, Consumer<String> notes) {
      this.root = root;
      this.source = source;
      this.sources = sources;
      this.notes = notes;
    }

    /** The file (or option) that set the key, or the one that set the map around it. */
    Source sourceOf(String path) {
      for (String p = path; !p.isEmpty(); p = parent(p)) {
        Source found = sources.get(p);
        if (found != null) {
          return found;
        }
      }
      return source;
    }
  }

  private final Document document;
  private final JsonNode node;
  private final String path;

  private Section(Document document, JsonNode node, String path) {
    this.document = document;
    this.node = node;
    this.path = path;
    document.containers.add(path);
  }

  /**
   * The root of a document.
   *
   * @param source the file that errors name
   * @param sources dotted paths whose values came from somewhere else than {@code source}
   * @param notes receives one sentence for each key that is accepted but does nothing
   */
  static Section root(
      JsonNode tree, Source source, Map<String, Source> sources, Consumer<String> notes) {
    if (!tree.isObject()) {
      throw new ConfigException(
          source.label()
              + ": "
              + (tree.isMissingNode() || tree.isNull()
                  ? "the file is empty"
                  : "the file holds " + describe(tree))
              + ", but must be a map of sections such as 'model:'");
    }
    return new Section(new Document(tree, source, sources, notes), tree, "");
  }

  // Maps and lists

  /** The section below {@code key}; empty when the key is absent or null. */
  Section section(String key) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return new Section(document, JsonNodeFactory.instance.objectNode(), at(key));
    }
    if (!child.isObject()) {
      throw wrong(key, "a map of keys");
    }
    return new Section(document, child, at(key));
  }

  /** The section as it would be if it were absent. */
  Section emptySection(String key) {
    return new Section(document, JsonNodeFactory.instance.objectNode(), at(key));
  }

  /** The maps of a list, or null when the key is absent, null or a list of something else. */
  @Nullable List<Section> sections(String key) {
    JsonNode child = get(key);
    if (child == null || !child.isArray() || child.isEmpty() || !child.get(0).isObject()) {
      return null;
    }
    List<Section> list = new ArrayList<>();
    for (int i = 0; i < child.size(); i++) {
      if (!child.get(i).isObject()) {
        throw wrong(key + "[" + i + "]", child.get(i), "a map, as the entries before it");
      }
      list.add(new Section(document, child.get(i), at(key) + "[" + i + "]"));
    }
    return list;
  }

  /** A list of words, or null when the key is absent or null. */
  @Nullable List<String> texts(String key, String expected) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return null;
    }
    List<String> list = new ArrayList<>();
    if (!child.isArray()) {
      throw wrong(key, expected);
    }
    for (JsonNode element : child) {
      if (!element.isTextual()) {
        throw wrong(key, expected);
      }
      list.add(element.textValue());
    }
    return list;
  }

  /** A list of numbers; {@code fallback} when the key is absent or null. */
  List<Double> numbers(String key, List<Double> fallback, String expected) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return fallback;
    }
    List<Double> list = new ArrayList<>();
    if (!child.isArray()) {
      throw wrong(key, expected);
    }
    for (JsonNode element : child) {
      Double value = toNumber(element);
      if (value == null) {
        throw wrong(key, expected);
      }
      list.add(value);
    }
    return list;
  }

  /** Word and number pairs of the map below {@code key}. */
  Map<String, Double> weights(String key, String expected) {
    JsonNode child = get(key);
    Map<String, Double> map = new LinkedHashMap<>();
    if (child == null || !child.isObject()) {
      return map;
    }
    for (Map.Entry<String, JsonNode> entry : child.properties()) {
      Double value = toNumber(entry.getValue());
      if (value == null) {
        throw wrong(key, expected);
      }
      document.known.add(at(key) + "." + entry.getKey());
      map.put(entry.getKey(), value);
    }
    return map;
  }

  // Scalars; absent and null both mean the default, unless said otherwise

  int integer(String key, int fallback) {
    Integer value = integerOrNull(key);
    return value == null ? fallback : value;
  }

  @Nullable Integer integerOrNull(String key) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return null;
    }
    Double value = toNumber(child);
    if (value == null || value != Math.rint(value) || Math.abs(value) > Integer.MAX_VALUE) {
      throw wrong(key, "an integer");
    }
    return value.intValue();
  }

  long longInteger(String key, long fallback) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return fallback;
    }
    if (!child.isIntegralNumber() || !child.canConvertToLong()) {
      throw wrong(key, "an integer");
    }
    return child.longValue();
  }

  double number(String key, double fallback) {
    Double value = numberOrNull(key);
    return value == null ? fallback : value;
  }

  @Nullable Double numberOrNull(String key) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return null;
    }
    Double value = toNumber(child);
    if (value == null) {
      throw wrong(key, "a number");
    }
    return value;
  }

  boolean flag(String key, boolean fallback) {
    Boolean value = flagOrNull(key);
    return value == null ? fallback : value;
  }

  @Nullable Boolean flagOrNull(String key) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return null;
    }
    if (child.isBoolean()) {
      return child.booleanValue();
    }
    // YAML 1.1, which Python's reader follows, has these spellings too.
    return switch (child.isTextual() ? child.textValue().toLowerCase(Locale.ROOT) : "") {
      case "yes", "on" -> true;
      case "no", "off" -> false;
      default -> throw wrong(key, "true or false");
    };
  }

  @Nullable String text(String key) {
    JsonNode child = get(key);
    if (child == null || child.isNull()) {
      return null;
    }
    if (!child.isTextual() || child.textValue().isBlank()) {
      throw wrong(key, "text");
    }
    return child.textValue();
  }

  String text(String key, String fallback) {
    String value = text(key);
    return value == null ? fallback : value;
  }

  /** One of the accepted words; absent and null mean {@code fallback}. */
  @SafeVarargs
  final <E extends Enum<E> & Word> E word(String key, E fallback, E... accepted) {
    return word(key, fallback, fallback, List.of(accepted));
  }

  /** One of the accepted words, where an explicit null means {@code ifNull}. */
  <E extends Enum<E> & Word> E word(String key, E ifAbsent, E ifNull, List<E> accepted) {
    JsonNode child = get(key);
    if (child == null) {
      return ifAbsent;
    }
    if (child.isNull()) {
      return ifNull;
    }
    String text = child.isTextual() ? child.textValue() : "";
    for (E candidate : accepted) {
      if (candidate.word().equalsIgnoreCase(text)) {
        return candidate;
      }
    }
    List<String> words = accepted.stream().map(Word::word).collect(Collectors.toList());
    throw wrong(key, choice(words) + hint(text, words));
  }

  /** Whether the key is present with a value. */
  boolean has(String key) {
    JsonNode child = get(key);
    return child != null && !child.isNull();
  }

  /** The value itself, for keys of several types; absent is null. */
  @Nullable JsonNode get(String key) {
    document.known.add(at(key));
    return node.get(key);
  }

  /** A path, relative to the file that it is written in; absent is null. */
  @Nullable Path path(String key) {
    String text = text(key);
    if (text == null) {
      return null;
    }
    try {
      return document.sourceOf(at(key)).resolve(text);
    } catch (InvalidPathException e) {
      throw wrong(key, "a path of this system");
    }
  }

  /** Accepts a key that does nothing here and says so. */
  void unused(String key, String why) {
    if (has(key)) {
      document.notes.accept(
          document.sourceOf(at(key)).label()
              + ": "
              + at(key)
              + " is accepted but has no effect: "
              + why);
    }
  }

  // Errors

  /** The error for a key whose value is not {@code expected}. */
  ConfigException wrong(String key, String expected) {
    JsonNode child = node.get(key);
    return wrong(key, child == null ? JsonNodeFactory.instance.nullNode() : child, expected);
  }

  private ConfigException wrong(String key, JsonNode value, String expected) {
    return error(key, " is " + describe(value) + ", but must be " + expected);
  }

  /** An error about a key: the file, the dotted key, then the given rest of the sentence. */
  ConfigException error(String key, String rest) {
    return new ConfigException(document.sourceOf(at(key)).label() + ": " + at(key) + rest);
  }

  /**
   * Builds a record; what its constructor refuses, in a sentence that begins with the key's name,
   * becomes an error with file and full key.
   */
  <T> T build(Supplier<T> record) {
    try {
      return record.get();
    } catch (IllegalArgumentException e) {
      String message = String.valueOf(e.getMessage());
      int end = message.indexOf(' ');
      throw error(
          end < 0 ? message : message.substring(0, end), end < 0 ? "" : message.substring(end));
    }
  }

  /** Refuses the keys that nobody asked for, all in one sentence, each with the nearest known. */
  void refuseUnknownKeys() {
    String sentence = unknownKeys();
    if (sentence != null) {
      throw new ConfigException(sentence);
    }
  }

  /** Reports the keys that nobody asked for without refusing them. */
  void noteUnknownKeys() {
    String sentence = unknownKeys();
    if (sentence != null) {
      document.notes.accept(sentence);
    }
  }

  private @Nullable String unknownKeys() {
    List<String> unknown = new ArrayList<>();
    collectUnknown(document.root, "", unknown);
    if (unknown.isEmpty()) {
      return null;
    }
    List<String> hints = unknown.stream().map(this::suggestion).toList();
    StringBuilder details = new StringBuilder();
    for (int i = 0; i < unknown.size(); i++) {
      details.append(i == 0 ? "" : ", ").append(unknown.get(i)).append(hints.get(i));
    }
    if (hints.get(0).isEmpty()) {
      details.append(" (known here: ").append(knownBeside(unknown.get(0))).append(')');
    }
    return document.sourceOf(unknown.get(0)).label()
        + ": unknown key"
        + (unknown.size() > 1 ? "s " : " ")
        + details;
  }

  private void collectUnknown(JsonNode at, String prefix, List<String> unknown) {
    for (Map.Entry<String, JsonNode> entry : at.properties()) {
      String key = prefix.isEmpty() ? entry.getKey() : prefix + "." + entry.getKey();
      if (!document.known.contains(key)) {
        unknown.add(key);
      } else if (document.containers.contains(key)) {
        collectUnknown(entry.getValue(), key, unknown);
      } else if (entry.getValue().isArray()) {
        Iterator<JsonNode> elements = entry.getValue().elements();
        for (int i = 0; elements.hasNext(); i++) {
          JsonNode element = elements.next();
          if (document.containers.contains(key + "[" + i + "]")) {
            collectUnknown(element, key + "[" + i + "]", unknown);
          }
        }
      }
    }
  }

  private String suggestion(String key) {
    String parent = parent(key);
    String last = parent.isEmpty() ? key : key.substring(parent.length() + 1);
    List<String> siblings =
        document.known.stream().filter(k -> parent(k).equals(parent)).collect(Collectors.toList());
    String near =
        nearest(last, siblings.stream().map(k -> k.substring(k.lastIndexOf('.') + 1)).toList());
    if (near != null) {
      return " (did you mean " + (parent.isEmpty() ? near : parent + "." + near) + "?)";
    }
    // The right key in the wrong section.
    for (String k : document.known) {
      if (!k.contains("[") && k.substring(k.lastIndexOf('.') + 1).equals(last)) {
        return " (did you mean " + k + "?)";
      }
    }
    return "";
  }

  private String knownBeside(String key) {
    return document.known.stream()
        .filter(k -> parent(k).equals(parent(key)))
        .map(k -> k.substring(k.lastIndexOf('.') + 1))
        .sorted()
        .collect(Collectors.joining(", "));
  }

  private static String hint(String found, List<String> words) {
    String near = found.isEmpty() ? null : nearest(found, words);
    return near == null ? "" : " (did you mean " + near + "?)";
  }

  /** The candidate within a third of the word's length in edits, or null. */
  static @Nullable String nearest(String word, List<String> candidates) {
    String best = null;
    int least = 1 + Math.max(1, word.length() / 3);
    for (String candidate : candidates) {
      int distance = editDistance(word, candidate);
      if (distance < least) {
        least = distance;
        best = candidate;
      }
    }
    return best;
  }

  /** Insertions, deletions, changes and swaps of neighbours that turn a into b. */
  private static int editDistance(String a, String b) {
    int[] before = new int[b.length() + 1];
    int[] previous = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      previous[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int[] current = new int[b.length() + 1];
      current[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(change, 1 + Math.min(previous[j], current[j - 1]));
        boolean swapped =
            i > 1
                && j > 1
                && a.charAt(i - 1) == b.charAt(j - 2)
                && a.charAt(i - 2) == b.charAt(j - 1);
        if (swapped) {
          current[j] = Math.min(current[j], before[j - 2] + 1);
        }
      }
      before = previous;
      previous = current;
    }
    return previous[b.length()];
  }

  /** {@code a, b or c}. */
  static String choice(List<String> words) {
    return words.size() == 1
        ? words.get(0)
        : String.join(", ", words.subList(0, words.size() - 1))
            + " or "
            + words.get(words.size() - 1);
  }

  private String at(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private static String parent(String path) {
    return path.contains(".") ? path.substring(0, path.lastIndexOf('.')) : "";
  }

  /** Numbers, and text such as {@code 1e-4} that YAML takes for a string; null for the rest. */
  private static @Nullable Double toNumber(JsonNode node) {
    double value;
    if (node.isNumber()) {
      value = node.doubleValue();
    } else if (node.isTextual()
        && node.textValue().matches("[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?")) {
      value = Double.parseDouble(node.textValue());
    } else {
      return null;
    }
    return Double.isFinite(value) ? value : null;
  }

  private static String describe(JsonNode node) {
    String kind =
        switch (node.getNodeType()) {
          case OBJECT -> "a map";
          case ARRAY -> "the list ";
          case NULL, MISSING -> "empty";
          default -> "";
        };
    if (node.isObject() || node.isNull() || node.isMissingNode()) {
      return kind;
    }
    String text = node.toString();
    return kind + (text.length() > 60 ? text.substring(0, 57) + "..." : text);
  }
}
