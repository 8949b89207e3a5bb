package org.gammanet.simd;

import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Whether this virtual machine runs vector kernels, and how wide. Decided once, when first asked;
 * where the answer is no, the log says why and what would change it.
 *
 * <p>Classes that mention {@code jdk.incubator.vector} must not be loaded before {@link #bits()} is
 * known to be positive: the module is optional at run time.
 */
public final class Simd {
  /**
   * System property that forces a width: {@code 128}, {@code 256} or {@code 512} bits, {@code off}
   * for scalar code, {@code auto} (or absent) for what the processor prefers. A width that the
   * processor lacks gives right results slowly, which is of use in tests.
   */
  public static final String WIDTH = "gammanet.simd.width";

  private static final System.Logger LOG = System.getLogger(Simd.class.getName());
  private static final Choice CHOICE = choose();

  private Simd() {}

  /**
   * A decision and its reason.
   *
   * @param bits width of the vectors; 0 for scalar code
   * @param reason one sentence
   * @param asRequested whether nothing was in the way of what the user or the processor asks for
   */
  record Choice(int bits, String reason, boolean asRequested) {}

  /** Width of vectors in bits; 0 when scalar code is to run. */
  public static int bits() {
    return CHOICE.bits;
  }

  /** One sentence on what runs and why, for reports of the machine. */
  public static String describe() {
    return CHOICE.reason;
  }

  private static Choice choose() {
    Choice choice =
        choose(
            System.getProperty(WIDTH),
            ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent(),
            System.getProperty("java.vm.info", ""),
            () -> Lanes.PREFERRED_BITS);
    LOG.log(
        choice.asRequested ? System.Logger.Level.DEBUG : System.Logger.Level.INFO, choice.reason);
    return choice;
  }

  /** The decision as a function of what it depends on. */
  static Choice choose(
      @Nullable String forced, boolean modulePresent, String vmInfo, IntSupplier preferredBits) {
    String setting = forced == null ? "auto" : forced.strip();
    if (setting.equals("off") || setting.equals("0")) {
      return new Choice(0, "scalar code, as %s asks for".formatted(WIDTH), true);
    }
    if (!modulePresent) {
      return new Choice(
          0,
          "scalar code: the Vector API is missing; start java with"
              + " --add-modules jdk.incubator.vector",
          forced == null);
    }
    if (setting.matches("128|256|512")) {
      return new Choice(
          Integer.parseInt(setting),
          "vectors of %s bits, as %s asks for".formatted(setting, WIDTH),
          true);
    }
    boolean understood = setting.equals("auto");
    String complaint =
        understood
            ? ""
            : " (%s = %s is none of auto, off, 128, 256, 512)".formatted(WIDTH, setting);
    if (vmInfo.contains("interpreted mode")) {
      return new Choice(
          0,
          "scalar code: without a just-in-time compiler vectors are slower" + complaint,
          understood);
    }
    int bits = preferredBits.getAsInt();
    if (bits < 128) {
      return new Choice(
          0, "scalar code: this processor has no vectors of 128 bits" + complaint, understood);
    }
    return new Choice(bits, "vectors of %s bits%s".formatted(bits, complaint), understood);
  }

  /** Loaded only where the Vector API is present. */
  private static final class Lanes {
    static final int PREFERRED_BITS =
        jdk.incubator.vector.VectorShape.preferredShape().vectorBitSize();
  }
}
