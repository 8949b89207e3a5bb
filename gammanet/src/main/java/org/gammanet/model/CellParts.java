package org.gammanet.model;

import org.gammanet.config.FgruConfig;
import org.gammanet.config.ParameterActivation;
import org.gammanet.config.Symmetry;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** What both kinds of cell have in common: kernels, gates and circuit parameters. */
final class CellParts {
  final Parameter wExc;
  final Parameter wInh;
  final Parameter wGain;
  final Parameter wMix;
  final Parameter bGain;
  final Parameter bMix;
  final @Nullable Parameter alpha;
  final @Nullable Parameter mu;
  final @Nullable Parameter kappa;
  final @Nullable Parameter omega;

  private final FgruConfig config;
  private final Symmetry symmetry;
  private final int padding;

  /** Registers kernels, gates and static circuit parameters in the order of a checkpoint. */
  CellParts(
      Parts parts, String prefix, int channels, int kernelSize, int gateInputs, FgruConfig config) {
    this.config = config;
    symmetry = config.effectiveSymmetry();
    padding = kernelSize / 2;
    Initialization orthogonal = new Initialization.Orthogonal();
    int in = gateInputs * channels;
    Initialization gate = Initialization.xavier(in, channels, 1);
    wExc =
        parts.parameter(prefix + "W_exc", orthogonal, channels, channels, kernelSize, kernelSize);
    wInh =
        parts.parameter(prefix + "W_inh", orthogonal, channels, channels, kernelSize, kernelSize);
    wGain = parts.parameter(prefix + "W_gain", gate, channels, in, 1, 1);
    wMix = parts.parameter(prefix + "W_mix", gate, channels, in, 1, 1);
    bGain = parts.parameter(prefix + "b_gain", Initialization.ZERO, channels);
    bMix = parts.parameter(prefix + "b_mix", Initialization.ZERO, channels);
    boolean fixed = !config.useDynamicParameters();
    boolean multiplicative = fixed && config.multiplicativeExcitation();
    alpha = fixed ? parts.parameter(prefix + "alpha", Initialization.ONE, channels) : null;
    mu = fixed ? parts.parameter(prefix + "mu", Initialization.ZERO, channels) : null;
    kappa =
        multiplicative ? parts.parameter(prefix + "kappa", Initialization.ZERO, channels) : null;
    omega = multiplicative ? parts.parameter(prefix + "omega", Initialization.ONE, channels) : null;
  }

  /** {@code S(W) * x} with "same" padding; S(W) is computed once per pass. */
  Tensor horizontal(ForwardContext context, Parameter weight, Tensor x) {
    Tensor kernel =
        symmetry == Symmetry.NONE
            ? weight.tensor()
            : context.derived(weight, w -> Parts.symmetric(w, symmetry).contiguous());
    return Ops.conv2d(x, kernel, null, 1, padding);
  }

  /** S(W), a new tensor. */
  Tensor kernel(Parameter weight) {
    return symmetry == Symmetry.NONE
        ? weight.tensor().alias()
        : Parts.symmetric(weight.tensor(), symmetry);
  }

  /** Gate pre-activation plus bias. */
  static Tensor plusBias(Tensor x, Parameter bias) {
    return Ops.add(x, perChannel(bias));
  }

  /** A vector of channels shaped for broadcasting over pixels. */
  static Tensor perChannel(Parameter vector) {
    return Ops.reshape(vector.tensor(), 1, -1, 1, 1);
  }

  /** α and μ, or κ and ω: static vectors after their forcing, shaped (1, C, 1, 1). */
  Tensor[] staticInhibition() {
    Tensor a = perChannel(require(alpha));
    return new Tensor[] {config.forceAlphaDivisive() ? Ops.sigmoid(a) : a, perChannel(require(mu))};
  }

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

  /** Splits what a dynamic network gives (N, 2C, H, W) after its activation. */
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

  /** {@code (1 - gate) * state + gate * candidate}. */
  static Tensor mix(Tensor state, Tensor candidate, Tensor gate) {
    return Ops.lerp(state, candidate, gate);
  }
}
