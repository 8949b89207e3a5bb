package org.gammanet.model;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * What the segments of one forward pass share: the timestep, hooks, and what is derived from
 * parameters once and used at every timestep. Belongs to one thread.
 */
public final class ForwardContext implements AutoCloseable {
  /** A function of a parameter, and the leaf that stands for its value in graphs of segments. */
  private record Leaf(Tensor value, UnaryOperator<Tensor> function) {}

  private final @Nullable ForwardHooks hooks;
  private final boolean fused;
  private final Precision precision;
  private final Map<Parameter, Tensor> plain = new HashMap<>();
  private final Map<Parameter, Tensor> recorded = new HashMap<>();
  private final Map<Parameter, Leaf> leaves = new IdentityHashMap<>();
  private int timestep;
  private boolean apart;
  private boolean replaying;

  ForwardContext(@Nullable ForwardHooks hooks, boolean composedOnly) {
    this(hooks, composedOnly, Precision.FLOAT32);
  }

  ForwardContext(@Nullable ForwardHooks hooks, boolean composedOnly, Precision precision) {
    this.hooks = hooks;
    this.precision = precision;
    fused = !composedOnly && NativeKernels.supports(Precision.FLOAT32);
  }

  /** A context without hooks, for running a segment on its own. */
  public static ForwardContext plain() {
    return new ForwardContext(null, false);
  }

  /** The same, without native kernels. */
  public static ForwardContext composed() {
    return new ForwardContext(null, true);
  }

  /** The current timestep, from 0. */
  public int timestep() {
    return timestep;
  }

  void timestep(int t) {
    timestep = t;
  }

  /**
   * For executors that differentiate each segment on its own: from now on gradients of derived
   * values are collected, also beyond the end of the pass, until {@link #finishReplay} or {@link
   * #discard}.
   */
  public void recordApart() {
    apart = true;
  }

  /**
   * For executors that run segments a second time: moves to a timestep of a pass that is over. From
   * then on watchers are not told again, running statistics stay, and gradients of derived values
   * are collected as after {@link #recordApart}.
   */
  public void replay(int t) {
    timestep = t;
    apart = true;
    replaying = true;
  }

  /** Whether segments run for a second time. */
  boolean isReplaying() {
    return replaying;
  }

  /**
   * Turns the gradients that derived values have collected into gradients of their parameters, and
   * forgets those values.
   */
  public void finishReplay() {
    try (var scope = TensorScope.open();
        var recording = Autograd.enableGrad()) {
      leaves.forEach(
          (parameter, leaf) -> {
            Tensor gradient = leaf.value().grad();
            if (gradient != null) {
              Autograd.backward(leaf.function().apply(parameter.tensor()), gradient);
            }
          });
    } finally {
      discard();
    }
  }

  /** Forgets derived values and what they have collected. */
  public void discard() {
    apart = false;
    close();
  }

  @Nullable ForwardHooks hooks() {
    return hooks;
  }

  /** How native kernels multiply. */
  Precision precision() {
    return precision;
  }

  /**
   * Whether native kernels may compute a segment forwards: they are there, they take these inputs,
   * and automatic differentiation does not need what they leave out.
   */
  boolean fuses(List<Parameter> parameters, Tensor... inputs) {
    if (!takes(inputs)) {
      return false;
    }
    if (Autograd.isEnabled()) {
      for (Tensor input : inputs) {
        if (input.requiresGrad()) {
          return false;
        }
      }
      for (Parameter parameter : parameters) {
        if (parameter.tensor().requiresGrad()) {
          return false;
        }
      }
    }
    return true;
  }

  /** Whether there are native kernels for these inputs. */
  boolean takes(Tensor... inputs) {
    if (!fused) {
      return false;
    }
    for (Tensor input : inputs) {
      if (input.dtype() != DType.FLOAT32 || !NativeKernels.supports(input.device())) {
        return false;
      }
    }
    return true;
  }

  /**
   * A function of a parameter alone, computed on its first use in this pass. It stays the
   * context's.
   *
   * <p>When a graph is recorded, the value is part of it, once for all timesteps. When each segment
   * is differentiated on its own, a leaf stands for it and gathers the gradients of all timesteps.
   *
   * @param function must be differentiable; always the same for a parameter
   */
  Tensor derived(Parameter parameter, UnaryOperator<Tensor> function) {
    if (!Autograd.isEnabled()) {
      return plain.computeIfAbsent(parameter, p -> make(p, function));
    }
    if (!apart) {
      return recorded.computeIfAbsent(parameter, p -> make(p, function));
    }
    return leaves
        .computeIfAbsent(
            parameter,
            p -> {
              try (var silent = Autograd.noGrad()) {
                Tensor leaf = make(p, function).requiresGrad(p.tensor().requiresGrad());
                return new Leaf(leaf, function);
              }
            })
        .value();
  }

  private static Tensor make(Parameter parameter, UnaryOperator<Tensor> function) {
    try (var scope = TensorScope.open()) {
      return TensorScope.detach(scope.keep(function.apply(parameter.tensor())));
    }
  }

  /** Collects a cell's signals for the hooks; null when nobody wants them. */
  @Nullable Map<String, Tensor> signals(String cell) {
    boolean wanted = hooks != null && !replaying && hooks.wantsInside(cell, timestep);
    return wanted ? new LinkedHashMap<>() : null;
  }

  void report(String cell, @Nullable Map<String, Tensor> signals) {
    if (hooks != null && signals != null) {
      hooks.cellFinished(cell, timestep, signals);
    }
  }

  /** Releases the derived values, but not those that still collect gradients. */
  @Override
  public void close() {
    List<Tensor> all = new ArrayList<>(plain.values());
    all.addAll(recorded.values());
    plain.clear();
    recorded.clear();
    if (!apart) {
      leaves.values().forEach(leaf -> all.add(leaf.value()));
      leaves.clear();
    }
    all.forEach(Tensor::close);
  }
}
