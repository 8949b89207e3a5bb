package org.gammanet.experiments.protocols;

import java.util.List;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;

/** Panels and curves that several experiments have. */
final class Charts {
  private Charts() {}

  static Axis steps(RunContext context) {
    return InSilico.steps(context.timesteps());
  }

  /** Series in the styles of a palette, in their order. */
  static List<Series> colored(List<Series> series) {
    return java.util.stream.IntStream.range(0, series.size())
        .mapToObj(i -> series.get(i).style(Style.series(i).label(series.get(i).name())))
        .toList();
  }

  /** A panel of one measure over timesteps. */
  static Panel dynamics(int row, int column, RunContext context, String title, String y) {
    return Panel.at(row, column, "dynamics").title(title).axes(steps(context), y).horizontal(0);
  }

  /** A panel of units as points on two measures, with the line of equality. */
  static Panel units(
      int row, int column, String title, String xLabel, double[] x, String yLabel, double[] y) {
    int n = Samples.pairs(x, y)[0].length;
    return Panel.at(row, column, "units")
        .title(title, n)
        .axes(xLabel, yLabel)
        .unity()
        .add(Series.points("units", x, y, n, Style.series(0).opacity(0.6)));
  }

  /** A panel of the distribution of a measure over units. */
  static Panel distribution(int row, int column, String title, String xLabel, double[] values) {
    double[] finite = Series.finite(values);
    return Panel.at(row, column, "distribution")
        .title(title, finite.length)
        .axes(xLabel, "Units")
        .vertical(0)
        .add(Series.histogram("units", finite, Samples.edges(finite)));
  }

  /** The sample of a population after a timestep. */
  interface SampleOverTime {
    double[] at(State state, int step);
  }

  /** Means of every population over timesteps. */
  static List<Series> overTime(RunContext context, SampleOverTime sample) {
    double[] steps = Samples.steps(context.timesteps());
    return ofStates(
        context, s -> Series.mean(s.word(), steps, t -> sample.at(s, (int) t), context.seed()));
  }

  /** Series of every population. */
  static List<Series> ofStates(
      RunContext context, java.util.function.Function<State, Series> series) {
    return context.states().stream().map(series).toList();
  }
}
