package org.gammanet.model;

import java.util.Map;
import org.gammanet.torch.Tensor;

/**
 * Watches a forward pass, and may replace signals in it.
 *
 * <p>Two things carry nearly the same name and differ: the <em>output of a cell</em> at a timestep
 * (before feedback of the same step is added) and the <em>state</em> at the end of the step. Cells
 * and blocks are named as in a checkpoint: {@code fgru_0}, {@code td_fgru_0}, {@code block1_conv}.
 *
 * <p>Tensors handed over are (N, C, H, W) and borrowed: they are closed after the call. A
 * replacement must have the same shape, may be computed with autograd, and may be the argument
 * itself; it is made in the current tensor scope.
 */
public interface ForwardHooks {
  /** Replaces the output of a block, which drives the cell of that level, at each timestep. */
  default Tensor blockOutput(String block, int timestep, Tensor drive) {
    return drive;
  }

  /**
   * Replaces the output of a cell: its excitatory (or only) state first, then the inhibitory state
   * where there is one. Called after {@link #cellFinished}.
   */
  default Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
    return states;
  }

  /** Whether {@link #cellFinished} wants the signals inside a cell; else it is not called. */
  default boolean wantsInside(String cell, int timestep) {
    return false;
  }

  /**
   * The signals of one step of a cell.
   *
   * @param signals by name: {@code x} drive, {@code n1} and {@code n2} what the inhibitory and the
   *     excitatory horizontal kernel see, {@code c1} rectified inhibitory horizontal term, {@code
   *     s} inhibited drive, {@code g1} input gate, {@code inh} new inhibitory state, {@code c2}
   *     rectified excitatory horizontal term, {@code q} candidate, {@code g2} mixing gate, {@code
   *     exc} new excitatory state; cells with a single state have {@code h1} and {@code h} for
   *     {@code inh} and {@code exc}
   */
  default void cellFinished(String cell, int timestep, Map<String, Tensor> signals) {}

  /**
   * The end of a timestep, after feedback.
   *
   * @param timestep from 0
   * @param states by name, such as {@code h0_exc}
   */
  default void timestepFinished(int timestep, Map<String, Tensor> states) {}
}
