package org.gammanet.model;

import java.util.List;
import org.gammanet.torch.Tensor;

/**
 * Runs the segments of a network in its forward pass: at once, or noting down what training needs
 * to compute their gradients later.
 */
public interface SegmentRunner {
  /** Just computes: for inference, and for plain automatic differentiation. */
  SegmentRunner DIRECT = (extent, segment, inputs) -> segment.run(inputs);

  /** How much a segment covers. */
  enum Extent {
    /** A block, one update of a cell, a projection, a read-out. */
    CELL,
    /** A timestep: its segments of extent {@link #CELL} are run by the same runner. */
    TIMESTEP
  }

  /**
   * Runs a segment. The very {@link Tensor} objects that it returns must be the ones that later
   * segments get as inputs: a runner follows gradients by them.
   */
  List<Tensor> run(Extent extent, Segment segment, List<Tensor> inputs);
}
