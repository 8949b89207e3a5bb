package org.gammanet.fused;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.GatePosition;
import org.gammanet.config.ParameterActivation;
import org.gammanet.kernels.NativeCell;
import org.gammanet.kernels.NativeConv;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.FgruV2Cell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Segment;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * {@link FgruV2Cell}, forward and backward. The inputs are the drive and the states; the kernel
 * applies the symmetry S of the horizontal weights itself, and gets |S(W)| for W where their sign
 * is constrained.
 */
final class FusedCell extends FusedSegment {
  private static final Set<NativeCell.Weight> HORIZONTAL =
      EnumSet.of(NativeCell.Weight.W_INH, NativeCell.Weight.W_EXC);

  private final FgruV2Cell cell;
  private final Map<NativeCell.Weight, Parameter> weights;
  private final Packed<NativeCell> packed;

  FusedCell(FgruV2Cell cell) {
    super(cell);
    this.cell = cell;
    weights = weights(cell);
    packed = new Packed<>(cell.parameters(), this::pack);
  }

  /** The parameters by their native names. */
  private static Map<NativeCell.Weight, Parameter> weights(FgruV2Cell cell) {
    int prefix = cell.name().isEmpty() ? 0 : cell.name().length() + 1;
    Map<String, Parameter> byName = new HashMap<>();
    cell.parameters().forEach(p -> byName.put(p.name().substring(prefix), p));
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
    FgruConfig config = cell.config();
    NativeCell.Circuit dynamic =
        config.dynamicParamActivation() == ParameterActivation.SOFTPLUS
            ? NativeCell.Circuit.SOFTPLUS
            : NativeCell.Circuit.SIGMOID;
    Map<NativeCell.Weight, Tensor> tensors = new EnumMap<>(NativeCell.Weight.class);
    weights.forEach((weight, parameter) -> tensors.put(weight, parameter.tensor()));
    NativeCell.Options options =
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
            NativeConv.Algorithm.AUTO);
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      if (config.dale()) { // S leaves |S(W)| as it is
        tensors.put(NativeCell.Weight.W_INH, cell.horizontalKernel(false));
        tensors.put(NativeCell.Weight.W_EXC, cell.horizontalKernel(true));
      }
      return NativeCell.pack(tensors, options);
    }
  }

  /**
   * Adds the gradient of a horizontal weight whose sign is constrained: that of |S(W)|, averaged by
   * S as the kernel does, times the sign of S(W).
   */
  private void addConstrained(Parameter weight, Tensor gradient, Tensor ofAbsolute) {
    Tensor sign = Ops.sign(Layers.symmetric(weight.tensor(), cell.config().effectiveSymmetry()));
    gradient.copy_(Ops.add(gradient, Ops.mul(ofAbsolute, sign)));
  }

  /** Whether the kernel can overwrite states: with a single one it reads i while it writes e. */
  boolean inPlace() {
    return cell.states() == 2;
  }

  private boolean computes(ForwardContext context, Tensor... inputs) {
    return !context.watches(name()) && Kernels.compute(context, parameters(), inputs);
  }

  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    return computes(context, inputs) ? fused(context, inputs) : cell.step(context, inputs);
  }

  @Override
  Tensor[] fused(ForwardContext context, Tensor... inputs) {
    return step(context, inputs, null);
  }

  @Override
  public Tensor[] forwardKeeping(ForwardContext context, List<Tensor> kept, Tensor... inputs) {
    if (cell.states() != 2 || !computes(context, inputs)) {
      return forward(context, inputs);
    }
    NativeCell kernel = packed.get(context.precision(), context);
    long channels = kernel.keptChannels();
    if (channels == 0) {
      return forward(context, inputs);
    }
    Tensor x = Ops.channelsLast(inputs[0]);
    @Nullable Tensor[] states = states(inputs);
    Tensor[] updated = {emptyLike(x), emptyLike(x)};
    Tensor interior = emptyFeatureMap(x, channels, x.size(2), x.size(3));
    kernel.forwardKeeping(x, states[0], states[1], updated[0], updated[1], interior);
    kept.add(interior);
    return updated;
  }

  /** One step; adds the new excitatory state to a sum. */
  private Tensor[] step(ForwardContext context, Tensor[] inputs, @Nullable Tensor sum) {
    Tensor[] updated = new Tensor[2];
    for (int k = 0; k < 2; k++) {
      boolean overwrites =
          inPlace()
              && inputs.length > 1
              && context.mayOverwrite(inputs[1 + k])
              && inputs[1 + k].isChannelsLast();
      updated[k] = overwrites ? inputs[1 + k] : emptyLike(inputs[0]);
    }
    try (var scope = TensorScope.open()) {
      Tensor x = Ops.channelsLast(inputs[0]);
      @Nullable Tensor[] states = states(inputs);
      packed
          .get(context.precision(), context)
          .forward(x, states[0], states[1], updated[0], updated[1], sum);
    }
    if (cell.states() == 2) {
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
    return new Tensor[] {e, cell.states() == 2 ? Ops.channelsLast(inputs[2]) : e};
  }

  @Override
  public boolean hasBackward(ForwardContext context, Tensor... inputs) {
    boolean oneStateTwice = cell.states() == 1 && inputs.length > 1;
    return !oneStateTwice && !context.watches(name()) && Kernels.take(context, inputs);
  }

  @Override
  public @Nullable Tensor[] backward(
      ForwardContext context,
      Tensor[] inputs,
      @Nullable Tensor[] gradients,
      boolean[] wanted,
      List<Tensor> kept) {
    Map<NativeCell.Weight, Tensor> gradWeights = new EnumMap<>(NativeCell.Weight.class);
    List<Runnable> afterward = new ArrayList<>();
    weights.forEach(
        (weight, parameter) -> {
          Tensor gradient = parameter.gradient();
          if (gradient == null) {
            return;
          }
          if (cell.config().dale() && HORIZONTAL.contains(weight)) {
            Tensor ofAbsolute = Tensor.zeros(gradient.dtype(), gradient.device(), gradient.shape());
            afterward.add(() -> addConstrained(parameter, gradient, ofAbsolute));
            gradWeights.put(weight, ofAbsolute);
          } else {
            gradWeights.put(weight, gradient);
          }
        });
    @Nullable Tensor[] states = states(inputs);
    @Nullable Tensor[] result = new @Nullable Tensor[inputs.length];
    for (int k = 0; k < result.length; k++) {
      result[k] = wanted[k] ? emptyLike(inputs[0]) : null;
    }
    packed
        .get(context.precision(), context)
        .backward(
            Ops.channelsLast(inputs[0]),
            states[0],
            states[1],
            channelsLast(gradients[0]),
            cell.states() == 2 ? channelsLast(gradients[1]) : null,
            result[0],
            result.length > 1 ? result[1] : null,
            result.length > 2 ? result[2] : null,
            kept.isEmpty() ? null : kept.getFirst(),
            gradWeights);
    afterward.forEach(Runnable::run);
    return result;
  }

  private static @Nullable Tensor channelsLast(@Nullable Tensor map) {
    return map == null ? null : Ops.channelsLast(map);
  }

  /** The cell and the addition of its new excitatory state to a map, which is the last input. */
  final class WithSum implements Segment {
    @Override
    public String name() {
      return FusedCell.this.name();
    }

    @Override
    public List<Parameter> parameters() {
      return FusedCell.this.parameters();
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor map = inputs[inputs.length - 1];
      Tensor[] rest = Arrays.copyOf(inputs, inputs.length - 1);
      boolean adds = context.mayOverwrite(map) && map.isChannelsLast() && computes(context, inputs);
      Tensor[] states = adds ? step(context, rest, map) : FusedCell.this.forward(context, rest);
      return new Tensor[] {states[0], states[1], adds ? map : Ops.add(map, states[0])};
    }
  }
}
