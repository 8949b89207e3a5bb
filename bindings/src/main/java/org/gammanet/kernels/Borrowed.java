package org.gammanet.kernels;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.internal.Native;
import org.jspecify.annotations.Nullable;

/** Tensors that nobody can close while a native call uses them. */
final class Borrowed implements AutoCloseable {
  private final ArrayList<Tensor> tensors = new ArrayList<>();

  /** The native handle; null pointer for null. */
  MemorySegment of(@Nullable Tensor tensor) {
    if (tensor == null) {
      return MemorySegment.NULL;
    }
    MemorySegment native_ = tensor.handle().acquire();
    tensors.add(tensor);
    return native_;
  }

  /** An array of handles in the thread's scratch memory. */
  MemorySegment array(@Nullable Tensor[] list) {
    MemorySegment array = Native.scratch();
    for (int i = 0; i < list.length; i++) {
      array.setAtIndex(ADDRESS, i, of(list[i]));
    }
    return array;
  }

  /** What was borrowed, for messages. */
  @Override
  public String toString() {
    return tensors.toString();
  }

  @Override
  public void close() {
    tensors.forEach(tensor -> tensor.handle().release());
  }
}
