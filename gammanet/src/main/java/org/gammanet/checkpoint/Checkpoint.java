package org.gammanet.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gammanet.checkpoint.PyValue.Dictionary;
import org.gammanet.checkpoint.PyValue.Str;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.Vgg16;

/**
 * Weights by name, their metadata, and the optimizer's state of a training run that can be resumed.
 *
 * <p>{@link #load} reads safetensors, both containers of {@code torch.save}, and VGG16's
 * convolutions from HDF5 files of Keras, told apart by content. Nothing in a file is executed.
 * {@link #save} writes safetensors. A file that holds an optimizer's state calls its tensors {@code
 * model.NAME} and {@code optimizer.NAME}, otherwise weights have their plain names, which are
 * PyTorch's.
 *
 * <p>Metadata are texts by key: numbers, truth values, lists and maps as JSON, texts as they are
 * (quoted only where they could be taken for JSON). Usual keys are {@code config} (the whole
 * configuration), {@code epoch} (the last finished one, from 0), {@code global_step} and {@code
 * best_metric}.
 */
public final class Checkpoint {
  /** How a file stores its tensors. */
  public enum Format {
    SAFETENSORS("safetensors"),
    TORCH_ZIP("PyTorch (zip)"),
    TORCH_LEGACY("PyTorch (before 1.6)"),
    KERAS("Keras (HDF5)");

    private final String title;

    Format(String title) {
      this.title = title;
    }

    /** The name of the format, for people to read. */
    public String title() {
      return title;
    }
  }

  /** Recurrent states that the PyTorch implementation saves among the weights: 18, and 9. */
  private static final Pattern RECURRENT_STATE =
      Pattern.compile(
          "h[0-4]_(exc|inh)|td_h[0-3]_(exc|inh)|h_block1|h[0-3]_e|td_h_block1|td_h[0-2]");

  private static final Pattern VGG16 =
      Pattern.compile(
          "features\\.(?:%s)\\.(weight|bias)"
              .formatted(
                  Vgg16.CONVOLUTIONS.stream()
                      .flatMap(List::stream)
                      .map(String::valueOf)
                      .collect(Collectors.joining("|"))));

  /** The key under which safetensors files say what they come from. */
  private static final String FORMAT_KEY = "format";

  private static final String MODEL = "model.";
  private static final String OPTIMIZER = "optimizer.";

  /** JSON as Python writes and reads it: with NaN and Infinity as numbers. */
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final JsonMapper STRICT_JSON = JsonMapper.builder().build();

  private final String source;
  private final Format format;
  private final SequencedMap<String, StoredTensor> weights;
  private final SequencedMap<String, StoredTensor> optimizer;
  private final SequencedMap<String, String> metadata;
  private final List<String> remarks;

