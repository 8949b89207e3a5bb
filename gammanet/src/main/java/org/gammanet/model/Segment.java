package org.gammanet.model;

import java.util.List;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A differentiable piece of a network: a block, one update of a cell, a projection, or a whole
 * timestep. It is a pure function of its inputs and of the parameters it refers to, so it can be
 * computed again during back-propagation instead of keeping what it computed on the way.
 */
@FunctionalInterface
public interface Segment {
  /**
   * Computes the outputs. Everything that depends on other segments' outputs must come in through
   * {@code inputs}; parameters may be referred to directly.
   *
   * @return new tensors in the current scope
   */
  List<Tensor> run(List<Tensor> inputs);

  /**
   * The gradients of the inputs by a formula of its own, adding those of the parameters to their
   * accumulated gradients; null (the default) where there is none and automatic differentiation of
   * {@link #run} does the work.
   *
   * @param inputs as they were given to {@link #run}
   * @param outputGradients one per output; null where an output was not used
   * @return one per input; null where an input has no gradient
   */
  default @Nullable List<@Nullable Tensor> backward(
      List<Tensor> inputs, List<@Nullable Tensor> outputGradients) {
    return null;
  }
}
