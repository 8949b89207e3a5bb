package org.gammanet.model;

import java.util.List;

/**
 * A line of a network's layer table. The parameters of all lines add up to the network's.
 *
 * @param name as in a checkpoint
 * @param kind what it is, in a few words
 * @param channels of its output
 * @param height of its output
 * @param width of its output
 * @param parameters trainable values
 * @param macs multiply-accumulates of its convolutions each time it runs, for one image
 * @param everyTimestep whether it runs at each timestep, or once per image
 */
public record LayerSummary(
    String name,
    String kind,
    int channels,
    long height,
    long width,
    long parameters,
    long macs,
    boolean everyTimestep) {

  /**
   * Multiply-accumulates of a whole forward pass for one image: an upper bound, since the first
   * step of a cell at rest needs fewer.
   */
  public static long macs(List<LayerSummary> layers, int timesteps) {
    return layers.stream().mapToLong(l -> l.macs * (l.everyTimestep ? timesteps : 1)).sum();
  }

  /** A line for an output of this shape, (N, C, H, W). */
  static LayerSummary of(
      String name,
      String kind,
      long[] shape,
      List<Parameter> parameters,
      long macs,
      boolean everyTimestep) {
    long count = parameters.stream().mapToLong(Parameter::numel).sum();
    return new LayerSummary(
        name, kind, (int) shape[1], shape[2], shape[3], count, macs, everyTimestep);
  }

  /** A line for a cell with states of this shape. */
  static LayerSummary of(FgruCell cell, long[] shape) {
    String kind = "fGRU, kernel " + cell.kernelSize() + "x" + cell.kernelSize();
    long macs = cell.macsPerPixel() * shape[2] * shape[3];
    return of(cell.name(), kind, shape, cell.parameters(), macs, true);
  }

  /** A line whose layer does not run, for a reason. */
  LayerSummary unless(boolean idle, String reason) {
    return idle
        ? new LayerSummary(name, reason, channels, height, width, parameters, 0, false)
        : this;
  }
}
