package org.gammanet.model;

import java.util.Map;
import org.gammanet.nn.CellProbe;
import org.gammanet.torch.Tensor;

/**
 * Watches a forward pass, and may replace signals in it.
 *
 * <p>Two signals have similar names and differ: the <em>output of a cell</em> at a timestep (before
 * feedback of the same timestep is added) and the <em>state</em> at the end of the timestep. Cells
 * and blocks are named as in a checkpoint: {@code fgru_0}, {@code td_fgru_0}, {@code block1_conv}.
 *
 * <p>Tensors handed over are {@code [N, C, H, W]} and borrowed: they are closed after the call. A
 * replacement must have the same shape, may be computed with autograd, and may be the argument
 * itself; it is made in the current tensor scope.
 */
public interface ForwardHooks extends CellProbe {
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

  /**
   * Called at the end of a timestep, after feedback.
   *
   * @param timestep from 0
   * @param states by name, such as {@code h0_exc}
   */
  default void timestepFinished(int timestep, Map<String, Tensor> states) {}

  /**
   * Called at the end of a timestep whose logits are computed: the last one, and with {@link
   * ForwardOptions#everyTimestep} each one.
   *
   * @param timestep from 0
   * @param logits {@code [N, output channels, H, W]}
   */
  default void logitsFinished(int timestep, Tensor logits) {}
}
