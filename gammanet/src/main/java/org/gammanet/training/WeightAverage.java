package org.gammanet.training;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * Exponential moving average of a network's weights (Polyak and Juditsky 1992).
 *
 * <p>After update k the average moves by {@code 1 - d} toward the weights, with {@code d =
 * min(decay, (1 + k) / (10 + k))}, so that the random weights of the beginning are soon forgotten.
 * Buffers are not averaged.
 */
final class WeightAverage implements AutoCloseable {
  private final Network network;
  private final double decay;
  private final SequencedMap<String, Tensor> average = new LinkedHashMap<>();
  private long updates;

  /** An average that begins with the present weights. */
  WeightAverage(Network network, double decay) {
    this.network = network;
    this.decay = decay;
    try (var silent = Autograd.noGrad()) {
      for (Parameter parameter : network.parameters()) {
        average.put(parameter.name(), TensorScope.detach(Ops.clone(parameter.tensor())));
      }
    }
  }

  /** Takes the weights after an update into account. */
  void update() {
    updates++;
    double d = Math.min(decay, (1.0 + updates) / (10.0 + updates));
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Tensor weight = null;
      for (Parameter parameter : network.parameters()) {
        Tensor mean = average.get(parameter.name());
        if (mean != null) {
          weight = weight == null ? Tensor.full(1 - d, mean.dtype(), mean.device()) : weight;
          Ops.lerp_(mean, parameter.tensor(), weight);
        }
      }
    }
  }

  /** The network has the averages for weights until this is closed. */
  interface Exchange extends AutoCloseable {
    @Override
    void close();
  }

  /** Exchanges the network's weights and the averages. */
  Exchange exchange() {
    swap();
    return this::swap;
  }

  private void swap() {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (Parameter parameter : network.parameters()) {
        Tensor mean = average.get(parameter.name());
        if (mean != null) {
          Tensor weights = Ops.clone(parameter.tensor());
          parameter.set(mean);
          mean.copy_(weights);
        }
      }
    }
  }

  /** Updates taken into account. */
  long updates() {
    return updates;
  }

  /** The averages by the parameters' names; they stay this object's. */
  SequencedMap<String, Tensor> state() {
    return average;
  }

  /**
   * Continues from stored averages.
   *
   * @throws IllegalArgumentException when one is missing or has another shape
   */
  void restore(Map<String, Tensor> stored, long updatesSoFar) {
    try (var silent = Autograd.noGrad()) {
      average.forEach(
          (name, mean) -> {
            Tensor value = stored.get(name);
            if (value == null || !Arrays.equals(value.shape(), mean.shape())) {
              throw new IllegalArgumentException("the averaged weights lack " + name);
            }
            mean.copy_(value);
          });
    }
    updates = updatesSoFar;
  }

  @Override
  public void close() {
    average.values().forEach(Tensor::close);
    average.clear();
  }
}
