package org.gammanet.experiments.protocols;

import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.protocols.FlankerStimuli.Arrangement;
import org.gammanet.experiments.protocols.KapadiaExperiment.Both;
import org.gammanet.experiments.protocols.KapadiaExperiment.Condition;
import org.gammanet.experiments.protocols.KapadiaExperiment.Flankers;
import org.gammanet.experiments.protocols.KapadiaExperiment.Target;
import org.gammanet.experiments.study.Recording;

/**
 * Measures of a unit of {@link KapadiaExperiment} in one arrangement.
 *
 * @param flankersFraction response to the flankers alone over that to the target
 * @param facilitation response to both over that to the target, less 1
 * @param facilitationIndex (both - target)/(|both| + target), in [-1, 1]
 * @param superadditivity (both - target - flankers)/(|both| + target + |flankers|), in [-1, 1]
 */
record FlankedUnit(
    double axisDeg,
    Arrangement arrangement,
    double distancePx,
    double targetContrast,
    double target,
    double flankersFraction,
    double facilitation,
    double facilitationIndex,
    double superadditivity,
    boolean outsideField) {
  /** Response to a target over that to the stronger one; that of squaring units is 0.04. */
  private static final double LEAST_WEAK = 0.02;

  boolean is(Arrangement a, double distance, double contrast) {
    return arrangement == a && distancePx == distance && targetContrast == contrast;
  }

  boolean facilitated() {
    return outsideField && superadditivity > 0 && facilitation > 0;
  }

  static FlankedUnit of(
      Probed<Condition> probed,
      Recording.Unit<Condition> u,
      double axis,
      Arrangement a,
      double distance,
      double contrast) {
    double target = u.evoked(new Target(axis, contrast));
    double flankers = u.evoked(new Flankers(axis, a, distance));
    double both = u.evoked(new Both(axis, a, distance, contrast));
    double strong = probed.base(u, u.evoked(new Target(axis, FlankerStimuli.CONTRASTS[1])));
    double base = strong > 0 && target > LEAST_WEAK * strong ? target : 0;
    double fraction = Context.normalized(base, flankers);
    return new FlankedUnit(
        axis,
        a,
        distance,
        contrast,
        target,
        fraction,
        Context.facilitation(base, both),
        base > 0 ? (both - target) / (Math.abs(both) + target) : Double.NaN,
        base > 0
            ? (both - target - flankers) / (Math.abs(both) + target + Math.abs(flankers))
            : Double.NaN,
        Math.abs(fraction) < Fields.SILENT);
  }
}
