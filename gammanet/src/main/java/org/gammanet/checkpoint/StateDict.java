package org.gammanet.checkpoint;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.gammanet.model.Network;
import org.gammanet.model.Parameter;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/** Weights of a network by name, from and to files. */
public final class StateDict {
  /** Recurrent states that the PyTorch implementation saves among the weights. */
  private static final Pattern RECURRENT_STATE =
      Pattern.compile("(td_)?h[0-4]_(exc|inh)|h_block1|h[0-3]_e|td_h_block1|td_h[0-2]");

  private static final int LISTED = 20;

  private StateDict() {}

  /** A copy of all weights and buffers, in the network's order. */
  public static Map<String, StoredTensor> of(Network network) {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      tensors.put(parameter.name(), StoredTensor.of(parameter.tensor()));
    }
    return tensors;
  }

  /**
   * Sets all weights. A prefix {@code module.} and saved recurrent states are dropped.
   *
   * @param source name of the file for messages
   * @throws CheckpointException listing every missing, unexpected and mis-shaped name; the network
   *     is unchanged then
   */
  public static void load(Network network, Map<String, StoredTensor> tensors, String source) {
    Map<String, StoredTensor> given = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) -> {
          String plain = name.startsWith("module.") ? name.substring("module.".length()) : name;
          if (!RECURRENT_STATE.matcher(plain).matches()) {
            given.put(plain, tensor);
          }
        });
    List<String> missing = new ArrayList<>();
    List<String> misshaped = new ArrayList<>();
    TreeSet<String> unexpected = new TreeSet<>(given.keySet());
    for (Parameter parameter : network.parameters()) {
      StoredTensor tensor = given.get(parameter.name());
      unexpected.remove(parameter.name());
      if (tensor == null) {
        missing.add(parameter.name());
      } else if (!Arrays.equals(tensor.shape(), parameter.shape())) {
        misshaped.add(
            parameter.name()
                + " is "
                + Arrays.toString(tensor.shape())
                + " instead of "
                + Arrays.toString(parameter.shape()));
      }
    }
    List<String> faults = new ArrayList<>();
    describe(faults, "missing", missing);
    describe(faults, "unexpected", List.copyOf(unexpected));
    describe(faults, "of another shape", misshaped);
    if (!faults.isEmpty()) {
      throw new CheckpointException(
          source
              + " does not fit "
              + network.config().name()
              + " as configured: "
              + String.join("; ", faults));
    }
    for (Parameter parameter : network.parameters()) {
      StoredTensor tensor = given.get(parameter.name());
      if (tensor == null) {
        throw new AssertionError(parameter.name());
      }
      try (var scope = TensorScope.open()) {
        Tensor value = tensor.toTensor();
        parameter.set(value);
      }
    }
  }

  private static void describe(List<String> faults, String kind, List<String> names) {
    if (!names.isEmpty()) {
      String more = names.size() > LISTED ? " and " + (names.size() - LISTED) + " more" : "";
      faults.add(
          names.size()
              + " "
              + kind
              + " ("
              + String.join(", ", names.subList(0, Math.min(LISTED, names.size())))
              + more
              + ")");
    }
  }
}
