package org.gammanet.benchmarks;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
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
  private record Part(Checkpoint network, double weight) {
    private static final Pattern ARGUMENT = Pattern.compile("(.+)=(\\d+(?:\\.\\d+)?)");

    static Part of(String argument) {
      var found = ARGUMENT.matcher(argument);
      if (!found.matches() || Double.parseDouble(found.group(2)) == 0) {
        throw new IllegalArgumentException(argument + " is not FILE=WEIGHT with a positive number");
      }
      return new Part(Checkpoint.load(Path.of(found.group(1))), Double.parseDouble(found.group(2)));
    }
  }

  private AverageWeights() {}

  /** Writes the mean; ends with status 1 and a sentence where that is impossible. */
  public static void main(String[] arguments) {
    try {
      if (arguments.length < 2) {
        throw new IllegalArgumentException("usage: AverageWeights OUT FILE=WEIGHT...");
      }
      mean(Arrays.stream(arguments).skip(1).map(Part::of).toList()).save(Path.of(arguments[0]));
    } catch (IllegalArgumentException | CheckpointException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  private static Checkpoint mean(List<Part> parts) {
    Checkpoint first = parts.getFirst().network();
    double sum = parts.stream().mapToDouble(Part::weight).sum();
    double[] shares = parts.stream().mapToDouble(part -> part.weight() / sum).toArray();
    Map<String, StoredTensor> means = new LinkedHashMap<>();
    for (var entry : first.weights().entrySet()) {
      List<StoredTensor> tensors = new ArrayList<>();
      for (Part part : parts) {
        Map<String, StoredTensor> weights = part.network().weights();
        StoredTensor tensor = weights.get(entry.getKey());
        if (weights.size() != first.weights().size()
            || tensor == null
            || !Arrays.equals(tensor.shape(), entry.getValue().shape())) {
          throw new IllegalArgumentException(
              part.network().source() + " and " + first.source() + " are of different plans");
        }
        tensors.add(tensor);
      }
      means.put(entry.getKey(), mean(tensors, shares));
    }
    return Checkpoint.of(means, Map.of(), first.metadata());
  }

  private static StoredTensor mean(List<StoredTensor> tensors, double[] shares) {
    StoredTensor first = tensors.getFirst();
    var bytes =
        ByteBuffer.allocate(Math.toIntExact(first.numel() * Float.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < first.numel(); i++) {
      double value = 0;
      for (int k = 0; k < shares.length; k++) {
        value += shares[k] * tensors.get(k).get(i);
      }
      bytes.putFloat((float) value);
    }
    return new StoredTensor(ElementType.F32, first.shape(), bytes.flip());
  }
}
