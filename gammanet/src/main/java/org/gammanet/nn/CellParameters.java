package org.gammanet.nn;

import org.gammanet.config.FgruConfig;
import org.gammanet.config.ParameterActivation;
import org.gammanet.config.Symmetry;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** Parameters of both kinds of cell: horizontal kernels, gates and static circuit parameters. */
final class CellParameters {
  final Parameter wExc;
  final Parameter wInh;
  final Parameter wGain;
  final Parameter wMix;
  final Parameter bGain;
  final Parameter bMix;
  private final @Nullable Parameter alpha;
  private final @Nullable Parameter mu;
  private final @Nullable Parameter kappa;
  private final @Nullable Parameter omega;
  private final FgruConfig config;

  /** Registers them in the order of a checkpoint. */
  CellParameters(
      Layers layers,
      String prefix,
      int channels,
      int kernelSize,
      int gateInputs,
      FgruConfig config) {
    this.config = config;
    Initialization orthogonal = new Initialization.Orthogonal();
    int in = gateInputs * channels;
    Initialization gate = Initialization.xavier(in, channels, 1);
    wExc =
        layers.parameter(prefix + "W_exc", orthogonal, channels, channels, kernelSize, kernelSize);
    wInh =
        layers.parameter(prefix + "W_inh", orthogonal, channels, channels, kernelSize, kernelSize);
    wGain = layers.parameter(prefix + "W_gain", gate, channels, in, 1, 1);
    wMix = layers.parameter(prefix + "W_mix", gate, channels, in, 1, 1);
    bGain = layers.parameter(prefix + "b_gain", Initialization.ZERO, channels);
    bMix = layers.parameter(prefix + "b_mix", Initialization.ZERO, channels);
    boolean fixed = !config.useDynamicParameters();
    boolean multiplicative = fixed && config.multiplicativeExcitation();
    alpha = fixed ? layers.parameter(prefix + "alpha", Initialization.ONE, channels) : null;
    mu = fixed ? layers.parameter(prefix + "mu", Initialization.ZERO, channels) : null;
    kappa =
        multiplicative ? layers.parameter(prefix + "kappa", Initialization.ZERO, channels) : null;
    omega =
        multiplicative ? layers.parameter(prefix + "omega", Initialization.ONE, channels) : null;
  }

  /** Whether the horizontal convolutions use another kernel than the stored one. */
  boolean derivesKernels() {
    return config.effectiveSymmetry() != Symmetry.NONE || config.dale();
  }

  /** S(W) or |S(W)|, the kernel that a horizontal convolution uses; a new tensor. */
  Tensor kernel(Parameter weight) {
    if (!derivesKernels()) {
      return weight.tensor().alias();
    }
    Tensor kernel = Layers.symmetric(weight.tensor(), config.effectiveSymmetry()).contiguous();
    return config.dale() ? Ops.abs(kernel) : kernel;
  }

  /** Gate argument plus bias. */
  static Tensor plusBias(Tensor x, Parameter bias) {
    return Ops.add(x, perChannel(bias));
  }

  /** A vector of channels shaped for broadcasting over pixels. */
  private static Tensor perChannel(Parameter vector) {
    return Ops.reshape(vector.tensor(), 1, -1, 1, 1);
  }

  /** Static α and μ, {@code [1, C, 1, 1]}. */
  Tensor[] staticInhibition() {
    Tensor a = perChannel(require(alpha));
    return new Tensor[] {config.forceAlphaDivisive() ? Ops.sigmoid(a) : a, perChannel(require(mu))};
  }

  /** Static κ and ω, {@code [1, C, 1, 1]}. */
  Tensor[] staticExcitation() {
    Tensor w = perChannel(require(omega));
    return new Tensor[] {
      perChannel(require(kappa)), config.forceOmegaNonnegative() ? Ops.relu(w) : w
    };
  }

  private static Parameter require(@Nullable Parameter parameter) {
    if (parameter == null) {
      throw new IllegalStateException("the cell has no such circuit parameter");
    }
    return parameter;
  }

  /** Two dynamic parameters from the output {@code [N, 2C, H, W]} of their network. */
  Tensor[] split(Tensor both) {
    Tensor positive =
        config.dynamicParamActivation() == ParameterActivation.SOFTPLUS
            ? Ops.softplus(both)
            : Ops.sigmoid(both);
    long channels = positive.size(1) / 2;
    return new Tensor[] {
      Ops.narrow(positive, 1, 0, channels), Ops.narrow(positive, 1, channels, channels)
    };
  }
}
