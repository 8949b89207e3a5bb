package org.gammanet.torch;

/** Element types of tensors, under PyTorch's names. */
public enum DType {
  UINT8(0, 1),
  INT8(1, 1),
  INT32(3, 4),
  INT64(4, 8),
  FLOAT16(5, 2),
  FLOAT32(6, 4),
  FLOAT64(7, 8),
  BOOL(11, 1),
  BFLOAT16(15, 2);

  /** LibTorch's {@code c10::ScalarType} number; the loader compares them with the library's own. */
  final int code;

  private final int byteSize;

  DType(int code, int byteSize) {
    this.code = code;
    this.byteSize = byteSize;
  }

  /** Bytes per element. */
  public int byteSize() {
    return byteSize;
  }

  /** Whether autograd can differentiate through this type. */
  public boolean isFloatingPoint() {
    return switch (this) {
      case FLOAT16, BFLOAT16, FLOAT32, FLOAT64 -> true;
      default -> false;
    };
  }

  static DType ofCode(int code) {
    for (DType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    throw new TorchException("LibTorch scalar type number " + code + " is not supported");
  }
}
