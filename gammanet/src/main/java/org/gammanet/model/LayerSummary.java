package org.gammanet.model;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.Parameter;

/**
 * A line of a network's layer table. The parameters of all lines add up to the network's.
 *
 * @param name as in a checkpoint
 * @param kind what it is, in a few words
 * @param cell whether it is a recurrent cell
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
    boolean cell,
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

  /** The listed stages for an image of this size. Parameters count where they first occur. */
  static List<LayerSummary> of(List<Stage> stages, long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    Set<Parameter> counted = new HashSet<>();
    for (Stage stage : stages) {
      String kind = stage.kind();
      if (kind == null) {
        continue;
      }
      Signal output = stage.outputs().getFirst();
      long parameters =
          stage.segment().parameters().stream()
              .filter(counted::add)
              .mapToLong(Parameter::numel)
              .sum();
      String idle = stage.idle();
      boolean once = stage.role() == Stage.Role.ONCE || stage.role() == Stage.Role.READOUT;
      rows.add(
          new LayerSummary(
              stage.name(),
              idle != null ? idle : kind,
              stage.segment() instanceof FgruCell,
              output.channels(),
              height >> output.level(),
              width >> output.level(),
              parameters,
              idle != null ? 0 : stage.macs().of(height, width),
              idle == null && !once));
    }
    return rows;
  }
}
