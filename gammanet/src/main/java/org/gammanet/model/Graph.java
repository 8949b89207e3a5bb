package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Segment;

/** A network under construction: its layers and its stages in the order in which they run. */
final class Graph {
  final Layers layers = new Layers();
  final List<Stage> stages = new ArrayList<>();

  void add(Stage stage) {
    stages.add(stage);
  }

  /** A cell driven by a signal, and the kernels that it derives from weights. */
  Stage cell(FgruCell cell, Signal drive, List<Signal> states) {
    List<Signal> inputs = new ArrayList<>(List.of(drive));
    for (Segment kernel : cell.kernels()) {
      Signal signal = Signal.of(kernel.name(), cell.channels(), 0);
      if (stages.stream().noneMatch(s -> s.outputs().contains(signal))) {
        add(Stage.of(Stage.Role.ONCE, kernel, null, List.of(), signal, Stage.Macs.NONE));
      }
      inputs.add(signal);
    }
    inputs.addAll(states);
    return new Stage(
        cell.name(),
        "fGRU, kernel %1$dx%1$d".formatted(cell.kernelSize()),
        Stage.Role.CELL,
        cell,
        inputs,
        states,
        Stage.Macs.perPixel(cell.macsPerPixel(), states.getFirst().level()),
        0,
        null);
  }
}
