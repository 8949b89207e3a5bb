package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.NetworkDynamics;
import org.gammanet.experiments.responses.SteadyState;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.figures.Figure;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** The path of a network's states under a constant stimulus. */
final class StatePath implements AutoCloseable {
  private static final int SNAPSHOTS = 32;

  final List<NetworkDynamics.Step> steps = new ArrayList<>();
  final List<Integer> times = new ArrayList<>();
  final List<Tensor> excitatory = new ArrayList<>();
  double[] distances = {};
  double[] means = {};
  NetworkDynamics.@Nullable Eigenvalue eigenvalue;

  SteadyState steady(int timesteps) {
    NetworkDynamics.Step last = steps.getLast();
    int half = Math.min(timesteps / 2, steps.size()) - 1;
    return SteadyState.of(last, steps.get(Math.max(0, half)), timesteps);
  }

  double change(int t) {
    return t <= steps.size() ? steps.get(t - 1).change() : Double.NaN;
  }

  /** The timesteps whose states are compared: those of the first passes, then fewer. */
  private static TreeSet<Integer> times(int timesteps) {
    var times = new TreeSet<Integer>();
    int end = DynamicsExperiment.MULTIPLE * timesteps;
    IntStream.rangeClosed(1, Math.min(2 * timesteps, SNAPSHOTS / 2)).forEach(times::add);
    for (int i = 1; i <= SNAPSHOTS / 2; i++) {
      times.add(Math.max(1, end * i / (SNAPSHOTS / 2)));
    }
    return times;
  }

  /**
   * Follows the states.
   *
   * @param film whether frames are to be added
   * @param frames get a picture for each time
   */
  static StatePath run(
      RunContext context,
      Network network,
      ForwardOptions options,
      CellSite site,
      Stimulus stimulus,
      boolean film,
      List<Figure> frames) {
    var path = new StatePath();
    int end = DynamicsExperiment.MULTIPLE * context.timesteps();
    TreeSet<Integer> times = times(context.timesteps());
    var shown = new Film(site, stimulus);
    List<double[]> means = new ArrayList<>();
    try (var dynamics = new NetworkDynamics(network, options, stimulus)) {
      for (int t = 1; t <= end; t++) {
        path.steps.add(dynamics.step());
        if (!Double.isFinite(path.steps.getLast().norm())) {
          break;
        }
        if (times.contains(t)) {
          path.times.add(t);
          path.excitatory.add(snapshot(dynamics.states(), site.states().getFirst()));
          shown.add(t, dynamics);
          means.add(means(dynamics.states(), site));
        }
      }
      path.distances = distances(path.excitatory);
      path.means = means.stream().flatMapToDouble(Arrays::stream).toArray();
      if (path.steady(end).steady()) { // elsewhere it would tell nothing of stability
        path.eigenvalue =
            dynamics.leadingEigenvalue(context.settings().full() ? 200 : 40, context.seed());
      }
    }
    if (film) {
      frames.addAll(shown.frames());
    }
    return path;
  }

  private static Tensor snapshot(Map<String, Tensor> states, String name) {
    Tensor state = states.get(name);
    if (state == null) {
      throw new AssertionError(name + " is not there");
    }
    try (var scope = TensorScope.open()) {
      return TensorScope.detach(Ops.reshape(state, -1).clone());
    }
  }

  /** Mean states of the layer: excitatory, and inhibitory where there is one. */
  private static double[] means(Map<String, Tensor> states, CellSite site) {
    try (var scope = TensorScope.open()) {
      return site.states().stream()
          .mapToDouble(
              name -> {
                Tensor state = states.get(name);
                return state == null ? Double.NaN : Ops.mean(state).item();
              })
          .toArray();
    }
  }

  /** Distances to the last snapshot over the norm of that. */
  private static double[] distances(List<Tensor> snapshots) {
    try (var scope = TensorScope.open()) {
      Tensor last = snapshots.getLast();
      double norm = Math.sqrt(Ops.dot(last, last).item());
      return snapshots.stream()
          .mapToDouble(
              s -> {
                Tensor d = Ops.sub(s, last);
                return Math.sqrt(Ops.dot(d, d).item()) / norm;
              })
          .toArray();
    }
  }

  @Override
  public void close() {
    excitatory.forEach(Tensor::close);
  }
}
