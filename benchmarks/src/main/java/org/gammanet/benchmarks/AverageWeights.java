package org.gammanet.benchmarks;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;

/**
 * The weighted mean of several networks' weights, as float32 (Izmailov et al., "Averaging weights
 * leads to wider optima and better generalization", UAI 2018). The networks must have one plan and
 * stem from one training, or their units do not correspond.
 *
 * <p>Arguments: the file to write, then FILE=WEIGHT for each network; the weights are divided by
 * their sum, and metadata are those of the first file.
 */
public final class AverageWeights {
  private AverageWeights() {}

  /** Writes the mean. */
  public static void main(String[] arguments) {
    List<Checkpoint> networks = new ArrayList<>();
    List<Double> shares = new ArrayList<>();
    for (String argument : List.of(arguments).subList(1, arguments.length)) {
      int split = argument.lastIndexOf('=');
      networks.add(Checkpoint.load(Path.of(argument.substring(0, split))));
      shares.add(Double.parseDouble(argument.substring(split + 1)));
    }
    double sum = shares.stream().mapToDouble(Double::doubleValue).sum();
    Map<String, StoredTensor> means = new LinkedHashMap<>();
    networks
        .getFirst()
        .weights()
        .forEach(
            (name, tensor) -> {
              List<StoredTensor> tensors = new ArrayList<>();
              for (Checkpoint network : networks) {
                StoredTensor other = network.weights().get(name);
                if (other == null || other.numel() != tensor.numel()) {
                  throw new IllegalArgumentException(
                      network.source() + " is of another plan: " + name);
                }
                tensors.add(other);
              }
              means.put(name, mean(tensors, shares, sum));
            });
    Checkpoint.of(means, Map.of(), networks.getFirst().metadata()).save(Path.of(arguments[0]));
  }

  private static StoredTensor mean(List<StoredTensor> tensors, List<Double> shares, double sum) {
    StoredTensor first = tensors.getFirst();
    var bytes =
        ByteBuffer.allocate(Math.toIntExact(first.numel()) * Float.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < first.numel(); i++) {
      double value = 0;
      for (int k = 0; k < tensors.size(); k++) {
        value += shares.get(k) / sum * tensors.get(k).get(i);
      }
      bytes.putFloat((float) value);
    }
    return new StoredTensor(ElementType.F32, first.shape(), bytes.flip());
  }
}
