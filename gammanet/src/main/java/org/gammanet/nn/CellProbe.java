package org.gammanet.nn;

import java.util.Map;
import org.gammanet.torch.Tensor;

/** Watches the signals inside recurrent cells during a forward pass. */
public interface CellProbe {
  /** Whether {@link #cellFinished} is called for a cell at a timestep, counted from 0. */
  default boolean wantsInside(String cell, int timestep) {
    return false;
  }

  /**
   * The signals of one step of a cell, borrowed: they are closed after the call.
   *
   * @param signals by name, each {@code [N, C, H, W]}: {@code x} drive, {@code n1} and {@code n2}
   *     inputs of the inhibitory and the excitatory horizontal kernel, {@code c1} rectified
   *     inhibitory horizontal term, {@code s} inhibited drive, {@code g1} input gate, {@code inh}
   *     new inhibitory state, {@code c2} rectified excitatory horizontal term, {@code q} candidate,
   *     {@code g2} mixing gate, {@code exc} new excitatory state; cells with a single state have
   *     {@code h1} and {@code h} for {@code inh} and {@code exc}
   */
  default void cellFinished(String cell, int timestep, Map<String, Tensor> signals) {}
}
