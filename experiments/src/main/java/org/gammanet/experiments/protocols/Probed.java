package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import org.gammanet.experiments.analysis.PhaseModulation;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;

/**
 * The units that are tested, each with the probe that drives it. A unit's response to a grating is
 * the mean over its phases, F0, or in a simple cell the modulation by phase, F1.
 *
 * @param tested indices of the units
 * @param <C> the conditions
 */
record Probed<C>(
    RunContext context, Recording<C> recording, Preferences preferences, int[] tested) {
  /** In how many phases a grating is shown. */
  static final int PHASES = 4;

  /** Fraction of a unit's largest response to a grating below which one is no base for ratios. */
  private static final double LEAST_BASE = 0.1;

  /** Measures a unit. */
  interface Measure<C, M> {
    M of(Recording.Unit<C> unit, int probe);
  }

  /** The condition that shows a probe with some value, in a phase. */
  interface Shown<C> {
    C at(int probe, double value, int phase);
  }

  /**
   * A phase, radians. The phases lie between those of the orientation experiment, by which units
   * and probes are chosen: nothing is measured with the stimuli that it was chosen by.
   */
  static double phase(int which) {
    return 2 * Math.PI * (which + 0.25) / PHASES;
  }

  /** What is drawn of a probe with some value. */
  interface Drawing {
    Stimulus of(Preferences.Probe probe, double value);
  }

  /** Adds a probe with several values, each in all phases. */
  static <C> void show(
      Design<C> design,
      RunContext context,
      int probe,
      double[] values,
      Shown<C> shown,
      Drawing drawing) {
    Preferences.Probe grating = Preferences.of(context).probes().get(probe);
    for (double v : values) {
      for (int k = 0; k < PHASES; k++) {
        design.add(shown.at(probe, v, k), drawing.of(grating.shifted(k), v));
      }
    }
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

  /** A unit's evoked response to a grating. */
  double response(Recording.Unit<C> unit, IntFunction<? extends C> atPhase) {
    double[] r = Samples.fill(PHASES, k -> unit.evoked(atPhase.apply(k)));
    return preferences.simple()[unit.index()] ? PhaseModulation.of(r).f1() : Samples.mean(r);
  }

  /** A unit's evoked responses to its probe with several values. */
  double[] curve(Recording.Unit<C> unit, double[] values, Shown<C> shown) {
    int probe = probe(unit.index());
    return Arrays.stream(values).map(v -> response(unit, k -> shown.at(probe, v, k))).toArray();
  }

  /**
   * A response as the base of ratios; 0, for which they are NaN, where it is less than a tenth of
   * the unit's largest to a grating. What it is compared with does not matter, so that no unit is
   * excluded by the outcome.
   */
  double base(Recording.Unit<C> unit, double response) {
    double[] largest = preferences.largest()[context.states().indexOf(unit.at().state())];
    return response > LEAST_BASE * largest[unit.index()] ? response : 0;
  }

  /** A unit of the main population after the last timestep. */
  Recording.Unit<C> last(int unit) {
    return new Recording.Unit<>(recording.last(), unit);
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
      curves.add(curve.of(last(u), probe(u)));
    }
    return Samples.columns(curves, n);
  }

  /**
   * Means of each population's responding units after the last timestep, each divided by its
   * largest response.
   *
   * @param x the values as they are drawn
   */
  List<Series> normalized(double[] x, double[] values, Shown<C> shown) {
    return Charts.ofStates(
        context, s -> Series.mean(s.word(), x, normalized(s, values, shown), context.seed()));
  }

  /**
   * Each responding unit's curve after the last timestep, divided by its largest response: at each
   * value, by unit.
   */
  double[][] normalized(State state, double[] values, Shown<C> shown) {
    Recording<C>.At at = recording.at(state, context.lastStep());
    List<double[]> curves = new ArrayList<>();
    for (int u : tested) {
      double[] curve = Samples.normalized(curve(new Recording.Unit<>(at, u), values, shown));
      if (curve != null) {
        curves.add(curve);
      }
    }
    return Samples.columns(curves, values.length);
  }
}
