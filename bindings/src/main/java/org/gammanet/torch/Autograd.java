package org.gammanet.torch;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.internal.ThreadGradMode;
import org.jspecify.annotations.Nullable;

/**
 * Automatic differentiation.
 *
 * <p>Whether operators record a graph is a property of the calling thread, as in PyTorch; it is on
 * at first. Gradients accumulate in the leaves ({@link Tensor#grad}).
 */
public final class Autograd {
  private static final Operator BACKWARD =
      Operator.of(
          "aten::_backward(Tensor self, Tensor[] inputs, Tensor? gradient, bool? retain_graph, bool"
              + " create_graph) -> ()");

  private Autograd() {}

  /** Gradient mode of the calling thread; {@link #close} restores the previous one. */
  public static final class GradMode implements AutoCloseable {
    private final boolean before;
    private final Thread owner = Thread.currentThread();

    private GradMode(boolean enabled) {
      LibTorch.load();
      before = ThreadGradMode.isEnabled();
      ThreadGradMode.set(enabled);
    }

    /**
     * Restores the mode.
     *
     * @throws IllegalStateException on another thread
     */
    @Override
    public void close() {
      if (Thread.currentThread() != owner) {
        throw new IllegalStateException(
            "the grad mode belongs to thread '" + owner.getName() + "'");
      }
      ThreadGradMode.set(before);
    }
  }

  /** Operators record nothing until closed. */
  public static GradMode noGrad() {
    return new GradMode(false);
  }

  /** Lets this thread's operators be recorded for the backward pass until it is closed. */
  public static GradMode enableGrad() {
    return new GradMode(true);
  }

  /** Whether operators of the calling thread record a graph. */
  public static boolean isEnabled() {
    LibTorch.load();
    return ThreadGradMode.isEnabled();
  }

  /**
   * Adds the gradients of a one-element tensor to all leaves that it depends on, and frees the
   * graph.
   */
  public static void backward(Tensor loss) {
    backward(loss, null);
  }

  /**
   * Adds to all leaves the gradients of {@code sum(output * gradient)}, and frees the graph.
   *
   * @param gradient shaped as {@code output}; null stands for 1 and needs a one-element output
   */
  public static void backward(Tensor output, @Nullable Tensor gradient) {
    BACKWARD.run(output, List.of(), gradient, false, false);
  }

  /**
   * Adds to all leaves the gradients of {@code sum over i of sum(outputs[i] * gradients[i])} in one
   * pass over the graph, and frees it.
   *
   * @param gradients one for each output, of its shape
   */
  public static void backward(List<Tensor> outputs, List<Tensor> gradients) {
    if (outputs.size() != gradients.size() || outputs.isEmpty()) {
      throw new IllegalArgumentException(
          "backward needs one gradient for each of at least one output, not "
              + gradients.size()
              + " for "
              + outputs.size());
    }
    if (outputs.size() == 1) {
      backward(outputs.get(0), gradients.get(0));
      return;
    }
    // The C ABI takes one root: flattened and joined, the outputs are one.
    try (var scope = TensorScope.open();
        var recording = enableGrad()) {
      List<Tensor> flat = new ArrayList<>();
      List<Tensor> flatGradients = new ArrayList<>();
      for (int i = 0; i < outputs.size(); i++) {
        flat.add(Ops.reshape(outputs.get(i), -1));
        flatGradients.add(Ops.reshape(gradients.get(i), -1));
      }
      backward(Ops.cat(flat, 0), Ops.cat(flatGradients, 0));
    }
  }
}
