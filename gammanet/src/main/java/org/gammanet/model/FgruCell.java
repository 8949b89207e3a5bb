package org.gammanet.model;

import java.util.List;
import java.util.Map;
import org.gammanet.config.FgruConfig;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A recurrent cell: a segment whose inputs are the drive and its states, and whose outputs are the
 * new states, all (N, C, H, W).
 *
 * <p>The drive alone may be given too: the cell is at rest then, its states are zero, and what zero
 * states contribute is not computed. The result is the same.
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

  /** What the cell was built from. */
  public final FgruConfig config() {
    return config;
  }

  /** Number of states: 2 (excitatory, inhibitory) or 1. */
  public abstract int states();

  /** Multiply-accumulates per pixel of the convolutions in one step. */
  public abstract long macsPerPixel();

  /**
   * The horizontal kernel as it is applied, after any symmetry: {@code [output channel, input
   * channel, row, column]}. A new tensor, the caller's.
   *
   * @param excitatory W_exc, else W_inh
   */
  public abstract Tensor horizontalKernel(boolean excitatory);

  /** Why native kernels do not compute this cell, in a few words; null when they do. */
  abstract @Nullable String fallbackReason();

  /**
   * One step in place, where a native kernel can: overwrites the states, and adds the new first
   * state to a sum. Records nothing.
   *
   * @param states of an earlier step, that nothing else uses
   * @param sum a map; null for none
   * @return whether it was done
   */
  boolean advance(ForwardContext context, Tensor drive, List<Tensor> states, @Nullable Tensor sum) {
    return false;
  }

  /** State {@code k}, from 0, among a step's inputs; zero for a cell at rest. */
  static Tensor stateOf(Tensor[] inputs, int k) {
    Tensor drive = inputs[0];
    return inputs.length > 1
        ? inputs[1 + k]
        : Tensor.zeros(drive.dtype(), drive.device(), drive.shape());
  }

  /** Keeps a signal for the hooks, or frees it early: cells make the largest tensors of all. */
  static void release(@Nullable Map<String, Tensor> signals, String name, Tensor signal) {
    if (signals == null) {
      signal.close();
    } else {
      signals.put(name, signal);
    }
  }
}
