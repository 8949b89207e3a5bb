package org.gammanet.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.gammanet.torch.Tensor;

/**
 * A tensor in a file or on its way there: elements in row-major order, little-endian.
 *
 * @param type element type
 * @param shape sizes of the dimensions
 * @param data exactly the bytes of the elements; read-only, perhaps mapped from a file
 */
public record StoredTensor(ElementType type, long[] shape, ByteBuffer data) {
  /**
   * Checks that the bytes fit the shape.
   *
   * @throws IllegalArgumentException when they do not
   */
  public StoredTensor {
    shape = shape.clone();
    long bytes = byteCount(type, shape);
    if (data.remaining() != bytes) {
      throw new IllegalArgumentException(
          type + Arrays.toString(shape) + " needs " + bytes + " bytes, not " + data.remaining());
    }
    data = data.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Number of bytes that such a tensor takes; throws ArithmeticException beyond 2^63. */
  static long byteCount(ElementType type, long[] shape) {
    long count = type.bytes();
    for (long size : shape) {
      if (size < 0) {
        throw new ArithmeticException("negative size");
      }
      count = Math.multiplyExact(count, size);
    }
    return count;
  }

  /** A copy of a tensor's elements, from any device. */
  public static StoredTensor of(Tensor tensor) {
    return new StoredTensor(ElementType.of(tensor.dtype()), tensor.shape(), tensor.toBuffer());
  }

  /** Sizes of the dimensions; a copy. */
  @Override
  public long[] shape() {
    return shape.clone();
  }

  /** The bytes, positioned at the first; a view of its own for each caller. */
  @Override
  public ByteBuffer data() {
    return data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Number of elements. */
  public long numel() {
    return data.remaining() / type.bytes();
  }

  /** A new tensor on the CPU, which the caller closes. */
  public Tensor toTensor() {
    return Tensor.fromBuffer(data(), type.dtype(), shape);
  }

  /** Element {@code i} in row-major order, as a number; exact for all but I64 beyond 2^53. */
  public double get(int i) {
    int at = i * type.bytes();
    return switch (type) {
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

  /** Type and shape: {@code F32[64, 3, 3, 3]}. */
  @Override
  public String toString() {
    return type + Arrays.toString(shape);
  }
}
