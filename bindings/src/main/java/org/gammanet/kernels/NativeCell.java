package org.gammanet.kernels;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.Map;
import org.gammanet.torch.Borrowed;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TorchException;
import org.gammanet.torch.gen.GammanetNative;
import org.gammanet.torch.internal.Native;
import org.gammanet.torch.internal.ThreadGradMode;
import org.jspecify.annotations.Nullable;

/**
 * An fGRU cell with excitatory and inhibitory states with packed weights, in {@link NativeKernels}.
 * Maps are float32 (N, C, H, W), channels last ({@link NativeKernels#emptyChannelsLast}, {@link
 * org.gammanet.torch.Ops#channelsLast}). Later changes of the weights do not reach it. Autograd
 * records nothing.
 *
 * <p>Methods throw {@link TorchException} for a tensor of another shape, type, layout or device.
 */
public final class NativeCell implements AutoCloseable {
  /** Parameters, in the order of the native interface; shapes in {@code gammanet_native.h}. */
  public enum Weight {
    /** Inhibitory horizontal kernel, before symmetrization. */
    W_INH(GammanetNative.GAMMANET_CELL_W_INH()),
    /** Excitatory horizontal kernel, before symmetrization. */
    W_EXC(GammanetNative.GAMMANET_CELL_W_EXC()),
    /** Input gate. */
    W_GAIN(GammanetNative.GAMMANET_CELL_W_GAIN()),
    /** Mixing gate. */
    W_MIX(GammanetNative.GAMMANET_CELL_W_MIX()),
    /** Bias of the input gate. */
    B_GAIN(GammanetNative.GAMMANET_CELL_B_GAIN()),
    /** Bias of the mixing gate. */
    B_MIX(GammanetNative.GAMMANET_CELL_B_MIX()),
    /** Network of alpha and mu. */
    D_INH(GammanetNative.GAMMANET_CELL_D_INH()),
    /** Its bias. */
    D_INH_BIAS(GammanetNative.GAMMANET_CELL_D_INH_BIAS()),
    /** Network of kappa and omega. */
    D_EXC(GammanetNative.GAMMANET_CELL_D_EXC()),
    /** Its bias. */
    D_EXC_BIAS(GammanetNative.GAMMANET_CELL_D_EXC_BIAS()),
    /** Static alpha, as stored. */
    ALPHA(GammanetNative.GAMMANET_CELL_ALPHA()),
    /** Static mu. */
    MU(GammanetNative.GAMMANET_CELL_MU()),
    /** Static kappa. */
    KAPPA(GammanetNative.GAMMANET_CELL_KAPPA()),
    /** Static omega, as stored. */
    OMEGA(GammanetNative.GAMMANET_CELL_OMEGA()),
    /** Affine part of the norm in front of the inhibitory kernel. */
    N1_WEIGHT(GammanetNative.GAMMANET_CELL_N1_WEIGHT()),
    /** Its bias. */
    N1_BIAS(GammanetNative.GAMMANET_CELL_N1_BIAS()),
    /** Affine part of the norm in front of the excitatory kernel. */
    N2_WEIGHT(GammanetNative.GAMMANET_CELL_N2_WEIGHT()),
    /** Its bias. */
    N2_BIAS(GammanetNative.GAMMANET_CELL_N2_BIAS());

    private final int index;

    Weight(int index) {
      this.index = index;
    }
  }

  /** Normalization of gates and of horizontal inputs. */
  public enum Norm {
    /** None. */
    NONE(GammanetNative.GAMMANET_NORMALIZATION_NONE()),
    /** Over the channels of each pixel. */
    LAYER(GammanetNative.GAMMANET_NORMALIZATION_LAYER()),
    /** Over the pixels of each channel. */
    INSTANCE(GammanetNative.GAMMANET_NORMALIZATION_INSTANCE()),
    /** Over pixels and groups of channels, at most 8 groups. */
    GROUP(GammanetNative.GAMMANET_NORMALIZATION_GROUP());

    private final int number;

    Norm(int number) {
      this.number = number;
    }
  }

