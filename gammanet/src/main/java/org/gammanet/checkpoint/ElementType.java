package org.gammanet.checkpoint;

import org.gammanet.torch.DType;
import org.jspecify.annotations.Nullable;

/** Element types of stored tensors, under the names of safetensors. */
public enum ElementType {
  F64(8, DType.FLOAT64),
  F32(4, DType.FLOAT32),
  F16(2, DType.FLOAT16),
  BF16(2, DType.BFLOAT16),
  I64(8, DType.INT64),
  I32(4, DType.INT32),
  I16(2, null),
  I8(1, DType.INT8),
  U8(1, DType.UINT8),
  BOOL(1, DType.BOOL);

  private final int bytes;
  private final @Nullable DType dtype;

  ElementType(int bytes, @Nullable DType dtype) {
    this.bytes = bytes;
    this.dtype = dtype;
  }

  /** Bytes per element. */
  public int bytes() {
    return bytes;
  }

  /**
   * The same type of a tensor.
   *
   * @throws CheckpointException for I16, which tensors here do not have
   */
  public DType dtype() {
    if (dtype == null) {
      throw new CheckpointException("tensors of type " + this + " are not supported");
    }
    return dtype;
  }

  /** The type under which tensors of {@code dtype} are stored. */
  public static ElementType of(DType dtype) {
    for (ElementType type : values()) {
      if (type.dtype == dtype) {
        return type;
      }
    }
    throw new AssertionError(dtype);
  }
}
