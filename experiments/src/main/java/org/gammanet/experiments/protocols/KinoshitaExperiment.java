package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.jspecify.annotations.Nullable;

/** Suppression by a ring whose orientation differs from the center's. */
public final class KinoshitaExperiment implements Experiment<KinoshitaExperiment.Condition> {
  /** A stimulus with a probe's orientation in its center, in a phase. */
  public sealed interface Condition {}

  /** The center alone. */
  record Center(int probe, int phase) implements Condition {}

  /**
   * The center within a ring.
   *
   * @param difference of the ring's orientation, degrees
   * @param opposite whether the ring is half a cycle out of phase with the center
   */
  record Both(int probe, double difference, int phase, boolean opposite) implements Condition {}

  /** The ring alone. */
  record Ring(int probe, double difference, int phase) implements Condition {}

  /** Measures of a unit; {@code normalized} by difference. */
  record Unit(
      int probe,
      double centerAlone,
      double surroundAloneFraction,
      boolean silent,
      double suppressionIso,
      double suppressionCross,
      double isoCrossIndex,
      Map<String, Double> normalized) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] orientationDifferences,
      double[] centerDiameterPx,
      double[] ringInnerDiameterPx,
      int firstStepSuppressionAbove005,
      int n,
      int nTested,
      int nRingNotSilent,
      double fractionIsoStronger,
      Statistics.Interval suppressionIso,
      Statistics.Interval suppressionCross,
      Statistics.Interval isoCrossIndex,
      double surroundAloneFractionMedian,
      Statistics.@Nullable Test wilcoxonIsoAgainstCross) {}

  @Override
  public Description description() {
    return Description.of(
            "kinoshita",
            "Oriented surrounds",
            """
            A disc of each unit's probe grating, as large as the median summation field of the \
            units tested with it, within a ring of another orientation. Both are shown in four \
            phases, with the ring in phase and half a cycle out of phase with the disc; the \
            response is the mean over phases less that to a blank, or the modulation by phase in \
            simple cells. The ring begins where it evokes less than 5 % in the median unit, if it \
            does so anywhere. Units to which it evokes more by itself, parallel or orthogonal, are \
            excluded, and so are units to which the disc evokes less than a tenth of their largest \
            response to a grating. The iso/cross index lies between −1 and 1. Orientation-tuned \
            suppression in V1 is reported by Cavanaugh, Bair and Movshon (2002) and Shushruth et \
            al. (2013); the name of the experiment is historical, see Kinoshita, Gilbert and Das \
            (2009).\
            """)
        .literature(
            """
            As in the physiology the ring is silent by itself, which is tested here on each unit. \
            In most cells of V1 a parallel surround suppresses more than an orthogonal one.\
            """)
        .primary("iso_cross_index")
        .requires("orientation", "size_tuning");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var stimuli = new KinoshitaStimuli(context);
    return stimuli.design(stimuli.differences());
  }

  static String column(double difference) {
    return "normalized_" + Format.number(difference);
  }

  private static Unit measure(int probe, RingResponses responses, double[] differences) {
    double base = responses.base();
    double[] with = responses.withRing(differences);
    double iso = with[Arrays.binarySearch(differences, 0)];
    double cross = with[with.length - 1];
    Map<String, Double> normalized = new LinkedHashMap<>();
    for (int d = 0; d < with.length; d++) {
      normalized.put(column(differences[d]), Context.normalized(base, with[d]));
    }
    return new Unit(
        probe + 1,
        responses.centerAlone(),
        Context.normalized(responses.centerAlone(), responses.ringAlone()),
        responses.silent(),
        Samples.suppression(base, iso),
        Samples.suppression(base, cross),
        base > 0 ? Context.isoCross(Math.max(0, iso), Math.max(0, cross)) : Double.NaN,
        normalized);
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    Fields fields = Fields.of(context);
    double[] differences = new KinoshitaStimuli(context).differences();
    UnitTable<Unit> units =
        probed.table(Unit.class, (u, p) -> measure(p, new RingResponses(probed, u), differences));
    long seed = context.seed();
    double[] isoIndex = units.values(Unit::suppressionIso);
    double[] crossIndex = units.values(Unit::suppressionCross);
    double[] index = units.values(Unit::isoCrossIndex);
    double[] overTime = units.dynamics(Unit::suppressionIso).getFirst().y();
    var summary =
        new Summary(
            differences,
            fields.centerDiameterPx(),
            fields.ringInnerDiameterPx(),
            Dynamics.firstAbove(overTime, 0.05),
            Series.finite(isoIndex).length,
            probed.n(),
            units.values(m -> !m.silent, m -> 1).length,
            Samples.mean(Arrays.stream(Series.finite(index)).map(v -> v > 0 ? 1 : 0).toArray()),
            Series.mean(isoIndex, seed),
            Series.mean(crossIndex, seed),
            Series.mean(index, seed),
            Samples.median(units.values(Unit::surroundAloneFraction)),
            Samples.wilcoxon(isoIndex, crossIndex));
    return new KinoshitaFigures(context, units, summary).findings();
  }

  @Override
  public ModelCurve<Condition> curve() {
    return new ModelCurve<>(
        "kinoshita_surround",
        "response",
        "surround - center in degrees, response over that to the center",
        (context, differences) -> new KinoshitaStimuli(context).design(differences),
        (context, recording, differences) -> {
          Probed<Condition> probed = Probed.of(context, recording);
          return probed.sample(
              differences.length, (u, p) -> new RingResponses(probed, u).relative(differences));
        });
  }
}
