package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
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
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Animation;
import org.gammanet.figures.Figure;
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
    return Description.of(
            "dynamics",
            "Dynamics",
            """
            The network is run for ten times its timesteps under constant gratings and a blank. \
            The change of all states in a timestep, relative to their norm, tells whether they \
            come to rest; where they do, the leading eigenvalue of the timestep's Jacobian, by \
            power iteration, whether a small deviation from there decays (modulus below 1) or \
            grows. Trajectories are those of the layer's excitatory states in their first \
            principal components. Networks that are trained through a fixed number of timesteps \
            need not be stable beyond it (Linsley, Karkada Ashok, Govindarajan, Liu and Serre \
            2020).\
            """)
        .primary("change_at_end");
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
    return context.onNetwork(
        (network, options) -> analyze(context, recording.design(), network, options));
  }

  private static Findings analyze(
      RunContext context, Design<Condition> design, Network network, ForwardOptions options) {
    CellSite site = network.site(context.layer()).orElse(network.sites().getFirst());
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
    return new DynamicsFigures(context.timesteps(), conditions, paths, components)
        .findings(summary, site);
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
}
