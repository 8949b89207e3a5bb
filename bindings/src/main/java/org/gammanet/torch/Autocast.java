package org.gammanet.torch;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Mixed precision of the calling thread: convolutions of float32 tensors run in half precision and
 * return float32, all other operators are unaffected. The backward pass of such a convolution runs
 * in half precision, too, also after {@link #close}.
 */
public final class Autocast implements AutoCloseable {
  private static final ThreadLocal<@Nullable DType> TYPE = new ThreadLocal<>();

  private final @Nullable DType before = TYPE.get();
  private final Thread owner = Thread.currentThread();

  private Autocast(@Nullable DType type) {
    TYPE.set(type);
  }

  /**
   * Runs convolutions in half precision until closed.
   *
   * @param type {@link DType#BFLOAT16} or {@link DType#FLOAT16}; null for full precision
   * @throws IllegalArgumentException for another type
   */
  public static Autocast convolutions(@Nullable DType type) {
    if (type != null && type != DType.BFLOAT16 && type != DType.FLOAT16) {
      throw new IllegalArgumentException("convolutions can run in half precision, not in " + type);
    }
    return new Autocast(type);
  }

  /** Runs a convolution in the thread's type. */
  static Tensor run(Convolution convolution, Tensor x, Tensor weight, @Nullable Tensor bias) {
    DType type = TYPE.get();
    if (type == null || x.dtype() != DType.FLOAT32) {
      return convolution.of(x, weight, bias);
    }
    return scoped(
        () ->
            Ops.to(
                convolution.of(
                    Ops.to(x, type),
                    Ops.to(weight, type),
                    bias == null ? null : Ops.to(bias, type)),
                DType.FLOAT32));
  }

  interface Convolution {
    Tensor of(Tensor x, Tensor weight, @Nullable Tensor bias);
  }

  private static Tensor scoped(Supplier<Tensor> body) {
    try (var scope = TensorScope.open()) {
      return scope.keep(body.get());
    }
  }

  /**
   * Restores the previous precision.
   *
   * @throws IllegalStateException on another thread
   */
  @Override
  public void close() {
    if (Thread.currentThread() != owner) {
      throw new IllegalStateException("autocast belongs to thread '" + owner.getName() + "'");
    }
    if (before == null) {
      TYPE.remove();
    } else {
      TYPE.set(before);
    }
  }
}
