package org.gammanet.model;

import java.util.List;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

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

  /**
   * A hand-written derivative, where there is one: adds to the gradients of the parameters and
   * gives those of the inputs. Everything between inputs and outputs is computed again. Records
   * nothing.
   *
   * @param inputs as {@link #forward} had them
   * @param gradients of the outputs; null for one that nothing depends on
   * @param wanted for each input, whether its gradient is
   * @return for each input its gradient, null where it is not wanted; or null when automatic
   *     differentiation has to do it, and nothing was added
   */
  default @Nullable Tensor @Nullable [] backward(
      ForwardContext context, Tensor[] inputs, @Nullable Tensor[] gradients, boolean[] wanted) {
    return null;
  }

  /** Whether {@link #backward} will do it for these inputs, so that nothing need be recorded. */
  default boolean hasBackward(ForwardContext context, Tensor... inputs) {
    return false;
  }
}
