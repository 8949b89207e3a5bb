package org.gammanet.training;

import java.util.Locale;
import org.gammanet.config.TrainingConfig;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.model.Network;
import org.gammanet.torch.DType;
import org.jspecify.annotations.Nullable;

/**
 * The type in which a network in training computes products: a half type where {@code
 * training.mixed_precision} asks for it and the machine has it, else float32.
 */
final class TrainingPrecision {
  private final Network network;
  private final Precision before;
  private final @Nullable DType half;
  private final @Nullable String float32Reason;

  /** Chooses the type; the network changes with {@link #set}. */
  TrainingPrecision(Network network, TrainingConfig training) {
    this.network = network;
    this.before = network.precision();
    boolean float16 = training.halfType() == TrainingConfig.HalfType.FLOAT16;
    DType wanted = float16 ? DType.FLOAT16 : DType.BFLOAT16;
    this.float32Reason = training.mixedPrecision() ? float32Reason(network, wanted) : null;
    this.half = training.mixedPrecision() && float32Reason == null ? wanted : null;
  }

  private static @Nullable String float32Reason(Network network, DType wanted) {
    if (network.fallbackReason() != null) {
      return null; // LibTorch's convolutions can do it everywhere
    }
    if (wanted == DType.FLOAT16) {
      return "native kernels have bfloat16 (training.half_type), but not float16";
    }
    return NativeKernels.supports(Precision.BFLOAT16)
        ? null
        : "bfloat16 is no faster on this processor";
  }

  /** The type that products are rounded to; null for float32. */
  @Nullable DType half() {
    return half;
  }

  /** Why it is float32 although half precision is asked for; null where it is not. */
  @Nullable String float32Reason() {
    return float32Reason;
  }

  /** In a few words. */
  String describe() {
    if (half != null) {
      return half.name().toLowerCase(Locale.ROOT) + " in products, float32 elsewhere";
    }
    return float32Reason == null ? "float32" : "float32: " + float32Reason;
  }

  /** Sets the precision of native kernels; LibTorch's operators are told at each pass. */
  void set() {
    if (half == DType.BFLOAT16 && network.fallbackReason() == null) {
      network.setPrecision(Precision.BFLOAT16);
    }
  }

  /** Gives the network back the precision that it had. */
  void restore() {
    network.setPrecision(before);
  }
}