  /** Where alpha, mu, kappa and omega come from. */
  public enum Circuit {
    /** Constants of each channel. */
    STATIC(GammanetNative.GAMMANET_CIRCUIT_STATIC()),
    /** Networks, followed by softplus. */
    SOFTPLUS(GammanetNative.GAMMANET_CIRCUIT_SOFTPLUS()),
    /** Networks, followed by the logistic function. */
    SIGMOID(GammanetNative.GAMMANET_CIRCUIT_SIGMOID());

    private final int number;

    Circuit(int number) {
      this.number = number;
    }
  }

  /** Symmetry of the horizontal kernels. */
  public enum Symmetry {
    /** None. */
    NONE(GammanetNative.GAMMANET_SYMMETRY_NONE()),
    /** Exchange of input and output channel. */
    CHANNEL(GammanetNative.GAMMANET_SYMMETRY_CHANNEL()),
    /** Exchange of rows and columns. */
    SPATIAL(GammanetNative.GAMMANET_SYMMETRY_SPATIAL()),
    /** Both. */
    SPATIAL_CHANNEL(GammanetNative.GAMMANET_SYMMETRY_SPATIAL_CHANNEL());

    private final int number;

    Symmetry(int number) {
      this.number = number;
    }
  }

  /**
   * What a cell computes.
   *
   * @param gateNormPost whether a gate's norm stands after its product
   * @param forceAlpha whether a static alpha passes through the logistic function
   * @param forceOmega whether a static omega is rectified
   * @param multiplicative whether {@code q = omega c2 + kappa}, else {@code relu(i' + c2)}
   * @param normalizeInputs whether the inputs of the horizontal kernels are normalized
   */
  public record Options(
      Norm norm,
      boolean gateNormPost,
      Circuit circuit,
      boolean forceAlpha,
      boolean forceOmega,
      boolean multiplicative,
      boolean normalizeInputs,
      Symmetry symmetry,
      Precision precision,
      NativeConv.Algorithm algorithm) {
    private int[] numbers() {
      int[] numbers = new int[GammanetNative.GAMMANET_CELL_OPTIONS()];
      numbers[GammanetNative.GAMMANET_CELL_NORMALIZATION()] = norm.number;
      numbers[GammanetNative.GAMMANET_CELL_GATE_NORM_POST()] = gateNormPost ? 1 : 0;
      numbers[GammanetNative.GAMMANET_CELL_CIRCUIT()] = circuit.number;
      numbers[GammanetNative.GAMMANET_CELL_FORCE_ALPHA()] = forceAlpha ? 1 : 0;
      numbers[GammanetNative.GAMMANET_CELL_FORCE_OMEGA()] = forceOmega ? 1 : 0;
      numbers[GammanetNative.GAMMANET_CELL_MULTIPLICATIVE()] = multiplicative ? 1 : 0;
      numbers[GammanetNative.GAMMANET_CELL_NORMALIZE_INPUTS()] = normalizeInputs ? 1 : 0;
      numbers[GammanetNative.GAMMANET_CELL_SYMMETRY()] = symmetry.number;
      numbers[GammanetNative.GAMMANET_CELL_PRECISION()] = precision.number;
      numbers[GammanetNative.GAMMANET_CELL_ALGORITHM()] = algorithm.number;
      return numbers;
    }
  }

  private final NativeKernels.Packed packed;

  private NativeCell(MemorySegment out) {
    packed = NativeKernels.Packed.cell(this, out);
  }

  /**
   * Packs weights.
   *
   * @param weights what the options need, each contiguous
   * @throws UnsupportedOperationException when this processor or build lacks what is asked for
   */
  public static NativeCell pack(Map<Weight, Tensor> weights, Options options) {
    NativeKernels.require();
    try (Borrowed use = new Borrowed();
        Arena arena = Arena.ofConfined()) {
      MemorySegment out = Native.out();
      NativeKernels.check(
          GammanetNative.gammanet_cell_pack(
              use.array(ordered(weights)), arena.allocateFrom(JAVA_INT, options.numbers()), out),
          "packing a cell ",
          options);
      return new NativeCell(out);
    }
  }

