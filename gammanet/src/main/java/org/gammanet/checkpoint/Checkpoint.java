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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gammanet.checkpoint.PyValue.Dictionary;
import org.gammanet.checkpoint.PyValue.Text;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.DType;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Weights by name, what belongs to them, and, for a training run that is to go on, the state of its
 * optimiser.
 *
 * <p>{@link #load} reads safetensors and both containers of {@code torch.save}, told apart by
 * content. Nothing in a file is executed. {@link #save} writes safetensors. A file that holds an
 * optimiser's state calls its tensors {@code model.NAME} and {@code optimizer.NAME}, otherwise
 * weights have their plain names, which are PyTorch's.
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
    TORCH_LEGACY("PyTorch (before 1.6)");

    private final String title;

    Format(String title) {
      this.title = title;
    }

    /** For people to read. */
    public String title() {
      return title;
    }
  }

  /** Recurrent states that the PyTorch implementation saves among the weights: 18, and 9. */
  private static final Pattern RECURRENT_STATE =
      Pattern.compile(
          "h[0-4]_(exc|inh)|td_h[0-3]_(exc|inh)|h_block1|h[0-3]_e|td_h_block1|td_h[0-2]");

  /** VGG16's convolutions in torchvision's numbering, in a network or in torchvision's own file. */
  private static final Pattern VGG =
      Pattern.compile(
          "(?:block[1-5]_conv\\.layers|(?:backbone\\.)?features)\\.(\\d+)\\.(weight|bias)");

  /** Parts of batch normalisation that no optimiser sees. */
  private static final Pattern BUFFER =
      Pattern.compile("(.*\\.)?(running_mean|running_var|num_batches_tracked)");

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
   * @param optimizer tensors of an optimiser by name; empty for weights alone
   * @param metadata texts by key, as described above
   */
  public static Checkpoint of(
      Map<String, StoredTensor> weights,
      Map<String, StoredTensor> optimizer,
      Map<String, String> metadata) {
    return new Checkpoint(
        "checkpoint", Format.SAFETENSORS, weights, optimizer, metadata, List.of());
  }

  /** All weights and buffers of a network in its order, read when they are written or used. */
  public static SequencedMap<String, StoredTensor> weightsOf(Network network) {
    SequencedMap<String, StoredTensor> tensors = new LinkedHashMap<>();
    network.stateDict().forEach((name, value) -> tensors.put(name, StoredTensor.viewOf(value)));
    return tensors;
  }

  // Reading

  /**
   * Reads a file: {@code .safetensors}, {@code .pt} or {@code .pth}, whatever its name.
   *
   * @throws CheckpointException in one sentence, when it is none, is damaged or cut off, or wants
   *     something executed
   */
  public static Checkpoint load(Path file) {
    return MappedFile.read(file, Checkpoint::read);
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
    if (TorchFile.isPickle(file)) {
      return ofPython(file.toString(), Format.TORCH_LEGACY, TorchFile.readLegacy(file));
    }
    throw new CheckpointException(
        "%s is neither a safetensors file nor one of torch.save: it begins with %s"
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
                    "%s holds an optimiser's state, but its tensor '%s' is neither %s nor %s"
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

  /** Without the prefix of data-parallel training, and without recurrent states. */
  private static SequencedMap<String, StoredTensor> cleaned(
      String source, Map<String, StoredTensor> weights, List<String> remarks) {
    SequencedMap<String, StoredTensor> cleaned = new LinkedHashMap<>();
    int states = 0;
    for (Map.Entry<String, StoredTensor> entry : weights.entrySet()) {
      String name = entry.getKey();
      String plain = name.startsWith("module.") ? name.substring("module.".length()) : name;
      if (RECURRENT_STATE.matcher(plain).matches()) {
        states++;
      } else if (cleaned.put(plain, entry.getValue()) != null) {
        throw new CheckpointException(
            source + " holds '" + plain + "' twice, with and without 'module.' in front");
      }
    }
    if (states > 0) {
      remarks.add(states + " recurrent states among the weights are left out");
    }
    return cleaned;
  }

  private static Checkpoint ofPython(String source, Format format, PyValue root) {
    if (!(root instanceof Dictionary dictionary)) {
      throw new CheckpointException(source + " holds no dictionary with weights");
    }
    PyValue found = dictionary.get("model_state_dict");
    boolean bare = found == null;
    if (found == null) {
      found = dictionary;
    }
    if (!(found instanceof Dictionary state)) {
      throw new CheckpointException(source + " has a model_state_dict that is no dictionary");
    }
    SequencedMap<String, StoredTensor> raw = new LinkedHashMap<>();
    state
        .entries()
        .forEach(
            (key, value) -> {
              if (key instanceof Text name && value instanceof PyValue.Array array) {
                raw.put(name.value(), array.tensor());
              } else {
                throw new CheckpointException(
                    bare
                        ? source
                            + " has neither a model_state_dict nor only tensors, but the keys "
                            + keys(dictionary)
                        : source
                            + " has a weight '"
                            + key.toJson().asText()
                            + "' that is no tensor");
              }
            });
    if (raw.isEmpty()) {
      throw new CheckpointException(source + " holds no weights");
    }
    List<String> remarks = new ArrayList<>();
    SequencedMap<String, StoredTensor> weights = cleaned(source, raw, remarks);
    SequencedMap<String, StoredTensor> optimizer = new LinkedHashMap<>();
    SequencedMap<String, String> metadata = new LinkedHashMap<>();
    if (!bare) {
      dictionary
          .entries()
          .forEach(
              (key, value) -> {
                String name = key.toJson().asText();
                if (name.equals("optimizer_state_dict")) {
                  readOptimizer(value, weights, optimizer, metadata, remarks);
                } else if (!name.equals("model_state_dict")) {
                  metadata.put(name, metadataText(value.toJson()));
                }
              });
    }
    return new Checkpoint(source, format, weights, optimizer, metadata, remarks);
  }

  private static String keys(Dictionary dictionary) {
    return dictionary.entries().keySet().stream()
        .limit(12)
        .map(key -> key.toJson().asText())
        .collect(Collectors.joining(", "));
  }

  // PyTorch's optimisers

  /**
   * Names of the tensors that PyTorch numbers, in the order of its numbers: with two groups the
   * convolutions of VGG16 come first.
   */
  private static List<List<String>> numbered(Set<String> weights, int groups) {
    List<String> backbone = new ArrayList<>();
    List<String> rest = new ArrayList<>();
    for (String name : weights) {
      if (!BUFFER.matcher(name).matches()) {
        boolean vgg =
            name.contains("block")
                && name.contains("_conv")
                && !name.startsWith("fgru")
                && !name.startsWith("td_fgru");
        (vgg && groups == 2 ? backbone : rest).add(name);
      }
    }
    return groups == 2 ? List.of(backbone, rest) : List.of(rest);
  }

  /**
   * Takes over Adam's moments: {@code exp_avg.NAME}, {@code exp_avg_sq.NAME} and {@code step.NAME},
   * and the groups' settings as metadata {@code param_groups}. All or nothing.
   */
  private static void readOptimizer(
      PyValue value,
      SequencedMap<String, StoredTensor> weights,
      Map<String, StoredTensor> optimizer,
      Map<String, String> metadata,
      List<String> remarks) {
    Map<String, StoredTensor> moments = new LinkedHashMap<>();
    if (value instanceof Dictionary dictionary
        && dictionary.get("param_groups") instanceof PyValue.Sequence groups
        && dictionary.get("state") instanceof Dictionary states
        && readMoments(groups, states, weights, moments)) {
      optimizer.putAll(moments);
      JsonNode settings = groups.toJson();
      settings.forEach(group -> ((ObjectNode) group).remove("params"));
      metadata.put("param_groups", metadataText(settings));
    } else if (value != PyValue.None.NONE) {
      remarks.add("the optimiser's state does not fit the weights and is left out");
    }
  }

  private static boolean readMoments(
      PyValue.Sequence groups,
      Dictionary states,
      SequencedMap<String, StoredTensor> weights,
      Map<String, StoredTensor> moments) {
    Map<PyValue, String> names = new LinkedHashMap<>();
    List<List<String>> numbered = numbered(weights.keySet(), groups.items().size());
    for (int g = 0; g < groups.items().size(); g++) {
      if (numbered.size() != groups.items().size()
          || !(groups.items().get(g) instanceof Dictionary group)
          || !(group.get("params") instanceof PyValue.Sequence numbers)
          || numbers.items().size() != numbered.get(g).size()) {
        return false;
      }
      for (int i = 0; i < numbers.items().size(); i++) {
        names.put(numbers.items().get(i), numbered.get(g).get(i));
      }
    }
    for (Map.Entry<PyValue, PyValue> entry : states.entries().entrySet()) {
      String name = names.get(entry.getKey());
      StoredTensor weight = name == null ? null : weights.get(name);
      if (weight == null || !(entry.getValue() instanceof Dictionary state)) {
        return false;
      }
      for (String kind : List.of("exp_avg", "exp_avg_sq")) {
        if (!(state.get(kind) instanceof PyValue.Array(StoredTensor moment))
            || !Arrays.equals(moment.shape(), weight.shape())
            || !moment.type().isFloatingPoint()) {
          return false;
        }
        moments.put(kind + "." + name, moment);
      }
      PyValue step = state.get("step");
      JsonNode steps = step == null ? null : step.toJson();
      if (steps == null || !steps.isNumber()) {
        return false;
      }
      moments.put("step." + name, whole(steps.asLong()));
    }
    return true;
  }

  private static StoredTensor whole(long value) {
    ByteBuffer bytes = ByteBuffer.allocate(8).putLong(Long.reverseBytes(value)).flip();
    return new StoredTensor(ElementType.I64, new long[0], bytes);
  }

  /** The reverse of {@link #readOptimizer}; null when the settings of the groups are not known. */
  private @Nullable PyValue optimizerStateDict() {
    String settings = metadata.get("param_groups");
    if (optimizer.isEmpty() || settings == null || !parse(settings).isArray()) {
      return null;
    }
    JsonNode groups = parse(settings);
    List<List<String>> numbered = numbered(weights.keySet(), groups.size());
    if (numbered.size() != groups.size()) {
      return null;
    }
    SequencedMap<PyValue, PyValue> states = new LinkedHashMap<>();
    List<PyValue> groupList = new ArrayList<>();
    int number = 0;
    for (int g = 0; g < groups.size(); g++) {
      if (!(python(groups.get(g)) instanceof Dictionary group)) {
        return null;
      }
      List<PyValue> numbers = new ArrayList<>();
      for (String name : numbered.get(g)) {
        numbers.add(new PyValue.Whole(number));
        StoredTensor step = optimizer.get("step." + name);
        StoredTensor first = optimizer.get("exp_avg." + name);
        StoredTensor second = optimizer.get("exp_avg_sq." + name);
        if (step != null && first != null && second != null) {
          SequencedMap<PyValue, PyValue> state = new LinkedHashMap<>();
          // PyTorch counts in float32 since 1.12.
          ByteBuffer count = ByteBuffer.allocate(4);
          count.putInt(Integer.reverseBytes(Float.floatToRawIntBits((float) step.get(0)))).flip();
          state.put(
              new Text("step"),
              new PyValue.Array(new StoredTensor(ElementType.F32, new long[0], count)));
          state.put(new Text("exp_avg"), new PyValue.Array(first));
          state.put(new Text("exp_avg_sq"), new PyValue.Array(second));
          states.put(new PyValue.Whole(number), new Dictionary(state));
        }
        number++;
      }
      SequencedMap<PyValue, PyValue> entries = new LinkedHashMap<>(group.entries());
      entries.put(new Text("params"), new PyValue.Sequence(PyValue.Sequence.Kind.LIST, numbers));
      groupList.add(new Dictionary(entries));
    }
    SequencedMap<PyValue, PyValue> root = new LinkedHashMap<>();
    root.put(new Text("state"), new Dictionary(states));
    root.put(new Text("param_groups"), new PyValue.Sequence(PyValue.Sequence.Kind.LIST, groupList));
    return new Dictionary(root);
  }

  // Content

  /** The weights by name, without a prefix {@code module.} and without recurrent states. */
  public SequencedMap<String, StoredTensor> weights() {
    return weights;
  }

  /**
   * Tensors of the optimiser by name; empty in a file with weights alone. From PyTorch's Adam:
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

  /** Format of the file. */
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

  private static JsonNode parse(String text) {
    try {
      JsonNode node = JSON.readTree(text);
      return node == null || node.isMissingNode() ? JsonNodeFactory.instance.textNode(text) : node;
    } catch (JsonProcessingException e) {
      return JsonNodeFactory.instance.textNode(text);
    }
  }

  private static String metadataText(JsonNode value) {
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
    String stored = metadata.get("config");
    return fitted(
        stored == null ? fallback : GammaNetConfig.parseStored(stored, source, notes), notes);
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
          "%s: its weights do not have the structure that the configuration describes; they win: %s"
              .formatted(source, String.join(", ", structure.differences())));
    }
    return config.withModel(structure.config());
  }

  // Into a network

  /**
   * Sets all weights of a network.
   *
   * @throws CheckpointException listing every missing, unexpected and mis-shaped name; the network
   *     is unchanged then
   */
  public void loadInto(Network network) {
    String misfit = misfit(network);
    if (misfit != null) {
      throw new CheckpointException(misfit);
    }
    copy(network.entries(), weights);
  }

  /**
   * Sets those weights of a network that the file has in the right shape, and leaves the others.
   *
   * @param warnings receives one sentence with every missing, unexpected and mis-shaped name
   */
  public void loadInto(Network network, Consumer<String> warnings) {
    String misfit = misfit(network);
    if (misfit != null) {
      warnings.accept(misfit);
    }
    copy(
        network.entries().stream().filter(p -> fits(p, weights.get(p.name()))).toList(),
        weights);
  }

  /**
   * Sets the convolutions of VGG16 in a network from torchvision's {@code vgg16} file, or from
   * another checkpoint of this family. Its other weights, such as torchvision's classifier, are not
   * used.
   *
   * @throws CheckpointException listing every missing and mis-shaped name, or when the network has
   *     no VGG16 in it; the network is unchanged then
   */
  public void loadVgg16Into(Network network) {
    Map<String, StoredTensor> byNumber = new LinkedHashMap<>();
    weights.forEach(
        (name, tensor) -> {
          Matcher vgg = VGG.matcher(name);
          if (vgg.matches()) {
            byNumber.put(vgg.group(1) + "." + vgg.group(2), tensor);
          }
        });
    List<Parameter> convolutions = new ArrayList<>();
    Map<String, StoredTensor> renamed = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      Matcher vgg = VGG.matcher(parameter.name());
      if (vgg.matches()) {
        convolutions.add(parameter);
        StoredTensor tensor = byNumber.get(vgg.group(1) + "." + vgg.group(2));
        if (tensor != null) {
          renamed.put(parameter.name(), tensor);
        }
      }
    }
    if (convolutions.isEmpty()) {
      throw new CheckpointException(network.config().name() + " has no VGG16 in it to be loaded");
    }
    String misfit = misfit(source + " does not hold the VGG16 of", network, convolutions, renamed);
    if (misfit != null) {
      throw new CheckpointException(misfit);
    }
    copy(convolutions, renamed);
  }

  private static void copy(List<Parameter> parameters, Map<String, StoredTensor> tensors) {
    for (Parameter parameter : parameters) {
      StoredTensor tensor = tensors.get(parameter.name());
      if (tensor == null) {
        throw new AssertionError(parameter.name());
      }
      try (var scope = TensorScope.open()) {
        parameter.set(tensor.toTensor());
      }
    }
  }

  private static boolean fits(Parameter parameter, @Nullable StoredTensor tensor) {
    boolean fractions = parameter.tensor().dtype() != DType.INT64;
    return tensor != null
        && Arrays.equals(tensor.shape(), parameter.shape())
        && tensor.type().isFloatingPoint() == fractions;
  }

  private @Nullable String misfit(Network network) {
    String misfit = misfit(source + " does not fit", network, network.entries(), weights);
    boolean torchvision =
        misfit != null
            && weights.keySet().stream().allMatch(n -> n.matches("(features|classifier)\\..*"));
    return torchvision
        ? source
            + " holds torchvision's VGG16 and not a whole network: give it as model.pretrained to"
            + " start training from it"
        : misfit;
  }

  private static @Nullable String misfit(
      String beginning,
      Network network,
      List<Parameter> parameters,
      Map<String, StoredTensor> tensors) {
    List<String> missing = new ArrayList<>();
    List<String> misshaped = new ArrayList<>();
    Set<String> unexpected = new LinkedHashSet<>(tensors.keySet());
    for (Parameter parameter : parameters) {
      StoredTensor tensor = tensors.get(parameter.name());
      unexpected.remove(parameter.name());
      if (tensor == null) {
        missing.add(parameter.name());
      } else if (!fits(parameter, tensor)) {
        misshaped.add(
            "%s (%s instead of %s)"
                .formatted(
                    parameter.name(),
                    tensor,
                    ElementType.of(parameter.tensor().dtype())
                        + Arrays.toString(parameter.shape())));
      }
    }
    List<String> faults = new ArrayList<>();
    describe(faults, "missing", missing);
    describe(faults, "unexpected", new TreeSet<>(unexpected));
    describe(faults, "of another shape", misshaped);
    return faults.isEmpty()
        ? null
        : beginning
            + " "
            + network.config().name()
            + " as configured: "
            + String.join("; ", faults);
  }

  private static void describe(List<String> faults, String kind, Collection<String> names) {
    if (!names.isEmpty()) {
      faults.add(names.size() + " " + kind + ": " + String.join(", ", names));
    }
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
   * optimiser's state is part of it where it came from PyTorch.
   *
   * @throws CheckpointException when it cannot be written
   */
  public void saveTorch(Path file) {
    SequencedMap<PyValue, PyValue> state = new LinkedHashMap<>();
    weights.forEach((name, tensor) -> state.put(new Text(name), new PyValue.Array(tensor)));
    if (metadata.isEmpty() && optimizer.isEmpty()) {
      TorchFile.write(file, new Dictionary(state));
      return;
    }
    SequencedMap<PyValue, PyValue> root = new LinkedHashMap<>();
    PyValue optimizerState = optimizerStateDict();
    metadata.forEach(
        (key, text) -> {
          if (optimizerState == null || !key.equals("param_groups")) {
            root.put(new Text(key), python(parse(text)));
          }
        });
    root.put(new Text("model_state_dict"), new Dictionary(state));
    if (optimizerState != null) {
      root.put(new Text("optimizer_state_dict"), optimizerState);
    }
    TorchFile.write(file, new Dictionary(root));
  }

  private static PyValue python(JsonNode node) {
    return switch (node.getNodeType()) {
      case BOOLEAN -> new PyValue.Truth(node.booleanValue());
      case NUMBER ->
          node.isIntegralNumber()
              ? new PyValue.Whole(node.bigIntegerValue())
              : new PyValue.Real(node.doubleValue());
      case STRING -> new Text(node.textValue());
      case ARRAY -> {
        List<PyValue> items = new ArrayList<>();
        node.forEach(item -> items.add(python(item)));
        yield new PyValue.Sequence(PyValue.Sequence.Kind.LIST, items);
      }
      case OBJECT -> {
        SequencedMap<PyValue, PyValue> entries = new LinkedHashMap<>();
        node.properties().forEach(e -> entries.put(new Text(e.getKey()), python(e.getValue())));
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
