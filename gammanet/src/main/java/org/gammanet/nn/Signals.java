package org.gammanet.nn;

import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** The signals of one step of a cell, kept for a {@link CellProbe} or freed early. */
final class Signals {
  private final String cell;
  private final int timestep;
  private final @Nullable CellProbe probe;
  private final Map<String, Tensor> kept = new LinkedHashMap<>();

  Signals(String cell, int timestep, @Nullable CellProbe probe) {
    this.cell = cell;
    this.timestep = timestep;
    this.probe = probe;
  }

  boolean watched() {
    return probe != null;
  }

  /** Keeps a signal that other owners close. */
  void put(String name, Tensor signal) {
    if (probe != null) {
      kept.put(name, signal);
    }
  }

  /** Keeps a signal for the probe or closes it: cells make the largest tensors of all. */
  void release(String name, Tensor signal) {
    if (probe != null) {
      kept.put(name, signal);
    } else {
      signal.close();
    }
  }

  void report() {
    if (probe != null) {
      probe.cellFinished(cell, timestep, kept);
    }
  }
}
