package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.NetworkDynamics;
import org.gammanet.experiments.responses.SteadyState;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Animation;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Style;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;

/** Whether states come to rest, on which path, and how a small deviation develops. */
public final class DynamicsExperiment implements Experiment<DynamicsExperiment.Condition> {
  private static final double WAVELENGTH = 12.8;
  static final int MULTIPLE = 10;

  /** A grating of this orientation; NaN for a blank. */
  public record Condition(double orientation) {
    String words() {
      return Double.isNaN(orientation) ? "blank" : Format.number(orientation) + "°";
    }
  }

  /** Numbers of the experiment; intervals are over stimuli. */
  record Summary(
      int end,
      boolean steady,
      List<SteadyState> steadyStates,
      Interval changeAtT,
      Interval changeAtEnd,
      Interval distanceAtT,
      Interval leadingEigenvalue,
      double[] eigenvalueAngles,
      double[] eigenvalueResiduals,
      double[] explainedVariance) {}

  @Override
  public Description description() {
    return Descriptions.of("dynamics");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>().withoutBlank();
    int n = context.settings().full() ? 12 : 3;
    for (int i = 0; i < n; i++) {
      double angle = 180.0 * i / n;
      double cycles = context.cycles(WAVELENGTH);
      design.add(
          new Condition(angle),
          new Grating(
              context.frame(), new Sine(angle, cycles, 0, context.settings().contrast()), null));
    }
    return design.add(new Condition(Double.NaN), new Blank(context.frame(), 0.5));
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    return context
        .onNetwork((network, options) -> analyze(context, recording.design(), network, options))
        .orElseGet(() -> notMeasured("there is no network behind these units"));
  }

  /** No numbers. */
  record NotMeasured() {}

  /** Findings of an experiment that cannot be done. */
  static Findings notMeasured(String reason) {
    return Findings.of(new NotMeasured()).warning("Not measured: " + reason + ".");
  }

  private static Findings analyze(
      RunContext context, Design<Condition> design, Network network, ForwardOptions options) {
    CellSite site =
        network.sites().stream()
            .filter(s -> s.name().equals(context.layer()))
            .findFirst()
            .orElse(network.sites().getFirst());
    int end = MULTIPLE * context.timesteps();
    List<StatePath> paths = new ArrayList<>();
    try {
      for (Condition c : design.conditions()) {
        Stimulus stimulus = design.stimulus(c);
        List<Figure> frames = new ArrayList<>();
        paths.add(
            StatePath.run(context, network, options, site, stimulus, paths.isEmpty(), frames));
        if (!frames.isEmpty()) {
          context.write("dynamics.gif", Animation.gif(frames, 72, 0.25));
        }
      }
      return findings(context, design.conditions(), paths, end, site);
    } finally {
      paths.forEach(StatePath::close);
    }
  }

