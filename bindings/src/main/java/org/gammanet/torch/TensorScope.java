package org.gammanet.torch;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Closes the tensors that were made inside it, unless they are kept.
 *
 * <pre>{@code
 * try (var scope = TensorScope.open()) {
 *   Tensor hidden = Ops.relu(Ops.conv2d(x, w, null, 1, 1));
 *   return scope.keep(Ops.sigmoid(hidden));
 * }
 * }</pre>
 *
 * <p>A tensor belongs to the innermost scope of the thread that made it. Scopes nest and belong to
 * one thread; they must be closed there, innermost first.
 */
public final class TensorScope implements AutoCloseable {
  private static final ThreadLocal<@Nullable TensorScope> CURRENT = new ThreadLocal<>();

  private final @Nullable TensorScope parent;
  private final Thread owner = Thread.currentThread();
  private final ArrayList<Tensor> tensors = new ArrayList<>();
  private boolean closed;

  private TensorScope(@Nullable TensorScope parent) {
    this.parent = parent;
  }

  /** Opens a scope on the calling thread. */
  public static TensorScope open() {
    TensorScope scope = new TensorScope(CURRENT.get());
    CURRENT.set(scope);
    return scope;
  }

  static void register(Tensor tensor) {
    TensorScope scope = CURRENT.get();
    if (scope != null) {
      tensor.scope = scope;
      scope.tensors.add(tensor);
    }
  }

  /**
   * Moves a tensor to the enclosing scope, or out of all scopes when there is none: then the caller
   * closes it. A tensor that does not belong to this scope is returned unchanged.
   */
  public Tensor keep(Tensor tensor) {
    check();
    if (tensor.scope == this) {
      tensor.scope = parent;
      if (parent != null) {
        parent.tensors.add(tensor);
      }
    }
    return tensor;
  }

  /** Moves a tensor out of all scopes: whoever holds it closes it. */
  public static Tensor detach(Tensor tensor) {
    tensor.scope = null;
    return tensor;
  }

  /**
   * Closes what is left, and makes the enclosing scope the current one again. When a tensor cannot
   * be closed because another thread is using it, all others are closed before the exception is
   * thrown, and closing again closes the rest.
   *
   * @throws IllegalStateException on another thread, before an inner scope, or when a tensor is in
   *     use
   */
  @Override
  public void close() {
    if (!closed) {
      check();
      closed = true;
      if (parent == null) {
        CURRENT.remove();
      } else {
        CURRENT.set(parent);
      }
    }
    checkThread();
    RuntimeException failure = null;
    List<Tensor> left = List.copyOf(tensors);
    tensors.clear();
    for (Tensor tensor : left) {
      if (tensor.scope == this && !tensor.isClosed()) {
        try {
          tensor.close();
        } catch (RuntimeException e) {
          if (tensor.isClosed()) {
            continue; // another thread closed it in between
          }
          tensors.add(tensor);
          if (failure == null) {
            failure = e;
          } else {
            failure.addSuppressed(e);
          }
          continue;
        }
      }
      tensor.scope = tensor.scope == this ? null : tensor.scope;
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void check() {
    if (closed) {
      throw new IllegalStateException("the tensor scope is already closed");
    }
    checkThread();
    if (CURRENT.get() != this) {
      throw new IllegalStateException("an inner tensor scope is still open");
    }
  }

  private void checkThread() {
    if (Thread.currentThread() != owner) {
      throw new IllegalStateException(
          "the tensor scope belongs to thread '" + owner.getName() + "'");
    }
  }
}
