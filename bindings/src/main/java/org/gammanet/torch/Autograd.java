package org.gammanet.torch;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.gen.LibTorchStable;
import org.jspecify.annotations.Nullable;

/**
 * Automatic differentiation.
 *
 * <p>Whether operators record a graph is a property of the calling thread, as in PyTorch; it is on
 * at first. Gradients accumulate in the leaves ({@link Tensor#grad}).
 */
public final class Autograd {
  private static final Operator BACKWARD = Operator.of("aten::_backward");

  private Autograd() {}

  /** A time during which the calling thread records, or does not; closing restores the former. */
  public static final class GradMode implements AutoCloseable {
    private final boolean before;
    private final Thread owner = Thread.currentThread();

    private GradMode(boolean enabled) {
      LibTorch.load();
      before = LibTorchStable.aoti_torch_grad_mode_is_enabled();
      LibTorchStable.aoti_torch_grad_mode_set_enabled(enabled);
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
      LibTorchStable.aoti_torch_grad_mode_set_enabled(before);
    }
  }

  /** No recording until closed. */
  public static GradMode noGrad() {
    return new GradMode(false);
  }

  /** Recording until closed. */
  public static GradMode enableGrad() {
    return new GradMode(true);
  }

  /** Whether the calling thread records. */
  public static boolean isEnabled() {
    LibTorch.load();
    return LibTorchStable.aoti_torch_grad_mode_is_enabled();
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
    BACKWARD
        .call()
        .tensor(output)
        .tensors(List.of())
        .optional(gradient)
        .optionalBool(false)
        .bool(false)
        .run();
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
