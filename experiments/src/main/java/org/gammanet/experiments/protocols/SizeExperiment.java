package org.gammanet.experiments.protocols;

import org.gammanet.experiments.analysis.SizeTuning;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;

/** Responses to discs of rising diameter, and to rings of rising inner diameter. */
public final class SizeExperiment implements Experiment<SizeExperiment.Condition> {
  /** An index from which a unit counts as suppressed, as in Cavanaugh et al. (2002). */
  private static final double SUPPRESSED = 0.1;

  /** A stimulus; lengths in pixels. */
  public sealed interface Condition {}

  /** The probe in a disc. */
  record Disc(int probe, double contrast, double diameter, int phase) implements Condition {}

  /** The probe in a ring. */
  record Ring(int probe, double innerDiameter, int phase) implements Condition {}

  /** Measures of a unit. */
  record Unit(
      int probe,
      double preferredDiameterPx,
      double summationFieldPx,
      double suppressionIndex,
      double surroundDiameterPx,
      double fitCenterWidthPx,
      double fitSurroundWidthPx,
      double fitRSquared,
      double summationFieldLowContrastPx) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] diametersPx,
      double[] innerDiametersPx,
      double[] contrasts,
      Fields fields,
      int n,
      Statistics.Interval suppressionIndex,
      double fractionSuppressed,
      Statistics.Interval distanceToCells,
      double summationFieldMedianPx,
      double summationFieldLowContrastMedianPx) {}

  @Override
  public Description description() {
    return Description.of(
            "size_tuning",
            "Size tuning",
            """
            Each unit's probe grating in discs of rising diameter, and in rings of rising inner \
            diameter, each in four phases; the response is the mean over phases less that to a \
            blank, or the modulation by phase in simple cells. The summation field is the smallest \
            disc that evokes 95 % of the largest response. The suppression index is the fraction \
            of the largest response that is lost with the largest disc, at most 1. Curves are \
            fitted with a ratio of Gaussians (Cavanaugh, Bair and Movshon 2002).\
            """)
        .literature(
            """
            Cavanaugh, Bair and Movshon (2002) measured each cell with its own best grating; here \
            units share probes, and a unit whose probe evokes less than half of its largest \
            response is left out. Panel D has their distribution over 190 cells. The index is not \
            negative by its definition, so that units without suppression have a mean above 0: \
            what counts is the difference to control networks.\
            """)
        .primary("suppression_index")
        .requires("orientation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var stimuli = new SizeStimuli(context);
    return stimuli.design(stimuli.diameters(), stimuli.innerDiameters());
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    var stimuli = new SizeStimuli(context);
    double[] diameters = stimuli.diameters();
    double[] contrasts = stimuli.contrasts();
    UnitTable<Unit> units =
        probed.table(Unit.class, (u, probe) -> measure(probed, u, diameters, contrasts));
    Fields.Measured fields = Fields.measure(probed, diameters, stimuli.innerDiameters());
    double[] index = Series.finite(units.values(Unit::suppressionIndex));
    var summary =
        new Summary(
            diameters,
            stimuli.innerDiameters(),
            contrasts,
            fields.fields(),
            probed.n(),
            units.mean(Unit::suppressionIndex),
            Samples.mean(units.values(m -> m.suppressionIndex >= SUPPRESSED ? 1 : 0)),
            SuppressionOfCells.distance(index, context.seed()),
            Samples.median(units.values(Unit::summationFieldPx)),
            Samples.median(units.values(Unit::summationFieldLowContrastPx)));
    return new SizeFigures(probed, units, summary).findings(fields.rings());
  }

  private static Unit measure(
      Probed<Condition> probed,
      Recording.Unit<Condition> unit,
      double[] diameters,
      double[] contrasts) {
    double[] r = probed.curve(unit, diameters, SizeStimuli.discs(contrasts[0]));
    SizeTuning tuning = SizeTuning.of(diameters, r, 0);
    boolean fitted = unit.at().isMain() && Samples.maximum(r) > 1e-12 && r.length >= 6;
    SizeTuning.Fit fit =
        fitted ? SizeTuning.fit(diameters, r, SizeTuning.Model.RATIO_OF_GAUSSIANS) : null;
    double low =
        contrasts.length < 2
            ? Double.NaN
            : SizeTuning.of(
                    diameters, probed.curve(unit, diameters, SizeStimuli.discs(contrasts[1])), 0)
                .summationField();
    return new Unit(
        probed.probe(unit.index()) + 1,
        tuning.preferredDiameter(),
        tuning.summationField(),
        Math.min(1, tuning.suppressionIndex()),
        tuning.surroundDiameter(),
        fit == null ? Double.NaN : fit.centerWidth(),
        fit == null ? Double.NaN : fit.surroundWidth(),
        fit == null ? Double.NaN : fit.rSquared(),
        low);
  }

  @Override
  public ModelCurve<Condition> curve() {
    return new ModelCurve<>(
        "size_tuning",
        "discs",
        "diameter in px, response as a fraction of the largest",
        (context, d) -> new SizeStimuli(context).design(d, new double[0]),
        (context, recording, d) ->
            Probed.of(context, recording)
                .normalized(
                    context.mainState(), d, SizeStimuli.discs(context.settings().contrast())));
  }
}
