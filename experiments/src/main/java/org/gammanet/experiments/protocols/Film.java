package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.responses.NetworkDynamics;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.figures.Axis;
import org.gammanet.figures.ColorMap;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HeatMap;
import org.gammanet.model.CellSite;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/** A film of a layer's states, averaged over channels, and of the output under a stimulus. */
final class Film {
  /** Largest side of a map. */
  private static final int MAP = 64;

  private final CellSite site;
  private final Stimulus stimulus;
  private final List<Integer> times = new ArrayList<>();
  private final List<double[][]> maps = new ArrayList<>();

  Film(CellSite site, Stimulus stimulus) {
    this.site = site;
    this.stimulus = stimulus;
  }

  /** Adds the states and the output of now. */
  void add(int time, NetworkDynamics dynamics) {
    times.add(time);
    try (var scope = TensorScope.open()) {
      List<double[]> out = new ArrayList<>();
      for (String name : site.states()) {
        Tensor state = dynamics.states().get(name);
        if (state != null) {
          out.add(small(Ops.mean(state, new long[] {1}, true)));
        }
      }
      out.add(small(Ops.sigmoid(dynamics.logits())));
      maps.add(out.toArray(double[][]::new));
    }
  }

  private static double[] small(Tensor map) {
    return map.size(2) <= MAP
        ? map.toDoubleArray()
        : Ops.upsampleBilinear2d(map, MAP, MAP).toDoubleArray();
  }

  /** A picture per time, with one color scale for each signal. */
  List<Figure> frames() {
    List<String> titles = new ArrayList<>(List.of("Excitatory", "Inhibitory", "Output"));
    if (site.states().size() < 2) {
      titles.remove(1);
    }
    List<Figure> frames = new ArrayList<>();
    for (int i = 0; i < times.size(); i++) {
      var figure = new Figure(2.4 * (titles.size() + 1), 2.9);
      figure.title(site.name() + ", timestep " + times.get(i));
      figure
          .panel(0, 0)
          .title("Stimulus")
          .x(Axis.hidden())
          .y(Axis.hidden().reverse())
          .luminance(stimulus.draw(), stimulus.frame().width());
      for (int k = 0; k < titles.size(); k++) {
        int which = k;
        double[] all = maps.stream().flatMapToDouble(m -> Arrays.stream(m[which])).toArray();
        double[] map = maps.get(i)[k];
        boolean output = k == titles.size() - 1;
        figure
            .panel(0, k + 1)
            .title(titles.get(k))
            .x(Axis.hidden())
            .y(Axis.hidden().reverse())
            .equalAspect()
            .heatMap(
                HeatMap.of(map, (int) Math.round(Math.sqrt(map.length)))
                    .colors(
                        ColorMap.VIRIDIS,
                        output ? 0 : Arrays.stream(all).min().orElse(0),
                        output ? 1 : Arrays.stream(all).max().orElse(1))
                    .withoutBar());
      }
      frames.add(figure);
    }
    return frames;
  }
}