  private static @Nullable Tensor[] ordered(Map<Weight, Tensor> weights) {
    @Nullable Tensor[] list = new @Nullable Tensor[GammanetNative.GAMMANET_CELL_PARAMETERS()];
    weights.forEach((weight, tensor) -> list[weight.index] = tensor);
    return list;
  }

  private interface Body {
    int call(MemorySegment cell, Borrowed use);
  }

  private void run(String what, Body body) {
    MemorySegment cell = packed.acquire();
    try (Borrowed use = new Borrowed()) {
      ThreadGradMode.apply();
      int status = body.call(cell, use);
      NativeKernels.check(status, what, use);
    } finally {
      packed.release();
      Reference.reachabilityFence(this); // its cleaner must not free what the call is using
    }
  }

  /**
   * One step; all maps have one shape.
   *
   * @param x drive
   * @param e excitatory state; null for zeros
   * @param i inhibitory state; null for zeros; may be e
   * @param newE gets the new excitatory state; may be e, unless i is e, too
   * @param newI gets the new inhibitory state; may be i, unless that is e
   * @param sum the new excitatory state is added to it; null for none
   */
  public void forward(
      Tensor x,
      @Nullable Tensor e,
      @Nullable Tensor i,
      Tensor newE,
      Tensor newI,
      @Nullable Tensor sum) {
    run(
        "cell",
        (cell, use) ->
            GammanetNative.gammanet_cell_forward(
                cell, use.of(x), use.of(e), use.of(i), use.of(newE), use.of(newI), use.of(sum)));
  }

  /**
   * Channels of the map that {@link #forwardKeeping} fills; 0 where it does not apply, which is on
   * a GPU and with normalization over pixels or of horizontal inputs.
   */
  public long keptChannels() {
    MemorySegment out = Native.out();
    run("cell", (cell, use) -> GammanetNative.gammanet_cell_kept_channels(cell, out));
    return out.get(ValueLayout.JAVA_LONG, 0);
  }

  /**
   * A step to maps that are none of the inputs, which also leaves what {@link #backward} needs.
   *
   * @param kept (N, {@link #keptChannels}, H, W)
   */
  public void forwardKeeping(
      Tensor x, @Nullable Tensor e, @Nullable Tensor i, Tensor newE, Tensor newI, Tensor kept) {
    run(
        "cell",
        (cell, use) ->
            GammanetNative.gammanet_cell_forward_keeping(
                cell, use.of(x), use.of(e), use.of(i), use.of(newE), use.of(newI), use.of(kept)));
  }

  /**
   * Gradients of one step from its inputs; all maps have one shape.
   *
   * @param x drive
   * @param e excitatory state; null for zeros
   * @param i inhibitory state; null for zeros; may be e, whose gradient then is the sum of both
   * @param gradNewE gradient of the new excitatory state; null for zeros
   * @param gradNewI gradient of the new inhibitory state; null for zeros
   * @param gradX gets a gradient; null if not wanted, and so on
   * @param gradE may be gradNewE
   * @param gradI may be gradNewI
   * @param kept what {@link #forwardKeeping} left, whose contents are lost; null to compute it
   *     again
   * @param gradWeights contiguous, shaped as the weights, added to; absent where not wanted
   * @throws UnsupportedOperationException when this build has no such kernel
   */
  public void backward(
      Tensor x,
      @Nullable Tensor e,
      @Nullable Tensor i,
      @Nullable Tensor gradNewE,
      @Nullable Tensor gradNewI,
      @Nullable Tensor gradX,
      @Nullable Tensor gradE,
      @Nullable Tensor gradI,
      @Nullable Tensor kept,
      Map<Weight, Tensor> gradWeights) {
    run(
        "gradient of a cell",
        (cell, use) ->
            GammanetNative.gammanet_cell_backward(
                cell,
                use.of(x),
                use.of(e),
                use.of(i),
                use.of(kept),
                use.of(gradNewE),
                use.of(gradNewI),
                use.of(gradX),
                use.of(gradE),
                use.of(gradI),
                use.array(ordered(gradWeights))));
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
