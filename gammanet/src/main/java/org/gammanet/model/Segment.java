package org.gammanet.model;

import java.util.List;
import org.gammanet.torch.Tensor;

/**
 * A piece of a network with explicit inputs and outputs: a VGG block, a cell, a projection, a
 * read-out. Everything it depends on is its inputs and its parameters, so it can be run again later
 * from saved inputs.
 */
public interface Segment {
  /** Name for messages and listings, such as {@code fgru_0}. */
  String name();

  /** The trainable parameters that it reads, possibly none. */
  List<Parameter> parameters();

  /**
   * Computes the outputs. Records a graph when the calling thread's grad mode is on. An output may
   * be an input handed through. Temporaries belong to the current scope.
   *
   * @param inputs (N, C, H, W), which stay the caller's
   */
  Tensor[] forward(ForwardContext context, Tensor... inputs);
}
