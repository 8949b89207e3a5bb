package org.gammanet.experiments.protocols;

import java.util.Arrays;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Both;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Center;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Condition;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Ring;
import org.gammanet.experiments.study.Recording;

/** A unit's responses to the stimuli of {@link KinoshitaExperiment}. */
record RingResponses(Probed<Condition> probed, Recording.Unit<Condition> unit) {
  double centerAlone() {
    int probe = probed.probe(unit.index());
    return probed.response(unit, k -> new Center(probe, k));
  }

  /** The larger of the responses to a ring alone, parallel or orthogonal. */
  double ringAlone() {
    return Samples.largest(probed.curve(unit, new double[] {0, 90}, Ring::new));
  }

  /** Responses to the center within a ring of each difference, mean over both phases of rings. */
  double[] withRing(double[] differences) {
    double[] inPhase = probed.curve(unit, differences, (p, d, k) -> new Both(p, d, k, false));
    double[] opposite = probed.curve(unit, differences, (p, d, k) -> new Both(p, d, k, true));
    return Samples.fill(differences.length, i -> (inPhase[i] + opposite[i]) / 2);
  }

  /** Whether a ring alone evokes nothing after the last timestep. */
  boolean silent() {
    var last = new RingResponses(probed, probed.last(unit.index()));
    return last.ringAlone() < Fields.SILENT * last.centerAlone();
  }

  /** The response to the center; 0 where it is too small, or where the ring is not silent. */
  double base() {
    return silent() ? probed.base(unit, centerAlone()) : 0;
  }

  /** Responses within rings over that to the center alone; NaN where the ring is not silent. */
  double[] relative(double[] differences) {
    double base = base();
    return Arrays.stream(withRing(differences)).map(w -> Context.normalized(base, w)).toArray();
  }
}
