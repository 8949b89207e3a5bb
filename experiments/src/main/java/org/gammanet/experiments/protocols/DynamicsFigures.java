package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.gammanet.experiments.protocols.DynamicsExperiment.Condition;
import org.gammanet.experiments.responses.NetworkDynamics;
import org.gammanet.experiments.responses.SteadyState;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.gammanet.model.CellSite;

/**
 * The figure and the report of {@link DynamicsExperiment}.
 *
 * @param t the network's own number of timesteps
 * @param paths of the conditions
 */
record DynamicsFigures(
    int t, List<Condition> conditions, List<StatePath> paths, Components components) {

  Findings findings(DynamicsExperiment.Summary summary, CellSite site) {
    Axis time = Axis.linear("Timestep");
    Findings found =
        Findings.of(summary)
            .figure(
                FigureSpec.of(
                    "dynamics",
                    10,
                    8,
                    """
                    A: change of all states in a timestep relative to their norm; the dashed line \
                    is the network's own number of timesteps. B: distance of the layer's \
                    excitatory states from their last. C: their trajectories in the first two \
                    principal components. D: mean states of the layer under the first grating.\
                    """,
                    Panel.at(0, 0, "change")
                        .title("Change in a timestep")
                        .axes(time, Axis.log("|h(t) − h(t−1)| / |h(t)|"))
                        .marker(t)
                        .add(
                            lines(
                                path ->
                                    path.steps.stream()
                                        .mapToDouble(NetworkDynamics.Step::number)
                                        .toArray(),
                                path ->
                                    path.steps.stream()
                                        .mapToDouble(s -> positive(s.change()))
                                        .toArray())),
                    Panel.at(0, 1, "distance")
                        .title("Distance from the last state")
                        .axes(time, Axis.log("|E(t) − E(end)| / |E(end)|"))
                        .marker(t)
                        .add(
                            lines(
                                DynamicsFigures::times,
                                path ->
                                    Arrays.stream(path.distances)
                                        .map(DynamicsFigures::positive)
                                        .toArray())),
                    Panel.at(1, 0, "trajectories")
                        .title("Trajectories")
                        .axes(Axis.linear(component(0)), Axis.linear(component(1)))
                        .add(trajectories()),
                    Panel.at(1, 1, "states")
                        .title("Mean states")
                        .axes(time, Axis.linear("Activity"))
                        .marker(t)
                        .add(states(paths.getFirst(), site))))
            .value("Timesteps", summary.end())
            .value("Change in timestep " + t + ", mean [95 %] over stimuli", summary.changeAtT())
            .value("Change in the last timestep", summary.changeAtEnd())
            .value("Distance of timestep " + t + " from the last", summary.distanceAtT())
            .value("Leading eigenvalue at the steady states, modulus", summary.leadingEigenvalue())
            .value(
                "Its angle, degrees, by stimulus",
                Format.numbers(
                    Arrays.stream(summary.eigenvalueAngles()).map(Math::toDegrees).toArray()))
            .value(
                "Residual of the iteration, by stimulus",
                Format.numbers(summary.eigenvalueResiduals()))
            .note("The file dynamics.gif shows the states and the output at each of these times.")
            .overviewValue(
                "steady state",
                summary.steady() ? "yes" : "no, within " + summary.end() + " timesteps");
    for (int i = 0; i < conditions.size(); i++) {
      SteadyState state = summary.steadyStates().get(i);
      if (!state.steady()) {
        found.warning(conditions.get(i).words() + ": " + state.sentence());
      }
    }
    return found;
  }

  private static double positive(double value) {
    return value > 0 ? Math.max(value, 1e-8) : Double.NaN;
  }

  /** A line per stimulus. */
  private List<Series> lines(Function<StatePath, double[]> x, Function<StatePath, double[]> y) {
    return IntStream.range(0, paths.size())
        .mapToObj(
            i -> {
              String name = conditions.get(i).words();
              StatePath path = paths.get(i);
              return Series.line(
                  name, x.apply(path), y.apply(path), Style.series(i).plain().label(name));
            })
        .toList();
  }

  private static double[] times(StatePath path) {
    return path.times.stream().mapToDouble(n -> n).toArray();
  }

  private static List<Series> states(StatePath path, CellSite site) {
    int n = site.states().size();
    double[] times = times(path);
    return IntStream.range(0, n)
        .mapToObj(
            k -> {
              String name = k == 0 ? "excitatory" : "inhibitory";
              double[] y = Samples.fill(times.length, i -> path.means[i * n + k]);
              return Series.line(name, times, y, Series.style(name).plain());
            })
        .toList();
  }

  private List<Series> trajectories() {
    List<Series> out = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < paths.size(); i++) {
      int n = paths.get(i).times.size();
      double[] x = Arrays.copyOfRange(components.scores()[0], from, from + n);
      double[] y = Arrays.copyOfRange(components.scores()[1], from, from + n);
      Style style = Style.series(i).label(conditions.get(i).words());
      out.add(Series.line(conditions.get(i).words(), x, y, style));
      from += n;
    }
    return out;
  }

  private String component(int which) {
    return "Component %s (%s of variance)"
        .formatted(which + 1, Format.percent(components.explained()[which]));
  }
}
