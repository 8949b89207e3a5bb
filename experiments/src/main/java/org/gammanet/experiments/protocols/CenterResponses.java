package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.function.DoubleFunction;
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
 * @param centers orientations, degrees
 * @param alone the recording of gratings alone
 * @param rest the other one; null where it was not made
 */
record CenterResponses(
    double[] centers,
    int[] units,
    double[] preferred,
    Probed<Condition> alone,
    @Nullable Probed<Condition> rest) {
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

    boolean isAlone() {
      return Double.isNaN(surround);
    }

    Condition at(int phase) {
      return new Condition(center, plaid, surround, phase);
    }
  }

  static CenterResponses of(Probed<Condition> alone, @Nullable Probed<Condition> rest) {
    double[] preferred = alone.preferences().preferred();
    int[] units =
        Arrays.stream(alone.tested()).filter(u -> Double.isFinite(preferred[u])).toArray();
    return new CenterResponses(
        new TrottBornStimuli(alone.context()).orientations(),
        units,
        Samples.pick(preferred, units),
        alone,
        rest);
  }

  At at(State state, int step) {
    return new At(this, state, step);
  }

  At last() {
    return at(alone.context().mainState(), alone.context().lastStep());
  }

  /** Mean error of the population vector for gratings without a surround, degrees. */
  double error() {
    return Arrays.stream(centers)
        .map(
            c ->
                Math.abs(
                    Orientation.difference(
                        Population.vector(last().to(Shown.grating(c)), preferred), c)))
        .average()
        .orElse(Double.NaN);
  }

  /** Responses of a population after a timestep. */
  record At(CenterResponses responses, State state, int step) {
    /** Evoked responses of the units. */
    double[] to(Shown shown) {
      Probed<Condition> rest = responses.rest;
      Probed<Condition> from =
          rest == null || !shown.plaid && shown.isAlone() ? responses.alone : rest;
      Recording<Condition>.At at = from.recording().at(state, step);
      int[] units = responses.units;
      return Samples.fill(
          units.length, i -> from.response(new Recording.Unit<>(at, units[i]), shown::at));
    }

    /** Evoked responses of the units, averaged over centers. */
    double[] averaged(DoubleFunction<Shown> shown) {
      double[] sum = new double[responses.units.length];
      for (double c : responses.centers) {
        double[] evoked = to(shown.apply(c));
        for (int i = 0; i < sum.length; i++) {
          sum[i] += evoked[i] / responses.centers.length;
        }
      }
      return sum;
    }

    private PopulationGain gain(Shown without, Shown with) {
      return PopulationGain.of(responses.preferred, to(without), to(with));
    }

    double[] overCenters(double difference, ToDoubleFunction<PopulationGain> measure) {
      return Arrays.stream(responses.centers)
          .mapToObj(Shown::grating)
          .map(c -> gain(c, c.with(difference)))
          .mapToDouble(measure)
          .toArray();
    }

    /** How far the population vector moves away from the component that the surround matches. */
    double[] shifts() {
      return Arrays.stream(responses.centers)
          .mapToObj(Shown::plaid)
          .flatMapToDouble(
              p ->
                  DoubleStream.of(
                      gain(p, p.with(0)).vectorShift(),
                      -gain(p, p.with(TrottBornStimuli.PLAID)).vectorShift()))
          .toArray();
    }
  }
}
