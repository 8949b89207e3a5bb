package org.gammanet.nn;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What the segments of a forward pass know of it. Weights must not be written during a pass.
 *
 * @param pass a number of its own for each pass, the backward pass included: what holds for all of
 *     it is looked up once
 * @param height of the image in pixels
 * @param width of the image in pixels
 * @param timestep from 0
 * @param probe watches the signals inside cells; null for none
 * @param precision of products in native kernels
 * @param composedOnly whether native kernels must not be used
 * @param replaying whether a segment runs a second time, for its gradient: probes are not told
 *     again, running statistics stay
 * @param tile where the image lies in a larger one; null for a whole image
 * @param reusable inputs of the current segment that nothing else reads: it may write its outputs
 *     into their memory
 */
public record ForwardContext(
    long pass,
    long height,
    long width,
    int timestep,
    @Nullable CellProbe probe,
    Precision precision,
    boolean composedOnly,
    boolean replaying,
    @Nullable Tile tile,
    List<Tensor> reusable) {

  private static final AtomicLong PASSES = new AtomicLong();

  /** The beginning of a pass. */
  public static ForwardContext of(
      long height,
      long width,
      @Nullable CellProbe probe,
      Precision precision,
      boolean composedOnly) {
    return new ForwardContext(
        PASSES.incrementAndGet(),
        height,
        width,
        0,
        probe,
        precision,
        composedOnly,
        false,
        null,
        List.of());
  }

  /** A context for running a cell on its own. */
  public static ForwardContext plain() {
    return of(0, 0, null, Precision.FLOAT32, false);
  }

  /** A context for running a cell on its own, without native kernels. */
  public static ForwardContext composed() {
    return of(0, 0, null, Precision.FLOAT32, true);
  }

  /** For an image that is a tile of a larger one. */
  public ForwardContext in(@Nullable Tile larger) {
    return new ForwardContext(
        pass, height, width, timestep, probe, precision, composedOnly, replaying, larger, reusable);
  }

  /** The context at timestep t, counted from 0; no input's memory may be reused. */
  public ForwardContext at(int t) {
    return new ForwardContext(
        pass, height, width, t, probe, precision, composedOnly, replaying, tile, List.of());
  }

  /** For running a segment a second time. */
  public ForwardContext replay() {
    return new ForwardContext(
        pass, height, width, timestep, probe, precision, composedOnly, true, tile, List.of());
  }

  /** With inputs whose memory may be reused. */
  public ForwardContext reusing(List<Tensor> inputs) {
    return new ForwardContext(
        pass, height, width, timestep, probe, precision, composedOnly, replaying, tile, inputs);
  }

  /** Whether an input of the current segment may be overwritten. */
  public boolean mayOverwrite(Tensor input) {
    for (Tensor tensor : reusable) {
      if (tensor == input) {
        return true;
      }
    }
    return false;
  }

  /** Whether the inside of a cell is watched at this timestep. */
  public boolean watches(String cell) {
    return probe != null && !replaying && probe.wantsInside(cell, timestep);
  }

  Signals signals(String cell) {
    return new Signals(cell, timestep, watches(cell) ? probe : null);
  }
}
