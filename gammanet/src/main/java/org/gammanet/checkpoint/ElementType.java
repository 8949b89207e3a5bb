package org.gammanet.checkpoint;

import java.nio.ByteBuffer;
import org.gammanet.torch.DType;
import org.jspecify.annotations.Nullable;

/** Element types of stored tensors, under the names of safetensors. */
public enum ElementType {
  F64(64, DType.FLOAT64, "Double"),
  F32(32, DType.FLOAT32, "Float"),
  F16(16, DType.FLOAT16, "Half"),
  BF16(16, DType.BFLOAT16, "BFloat16"),
  F8_E4M3(8, null, null),
  F8_E5M2(8, null, null),
  F8_E8M0(8, null, null),
  F6_E2M3(6, null, null),
  F6_E3M2(6, null, null),
  F4(4, null, null),
  C64(64, null, "ComplexFloat"),
  I64(64, DType.INT64, "Long"),
  I32(32, DType.INT32, "Int"),
  I16(16, null, "Short"),
  I8(8, DType.INT8, "Char"),
  U64(64, null, null),
  U32(32, null, null),
  U16(16, null, null),
  U8(8, DType.UINT8, "Byte"),
  BOOL(8, DType.BOOL, "Bool");

  private final int bits;
  private final @Nullable DType dtype;
  private final @Nullable String torchName;

  ElementType(int bits, @Nullable DType dtype, @Nullable String torchName) {
    this.bits = bits;
    this.dtype = dtype;
    this.torchName = torchName;
  }

  /** Bits per element; those of less than 8 share bytes. */
  public int bits() {
    return bits;
  }

  /** Bytes per element; 1 for those that share bytes. */
  int bytes() {
    return Math.max(1, bits / 8);
  }

  /**
   * The first part of PyTorch's storage class, {@code Float} of {@code FloatStorage}; null where it
   * has none.
   */
  @Nullable String torchName() {
    return torchName;
  }

  /**
   * The same type of a tensor.
   *
   * @throws CheckpointException for types that tensors here do not have
   */
  public DType dtype() {
    if (dtype == null) {
      throw new CheckpointException("tensors of type " + this + " are not supported");
    }
    return dtype;
  }

  /** Whether tensors can have this type: whether {@link #dtype} is one. */
  public boolean isTensorType() {
    return dtype != null;
  }

  /** Whether elements are real numbers of whole bytes, so that {@link #get} can read them. */
  public boolean isNumeric() {
    return bits >= 8 && this != C64;
  }

  /**
   * Element {@code i} of little-endian data, as a number; exact for all but 64-bit integers beyond
   * 2^53.
   */
  double get(ByteBuffer data, int i) {
    int at = i * bytes();
    return switch (this) {
      case F64 -> data.getDouble(at);
      case F32 -> data.getFloat(at);
      case F16 -> Float.float16ToFloat(data.getShort(at));
      case BF16 -> Float.intBitsToFloat(data.getShort(at) << 16);
      case F8_E4M3 -> small(data.get(at), 4, 3, 7);
      case F8_E5M2 -> Float.float16ToFloat((short) (data.get(at) << 8)); // its upper half
      case F8_E8M0 ->
          data.get(at) == -1 ? Double.NaN : Math.scalb(1.0, (data.get(at) & 0xFF) - 127);
      case I64 -> data.getLong(at);
      case U64 -> {
        long value = data.getLong(at);
        yield value >= 0 ? value : 2.0 * (value >>> 1 | value & 1);
      }
      case I32 -> data.getInt(at);
      case U32 -> Integer.toUnsignedLong(data.getInt(at));
      case I16 -> data.getShort(at);
      case U16 -> data.getShort(at) & 0xFFFF;
      case I8 -> data.get(at);
      case U8, BOOL -> data.get(at) & 0xFF;
      case C64, F6_E2M3, F6_E3M2, F4 -> Double.NaN;
    };
  }

  /**
   * Sets element {@code i} of little-endian data to the nearest number of this type, ties to even;
   * for F64, F32, F16 and BF16.
   */
  void put(ByteBuffer data, int i, double value) {
    int at = i * bytes();
    switch (this) {
      case F64 -> data.putDouble(at, value);
      case F32 -> data.putFloat(at, (float) value);
      case F16 -> data.putShort(at, Float.floatToFloat16((float) value));
      case BF16 -> {
        int bits = Float.floatToIntBits((float) value); // every NaN as 0x7FC00000
        data.putShort(at, (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16));
      }
      default -> throw new AssertionError(this);
    }
  }

  /** E4M3 without infinities (Micikevicius et al., "FP8 formats for deep learning", 2022). */
  private static double small(byte code, int exponentBits, int mantissaBits, int bias) {
    int exponent = code >> mantissaBits & (1 << exponentBits) - 1;
    int mantissa = code & (1 << mantissaBits) - 1;
    double magnitude =
        (code & 0x7F) == 0x7F
            ? Double.NaN
            : exponent == 0
                ? Math.scalb((double) mantissa, 1 - bias - mantissaBits)
                : Math.scalb(
                    (1 << mantissaBits) + (double) mantissa, exponent - bias - mantissaBits);
    return code < 0 ? -magnitude : magnitude;
  }

  /** Whether elements are real numbers with a fraction. */
  public boolean isFloatingPoint() {
    return switch (this) {
      case F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, F6_E2M3, F6_E3M2, F4 -> true;
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
