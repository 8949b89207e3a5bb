package org.gammanet.nn;

import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * Runs the segments of a forward pass in order. Inference runs them directly; training records them
 * and recomputes what was not stored.
 */
public interface Executor {
  /**
   * Runs a segment. The outputs belong to the caller's tensor scope; the inputs stay the caller's
   * and may be closed afterwards.
   */
  Tensor[] run(Segment segment, ForwardContext context, Tensor... inputs);

  /** Called when timestep {@code t}, counted from 0, begins. */
  default void beginTimestep(int t) {}

  /** Runs each segment at once and closes its temporaries, unless autograd holds on to them. */
  Executor DIRECT =
      (segment, context, inputs) -> {
        try (var scope = TensorScope.open()) {
          Tensor[] outputs = segment.forward(context, inputs);
          for (Tensor output : outputs) {
            scope.keep(output);
          }
          return outputs;
        }
      };
}