  private static Findings findings(
      RunContext context,
      List<Condition> conditions,
      List<StatePath> paths,
      int end,
      CellSite site) {
    int t = context.timesteps();
    List<SteadyState> stimuli = paths.stream().map(p -> p.steady(end)).toList();
    double[] moduli = eigenvalues(paths, e -> e.modulus());
    Components components =
        Components.of(paths.stream().flatMap(p -> p.excitatory.stream()).toList());
    var summary =
        new Summary(
            end,
            stimuli.stream().allMatch(SteadyState::steady),
            stimuli,
            Series.mean(each(paths, p -> p.change(t)), context.seed()),
            Series.mean(each(paths, p -> p.change(end)), context.seed()),
            Series.mean(
                each(
                    paths, p -> p.times.contains(t) ? p.distances[p.times.indexOf(t)] : Double.NaN),
                context.seed()),
            Series.mean(moduli, context.seed()),
            eigenvalues(paths, e -> e.angle()),
            eigenvalues(paths, e -> e.residual()),
            components.explained());
    List<Series> changes = new ArrayList<>();
    List<Series> distances = new ArrayList<>();
    for (int i = 0; i < paths.size(); i++) {
      StatePath path = paths.get(i);
      Style style = Style.series(i).plain().label(conditions.get(i).words());
      double[] x = path.steps.stream().mapToDouble(NetworkDynamics.Step::number).toArray();
      double[] y = path.steps.stream().mapToDouble(s -> positive(s.change())).toArray();
      changes.add(Series.line(conditions.get(i).words(), x, y, style));
      double[] times = path.times.stream().mapToDouble(n -> n).toArray();
      double[] d = Arrays.stream(path.distances).map(DynamicsExperiment::positive).toArray();
      distances.add(Series.line(conditions.get(i).words(), times, d, style));
    }
    Axis time = Axis.linear("Timestep");
    Findings found =
        Findings.of(summary)
            .figure(
                FigureSpec.of(
                    "dynamics",
                    10,
                    8,
                    "A: change of all states in a timestep relative to their norm; the dashed line"
                        + " is the network's own number of timesteps. B: distance of the layer's"
                        + " excitatory states from their last. C: their trajectories in the first"
                        + " two principal components. D: mean"
                        + " states of the layer under the first grating.",
                    Panel.at(0, 0, "change")
                        .title("Change in a timestep")
                        .axes(time, Axis.log("|h(t) − h(t−1)| / |h(t)|"))
                        .marker(t)
                        .add(changes),
                    Panel.at(0, 1, "distance")
                        .title("Distance from the last state")
                        .axes(time, Axis.log("|E(t) − E(end)| / |E(end)|"))
                        .marker(t)
                        .add(distances),
                    Panel.at(1, 0, "trajectories")
                        .title("Trajectories")
                        .axes(
                            Axis.linear(component(components, 0)),
                            Axis.linear(component(components, 1)))
                        .add(trajectories(components, conditions, paths)),
                    Panel.at(1, 1, "states")
                        .title("Mean states")
                        .axes(time, Axis.linear("Activity"))
                        .marker(t)
                        .add(states(paths.getFirst(), site))))
            .value("Timesteps", end)
            .value("Change in timestep " + t + ", mean [95 %] over stimuli", summary.changeAtT)
            .value("Change in the last timestep", summary.changeAtEnd)
            .value("Distance of timestep " + t + " from the last", summary.distanceAtT)
            .value("Leading eigenvalue at the steady states, modulus", summary.leadingEigenvalue)
            .value(
                "Its angle, degrees, by stimulus",
                Format.numbers(
                    Arrays.stream(summary.eigenvalueAngles).map(Math::toDegrees).toArray()))
            .value(
                "Residual of the iteration, by stimulus",
                Format.numbers(summary.eigenvalueResiduals))
            .note("The file dynamics.gif shows the states and the output at each of these times.")
            .overviewValue(
                "steady state", summary.steady ? "yes" : "no, within " + end + " timesteps");
    for (int i = 0; i < stimuli.size(); i++) {
      if (!stimuli.get(i).steady()) {
        found.warning(conditions.get(i).words() + ": " + stimuli.get(i).sentence());
      }
    }
    return found;
  }

  private static double positive(double value) {
    return value > 0 ? Math.max(value, 1e-8) : Double.NaN;
  }

  /** A number of a path. */
  private interface Of<T> {
    double of(T value);
  }

  private static double[] each(List<StatePath> paths, Of<StatePath> number) {
    return paths.stream().mapToDouble(number::of).toArray();
  }

  private static double[] eigenvalues(
      List<StatePath> paths, Of<NetworkDynamics.Eigenvalue> number) {
    return each(
        paths,
        p -> {
          NetworkDynamics.Eigenvalue e = p.eigenvalue;
          return e == null ? Double.NaN : number.of(e);
        });
  }

  private static List<Series> states(StatePath path, CellSite site) {
    int n = site.states().size();
    double[] times = path.times.stream().mapToDouble(t -> t).toArray();
    return IntStream.range(0, n)
        .mapToObj(
            k -> {
              String name = k == 0 ? "excitatory" : "inhibitory";
              double[] y = Samples.fill(times.length, i -> path.means[i * n + k]);
              return Series.line(name, times, y, Series.style(name).plain());
            })
        .toList();
  }

  private static List<Series> trajectories(
      Components components, List<Condition> conditions, List<StatePath> paths) {
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

  private static String component(Components components, int which) {
    return "Component %s (%s of variance)"
        .formatted(which + 1, Format.percent(components.explained()[which]));
  }
}
