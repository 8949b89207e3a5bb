package org.gammanet.config;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonMappingException.Reference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.DeserializationProblemHandler;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Binds a {@link ConfigTree} to the records by Jackson: a key is a record's component in snake
 * case, its default the one in {@link GammaNetConfig#CLASS_DEFAULTS}, its range what the record's
 * constructor checks. Errors name the source, the key, the value and what is accepted.
 */
final class ConfigBinder {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .addModule(
              new SimpleModule()
                  .addDeserializer(int.class, new IntegerReader(int.class))
                  .addDeserializer(Integer.class, new IntegerReader(Integer.class))
                  .addDeserializer(long.class, new LongReader())
                  .addDeserializer(double.class, new NumberReader(double.class))
                  .addDeserializer(Double.class, new NumberReader(Double.class))
                  .addDeserializer(boolean.class, new FlagReader())
                  .addDeserializer(String.class, new TextReader())
                  .addDeserializer(Path.class, new PathReader())
                  .addSerializer(Path.class, new PathWriter()))
          .build();

  /** Other spellings of keys. Where both are given they must agree, unless one has precedence. */
  private static final Map<String, String> SYNONYMS =
      sorted(
          Map.of(
              "model.num_timesteps", "model.timesteps",
              "model.fgru.hidden_channels", "model.hidden_channels",
              "model.fgru.kernel_size", "model.kernel_size",
              "data.thin_edges", "data.thin_targets",
              "training.gradient_clip_norm", "training.grad_clip",
              "training.experiment_name", "logging.experiment_name"));

  /** Synonyms with precedence, since a base file may have set the other spelling. */
  private static final Set<String> WINNING = Set.of("training.gradient_clip_norm");

  /** Synonyms to which the other spelling has precedence. */
  private static final Set<String> LOSING = Set.of("data.thin_edges", "training.experiment_name");

  /** Keys of the original program that have no effect here, and why. */
  private static final Map<String, String> INERT =
      sorted(
          Map.of(
              "data.dataset", "the kind of data set is recognized by its folders",
              "training.weight_init", "every parameter has its own initialization",
              "training.batch_norm", "model.normalization chooses the normalization",
              "training.checkpoint_dir",
                  "checkpoints are written below logging.log_dir or --output",
              "logging.wandb", "runs are logged as TensorBoard event files and JSON lines",
              "logging.wandb_project", "runs are logged as TensorBoard event files and JSON lines",
              "evaluation.additional_metrics", "the benchmark's metrics are computed"));

  /** Keys for which an explicit null means the word none; elsewhere it means the default. */
  private static final Set<String> NULL_IS_NONE =
      Set.of(
          "model.normalization",
          "model.fgru.use_attention",
          "model.fgru.symmetric_weights",
          "model.fgru.normalization_type",
          "training.lr_scheduler");

  private static final List<String> PATHS =
      List.of("model.pretrained", "data.train_path", "data.val_path", "data.test_path");

  /** Maps that are values: they replace the default instead of being merged with it. */
  private static final Set<String> VALUES = Set.of("training.loss");

  private static final ObjectNode DEFAULTS = MAPPER.valueToTree(GammaNetConfig.CLASS_DEFAULTS);

  private static Map<String, String> sorted(Map<String, String> map) {
    return new TreeMap<>(map);
  }

  private final ConfigTree tree;
  private final Consumer<String> notes;
  private final Map<String, List<String>> unknown = new LinkedHashMap<>();

  private ConfigBinder(ConfigTree tree, Consumer<String> notes) {
    this.tree = tree;
    this.notes = notes;
  }

  /**
   * Binds a configuration that somebody wrote.
   *
   * @param notes receives a sentence for each key that has no effect
   * @throws ConfigException for anything unknown or impossible
   */
  static GammaNetConfig bind(ConfigTree tree, Consumer<String> notes) {
    var binder = new ConfigBinder(tree, notes);
    binder.normalize();
    GammaNetConfig config = binder.bind(tree.root());
    if (!binder.unknown.isEmpty()) {
      throw new ConfigException(binder.unknownKeys());
    }
    return config;
  }

  /**
   * Binds a configuration that a checkpoint carries: unknown keys, and sections other than {@code
   * model} that cannot be read, become notes.
   *
   * @throws ConfigException if the model section is impossible
   */
  static GammaNetConfig bindStored(ConfigTree tree, Consumer<String> notes) {
    for (String section : List.of("data", "training", "logging")) {
      JsonNode values = tree.root().get(section);
      if (values != null) {
        ObjectNode alone = MAPPER.createObjectNode();
        alone.set(section, values.deepCopy());
        try {
          var binder = new ConfigBinder(ConfigTree.of(alone, tree.sourceOf("")), note -> {});
          binder.normalize();
          binder.bind(alone);
        } catch (ConfigException e) {
          notes.accept(e.getMessage() + "; the section " + section + " is ignored");
          tree.root().remove(section);
        }
      }
    }
    var binder = new ConfigBinder(tree, note -> {});
    binder.normalize();
    GammaNetConfig config = binder.bind(tree.root());
    if (!binder.unknown.isEmpty()) {
      notes.accept(binder.unknownKeys());
    }
    return config;
  }

  /** A record's components by their keys. */
  static ObjectNode tree(Record values) {
    return MAPPER.valueToTree(values);
  }

  /** The configuration as a file spells it, complete. */
  static ObjectNode toTree(GammaNetConfig config) {
    ObjectNode root = MAPPER.valueToTree(config);
    root.set("model", ModelSpelling.write(config.model(), (ObjectNode) root.get("model")));
    return root;
  }

  // From a file's spelling to the records'

  private void normalize() {
    INERT.forEach(this::takeInert);
    if (tree.root().path("evaluation").isEmpty()) {
      tree.root().remove("evaluation");
    }
    if (tree.root().path("num_gpus").asInt(1) > 1) {
      note("num_gpus", "a process uses one device: gammanet train --nproc starts several");
    }
    new ModelSpelling(tree, this::unknown).read();
    SYNONYMS.forEach(this::takeSynonym);
    TrainingConfig.normalize(tree.section("training"));
    AugmentationConfig.normalize(tree);
    for (String path : PATHS) {
      ObjectNode section = tree.section(parent(path));
      JsonNode value = section.path(last(path));
      if (value.isTextual()) {
        try {
          section.put(last(path), tree.sourceOf(path).resolve(value.textValue()).toString());
        } catch (InvalidPathException e) {
          throw tree.error(path, " is " + value + ", but must be a path of this system");
        }
      }
    }
    withDefaults(tree.root(), DEFAULTS, "");
  }

  private void takeInert(String path, String why) {
    JsonNode parent = tree.at(parent(path));
    JsonNode value = parent instanceof ObjectNode section ? section.remove(last(path)) : null;
    boolean off = value == null || value.isNull() || value.isBoolean() && !value.booleanValue();
    // One note for Weights & Biases, and none for the data set that every written file names.
    if (!off && !path.equals("logging.wandb_project") && !path.equals("data.dataset")) {
      note(path, why);
    }
  }

  private void note(String path, String why) {
    notes.accept(
        tree.sourceOf(path).label() + ": " + path + " is accepted but has no effect: " + why);
  }

  private void takeSynonym(String synonym, String path) {
    if (!(tree.at(parent(synonym)) instanceof ObjectNode from)) {
      return;
    }
    JsonNode other = from.remove(last(synonym));
    if (other == null || other.isNull()) {
      return;
    }
    ObjectNode to = tree.section(parent(path));
    JsonNode value = to.get(last(path));
    if (value == null || value.isNull() || WINNING.contains(synonym)) {
      to.set(last(path), other);
      tree.setSource(path, synonym);
    } else if (!LOSING.contains(synonym) && !value.equals(other)) {
      throw tree.error(
          path, " is " + value + ", but its other spelling " + synonym + " is " + other);
    }
  }

  private void withDefaults(ObjectNode own, ObjectNode defaults, String prefix) {
    for (Map.Entry<String, JsonNode> entry : defaults.properties()) {
      String path = prefix + entry.getKey();
      JsonNode value = own.get(entry.getKey());
      if (entry.getValue() instanceof ObjectNode section && !VALUES.contains(path)) {
        withDefaults(tree.section(path), section, path + ".");
      } else if (value == null || value.isNull() && !NULL_IS_NONE.contains(path)) {
        own.set(entry.getKey(), entry.getValue().deepCopy());
      } else if (value.isNull()) {
        own.put(entry.getKey(), "none");
      }
    }
  }

  // Binding, and what its errors say

  private GammaNetConfig bind(ObjectNode root) {
    try {
      return MAPPER
          .readerFor(GammaNetConfig.class)
          .withHandler(new UnknownKeys())
          .readValue(root, GammaNetConfig.class);
    } catch (JsonMappingException e) {
      throw explain(e);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private ConfigException explain(JsonMappingException e) {
    String path = path(e.getPath());
    Throwable cause = e.getCause();
    if (cause instanceof IllegalArgumentException) { // of a record's constructor: "key is …"
      String message = String.valueOf(cause.getMessage());
      int end = Math.max(0, message.indexOf(' '));
      String key = message.substring(0, end);
      return tree.error(path.isEmpty() ? key : path + "." + key, message.substring(end));
    }
    String expected = e.getOriginalMessage();
    JsonNode value = tree.at(path);
    if (e instanceof InvalidFormatException format && format.getValue() instanceof String text) {
      value = TextNode.valueOf(text); // for a map's key, the key itself
    }
    if (e instanceof MismatchedInputException mismatch) {
      Class<?> type = mismatch.getTargetType();
      if (type != null && type.isEnum()) {
        List<String> words =
            Stream.of(type.getEnumConstants()).map(c -> ((Word) c).word()).toList();
        expected = Spelling.choice(words) + suggestion(value, words);
      } else if (type != null && Collection.class.isAssignableFrom(type)) {
        expected = "a list";
      } else if (type != null && (type.isRecord() || Map.class.isAssignableFrom(type))) {
        expected = "a map of keys";
      }
    }
    return tree.error(path, " is " + ConfigTree.describe(value) + ", but must be " + expected);
  }

  private static String suggestion(JsonNode value, List<String> words) {
    String near = value.isTextual() ? Spelling.nearest(value.textValue(), words) : null;
    return near == null ? "" : " (did you mean " + near + "?)";
  }

  private static String path(List<Reference> references) {
    var path = new StringBuilder();
    for (Reference reference : references) {
      if (reference.getFieldName() == null) {
        path.append('[').append(reference.getIndex()).append(']');
      } else {
        path.append(path.isEmpty() ? "" : ".").append(reference.getFieldName());
      }
    }
    return path.toString();
  }

  /** Collects the unknown keys, so that one sentence names all of them. */
  private final class UnknownKeys extends DeserializationProblemHandler {
    @Override
    public boolean handleUnknownProperty(
        DeserializationContext context,
        JsonParser parser,
        JsonDeserializer<?> deserializer,
        Object beanOrClass,
        String name)
        throws IOException {
      var references = new ArrayList<String>();
      for (var at = parser.getParsingContext(); at != null; at = at.getParent()) {
        if (at.inObject() && at.getCurrentName() != null) {
          references.addFirst(at.getCurrentName());
        } else if (at.inArray()) {
          references.addFirst("[" + at.getCurrentIndex() + "]");
        }
      }
      String path = String.join(".", references).replace(".[", "[");
      Collection<Object> known = deserializer.getKnownPropertyNames();
      unknown(path, known == null ? List.of() : known.stream().map(String::valueOf).toList());
      parser.skipChildren();
      return true;
    }
  }

  private void unknown(String path, List<String> known) {
    unknown.put(path, known);
  }

  private String unknownKeys() {
    List<String> parts = new ArrayList<>();
    for (Map.Entry<String, List<String>> entry : unknown.entrySet()) {
      String path = entry.getKey();
      Set<String> known = new TreeSet<>(entry.getValue());
      known.removeAll(ModelSpelling.INTERNAL);
      if (!path.contains("[")) {
        String prefix = parent(path).isEmpty() ? "" : parent(path) + ".";
        Stream.concat(ModelSpelling.KEYS.stream(), SYNONYMS.keySet().stream())
            .filter(key -> (parent(key).isEmpty() ? "" : parent(key) + ".").equals(prefix))
            .forEach(key -> known.add(last(key)));
      }
      String near = Spelling.nearest(last(path), known);
      String meant =
          near != null
              ? (parent(path).isEmpty() ? near : parent(path) + "." + near)
              : elsewhere(path);
      if (meant != null) {
        parts.add(path + " (did you mean " + meant + "?)");
      } else if (parts.isEmpty()) {
        parts.add(path + " (known here: " + String.join(", ", known) + ")");
      } else {
        parts.add(path);
      }
    }
    return tree.sourceOf(unknown.keySet().iterator().next()).label()
        + (parts.size() > 1 ? ": unknown keys " : ": unknown key ")
        + String.join(", ", parts);
  }

  /** The right key in the wrong section, or with dots where maps are nested. */
  private static @Nullable String elsewhere(String path) {
    Set<String> all = new LinkedHashSet<>();
    keys(MAPPER.constructType(GammaNetConfig.class), "", all);
    all.addAll(ModelSpelling.KEYS);
    if (path.indexOf('.') > 0 && all.contains(path)) {
      String[] keys = path.split("\\.", -1);
      return String.join(": {", keys) + ": …" + "}".repeat(keys.length - 1);
    }
    return all.stream().filter(key -> last(key).equals(last(path))).findFirst().orElse(null);
  }

  private static void keys(JavaType type, String prefix, Set<String> keys) {
    BeanDescription bean = MAPPER.getDeserializationConfig().introspect(type);
    for (BeanPropertyDefinition property : bean.findProperties()) {
      keys.add(prefix + property.getName());
      if (property.getPrimaryType().getRawClass().isRecord()) {
        keys(property.getPrimaryType(), prefix + property.getName() + ".", keys);
      }
    }
  }

  private static String parent(String path) {
    return path.contains(".") ? path.substring(0, path.lastIndexOf('.')) : "";
  }

  private static String last(String path) {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  // Scalars; the message of an exception is what a value must be

  private abstract static class Reader<T> extends StdDeserializer<T> {
    private static final long serialVersionUID = 1;
    private final String expected;

    Reader(Class<?> type, String expected) {
      super(type);
      this.expected = expected;
    }

    @Override
    public T deserialize(JsonParser parser, DeserializationContext context) throws IOException {
      T value = read(parser);
      if (value == null) {
        throw MismatchedInputException.from(parser, handledType(), expected);
      }
      return value;
    }

    /** The value, or null if it is not of this type. */
    abstract @Nullable T read(JsonParser parser) throws IOException;

    static @Nullable Double number(JsonParser parser) throws IOException {
      try {
        double value =
            switch (parser.currentToken()) {
              case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
              case VALUE_STRING -> Double.parseDouble(parser.getText());
              default -> Double.NaN;
            };
        return Double.isFinite(value) ? value : null;
      } catch (NumberFormatException e) {
        return null;
      }
    }
  }

  private static final class IntegerReader extends Reader<Integer> {
    private static final long serialVersionUID = 1;

    IntegerReader(Class<Integer> type) {
      super(type, "an integer");
    }

    @Override
    @Nullable Integer read(JsonParser parser) throws IOException {
      Double value = number(parser);
      if (value == null || value != Math.rint(value) || Math.abs(value) > Integer.MAX_VALUE) {
        return null;
      }
      return value.intValue();
    }
  }

  private static final class LongReader extends Reader<Long> {
    private static final long serialVersionUID = 1;

    LongReader() {
      super(long.class, "an integer");
    }

    @Override
    @Nullable Long read(JsonParser parser) throws IOException {
      boolean integer =
          parser.hasToken(JsonToken.VALUE_NUMBER_INT)
              && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
      return integer ? (Long) parser.getLongValue() : null;
    }
  }

  private static final class NumberReader extends Reader<Double> {
    private static final long serialVersionUID = 1;

    NumberReader(Class<Double> type) {
      super(type, "a number");
    }

    @Override
    @Nullable Double read(JsonParser parser) throws IOException {
      return number(parser);
    }
  }

  private static final class FlagReader extends Reader<Boolean> {
    private static final long serialVersionUID = 1;

    FlagReader() {
      super(boolean.class, "true or false");
    }

    @Override
    @Nullable Boolean read(JsonParser parser) {
      return switch (parser.currentToken()) {
        case VALUE_TRUE -> true;
        case VALUE_FALSE -> false;
        default -> null;
      };
    }
  }

  private static final class TextReader extends Reader<String> {
    private static final long serialVersionUID = 1;

    TextReader() {
      super(String.class, "text");
    }

    @Override
    @Nullable String read(JsonParser parser) throws IOException {
      boolean text = parser.hasToken(JsonToken.VALUE_STRING) && !parser.getText().isBlank();
      return text ? parser.getText() : null;
    }
  }

  private static final class PathReader extends Reader<Path> {
    private static final long serialVersionUID = 1;

    PathReader() {
      super(Path.class, "text");
    }

    @Override
    @Nullable Path read(JsonParser parser) throws IOException {
      boolean text = parser.hasToken(JsonToken.VALUE_STRING) && !parser.getText().isBlank();
      return text ? Path.of(parser.getText()) : null;
    }
  }

  /** Jackson writes a path as a URI. */
  private static final class PathWriter extends StdSerializer<Path> {
    private static final long serialVersionUID = 1;

    PathWriter() {
      super(Path.class);
    }

    @Override
    public void serialize(Path path, JsonGenerator out, SerializerProvider provider)
        throws IOException {
      out.writeString(path.toString());
    }
  }
}
