package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.UnitTable;

/**
 * The units that are tested, each with the probe that drives it.
 *
 * @param tested indices of the units
 * @param <C> the conditions
 */
record Probed<C>(
    RunContext context, Recording<C> recording, Preferences preferences, int[] tested) {
  /** Measures a unit. */
  interface Measure<C, M> {
    M of(Recording.Unit<C> unit, int probe);
  }

  static <C> Probed<C> of(RunContext context, Recording<C> recording) {
    Preferences preferences = Preferences.of(context);
    return new Probed<>(context, recording, preferences, preferences.tested());
  }

  int n() {
    return tested.length;
  }

  int probe(int unit) {
    return preferences.probe()[unit];
  }

  /** A row per unit, population and timestep. */
  <M extends Record> UnitTable<M> table(Class<M> type, Measure<C, M> measure) {
    return recording.table(tested, type, u -> measure.of(u, probe(u.index())));
  }

  /** As {@link #table}, with several rows per unit. */
  <M extends Record> UnitTable<M> tables(Class<M> type, Measure<C, List<M>> measure) {
    return recording.tables(tested, type, u -> measure.of(u, probe(u.index())));
  }

  /**
   * Curves of the main population's units after the last timestep: at each of {@code n} values, by
   * unit.
   */
  double[][] sample(int n, Measure<C, double[]> curve) {
    List<double[]> curves = new ArrayList<>();
    for (int u : tested) {
      curves.add(curve.of(new Recording.Unit<>(recording.last(), u), probe(u)));
    }
    return Samples.columns(curves, n);
  }

  /**
   * Each responding unit's curve after the last timestep, divided by its largest response: at each
   * of {@code n} conditions, by unit.
   *
   * @param conditions of a probe
   */
  double[][] normalized(State state, int n, IntFunction<List<? extends C>> conditions) {
    Recording<C>.At at = recording.at(state, context.lastStep());
    List<double[]> curves = new ArrayList<>();
    for (int u : tested) {
      double[] curve = Samples.normalized(at.curve(conditions.apply(probe(u)), u));
      if (curve != null) {
        curves.add(curve);
      }
    }
    return Samples.columns(curves, n);
  }
}
