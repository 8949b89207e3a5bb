package org.gammanet.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.ParameterActivation;
import org.gammanet.nn.Initialization;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * The start {@code model.init: pass_through}: after one timestep each cell's excitatory state is
 * about 0.8 times its input, and each alignment hands on what it receives, so that weights of VGG16
 * are worth something from the first update on. Horizontal and top-down influence grow from noise.
 */
public final class PassThrough {
  private static final Pattern CONVOLUTION =
      Pattern.compile("block([1-5])_conv\\.layers\\.(\\d+)\\.(weight|bias)");

  private PassThrough() {}

  /** Sets a parameter's initial value for a seed. */
  static void initialize(Parameter parameter, FgruConfig cells, long seed) {
    Initialization other = initialization(parameter.name(), parameter.shape(), cells);
    if (other == null) {
      parameter.initialize(seed);
    } else {
      parameter.initialize(seed, other);
    }
  }

  private static @Nullable Initialization initialization(
      String name, long[] shape, FgruConfig cells) {
    boolean bias = name.endsWith("bias");
    if (name.endsWith("W_exc")) {
      return new Initialization.Delta(0.02);
    }
    if (name.endsWith("W_inh")) {
      return new Initialization.Normal(Math.sqrt(1.0 / (shape[1] * shape[2] * shape[3])));
    }
    if (name.endsWith("b_gain") || name.endsWith("b_mix")) {
      return new Initialization.Constant(2); // gates open
    }
    if (name.endsWith("W_gain") || name.endsWith("W_mix")) {
      return new Initialization.Normal(0.02);
    }
    if (name.endsWith(".alpha")) {
      return Initialization.ZERO;
    }
    if (name.contains("inhibition_net") && bias) {
      return new Initialization.Constant(-4); // alpha and mu near 0
    }
    if (name.contains("excitation_net") && bias) {
      boolean sigmoid = cells.dynamicParamActivation() == ParameterActivation.SIGMOID;
      return new Initialization.Halves(-4, sigmoid ? 2.2 : 0.8); // kappa near 0, omega near 1
    }
    if (name.contains("inhibition_net") || name.contains("excitation_net")) {
      return new Initialization.Normal(0.01);
    }
    if (name.startsWith("align")) {
      return bias ? Initialization.ZERO : new Initialization.Delta(0.02);
    }
    return null;
  }

  /**
   * Scales VGG16's convolutions so that each one's output has a root mean square of 1 over some
   * images. Since ReLU networks are homogeneous, VGG16 computes the same features up to a factor
   * for each layer, and the circuits between its blocks get inputs of the size they are made for.
   *
   * @param network with VGG16's blocks, on the CPU or another device
   * @param images {@code [N, 3, H, W]}, normalized, on the same device; H and W at least 16
   */
  public static void unitResponses(Network network, Tensor images) {
    Map<String, Parameter> layers = new LinkedHashMap<>();
    network.entries().forEach(parameter -> layers.put(parameter.name(), parameter));
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Tensor x = images;
      double scale = 1;
      String block = "1";
      for (Parameter weight : List.copyOf(network.entries())) {
        Matcher place = CONVOLUTION.matcher(weight.name());
        if (!place.matches() || !place.group(3).equals("weight")) {
          continue;
        }
        Parameter bias = layers.get(weight.name().replace(".weight", ".bias"));
        if (bias == null) {
          throw new AssertionError(weight.name());
        }
        if (!place.group(1).equals(block)) {
          block = place.group(1);
          x = Ops.maxPool2d(x, 2, 2);
        }
        // Its input is scale times what it was trained for.
        weight.set(Ops.mul(weight.tensor(), 1 / scale));
        Tensor y = Ops.relu(Ops.conv2d(x, weight.tensor(), bias.tensor(), 1, 1));
        double root = Math.sqrt(Ops.mean(Ops.mul(y, y)).item());
        double factor = root > 0 ? 1 / root : 1;
        weight.set(Ops.mul(weight.tensor(), factor));
        bias.set(Ops.mul(bias.tensor(), factor));
        x = Ops.mul(y, factor);
        scale = factor;
      }
    }
  }
}
