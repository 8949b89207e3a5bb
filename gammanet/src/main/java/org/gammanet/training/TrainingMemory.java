package org.gammanet.training;

import java.util.List;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.io.SystemMemory;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Device;

/**
 * Estimates the memory of a training step to within a third of measurements. Counts maps (the
 * values of a layer's channels at all pixels, in float32) that the {@link Tape} keeps.
 */
public final class TrainingMemory {
  /** Maps inside one update of a cell that automatic differentiation keeps. */
  private static final int CELL_INTERIOR = 75;

  /** Maps that a native kernel works on while it differentiates a cell. */
  private static final int KERNEL_INTERIOR = 12;

  /** Maps of a cell's update that its native kernel leaves for the backward pass. */
  private static final int KERNEL_KEPT = 9;

  /** The same for a block of convolutions, a projection or a read-out. */
  private static final int LAYER_INTERIOR = 4;

  /** Code, buffers of operators, JVM with its cache of images. */
  private static final long BASE = 700L << 20;

  /** Fraction of the available memory that may be planned with. */
  private static final double USABLE = 0.7;

  private TrainingMemory() {}

  /**
   * Bytes at the peak of a step.
   *
   * @param mode none, cells or timesteps
   */
  public static long estimate(
      Network network, int batch, int height, int width, int timesteps, Recompute mode) {
    List<LayerSummary> layers = network.summary(height, width);
    boolean kernels = network.fallbackReason() == null;
    long once = 0;
    long everyTimestep = 0;
    long inside = 0;
    long widest = 0;
    for (LayerSummary layer : layers) {
      boolean cell = layer.cell();
      long map = 4L * batch * layer.channels() * layer.height() * layer.width();
      long interior = (!cell ? LAYER_INTERIOR : kernels ? KERNEL_INTERIOR : CELL_INTERIOR) * map;
      widest = Math.max(widest, interior);
      // Between segments pass two states of a cell and its drive, or one result.
      long between = cell ? 2 * map : map;
      long kept = between;
      if (mode == Recompute.NONE && cell && kernels) {
        inside += KERNEL_KEPT * map * (layer.everyTimestep() ? timesteps : 1);
      } else if (mode == Recompute.NONE) {
        kept = interior;
      }
      if (layer.everyTimestep()) {
        everyTimestep += kept;
      } else {
        once += kept;
      }
    }
    once += Math.min(inside, Tape.KEPT_INSIDE);
    long activity =
        switch (mode) {
          case NONE, CELLS -> once + timesteps * everyTimestep + widest;
          // States are about half of what passes between segments.
          case TIMESTEPS -> once + timesteps * everyTimestep / 2 + everyTimestep + widest;
          case AUTO -> throw new IllegalArgumentException("recompute mode must not be auto");
        };
    // Weights, gradients and two moments; the optimizer's own copy is transient.
    return BASE + 16 * network.parameterCount() + activity;
  }

  /** The least recomputation that fits into this machine's memory; {@code cells} on a GPU. */
  static Recompute choose(Network network, int batch, int height, int width, int timesteps) {
    if (network.device().type() != Device.Type.CPU) {
      return Recompute.CELLS;
    }
    double usable = USABLE * SystemMemory.available();
    for (Recompute mode : List.of(Recompute.NONE, Recompute.CELLS)) {
      if (estimate(network, batch, height, width, timesteps, mode) <= usable) {
        return mode;
      }
    }
    return Recompute.TIMESTEPS;
  }
}
