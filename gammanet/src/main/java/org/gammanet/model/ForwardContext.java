package org.gammanet.model;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** What the segments of one forward pass share: the timestep, hooks, and work done once. */
public final class ForwardContext implements AutoCloseable {
  private final @Nullable ForwardHooks hooks;
  private final boolean composedOnly;
  private final Map<Object, AutoCloseable> prepared = new HashMap<>();
  private int timestep;

  ForwardContext(@Nullable ForwardHooks hooks, boolean composedOnly) {
    this.hooks = hooks;
    this.composedOnly = composedOnly;
  }

  /** A context without hooks, for running a segment on its own. */
  public static ForwardContext plain() {
    return new ForwardContext(null, false);
  }

  /** The current timestep, from 0. */
  public int timestep() {
    return timestep;
  }

  /** Moves to a timestep; for executors that run segments again. */
  public void timestep(int t) {
    timestep = t;
  }

  @Nullable ForwardHooks hooks() {
    return hooks;
  }

  /** Whether fused kernels must not be used, so that both paths can be compared. */
  boolean composedOnly() {
    return composedOnly;
  }

  /**
   * Something derived from parameters alone, made on first use and kept for this pass. Only without
   * gradients: with them, the derivation is part of the graph.
   */
  @SuppressWarnings("unchecked")
  <T extends AutoCloseable> T prepare(Object key, java.util.function.Supplier<T> maker) {
    if (Autograd.isEnabled()) {
      throw new IllegalStateException("prepared values carry no gradients");
    }
    AutoCloseable value = prepared.get(key);
    if (value == null) {
      value = maker.get();
      if (value instanceof Tensor tensor) {
        TensorScope.detach(tensor);
      }
      prepared.put(key, value);
    }
    return (T) value;
  }

  /** Collects a cell's signals for the hooks; null when nobody wants them. */
  @Nullable Map<String, Tensor> signals(String cell) {
    return hooks != null && hooks.wantsInside(cell, timestep) ? new LinkedHashMap<>() : null;
  }

  void report(String cell, @Nullable Map<String, Tensor> signals) {
    if (hooks != null && signals != null) {
      hooks.cellFinished(cell, timestep, signals);
    }
  }

  @Override
  public void close() {
    for (AutoCloseable value : prepared.values()) {
      try {
        value.close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    prepared.clear();
  }
}
