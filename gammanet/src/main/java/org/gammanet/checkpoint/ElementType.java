package org.gammanet.checkpoint;

import java.nio.ByteBuffer;
import org.gammanet.torch.DType;
import org.jspecify.annotations.Nullable;

/** Element types of stored tensors, under the names of safetensors. */
public enum ElementType {
  F64(8, DType.FLOAT64, "Double"),
  F32(4, DType.FLOAT32, "Float"),
  F16(2, DType.FLOAT16, "Half"),
  BF16(2, DType.BFLOAT16, "BFloat16"),
  I64(8, DType.INT64, "Long"),
  I32(4, DType.INT32, "Int"),
  I16(2, null, "Short"),
  I8(1, DType.INT8, "Char"),
  U8(1, DType.UINT8, "Byte"),
  BOOL(1, DType.BOOL, "Bool");

  private final int bytes;
  private final @Nullable DType dtype;
  private final String torchName;

  ElementType(int bytes, @Nullable DType dtype, String torchName) {
    this.bytes = bytes;
    this.dtype = dtype;
    this.torchName = torchName;
  }

  /** Bytes per element. */
  public int bytes() {
    return bytes;
  }

  /** The first part of PyTorch's storage class: {@code Float} of {@code FloatStorage}. */
  String torchName() {
    return torchName;
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

  /** Element {@code i} of little-endian data, as a number; exact for all but I64 beyond 2^53. */
  double get(ByteBuffer data, int i) {
    int at = i * bytes;
    return switch (this) {
      case F64 -> data.getDouble(at);
      case F32 -> data.getFloat(at);
      case F16 -> Float.float16ToFloat(data.getShort(at));
      case BF16 -> Float.intBitsToFloat(data.getShort(at) << 16);
      case I64 -> data.getLong(at);
      case I32 -> data.getInt(at);
      case I16 -> data.getShort(at);
      case I8 -> data.get(at);
      case U8, BOOL -> data.get(at) & 0xFF;
    };
  }

  /** Whether elements are real numbers with a fraction. */
  public boolean isFloatingPoint() {
    return switch (this) {
      case F64, F32, F16, BF16 -> true;
      default -> false;
    };
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
