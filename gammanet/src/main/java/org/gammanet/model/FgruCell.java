package org.gammanet.model;

import org.gammanet.torch.Tensor;

/**
 * A recurrent cell: a segment whose inputs are the drive and its states, and whose outputs are the
 * new states, all (N, C, H, W).
 */
public abstract sealed class FgruCell implements Segment permits FgruV1Cell, FgruV2Cell {
  private final String name;
  private final int channels;
  private final int kernelSize;

  FgruCell(String name, int channels, int kernelSize) {
    this.name = name;
    this.channels = channels;
    this.kernelSize = kernelSize;
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
}