  private Checkpoint(
      String source,
      Format format,
      Map<String, StoredTensor> weights,
      Map<String, StoredTensor> optimizer,
      Map<String, String> metadata,
      List<String> remarks) {
    this.source = source;
    this.format = format;
    this.weights = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(weights));
    this.optimizer = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(optimizer));
    this.metadata = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(metadata));
    this.remarks = List.copyOf(remarks);
  }

  /**
   * A checkpoint to be saved.
   *
   * @param weights by name
   * @param optimizer tensors of an optimizer by name; empty for weights alone
   * @param metadata texts by key, as described above
   */
  public static Checkpoint of(
      Map<String, StoredTensor> weights,
      Map<String, StoredTensor> optimizer,
      Map<String, String> metadata) {
    return new Checkpoint(
        "checkpoint", Format.SAFETENSORS, weights, optimizer, metadata, List.of());
  }

  // Reading

  /**
   * Reads a file: {@code .safetensors}, {@code .pt} or {@code .pth}, whatever its name, or the best
   * network in the folder of a training run.
   *
   * @throws CheckpointException in one sentence, when it is none, is damaged or cut off, or wants
   *     something executed
   */
  public static Checkpoint load(Path file) {
    return MappedFile.read(fileOf(file), Checkpoint::read);
  }

  /**
   * The file that a path means: itself, or in the folder of a training run the best network, and
   * the last one where no best was written.
   *
   * @throws CheckpointException for a folder that holds neither
   */
  public static Path fileOf(Path path) {
    if (!Files.isDirectory(path)) {
      return path;
    }
    for (String name : List.of("best_model.safetensors", "last.safetensors")) {
      for (Path folder : List.of(path.resolve("checkpoints"), path)) {
        if (Files.isRegularFile(folder.resolve(name))) {
          return folder.resolve(name);
        }
      }
    }
    throw new CheckpointException(
        path + " is a folder without a checkpoint: it has no checkpoints/best_model.safetensors");
  }

  /**
   * Whether these are weights of torchvision's VGG16: 3 × 3 convolutions in its places, and nothing
   * else but its classifier. AlexNet, MobileNet and the other VGGs have other places or kernels.
   */
  public boolean isVgg16() {
    for (Map.Entry<String, StoredTensor> entry : weights.entrySet()) {
      Matcher place = VGG16.matcher(entry.getKey());
      long[] shape = entry.getValue().shape();
      boolean convolution = place.matches() && place.group(1).equals("weight");
      if (!place.matches() && !entry.getKey().startsWith("classifier.")
          || convolution && (shape.length != 4 || shape[2] != 3 || shape[3] != 3)) {
        return false;
      }
    }
    return weights.containsKey("features.0.weight");
  }

  /**
   * Reads the bytes of such a file, which must not change any more.
   *
   * @param name what messages call them
   * @throws CheckpointException as {@link #load(Path)}
   */
  public static Checkpoint load(String name, byte[] bytes) {
    return MappedFile.read(name, bytes, Checkpoint::read);
  }

  private static Checkpoint read(MappedFile file) throws IOException {
    if (TorchFile.isZip(file)) {
      return ofPython(file.toString(), Format.TORCH_ZIP, TorchFile.readZip(file));
    }
    if (file.size() > 8 && file.slice(8, 1).get() == '{') {
      return ofSafeTensors(file.toString(), SafeTensors.read(file));
    }
    if (KerasVgg16.isHdf5(file)) {
      KerasVgg16.Contents vgg16 = KerasVgg16.read(file);
      return new Checkpoint(
          file.toString(),
          Format.KERAS,
          vgg16.weights(),
          Map.of(),
          Map.of(),
          List.of(vgg16.remark()));
    }
    if (TorchFile.isPickle(file)) {
      return ofPython(file.toString(), Format.TORCH_LEGACY, TorchFile.readLegacy(file));
    }
    throw new CheckpointException(
        "%s is neither a safetensors file nor one of torch.save or Keras: it begins with %s"
            .formatted(file, beginning(file)));
  }

  private static String beginning(MappedFile file) throws IOException {
    ByteBuffer start = file.slice(0, Math.min(16, file.size()));
    String text = StandardCharsets.ISO_8859_1.decode(start).toString();
    return "'" + text.replaceAll("[^ -~]", "?") + "'";
  }

  private static Checkpoint ofSafeTensors(String source, SafeTensors.Contents contents) {
    SequencedMap<String, StoredTensor> weights = new LinkedHashMap<>();
    SequencedMap<String, StoredTensor> optimizer = new LinkedHashMap<>();
    boolean training =
        contents.tensors().keySet().stream().anyMatch(name -> name.startsWith(OPTIMIZER));
    contents
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (!training) {
                weights.put(name, tensor);
              } else if (name.startsWith(MODEL)) {
                weights.put(name.substring(MODEL.length()), tensor);
              } else if (name.startsWith(OPTIMIZER)) {
                optimizer.put(name.substring(OPTIMIZER.length()), tensor);
              } else {
                throw new CheckpointException(
                    "%s holds an optimizer's state, but its tensor '%s' is neither %s nor %s"
                        .formatted(source, name, MODEL + "…", OPTIMIZER + "…"));
              }
            });
    SequencedMap<String, String> metadata = new LinkedHashMap<>(contents.metadata());
    metadata.remove(FORMAT_KEY);
    List<String> remarks = new ArrayList<>();
    return new Checkpoint(
        source,
        Format.SAFETENSORS,
        cleaned(source, weights, remarks),
        optimizer,
        metadata,
        remarks);
  }

  /**
   * What wrappers put in front of names: data-parallel training, torch.compile, Lightning and other
   * trainers, in any combination.
   */
  private static final Pattern PREFIX =
      Pattern.compile("((module|_orig_mod|model|net|network)\\.)+");

  /** A weight that each network has once, under one of these names. */
  private static final List<String> LANDMARKS =
      List.of(
          "fgru_layers.fgru_0.W_exc",
          "encoder_layers.0.h_fgru.W_exc",
          "fgru_block1.W_exc",
          "fgru_0.W_exc");

  /** What all names begin with before those of a network, such as {@code student.}; or nothing. */
  private static String commonPrefix(Set<String> names) {
    for (String landmark : LANDMARKS) {
      for (String name : names) {
        String prefix = name.substring(0, Math.max(0, name.length() - landmark.length()));
        if (name.equals(prefix + landmark)
            && prefix.endsWith(".")
            && names.stream().allMatch(other -> other.startsWith(prefix))) {
          return prefix;
        }
      }
    }
    return "";
  }

  /** Without the prefixes of wrappers, and without recurrent states. */
  private static SequencedMap<String, StoredTensor> cleaned(
      String source, Map<String, StoredTensor> weights, List<String> remarks) {
    SequencedMap<String, StoredTensor> cleaned = new LinkedHashMap<>();
    int states = 0;
    for (Map.Entry<String, StoredTensor> entry : weights.entrySet()) {
      Matcher prefix = PREFIX.matcher(entry.getKey());
      String plain = prefix.lookingAt() ? entry.getKey().substring(prefix.end()) : entry.getKey();
      if (RECURRENT_STATE.matcher(plain).matches()) {
        states++;
      } else if (cleaned.put(plain, entry.getValue()) != null) {
        throw new CheckpointException(
            "%s holds '%s' twice, with different prefixes".formatted(source, plain));
      }
    }
    String common = commonPrefix(cleaned.keySet());
    if (!common.isEmpty()) {
      remarks.add("'" + common + "' in front of all names is left out");
      SequencedMap<String, StoredTensor> prefixed = cleaned;
      cleaned = new LinkedHashMap<>();
      for (Map.Entry<String, StoredTensor> entry : prefixed.entrySet()) {
        cleaned.put(entry.getKey().substring(common.length()), entry.getValue());
      }
    }
    if (states > 0) {
      remarks.add(states + " recurrent states among the weights are left out");
    }
    return cleaned;
  }

  private static Checkpoint ofPython(String source, Format format, TorchFile.Contents contents) {
    if (contents.root() instanceof PyValue.Unknown whole) {
      throw new CheckpointException(
          "%s holds an object of %s and not a dictionary with weights: save its state_dict"
              .formatted(source, whole.name()));
    }
    if (!(contents.root() instanceof Dictionary outermost)) {
      throw new CheckpointException(source + " holds no dictionary with weights");
    }
    List<String> remarks = new ArrayList<>();
    Dictionary root = holder(outermost);
    String key = stateKey(source, root);
    Dictionary state = key.isEmpty() ? root : (Dictionary) Objects.requireNonNull(root.get(key));
    SequencedMap<String, StoredTensor> raw = new LinkedHashMap<>();
    List<String> others = new ArrayList<>();
    state
        .entries()
        .forEach(
            (name, value) -> {
              if (value instanceof PyValue.Array array) {
                raw.put(name.toJson().asText(), array.tensor());
              } else {
                others.add(name.toJson().asText());
              }
            });
    if (!others.isEmpty()) {
      remarks.add(
          "%s entries among the weights are no tensors and are left out: %s"
              .formatted(others.size(), CheckpointException.some(others)));
    }
    if (!key.isEmpty() && !key.equals("model_state_dict")) {
      remarks.add("the weights are those under the key '%s'".formatted(key));
    }
    SequencedMap<String, StoredTensor> weights = cleaned(source, raw, remarks);
    SequencedMap<String, StoredTensor> optimizer = new LinkedHashMap<>();
    SequencedMap<String, String> metadata = new LinkedHashMap<>();
    if (!key.isEmpty()) {
      root.entries()
          .forEach(
              (k, value) -> {
                String name = k.toJson().asText();
                if (name.equals("optimizer_state_dict")) {
                  if (!TorchOptimizer.read(value, weights, optimizer, metadata)) {
                    remarks.add("the optimizer's state does not fit the weights and is left out");
                  }
                } else if (!name.equals(key)) {
                  metadata.put(name, metadataText(value.toJson()));
                }
              });
    }
    if (root != outermost) {
      outermost
          .entries()
          .forEach(
              (k, value) -> {
                String name = k.toJson().asText();
                if (name.equals("config") || !(value instanceof Dictionary)) {
                  metadata.putIfAbsent(name, metadataText(value.toJson()));
                }
              });
    }
    if (!contents.unknown().isEmpty()) {
      remarks.add(
          "objects of these classes are left out, and nothing of them was executed: "
              + CheckpointException.some(contents.unknown()));
    }
    return new Checkpoint(source, format, weights, optimizer, metadata, remarks);
  }

  /** Keys under which programs keep weights; the first that is there is taken. */
  private static final List<String> STATE_KEYS =
      List.of(
          "model_state_dict",
          "state_dict",
          "model",
          "net",
          "network",
          "weights",
          "model_state",
          "params",
          "params_ema",
          "ema");

  /** Dictionaries in dictionaries that are searched for weights. */
  private static final int MAX_DEPTH = 4;

  /** The outermost dictionary with tensors, or with a dictionary of them, if it is the only one. */
  private static Dictionary holder(Dictionary root) {
    Set<Dictionary> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    List<Dictionary> level = List.of(root);
    for (int depth = 0; depth < MAX_DEPTH; depth++) {
      List<Dictionary> holders =
          level.stream()
              .filter(
                  d ->
                      d.entries().values().stream()
                          .anyMatch(
                              v ->
                                  v instanceof PyValue.Array
                                      || v instanceof Dictionary inner && holdsTensors(inner)))
              .toList();
      if (!holders.isEmpty()) {
        return holders.size() == 1 ? holders.getFirst() : root;
      }
      level =
          level.stream()
              .flatMap(d -> d.entries().values().stream())
              .filter(v -> v instanceof Dictionary d && seen.add(d))
              .map(Dictionary.class::cast)
              .toList();
    }
    return root;
  }

  /**
   * The key of the dictionary with the weights; empty where the root itself holds tensors. Of other
   * keys than the usual ones, only a single one can be meant.
   */
  private static String stateKey(String source, Dictionary root) {
    if (root.get("model_state_dict") instanceof Dictionary) {
      return "model_state_dict";
    }
    if (root.entries().values().stream().anyMatch(PyValue.Array.class::isInstance)
        && root.entries().values().stream()
            .noneMatch(v -> v instanceof Dictionary d && holdsTensors(d))) {
      return "";
    }
    List<String> candidates =
        root.entries().entrySet().stream()
            .filter(e -> e.getValue() instanceof Dictionary d && holdsTensors(d))
            .map(e -> e.getKey())
            .filter(Str.class::isInstance)
            .map(k -> ((Str) k).value())
            .toList();
    for (String usual : STATE_KEYS) {
      if (candidates.contains(usual)) {
        return usual;
      }
    }
    if (candidates.size() == 1) {
      return candidates.getFirst();
    }
    if (root.entries().isEmpty()) {
      throw new CheckpointException(source + " holds no weights: its dictionary is empty");
    }
    throw new CheckpointException(
        candidates.isEmpty()
            ? "%s has no dictionary of tensors, but the keys %s"
                .formatted(source, CheckpointException.some(keys(root)))
            : "%s has several dictionaries of tensors, and it is not known which are the weights: %s"
                .formatted(source, CheckpointException.some(candidates)));
  }

  /** Whether a dictionary holds at least one tensor and nothing else but absent buffers. */
  private static boolean holdsTensors(Dictionary dictionary) {
    return dictionary.entries().values().stream().anyMatch(PyValue.Array.class::isInstance)
        && dictionary.entries().values().stream()
            .allMatch(
                v ->
                    v instanceof PyValue.Array
                        || v == PyValue.None.NONE
                        || v instanceof PyValue.Unknown);
  }

  private static List<String> keys(Dictionary dictionary) {
    return dictionary.entries().keySet().stream().map(key -> key.toJson().asText()).toList();
  }

  // Content

  /** The weights by name, without the prefixes of wrappers and without recurrent states. */
  public SequencedMap<String, StoredTensor> weights() {
    return weights;
  }

  /**
   * Tensors of the optimizer by name; empty in a file with weights alone. From PyTorch's Adam:
   * {@code exp_avg.NAME}, {@code exp_avg_sq.NAME} and {@code step.NAME} (I64) for each weight that
   * was trained.
   */
  public SequencedMap<String, StoredTensor> optimizer() {
    return optimizer;
  }

  /** Texts by key, as described above. */
  public SequencedMap<String, String> metadata() {
    return metadata;
  }

  /** All metadata as one JSON object; numbers that JSON lacks are texts there. */
  public String metadataJson() {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    metadata.forEach((key, text) -> root.set(key, parse(text)));
    try {
      return STRICT_JSON.writeValueAsString(root);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of plain values can be written", e);
    }
  }

  /** Name of the file that it was read from, for messages. */
  public String source() {
    return source;
  }

  public Format format() {
    return format;
  }

  /** What of the file was left out, and why: sentences for people. */
  public List<String> remarks() {
    return remarks;
  }

  /** Last finished epoch, from 0. */
  public OptionalLong epoch() {
    JsonNode epoch = parse(metadata.getOrDefault("epoch", ""));
    return epoch.isIntegralNumber() ? OptionalLong.of(epoch.longValue()) : OptionalLong.empty();
  }

  /** Best value of the metric that the training followed. */
  public OptionalDouble bestMetric() {
    JsonNode metric = parse(metadata.getOrDefault("best_metric", ""));
    return metric.isNumber() ? OptionalDouble.of(metric.doubleValue()) : OptionalDouble.empty();
  }

  static JsonNode parse(String text) {
    try {
      JsonNode node = JSON.readTree(text);
      return node == null || node.isMissingNode() ? JsonNodeFactory.instance.textNode(text) : node;
    } catch (JsonProcessingException e) {
      return JsonNodeFactory.instance.textNode(text);
    }
  }

  static String metadataText(JsonNode value) {
    if (value.isTextual() && parse(value.textValue()).equals(value)) {
      return value.textValue();
    }
    try {
      return JSON.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of plain values can be written", e);
    }
  }

  /**
   * The configuration to build the network with: the stored one, or {@code fallback} where there is
   * none, changed to the structure that the weights have.
   *
   * @param notes receives a sentence for each stored key that has no effect, and one for everything
   *     in which weights and configuration differ
   * @throws CheckpointException if no network has such a structure
   * @throws org.gammanet.config.ConfigException if the stored configuration is impossible
   */
  public GammaNetConfig config(GammaNetConfig fallback, Consumer<String> notes) {
    return config(() -> fallback, notes);
  }

  /** As {@link #config(GammaNetConfig, Consumer)}, with the shipped default as the fallback. */
  public GammaNetConfig config(Consumer<String> notes) {
    return config(GammaNetConfig::defaults, notes);
  }

  private GammaNetConfig config(Supplier<GammaNetConfig> fallback, Consumer<String> notes) {
    String stored = metadata.get("config");
    return fitted(
        stored == null ? fallback.get() : GammaNetConfig.parseStored(stored, source, notes), notes);
  }

  /**
   * A configuration with what the weights say otherwise: levels, widths, kernels, alignment, kind
   * of circuit parameters, norms of the circuit, attention. The stored configuration is not looked
   * at.
   *
   * @param notes receives a sentence with everything in which weights and configuration differ
   * @throws CheckpointException if no network has such a structure
   */
  public GammaNetConfig fitted(GammaNetConfig config, Consumer<String> notes) {
    Structure structure;
    try {
      structure = Structure.of(config.model(), weights);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(
          source + " has weights of a structure that is not supported: " + e.getMessage(), e);
    }
    if (!structure.differences().isEmpty()) {
      notes.accept(
          "%s overrides the configuration, because its weights have another structure: %s"
              .formatted(source, String.join(", ", structure.differences())));
    }
    return config.withModel(structure.config());
  }

  // Writing

  /**
   * Writes a safetensors file, whole or not at all: an existing one survives a failure.
   *
   * @throws CheckpointException when it cannot be written
   */
  public void save(Path file) {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    String prefix = optimizer.isEmpty() ? "" : MODEL;
    weights.forEach((name, tensor) -> tensors.put(prefix + name, tensor));
    optimizer.forEach((name, tensor) -> tensors.put(OPTIMIZER + name, tensor));
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put(FORMAT_KEY, "pt");
    texts.putAll(metadata);
    SafeTensors.write(file, tensors, texts);
  }

  /**
   * Writes a file that {@code torch.load(weights_only=True)} reads: the weights alone if there are
   * no metadata, otherwise a dictionary with {@code model_state_dict} and the metadata. An
   * optimizer's state is part of it where it came from PyTorch.
   *
   * @throws CheckpointException when it cannot be written
   */
  public void saveTorch(Path file) {
    SequencedMap<PyValue, PyValue> state = new LinkedHashMap<>();
    weights.forEach((name, tensor) -> state.put(new Str(name), new PyValue.Array(tensor)));
    if (metadata.isEmpty() && optimizer.isEmpty()) {
      TorchFile.write(file, new Dictionary(state));
      return;
    }
    SequencedMap<PyValue, PyValue> root = new LinkedHashMap<>();
    PyValue optimizerState = TorchOptimizer.stateDict(weights, optimizer, metadata);
    metadata.forEach(
        (key, text) -> {
          if (optimizerState == null || !key.equals("param_groups")) {
            root.put(new Str(key), python(parse(text)));
          }
        });
    root.put(new Str("model_state_dict"), new Dictionary(state));
    if (optimizerState != null) {
      root.put(new Str("optimizer_state_dict"), optimizerState);
    }
    TorchFile.write(file, new Dictionary(root));
  }

  static PyValue python(JsonNode node) {
    return switch (node.getNodeType()) {
      case BOOLEAN -> new PyValue.Bool(node.booleanValue());
      case NUMBER ->
          node.isIntegralNumber()
              ? new PyValue.Int(node.bigIntegerValue())
              : new PyValue.Float(node.doubleValue());
      case STRING -> new Str(node.textValue());
      case ARRAY -> {
        List<PyValue> items = new ArrayList<>();
        node.forEach(item -> items.add(python(item)));
        yield new PyValue.Sequence(PyValue.Sequence.Kind.LIST, items);
      }
      case OBJECT -> {
        SequencedMap<PyValue, PyValue> entries = new LinkedHashMap<>();
        node.properties().forEach(e -> entries.put(new Str(e.getKey()), python(e.getValue())));
        yield new Dictionary(entries);
      }
      default -> PyValue.None.NONE;
    };
  }

  /** Where it comes from, and how much it holds. */
  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s: %d weights", source, weights.size());
  }
}
