package org.gammanet.model;

import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.Attention;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.GatePosition;
import org.gammanet.config.Normalization;
import org.gammanet.config.ParameterActivation;
import org.gammanet.kernels.NativeCell;
import org.gammanet.kernels.NativeConv;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * The fGRU cell with separate excitatory and inhibitory states.
 *
 * <p>With drive x, excitatory state e and inhibitory state i; {@code *} is a convolution and N a
 * normalisation that may be absent:
 *
 * <pre>
 * c1 = relu(W_inh * N1(e))                 inhibition through horizontal connections
 * s  = relu(x - (alpha i + mu) c1)         inhibited drive
 * g1 = sigmoid(W_gain * N[e; i; x] + b)    input gate
 * i' = (1 - g1) i + g1 s
 * c2 = relu(W_exc * N2(i'))                excitation through horizontal connections
 * q  = omega c2 + kappa
 * g2 = sigmoid(W_mix * N[e; q; i'] + b)    mixing gate
 * e' = (1 - g2) e + g2 q
 * </pre>
 *
 * <p>alpha, mu, kappa and omega are vectors of channels, or computed at each pixel: {@code [alpha;
 * mu]} from {@code [i; c1; x]} and {@code [kappa; omega]} from {@code [i'; e]}. The kernels are
 * free in sign; that inhibition subtracts and excitation adds is in the equations alone.
 */
public final class FgruV2Cell extends FgruCell {
  private final CellParts cell;
  private final Parts.Layer attention;
  private final Parts.Layer gateNorm;
  private final Parts.Layer norm1;
  private final Parts.Layer norm2;
  private final Parts.@Nullable Conv inhibitionNet;
  private final Parts.@Nullable Conv excitationNet;
  private final List<Parameter> parameters;
  private final @Nullable Packed<NativeCell> packed;
  private final Map<NativeCell.Weight, Parameter> weights;

  FgruV2Cell(Parts parts, String name, int channels, int kernelSize, FgruConfig config) {
    super(name, channels, kernelSize, config);
    String prefix = name.isEmpty() ? "" : name + ".";
    boolean grouped = config.normalizationType() == Normalization.GROUP;
    if (grouped && channels > 8 && channels % 8 != 0) {
      throw new IllegalArgumentException(
          "group normalisation needs fewer than 8 channels or a multiple of 8, not " + channels);
    }
    int mark = parts.mark();
    cell = new CellParts(parts, prefix, channels, kernelSize, 3, config);
    attention =
        parts.attention(
            prefix + "attention", config.attention(), channels, config.attentionLayers());
    int groups = Parts.groups(channels);
    gateNorm =
        Parts.plainNorm(
            config.normalizationType(),
            config.gateNormPosition() == GatePosition.PRE ? 3 * groups : groups);
    if (config.useDynamicParameters()) {
      inhibitionNet = dynamicNet(parts, prefix + "dynamic_params.inhibition_net.0", 3, channels);
      excitationNet = dynamicNet(parts, prefix + "dynamic_params.excitation_net.0", 2, channels);
    } else {
      inhibitionNet = null;
      excitationNet = null;
    }
    Normalization circuit =
        config.normalizesCircuitInputs() ? config.normalizationType() : Normalization.NONE;
    norm1 = parts.affineNorm(prefix + "norm_c1", circuit, channels, groups);
    norm2 = parts.affineNorm(prefix + "norm_c2", circuit, channels, groups);
    parameters = parts.trainableSince(mark);
    weights = weights(prefix);
    packed = fallbackReason() == null ? new Packed<>(name, parameters, this::pack) : null;
  }

  /** The parameters in their native places. */
  private Map<NativeCell.Weight, Parameter> weights(String prefix) {
    Map<String, Parameter> byName = new HashMap<>();
    parameters.forEach(p -> byName.put(p.name().substring(prefix.length()), p));
    Map<NativeCell.Weight, Parameter> map = new EnumMap<>(NativeCell.Weight.class);
    for (NativeCell.Weight weight : NativeCell.Weight.values()) {
      Parameter parameter = byName.get(nameOf(weight));
      if (parameter != null) {
        map.put(weight, parameter);
      }
    }
    return map;
  }

  private static String nameOf(NativeCell.Weight weight) {
    return switch (weight) {
      case W_INH -> "W_inh";
      case W_EXC -> "W_exc";
      case W_GAIN -> "W_gain";
      case W_MIX -> "W_mix";
      case B_GAIN -> "b_gain";
      case B_MIX -> "b_mix";
      case D_INH -> "dynamic_params.inhibition_net.0.weight";
      case D_INH_BIAS -> "dynamic_params.inhibition_net.0.bias";
      case D_EXC -> "dynamic_params.excitation_net.0.weight";
      case D_EXC_BIAS -> "dynamic_params.excitation_net.0.bias";
      case ALPHA -> "alpha";
      case MU -> "mu";
      case KAPPA -> "kappa";
      case OMEGA -> "omega";
      case N1_WEIGHT -> "norm_c1.weight";
      case N1_BIAS -> "norm_c1.bias";
      case N2_WEIGHT -> "norm_c2.weight";
      case N2_BIAS -> "norm_c2.bias";
    };
  }

  private NativeCell pack(Precision precision) {
    FgruConfig config = config();
    NativeCell.Circuit dynamic =
        config.dynamicParamActivation() == ParameterActivation.SOFTPLUS
            ? NativeCell.Circuit.SOFTPLUS
            : NativeCell.Circuit.SIGMOID;
    Map<NativeCell.Weight, Tensor> tensors = new EnumMap<>(NativeCell.Weight.class);
    weights.forEach((weight, parameter) -> tensors.put(weight, parameter.tensor()));
    return NativeCell.pack(
        tensors,
        new NativeCell.Options(
            NativeCell.Norm.valueOf(config.normalizationType().name()),
            config.gateNormPosition() == GatePosition.POST,
            config.useDynamicParameters() ? dynamic : NativeCell.Circuit.STATIC,
            config.forceAlphaDivisive(),
            config.forceOmegaNonnegative(),
            config.multiplicativeExcitation(),
            config.normalizesCircuitInputs(),
            NativeCell.Symmetry.valueOf(config.effectiveSymmetry().name()),
            precision,
            NativeConv.Algorithm.AUTO));
  }

  @Override
  @Nullable String fallbackReason() {
    return config().attention() == Attention.NONE
        ? null
        : "cells with attention have no native kernels";
  }

  private @Nullable NativeCell kernel(ForwardContext context, Tensor... inputs) {
    return packed != null && context.fuses(parameters, inputs)
        ? packed.get(context.precision())
        : null;
  }

  /** A step by the native kernel, into new memory. */
  private Tensor[] step(NativeCell kernel, Tensor[] inputs) {
    Tensor drive = inputs[0];
    Tensor[] updated = {like(drive), like(drive)};
    try (var scope = TensorScope.open()) {
      @Nullable Tensor[] states = states(inputs);
      kernel.forward(Ops.channelsLast(drive), states[0], states[1], updated[0], updated[1], null);
    }
    if (states() == 2) {
      return updated;
    }
    updated[1].close();
    return new Tensor[] {updated[0]};
  }

  /** Both states among a step's inputs, channels last; null for zeros. */
  private @Nullable Tensor[] states(Tensor[] inputs) {
    if (inputs.length == 1) {
      return new @Nullable Tensor[] {null, null};
    }
    Tensor e = Ops.channelsLast(inputs[1]);
    return new Tensor[] {e, states() == 2 ? Ops.channelsLast(inputs[2]) : e};
  }

  private static Tensor like(Tensor map) {
    return Parts.map(map, map.size(1), map.size(2), map.size(3));
  }

  @Override
  boolean advance(ForwardContext context, Tensor drive, List<Tensor> states, @Nullable Tensor sum) {
    boolean ready = states.size() == 2 && states.stream().allMatch(Tensor::isChannelsLast);
    NativeCell kernel = ready ? kernel(context, drive) : null;
    if (kernel == null || (sum != null && !sum.isChannelsLast())) {
      return false;
    }
    try (Tensor x = TensorScope.detach(Ops.channelsLast(drive))) {
      kernel.forward(x, states.get(0), states.get(1), states.get(0), states.get(1), sum);
    }
    return true;
  }

  @Override
  public boolean hasBackward(ForwardContext context, Tensor... inputs) {
    return kernelForBackward(context, inputs) != null && context.signals(name()) == null;
  }

  private @Nullable NativeCell kernelForBackward(ForwardContext context, Tensor[] inputs) {
    boolean single = states() == 1 && inputs.length > 1;
    return packed != null && !single && context.takes(inputs)
        ? packed.get(context.precision())
        : null;
  }

  @Override
  public @Nullable Tensor @Nullable [] backward(
      ForwardContext context, Tensor[] inputs, @Nullable Tensor[] gradients, boolean[] wanted) {
    boolean single = states() == 1;
    NativeCell kernel = kernelForBackward(context, inputs);
    if (kernel == null) {
      return null;
    }
    Map<NativeCell.Weight, Tensor> gradWeights = new EnumMap<>(NativeCell.Weight.class);
    weights.forEach(
        (weight, parameter) -> {
          Tensor gradient = parameter.gradient();
          if (gradient != null) {
            gradWeights.put(weight, gradient);
          }
        });
    @Nullable Tensor[] states = states(inputs);
    @Nullable Tensor[] result = new @Nullable Tensor[inputs.length];
    for (int k = 0; k < result.length; k++) {
      result[k] = wanted[k] ? like(inputs[0]) : null;
    }
    Tensor ofE = gradients[0];
    Tensor ofI = single ? null : gradients[1];
    try {
      kernel.backward(
          Ops.channelsLast(inputs[0]),
          states[0],
          states[1],
          ofE == null ? null : Ops.channelsLast(ofE),
          ofI == null ? null : Ops.channelsLast(ofI),
          result[0],
          result.length > 1 ? result[1] : null,
          result.length > 2 ? result[2] : null,
          gradWeights);
    } catch (UnsupportedOperationException e) {
      return null; // this build has the forward kernel only
    }
    return result;
  }

  private static Parts.Conv dynamicNet(Parts parts, String name, int inputs, int channels) {
    int in = inputs * channels;
    return parts.conv(
        name,
        in,
        2 * channels,
        1,
        Initialization.xavier(in, 2L * channels, 0.1),
        Initialization.ZERO);
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public int states() {
    return config().useSeparateEiStates() ? 2 : 1;
  }

  @Override
  public Tensor horizontalKernel(boolean excitatory) {
    return cell.kernel(excitatory ? cell.wExc : cell.wInh);
  }

  @Override
  public long macsPerPixel() {
    FgruConfig config = config();
    long c2 = (long) channels() * channels();
    long dynamic = config.useDynamicParameters() ? 6 + 4 : 0;
    return (2L * kernelSize() * kernelSize() + 6 + dynamic) * c2
        + Parts.attentionMacs(config.attention(), channels(), config.attentionLayers());
  }

  /**
   * One step.
   *
   * @param inputs drive, excitatory state, and inhibitory state if the cell has one; or the drive
   *     alone
   * @return the new states
   */
  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    Map<String, Tensor> signals = context.signals(name());
    NativeCell kernel = signals == null ? kernel(context, inputs) : null;
    if (kernel != null) {
      return step(kernel, inputs);
    }
    Tensor x = inputs[0];
    Tensor e = stateOf(inputs, 0);
    Tensor i = config().useSeparateEiStates() && inputs.length > 1 ? inputs[2] : e;

    Tensor s;
    if (inputs.length == 1 && signals == null && norm1 == Parts.IDENTITY) {
      s = Ops.relu(x); // no inhibition comes from a silent population
    } else {
      Tensor c1 = rectifiedHorizontal(context, cell.wInh, norm1, e, signals, "n1");
      s = Parts.scoped(() -> inhibitedDrive(x, i, c1));
      release(signals, "c1", c1);
    }
    Tensor g1 =
        Parts.scoped(() -> gate(cell.wGain, cell.bGain, Ops.cat(List.of(e, i, x), 1), attention));
    Tensor newI = CellParts.mix(i, s, g1);
    release(signals, "s", s);
    release(signals, "g1", g1);

    Tensor c2 = rectifiedHorizontal(context, cell.wExc, norm2, newI, signals, "n2");
    Tensor q = Parts.scoped(() -> candidate(newI, e, c2));
    release(signals, "c2", c2);
    Tensor g2 =
        Parts.scoped(
            () -> gate(cell.wMix, cell.bMix, Ops.cat(List.of(e, q, newI), 1), Parts.IDENTITY));
    Tensor newE = CellParts.mix(e, q, g2);

    if (signals != null) {
      signals.put("x", x);
      signals.put("inh", newI);
      signals.put("q", q);
      signals.put("g2", g2);
      signals.put("exc", newE);
      context.report(name(), signals);
    }
    return states() == 2 ? new Tensor[] {newE, newI} : new Tensor[] {newE};
  }

  /** {@code relu(W * N(state))}; the hooks get {@code N(state)} under {@code name}. */
  private Tensor rectifiedHorizontal(
      ForwardContext context,
      Parameter weight,
      Parts.Layer norm,
      Tensor state,
      @Nullable Map<String, Tensor> signals,
      String name) {
    Tensor n = norm == Parts.IDENTITY ? state : Parts.scoped(() -> norm.forward(state));
    Tensor c = Parts.scoped(() -> Ops.relu_(cell.horizontal(context, weight, n)));
    if (signals != null) {
      signals.put(name, n);
    } else if (n != state) {
      n.close();
    }
    return c;
  }

  /** {@code relu(x - (alpha i + mu) c1)}. */
  private Tensor inhibitedDrive(Tensor x, Tensor i, Tensor c1) {
    Tensor[] inhibition =
        inhibitionNet == null
            ? cell.staticInhibition()
            : cell.split(Parts.scoped(() -> inhibitionNet.forward(Ops.cat(List.of(i, c1, x), 1))));
    Tensor strength = Ops.add(Ops.mul(inhibition[0], i), inhibition[1]);
    return Ops.relu_(Ops.sub(x, Ops.mul(strength, c1)));
  }

  /** {@code omega c2 + kappa}, or {@code relu(i' + c2)} without multiplicative excitation. */
  private Tensor candidate(Tensor newI, Tensor e, Tensor c2) {
    if (!config().multiplicativeExcitation()) {
      return Ops.relu_(Ops.add(newI, c2));
    }
    Tensor[] excitation =
        excitationNet == null
            ? cell.staticExcitation()
            : cell.split(Parts.scoped(() -> excitationNet.forward(Ops.cat(List.of(newI, e), 1))));
    return Ops.add(Ops.mul(excitation[1], c2), excitation[0]);
  }

  private Tensor gate(Parameter weight, Parameter bias, Tensor z, Parts.Layer attention) {
    boolean pre = config().gateNormPosition() == GatePosition.PRE;
    Tensor y = Ops.conv2d(pre ? gateNorm.forward(z) : z, weight.tensor(), null, 1, 0);
    y = attention.forward(y);
    return Ops.sigmoid_(CellParts.plusBias(pre ? y : gateNorm.forward(y), bias));
  }
}
