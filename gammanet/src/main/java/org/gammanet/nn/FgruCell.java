package org.gammanet.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.config.FgruConfig;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * A recurrent cell: a segment from a drive and states to new states, all {@code [N, C, H, W]}.
 *
 * <p>The inputs are the drive, the {@link #kernels} if there are any, and the states. Without
 * states the cell is at rest: its states are zero, and what zero states contribute is not computed.
 * The result is the same.
 */
public abstract sealed class FgruCell implements Segment permits FgruV1Cell, FgruV2Cell {
  private final String name;
  private final int channels;
  private final int kernelSize;
  private final FgruConfig config;

  FgruCell(String name, int channels, int kernelSize, FgruConfig config) {
    this.name = name;
    this.channels = channels;
    this.kernelSize = kernelSize;
    this.config = config;
  }

  @Override
  public final String name() {
    return name;
  }

  /** C: channels of the drive and of each state. */
  public final int channels() {
    return channels;
  }

  /** Side of the horizontal kernels. */
  public final int kernelSize() {
    return kernelSize;
  }

  /** The options of the cell. */
  public final FgruConfig config() {
    return config;
  }

  /** Number of states: 2 (excitatory, inhibitory) or 1. */
  public abstract int states();

  /** Multiply-accumulates per pixel of the convolutions in one step. */
  public abstract long macsPerPixel();

  /**
   * Multiply-accumulates of the horizontal kernels, of 1x1 products and of attention.
   *
   * @param products of C by C values, such as those of gates
   * @param dynamic further ones where the circuit's parameters are computed from the activity
   */
  final long macsPerPixel(int products, int dynamic) {
    FgruConfig config = config();
    long c2 = (long) channels() * channels();
    return (2L * kernelSize() * kernelSize()
                + products
                + (config.useDynamicParameters() ? dynamic : 0))
            * c2
        + Layers.attentionMacs(config.attention(), channels(), config.attentionLayers());
  }

  abstract CellParameters cell();

  /**
   * The functions of a weight alone that give the horizontal kernels, W_inh first: they are
   * computed once in a forward pass. Empty where the kernels are the weights themselves.
   */
  public final List<Segment> kernels() {
    return cell().derivesKernels() ? List.of(kernel(cell().wInh), kernel(cell().wExc)) : List.of();
  }

  private Segment kernel(Parameter weight) {
    return Segments.of(
        "S(" + weight.name() + ")",
        List.of(weight),
        (context, none) -> new Tensor[] {cell().kernel(weight)});
  }

  /**
   * The horizontal kernel as it is applied, {@code [output channel, input channel, row, column]}. A
   * new tensor, the caller's.
   *
   * @param excitatory W_exc, else W_inh
   */
  public final Tensor horizontalKernel(boolean excitatory) {
    try (var scope = TensorScope.open()) {
      return scope.keep(cell().kernel(excitatory ? cell().wExc : cell().wInh));
    }
  }

  /**
   * One step outside a network: {@link #forward} with kernels computed for this step alone.
   *
   * @param inputs drive and states, or the drive alone
   */
  public final Tensor[] step(ForwardContext context, Tensor... inputs) {
    List<Tensor> all = new ArrayList<>(Arrays.asList(inputs));
    List<Segment> kernels = kernels();
    for (int k = 0; k < kernels.size(); k++) {
      all.add(1 + k, kernels.get(k).forward(context)[0]);
    }
    return forward(context, all.toArray(Tensor[]::new));
  }

  /** The inputs of one step. */
  final class Inputs {
    private final Tensor[] all;
    private final int first = 1 + kernels().size();

    Inputs(Tensor[] all) {
      this.all = all;
    }

    Tensor drive() {
      return all[0];
    }

    boolean atRest() {
      return all.length == first;
    }

    /** State {@code k}, from 0; zeros at rest. */
    Tensor state(int k) {
      Tensor x = all[0];
      return atRest() ? Tensor.zeros(x.dtype(), x.device(), x.shape()) : all[first + k];
    }

    /** {@code S(W_inh) * x}. */
    Tensor inhibitory(Tensor x) {
      return horizontal(first > 1 ? all[1] : cell().wInh.tensor(), x);
    }

    /** {@code S(W_exc) * x}. */
    Tensor excitatory(Tensor x) {
      return horizontal(first > 1 ? all[2] : cell().wExc.tensor(), x);
    }

    private Tensor horizontal(Tensor kernel, Tensor x) {
      return Ops.conv2d(x, kernel, null, 1, kernelSize / 2);
    }
  }

  /** {@code (1 - gate) state + gate candidate}. */
  static Tensor mix(Tensor state, Tensor candidate, Tensor gate) {
    return Ops.lerp(state, candidate, gate);
  }
}
