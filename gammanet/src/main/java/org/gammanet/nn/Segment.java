package org.gammanet.nn;

import java.util.List;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A differentiable function of tensors and parameters: a VGG block, a cell, a projection, a
 * read-out. It depends on nothing else, so that it can run again from saved inputs.
 */
public interface Segment {
  /** Name for messages, such as {@code fgru_0}. */
  String name();

  /** The trainable parameters that it reads, possibly none. */
  List<Parameter> parameters();

  /**
   * Computes the outputs. Records a graph when the calling thread's grad mode is on. An output may
   * be an input handed through. Temporaries belong to the current scope.
   *
   * @param inputs each {@code [N, C, H, W]}; they stay the caller's
   */
  Tensor[] forward(ForwardContext context, Tensor... inputs);

  /**
   * {@link #forward}, without a graph, when {@link #backward} will follow and memory is no concern.
   *
   * @param kept receives what {@link #backward} can use then, maps that are in the current scope
   */
  default Tensor[] forwardKeeping(ForwardContext context, List<Tensor> kept, Tensor... inputs) {
    return forward(context, inputs);
  }

  /** Whether {@link #backward} differentiates the segment for these inputs. */
  default boolean hasBackward(ForwardContext context, Tensor... inputs) {
    return false;
  }

  /**
   * A hand-written derivative: adds to the gradients of the parameters and returns those of the
   * inputs. Records nothing.
   *
   * @param inputs those of {@link #forward}
   * @param gradients of the outputs; null for zeros
   * @param wanted for each input, whether its gradient is needed
   * @param kept from {@link #forwardKeeping}, and good for one call; empty where what lies between
   *     inputs and outputs is to be recomputed
   * @return for each input its gradient, null where it is not needed
   * @throws UnsupportedOperationException where {@link #hasBackward} is false
   */
  default @Nullable Tensor[] backward(
      ForwardContext context,
      Tensor[] inputs,
      @Nullable Tensor[] gradients,
      boolean[] wanted,
      List<Tensor> kept) {
    throw new UnsupportedOperationException(name() + " is differentiated automatically");
  }
}
