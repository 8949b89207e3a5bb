package org.gammanet.torch;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.internal.Native;
import org.jspecify.annotations.Nullable;

/**
 * Lends tensors to native code: their handles ({@code AtenTensorHandle}) are valid, and the tensors
 * cannot be closed, until this is closed.
 */
public final class Borrowed implements AutoCloseable {
  private final ArrayList<Tensor> tensors = new ArrayList<>(4);

  /**
   * The native handle; the null pointer for null.
   *
   * @throws IllegalStateException when the tensor is closed
   */
  public MemorySegment of(@Nullable Tensor tensor) {
    if (tensor == null) {
      return MemorySegment.NULL;
    }
    MemorySegment native_ = tensor.handle.acquire();
    tensors.add(tensor);
    return native_;
  }

  /** The native handles as an array, in memory that this thread's next call uses again. */
  public MemorySegment array(@Nullable Tensor[] list) {
    if (list.length > Native.SLOTS) {
      throw new IllegalArgumentException(list.length + " tensors; at most " + Native.SLOTS);
    }
    MemorySegment array = Native.scratch();
    for (int i = 0; i < list.length; i++) {
      array.setAtIndex(ADDRESS, i, of(list[i]));
    }
    return array;
  }

  /** Types and shapes of what is borrowed. */
  @Override
  public String toString() {
    return List.copyOf(tensors).toString();
  }

  @Override
  public void close() {
    tensors.forEach(tensor -> tensor.handle.release());
    tensors.clear();
  }
}
