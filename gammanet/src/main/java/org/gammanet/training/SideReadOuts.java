package org.gammanet.training;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.gammanet.model.Network;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * Read-outs of the top-down levels that exist during training only (deep supervision, Lee et al.
 * 2015): a 1x1 convolution of a level's last top-down state, resized to the image, has a loss of
 * its own. They are neither validated nor shipped.
 */
final class SideReadOuts implements AutoCloseable {
  private static final String TOP_DOWN = "td_";
  private static final String INHIBITORY = "_inh";

  /**
   * Weight {@code [1, C, 1, 1]} and bias {@code [1]} by state and kind, such as {@code
   * td_h1_exc.weight}.
   */
  private final SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();

  private final List<String> states = new ArrayList<>();

  /**
   * Read-outs that begin at zero.
   *
   * @throws TrainingException when the network has no top-down states above the one it reads out
   */
  SideReadOuts(Network network) {
    int size = network.minimumSize();
    Map<String, long[]> topDown = new LinkedHashMap<>();
    network
        .stateShapes(1, size, size)
        .forEach(
            (name, shape) -> {
              if (name.startsWith(TOP_DOWN) && !name.endsWith(INHIBITORY)) {
                topDown.put(name, shape);
              }
            });
    if (topDown.size() < 2) {
      throw new TrainingException(
          "training.side_loss needs a network with top-down cells on two levels or more");
    }
    // The finest is what the network's own read-out takes.
    long finest = topDown.values().stream().mapToLong(shape -> shape[2]).max().orElseThrow();
    topDown.forEach(
        (name, shape) -> {
          if (shape[2] < finest) {
            states.add(name);
            parameters.put(name + ".weight", parameter(1, shape[1], 1, 1));
            parameters.put(name + ".bias", parameter(1));
          }
        });
  }

  private static Tensor parameter(long... shape) {
    return TensorScope.detach(Tensor.zeros(shape).requiresGrad(true));
  }

  /** Moves the parameters to the network's device. */
  void to(Network network) {
    parameters.replaceAll(
        (name, p) -> {
          if (p.device().equals(network.device())) {
            return p;
          }
          try (p) {
            return TensorScope.detach(p.detach().to(network.device()).requiresGrad(true));
          }
        });
  }

  /** The trained parameters by name. */
  SequencedMap<String, Tensor> parameters() {
    return parameters;
  }

  /** Loss of some logits and its gradient. */
  interface Loss {
    EdgeLoss.Result of(float[] logits);
  }

  /**
   * Adds the gradients of the side losses to the read-outs' parameters, and appends what has to go
   * back through the network.
   *
   * @param last states after the last timestep
   * @param factor on the gradients
   * @param outputs receives states
   * @param gradients receives their gradients
   * @return sum of the losses
   */
  double add(
      Map<String, Tensor> last,
      long height,
      long width,
      Loss loss,
      double factor,
      List<Tensor> outputs,
      List<Tensor> gradients) {
    double sum = 0;
    for (String name : states) {
      Tensor state = get(last, name);
      Tensor leaf = state.detach().requiresGrad(true);
      Tensor small =
          Ops.conv2d(
              leaf, get(parameters, name + ".weight"), get(parameters, name + ".bias"), 1, 0);
      Tensor logits = Ops.upsampleBilinear2d(small, height, width);
      EdgeLoss.Result result = loss.of(logits.toFloatArray());
      sum += result.value();
      Autograd.backward(logits, result.gradient(factor, logits));
      Tensor gradient = leaf.grad();
      if (gradient != null) {
        outputs.add(state);
        gradients.add(gradient);
      }
    }
    return sum;
  }

  private static Tensor get(Map<String, Tensor> map, String name) {
    Tensor tensor = map.get(name);
    if (tensor == null) {
      throw new AssertionError("nothing is called " + name + " among " + map.keySet());
    }
    return tensor;
  }

  @Override
  public void close() {
    parameters.values().forEach(Tensor::close);
    parameters.clear();
  }
}
