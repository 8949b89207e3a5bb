package org.gammanet.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.gammanet.torch.Borrowed;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TorchException;
import org.gammanet.torch.gen.GammanetNative;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.ThreadGradMode;
import org.jspecify.annotations.Nullable;

/**
 * A convolution with packed weights, k x k, k odd, stride 1, "same" padding, in {@link
 * NativeKernels}. Maps are float32 (N, C, H, W), channels last ({@link
 * NativeKernels#emptyChannelsLast}, {@link org.gammanet.torch.Ops#channelsLast}). Later changes of
 * the weights do not reach it. Autograd records nothing.
 *
 * <p>Methods throw {@link TorchException} for a tensor of another shape, type, layout or device.
 */
public final class NativeConv implements AutoCloseable {
  /** How a 3x3 convolution is computed. */
  public enum Algorithm {
    /** The faster one, from the shape and the processor. */
    AUTO(GammanetNative.GAMMANET_ALGORITHM_AUTO()),
    /** The direct sum. */
    DIRECT(GammanetNative.GAMMANET_ALGORITHM_DIRECT()),
    /** Winograd's F(4x4, 3x3): fewer multiplications, errors within about 1e-5. */
    WINOGRAD(GammanetNative.GAMMANET_ALGORITHM_WINOGRAD());

    final int number;

    Algorithm(int number) {
      this.number = number;
    }
  }

  private final NativeKernels.Packed packed;

  private NativeConv(MemorySegment out) {
    packed = NativeKernels.Packed.conv(this, out);
  }

  /**
   * Packs weights.
   *
   * @param weight (O, I, k, k), contiguous
   * @param bias (O); null for none
   * @throws UnsupportedOperationException when this processor lacks the precision
   */
  public static NativeConv pack(
      Tensor weight, @Nullable Tensor bias, Algorithm algorithm, Precision precision) {
    NativeKernels.require();
    try (Borrowed use = new Borrowed()) {
      MemorySegment out = Native.out();
      NativeKernels.check(
          GammanetNative.gammanet_conv_pack(
              use.of(weight), use.of(bias), algorithm.number, precision.number, out),
          "packing a convolution ",
          use);
      return new NativeConv(out);
    }
  }

  private interface Body {
    int call(MemorySegment conv, Borrowed use);
  }

  private void run(String what, Body body) {
    MemorySegment conv = packed.acquire();
    try (Borrowed use = new Borrowed()) {
      ThreadGradMode.apply();
      int status = body.call(conv, use);
      NativeKernels.check(status, what, use);
    } finally {
      packed.release();
      Reference.reachabilityFence(this); // its cleaner must not free what the call is using
    }
  }

  /**
   * {@code out = weight * x + bias}, rectified if wanted.
   *
   * @param x (N, I, H, W)
   * @param out (N, O, H, W), not x
   */
  public void forward(Tensor x, boolean relu, Tensor out) {
    run(
        "convolution",
        (conv, use) ->
            GammanetNative.gammanet_conv_forward(conv, use.of(x), relu ? 1 : 0, use.of(out)));
  }

  /**
   * Gradients of {@link #forward}.
   *
   * @param x the input
   * @param out the output if it was rectified, else null
   * @param gradOut gradient of the output
   * @param gradX gets the gradient of x; null if not wanted
   * @param gradWeight contiguous (O, I, k, k), added to; null if not wanted
   * @param gradBias (O), added to; null if not wanted
   * @throws UnsupportedOperationException when this build has no such kernel
   */
  public void backward(
      Tensor x,
      @Nullable Tensor out,
      Tensor gradOut,
      @Nullable Tensor gradX,
      @Nullable Tensor gradWeight,
      @Nullable Tensor gradBias) {
    run(
        "gradient of a convolution",
        (conv, use) ->
            GammanetNative.gammanet_conv_backward(
                conv,
                use.of(x),
                use.of(out),
                use.of(gradOut),
                use.of(gradX),
                use.of(gradWeight),
                use.of(gradBias)));
  }

  /**
   * {@code out = maxpool2x2(relu(weight * x + bias))}, for a 1x1 convolution.
   *
   * @param x (N, I, H, W), H and W at least 2
   * @param out (N, O, H/2, W/2), rounded down
   */
  public void alignPool(Tensor x, Tensor out) {
    run(
        "alignment",
        (conv, use) -> GammanetNative.gammanet_align_pool_forward(conv, use.of(x), use.of(out)));
  }

  /**
   * Gradients of {@link #alignPool}; on the CPU only.
   *
   * @param x the input
   * @param gradOut gradient of the output
   * @param gradX gets the gradient of x; null if not wanted
   * @param gradWeight contiguous (O, I, 1, 1), added to; null if not wanted
   * @param gradBias (O), added to; null if not wanted
   */
  public void alignPoolBackward(
      Tensor x,
      Tensor gradOut,
      @Nullable Tensor gradX,
      @Nullable Tensor gradWeight,
      @Nullable Tensor gradBias) {
    run(
        "gradient of an alignment",
        (conv, use) ->
            GammanetNative.gammanet_align_pool_backward(
                conv,
                use.of(x),
                use.of(gradOut),
                use.of(gradX),
                use.of(gradWeight),
                use.of(gradBias)));
  }

  /** {@code out = maxpool2x2(x)}, stride 2, an odd last row or column dropped. */
  public static void pool(Tensor x, Tensor out) {
    NativeKernels.require();
    try (Borrowed use = new Borrowed()) {
      NativeKernels.check(
          GammanetNative.gammanet_align_pool_forward(MemorySegment.NULL, use.of(x), use.of(out)),
          "pooling",
          use);
    }
  }

  /**
   * The gradient of {@link #pool}; on the CPU only.
   *
   * @param gradX gets the gradient of x
   */
  public static void poolBackward(Tensor x, Tensor gradOut, Tensor gradX) {
    NativeKernels.require();
    try (Borrowed use = new Borrowed()) {
      NativeKernels.check(
          GammanetNative.gammanet_align_pool_backward(
              MemorySegment.NULL,
              use.of(x),
              use.of(gradOut),
              use.of(gradX),
              MemorySegment.NULL,
              MemorySegment.NULL),
          "gradient of pooling",
          use);
    }
  }

  /**
   * {@code out = bilinear(elu(instance_norm(weight * x + bias)))}, for a 1x1 convolution.
   *
   * @param x (N, I, h, w)
   * @param out (N, O, H, W) of any size
   */
  public void projectUp(Tensor x, Tensor out) {
    run(
        "projection",
        (conv, use) -> GammanetNative.gammanet_project_up_forward(conv, use.of(x), use.of(out)));
  }

  /** Gradients of {@link #projectUp}, as those of {@link #alignPoolBackward}. */
  public void projectUpBackward(
      Tensor x,
      Tensor gradOut,
      @Nullable Tensor gradX,
      @Nullable Tensor gradWeight,
      @Nullable Tensor gradBias) {
    run(
        "gradient of a projection",
        (conv, use) ->
            GammanetNative.gammanet_project_up_backward(
                conv,
                use.of(x),
                use.of(gradOut),
                use.of(gradX),
                use.of(gradWeight),
                use.of(gradBias)));
  }

  /**
   * Frees the packed weights; closing twice does nothing.
   *
   * @throws IllegalStateException while another thread uses them
   */
  @Override
  public void close() {
    packed.close();
  }
}
