package org.gammanet.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Pattern;
import org.gammanet.checkpoint.PyValue.Dictionary;
import org.gammanet.checkpoint.PyValue.Str;
import org.jspecify.annotations.Nullable;

/** The state of PyTorch's Adam, which numbers parameters where checkpoints here name them. */
final class TorchOptimizer {
  /** Parts of batch normalization that no optimizer sees. */
  private static final Pattern BUFFER =
      Pattern.compile("(.*\\.)?(running_mean|running_var|num_batches_tracked)");

  private TorchOptimizer() {}

  /**
   * Names of the tensors that PyTorch numbers, in the order of its numbers: with two groups the
   * convolutions of VGG16 come first.
   */
  private static List<List<String>> numbered(Collection<String> weights, int groups) {
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
   *
   * @return whether the state fits the weights, or is absent
   */
  static boolean read(
      PyValue value,
      SequencedMap<String, StoredTensor> weights,
      Map<String, StoredTensor> optimizer,
      Map<String, String> metadata) {
    Map<String, StoredTensor> moments = new LinkedHashMap<>();
    if (value instanceof Dictionary dictionary
        && dictionary.get("param_groups") instanceof PyValue.Sequence groups
        && dictionary.get("state") instanceof Dictionary states
        && readMoments(groups, states, weights, moments)) {
      optimizer.putAll(moments);
      JsonNode settings = groups.toJson();
      settings.forEach(group -> ((ObjectNode) group).remove("params"));
      metadata.put("param_groups", Checkpoint.metadataText(settings));
      return true;
    }
    return value == PyValue.None.NONE;
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

  /** The reverse of {@link #read}; null when the settings of the groups are not known. */
  static @Nullable PyValue stateDict(
      Map<String, StoredTensor> weights,
      Map<String, StoredTensor> optimizer,
      Map<String, String> metadata) {
    String settings = metadata.get("param_groups");
    if (optimizer.isEmpty() || settings == null || !Checkpoint.parse(settings).isArray()) {
      return null;
    }
    JsonNode groups = Checkpoint.parse(settings);
    List<List<String>> numbered = numbered(weights.keySet(), groups.size());
    if (numbered.size() != groups.size()) {
      return null;
    }
    SequencedMap<PyValue, PyValue> states = new LinkedHashMap<>();
    List<PyValue> groupList = new ArrayList<>();
    int number = 0;
    for (int g = 0; g < groups.size(); g++) {
      if (!(Checkpoint.python(groups.get(g)) instanceof Dictionary group)) {
        return null;
      }
      List<PyValue> numbers = new ArrayList<>();
      for (String name : numbered.get(g)) {
        numbers.add(new PyValue.Int(number));
        StoredTensor step = optimizer.get("step." + name);
        StoredTensor first = optimizer.get("exp_avg." + name);
        StoredTensor second = optimizer.get("exp_avg_sq." + name);
        if (step != null && first != null && second != null) {
          SequencedMap<PyValue, PyValue> state = new LinkedHashMap<>();
          // PyTorch counts in float32 since 1.12.
          ByteBuffer count = ByteBuffer.allocate(4);
          count.putInt(Integer.reverseBytes(Float.floatToRawIntBits((float) step.get(0)))).flip();
          state.put(
              new Str("step"),
              new PyValue.Array(new StoredTensor(ElementType.F32, new long[0], count)));
          state.put(new Str("exp_avg"), new PyValue.Array(first));
          state.put(new Str("exp_avg_sq"), new PyValue.Array(second));
          states.put(new PyValue.Int(number), new Dictionary(state));
        }
        number++;
      }
      SequencedMap<PyValue, PyValue> entries = new LinkedHashMap<>(group.entries());
      entries.put(new Str("params"), new PyValue.Sequence(PyValue.Sequence.Kind.LIST, numbers));
      groupList.add(new Dictionary(entries));
    }
    SequencedMap<PyValue, PyValue> root = new LinkedHashMap<>();
    root.put(new Str("state"), new Dictionary(states));
    root.put(new Str("param_groups"), new PyValue.Sequence(PyValue.Sequence.Kind.LIST, groupList));
    return new Dictionary(root);
  }
}
