package org.gammanet.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.DoubleConsumer;
import java.util.function.Supplier;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * A tensor in a file or on its way there: element type, shape, and bytes that are looked up when
 * they are asked for. Elements are in row-major order, little-endian.
 */
public final class StoredTensor {
  private final ElementType type;
  private final long[] shape;
  private final Supplier<ByteBuffer> source;

  private StoredTensor(ElementType type, long[] shape, Supplier<ByteBuffer> source) {
    this.type = type;
    this.shape = shape.clone();
    this.source = source;
  }

  /**
   * A tensor of these bytes, which must not change any more.
   *
   * @param shape sizes of the dimensions
   * @param data exactly the bytes of the elements; perhaps mapped from a file
   * @throws IllegalArgumentException when they do not fit the shape
   */
  public StoredTensor(ElementType type, long[] shape, ByteBuffer data) {
    this(type, shape, always(data));
    checkLength(data);
  }

  /**
   * A tensor whose bytes are made at each call of {@link #data}: a view that is not stored row by
   * row, or one that is too large to hold twice.
   */
  static StoredTensor deferred(ElementType type, long[] shape, Supplier<ByteBuffer> source) {
    return new StoredTensor(type, shape, source);
  }

  private static Supplier<ByteBuffer> always(ByteBuffer data) {
    ByteBuffer bytes = data.slice().asReadOnlyBuffer();
    return () -> bytes;
  }

  private void checkLength(ByteBuffer data) {
    long bytes = byteCount(type, shape);
    if (data.remaining() != bytes) {
      throw new IllegalArgumentException(
          this + " needs " + bytes + " bytes, not " + data.remaining());
    }
  }

  /** Number of bytes that such a tensor takes; throws ArithmeticException beyond 2^63. */
  static long byteCount(ElementType type, long[] shape) {
    boolean empty = false;
    for (long size : shape) {
      if (size < 0) {
        throw new ArithmeticException("negative size");
      }
      empty |= size == 0;
    }
    long bits = empty ? 0 : type.bits();
    for (int i = 0; i < shape.length && !empty; i++) {
      bits = Math.multiplyExact(bits, shape[i]);
    }
    return bits / 8 + (bits % 8 == 0 ? 0 : 1);
  }

  /** A copy of a tensor's elements, from any device. */
  public static StoredTensor of(Tensor tensor) {
    return new StoredTensor(ElementType.of(tensor.dtype()), tensor.shape(), tensor.toBuffer());
  }

  /**
   * A tensor's elements, copied from its device each time they are asked for: to write large models
   * without holding a second one. The tensor must stay open until then.
   */
  public static StoredTensor viewOf(Tensor tensor) {
    return deferred(ElementType.of(tensor.dtype()), tensor.shape(), tensor::toBuffer);
  }

  /**
   * These numbers rounded to another type when they are asked for; itself where they are no
   * fractions.
   *
   * @param to F64, F32, F16 or BF16
   * @throws CheckpointException from {@link #data}, for a finite number beyond the range of {@code
   *     to}
   */
  public StoredTensor rounded(ElementType to) {
    if (to == type || !type.isFloatingPoint() || !type.isNumeric()) {
      return this;
    }
    return deferred(
        to,
        shape,
        () -> {
          ByteBuffer from = data();
          ByteBuffer bytes =
              ByteBuffer.allocate(Math.toIntExact(byteCount(to, shape)))
                  .order(ByteOrder.LITTLE_ENDIAN);
          int count = Math.toIntExact(numel());
          for (int i = 0; i < count; i++) {
            double value = type.get(from, i);
            to.put(bytes, i, value);
            if (Double.isFinite(value) && !Double.isFinite(to.get(bytes, i))) {
              throw new CheckpointException(
                  "the weight %s is beyond the range of %s".formatted(value, to));
            }
          }
          return bytes;
        });
  }

  public ElementType type() {
    return type;
  }

  /** Sizes of the dimensions; a copy. */
  public long[] shape() {
    return shape.clone();
  }

  /** Number of elements. */
  public long numel() {
    long count = 1;
    for (long size : shape) {
      count *= size;
    }
    return count;
  }

  /** Number of bytes of all elements. */
  public long byteCount() {
    return byteCount(type, shape);
  }

  /**
   * The bytes of all elements, read-only, positioned at the first; a buffer of its own for each
   * caller. Mapped from the file where it holds them row by row, otherwise copied at each call.
   */
  public ByteBuffer data() {
    return source.get().duplicate().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** A new tensor on the CPU, which the caller closes. */
  public Tensor toTensor() {
    try (var scope = TensorScope.open()) {
      return scope.keep(Tensor.fromBuffer(data(), type.dtype(), shape));
    } catch (InternalError e) {
      throw truncated(e);
    }
  }

  /** A mapped file whose end is gone: the system has no bytes for what should be there. */
  private static CheckpointException truncated(InternalError e) {
    return new CheckpointException("a checkpoint was truncated while it was read", e);
  }

  /** Element {@code i} in row-major order, as a number; exact for all but I64 beyond 2^53. */
  public double get(int i) {
    return type.get(data(), i);
  }

  /**
   * Passes every element in row-major order, as {@link #get} gives it; nothing for types whose
   * elements are not numbers of whole bytes.
   */
  public void forEach(DoubleConsumer action) {
    if (!type.isNumeric()) {
      return;
    }
    try {
      ByteBuffer data = data();
      long count = numel();
      for (int i = 0; i < count; i++) {
        action.accept(type.get(data, i));
      }
    } catch (InternalError e) {
      throw truncated(e);
    }
  }

  /** Type and shape: {@code F32[64, 3, 3, 3]}. */
  @Override
  public String toString() {
    return type + Arrays.toString(shape);
  }
}
