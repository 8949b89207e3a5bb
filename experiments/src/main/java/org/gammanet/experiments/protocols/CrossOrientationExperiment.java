package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.stimuli.MaskedGrating;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;

/** Suppression of the response to a grating by an orthogonal grating on top of it. */
public final class CrossOrientationExperiment
    implements Experiment<CrossOrientationExperiment.Condition> {
  private static final double TEST = 0.25;
  private static final double[] MASKS = {0, 0.0625, 0.125, 0.25, 0.5};
  private static final int EQUAL = 3;

  /** The contrasts of a probe and of the mask on it, both in a phase. */
  public record Condition(int probe, double test, double mask, int phase) {}

  /** Measures of a unit: a column each. */
  record Unit(
      int probe,
      double testAlone,
      double maskAloneFraction,
      double suppressionEqual,
      double suppressionStrongest) {}

  /** Numbers of the experiment. */
  record Summary(
      double testContrast,
      double[] maskContrasts,
      int n,
      Statistics.Interval suppressionEqual,
      Statistics.Interval suppressionStrongest,
      double maskAloneFractionMedian) {}

  @Override
  public Description description() {
    return Description.of(
            "cross_orientation",
            "Cross-orientation suppression",
            """
            Each unit's probe grating at 25 % contrast with an orthogonal grating added to it, at \
            rising contrasts of this mask, in four phases. In V1 the mask, which drives a cell \
            little by itself, suppresses the response (Morrone, Burr and Maffei 1982; Carandini, \
            Heeger and Movshon 1997).\
            """)
        .primary("suppression_equal")
        .requires("orientation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    for (int p = 0; p < probes.size(); p++) {
      for (int k = 0; k < Probed.PHASES; k++) {
        for (double mask : MASKS) {
          add(design, context, new Condition(p, TEST, mask, k), probes.get(p));
        }
        add(design, context, new Condition(p, 0, TEST, k), probes.get(p));
      }
    }
    return design;
  }

  private static void add(
      Design<Condition> design, RunContext context, Condition c, Preferences.Probe probe) {
    design.add(
        c,
        new MaskedGrating(
            context.frame(),
            probe.modulation(),
            probe.cycles(),
            Probed.phase(c.phase),
            c.test,
            probe.modulation() + 90,
            c.mask));
  }

  private static Condition masked(int probe, double mask, int phase) {
    return new Condition(probe, TEST, mask, phase);
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    UnitTable<Unit> units =
        probed.table(
            Unit.class,
            (u, p) -> {
              double[] r = probed.curve(u, MASKS, CrossOrientationExperiment::masked);
              double base = probed.base(u, r[0]);
              return new Unit(
                  p + 1,
                  r[0],
                  Context.normalized(base, probed.response(u, k -> new Condition(p, 0, TEST, k))),
                  Samples.suppression(base, r[EQUAL]),
                  Samples.suppression(base, r[MASKS.length - 1]));
            });
    double[] equal = units.values(Unit::suppressionEqual);
    double[][] atMask =
        probed.sample(
            MASKS.length,
            (u, p) -> {
              double[] r = probed.curve(u, MASKS, CrossOrientationExperiment::masked);
              double base = probed.base(u, r[0]);
              return Arrays.stream(r).map(v -> Context.normalized(base, v)).toArray();
            });
    var summary =
        new Summary(
            TEST,
            MASKS,
            Series.finite(equal).length,
            Series.mean(equal, context.seed()),
            units.mean(Unit::suppressionStrongest),
            Samples.median(units.values(Unit::maskAloneFraction)));
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "cross_orientation",
                8,
                4,
                """
                A: response with the mask divided by that without it, mean and bootstrap interval \
                of 95 % over units. B: suppression by a mask of equal contrast after each \
                timestep.\
                """,
                Panel.at(0, 0, "response")
                    .title("Orthogonal mask", summary.n)
                    .axes("Mask contrast", "Response / test alone")
                    .horizontal(1)
                    .add(Series.mean(context.mainState().word(), MASKS, atMask, context.seed())),
                Charts.dynamics(0, 1, context, "Over time, equal contrasts", "Suppression index")
                    .add(units.dynamics(Unit::suppressionEqual))))
        .value("Units", summary.n)
        .value("Suppression by a mask of equal contrast, mean [95 %]", summary.suppressionEqual)
        .value("Suppression by the strongest mask, mean [95 %]", summary.suppressionStrongest)
        .value(
            "Response to the mask alone, fraction of that to the test, median",
            summary.maskAloneFractionMedian);
  }
}
