package org.gammanet.torch.internal;

import org.gammanet.torch.gen.LibTorchStable;

/**
 * Whether the calling thread records gradients.
 *
 * <p>LibTorch keeps this per operating-system thread. A virtual thread may continue on another one
 * after it has waited, so its mode is kept here and set before each call that records.
 */
public final class ThreadGradMode {
  private static final ThreadLocal<Boolean> VIRTUAL = ThreadLocal.withInitial(() -> true);

  private ThreadGradMode() {}

  /** The mode of the calling thread; on at first. */
  public static boolean isEnabled() {
    return Thread.currentThread().isVirtual()
        ? VIRTUAL.get()
        : LibTorchStable.aoti_torch_grad_mode_is_enabled();
  }

  /** Sets the mode of the calling thread. */
  public static void set(boolean enabled) {
    if (Thread.currentThread().isVirtual()) {
      VIRTUAL.set(enabled);
    }
    LibTorchStable.aoti_torch_grad_mode_set_enabled(enabled);
  }

  /** Makes LibTorch's mode that of the calling thread; to be called right before a native call. */
  public static void apply() {
    if (Thread.currentThread().isVirtual()) {
      LibTorchStable.aoti_torch_grad_mode_set_enabled(VIRTUAL.get());
    }
  }
}
