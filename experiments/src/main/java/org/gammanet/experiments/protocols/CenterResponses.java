package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import org.gammanet.experiments.analysis.Context.PopulationGain;
import org.gammanet.experiments.analysis.Population;
import org.gammanet.experiments.protocols.TrottBornExperiment.Condition;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.study.Recording;
import org.jspecify.annotations.Nullable;

/**
 * Responses of the tested units that prefer an orientation to centers, alone and within surrounds.
 *
 * @param alone the recording of gratings alone
 * @param rest the other one; null where it was not made
 */
record CenterResponses(
    int[] units, double[] preferred, Probed<Condition> alone, @Nullable Probed<Condition> rest) {
  /** A condition in any phase. */
  record Shown(double center, boolean plaid, double surround) {
    static Shown grating(double center) {
      return new Shown(center, false, Double.NaN);
    }

    static Shown plaid(double center) {
      return new Shown(center, true, Double.NaN);
    }

    Shown with(double difference) {
      return new Shown(center, plaid, difference);
    }

    Condition at(int phase) {
      return new Condition(center, plaid, surround, phase);
    }
  }

  static CenterResponses of(Probed<Condition> alone, @Nullable Probed<Condition> rest) {
    double[] preferred = alone.preferences().preferred();
    int[] units =
        Arrays.stream(alone.tested()).filter(u -> Double.isFinite(preferred[u])).toArray();
    return new CenterResponses(units, Samples.pick(preferred, units), alone, rest);
  }

  /** Evoked responses of the units of a population after a timestep. */
  double[] to(Shown shown, State state, int step) {
    Probed<Condition> from =
        rest == null || !shown.plaid && Double.isNaN(shown.surround) ? alone : rest;
    Recording<Condition>.At at = from.recording().at(state, step);
    return Samples.fill(
        units.length, i -> from.response(new Recording.Unit<>(at, units[i]), shown::at));
  }

  double[] last(Shown shown) {
    return to(shown, alone.context().mainState(), alone.context().lastStep());
  }

  /** Mean error of the population vector for gratings without a surround, degrees. */
  double error(double[] centers) {
    return Arrays.stream(centers)
        .map(
            c ->
                Math.abs(
                    Orientation.difference(
                        Population.vector(last(Shown.grating(c)), preferred), c)))
        .average()
        .orElse(Double.NaN);
  }

  /** Responses of a population after a timestep. */
  record At(CenterResponses responses, State state, int step) {
    PopulationGain gain(Shown without, Shown with) {
      return PopulationGain.of(
          responses.preferred, responses.to(without, state, step), responses.to(with, state, step));
    }

    double[] overCenters(
        double[] centers, double difference, ToDoubleFunction<PopulationGain> measure) {
      return Arrays.stream(centers)
          .mapToObj(Shown::grating)
          .map(c -> gain(c, c.with(difference)))
          .mapToDouble(measure)
          .toArray();
    }

    /** How far the population vector moves away from the component that the surround matches. */
    double[] shifts(double[] centers) {
      return Arrays.stream(centers)
          .mapToObj(Shown::plaid)
          .flatMapToDouble(
              p ->
                  DoubleStream.of(
                      gain(p, p.with(0)).vectorShift(),
                      -gain(p, p.with(TrottBornExperiment.PLAID)).vectorShift()))
          .toArray();
    }
  }
}
