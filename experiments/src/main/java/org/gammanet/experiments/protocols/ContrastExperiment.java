package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.ContrastResponse;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.jspecify.annotations.Nullable;

/** Responses of each unit to its probe grating at rising contrasts. */
public final class ContrastExperiment implements Experiment<ContrastExperiment.Condition> {
  private static final double[] CONTRASTS =
      Samples.fill(8, i -> i == 7 ? 1 : Math.pow(10, -2 + 2.0 * i / 7));

  /**
   * A grating.
   *
   * @param probe index of the probe
   * @param contrast Michelson contrast
   * @param phase index of its phase
   */
  public record Condition(int probe, double contrast, int phase) {}

  /** Measures of a unit. */
  record Unit(
      int probe,
      double c50,
      double rMax,
      double exponent,
      double baseline,
      double gainAtC50,
      double saturationIndex,
      double rSquared,
      boolean accepted) {
    static Unit of(int probe, ContrastResponse fit) {
      return new Unit(
          probe,
          fit.c50(),
          fit.rMax(),
          fit.exponent(),
          fit.baseline(),
          fit.gain(),
          fit.saturationIndex(),
          fit.rSquared(),
          fit.accepted());
    }
  }

  /** The fit to the population's mean. */
  record Fit(double c50, double rMax, double n, double rSquared) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] contrasts,
      double[] responses,
      @Nullable Fit contrastResponseFit,
      int n,
      int nFitted,
      Statistics.Interval c50,
      double c50Median,
      double exponentMedian,
      double saturationIndexMedian) {}

  @Override
  public Description description() {
    return Description.of(
            "contrast_response",
            "Contrast response",
            """
            Each unit's probe grating at eight contrasts from 1 to 100 % in four phases; the \
            response is the mean over phases less that to a blank, or the modulation by phase in \
            simple cells. Responses are fitted with a hyperbolic ratio (Naka and Rushton 1966; \
            Albrecht and Hamilton 1982). The saturation index is positive where the response \
            decreases at the highest contrasts (Peirce 2007).\
            """)
        .literature(
            """
            Fits enter the summary where R² is at least 0.75 and neither c50 nor the exponent is \
            at a bound of the fit: a unit that does not saturate has no c50. Neurons in V1 have \
            exponents of 2 to 3. Units share probes.\
            """)
        .primary("c50")
        .requires("orientation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, CONTRASTS);
  }

  private static Design<Condition> design(RunContext context, double[] contrasts) {
    var design = new Design<Condition>();
    for (int p = 0; p < Preferences.of(context).probes().size(); p++) {
      Probed.show(
          design,
          context,
          p,
          contrasts,
          Condition::new,
          (probe, c) -> probe.grating(context.frame(), c, null));
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    UnitTable<Unit> units =
        probed.table(
            Unit.class,
            (u, probe) -> {
              double[] r = probed.curve(u, CONTRASTS, Condition::new);
              return Unit.of(probe + 1, ContrastResponse.fit(CONTRASTS, r));
            });
    List<Series> curves =
        probed.normalized(Samples.scaled(CONTRASTS, 100), CONTRASTS, Condition::new);
    Series main = curves.getFirst();
    ContrastResponse fit = main.n() > 0 ? ContrastResponse.fit(CONTRASTS, main.y()) : null;
    var summary =
        new Summary(
            CONTRASTS,
            fit == null ? new double[0] : main.y(),
            fit == null ? null : new Fit(fit.c50(), fit.rMax(), fit.exponent(), fit.rSquared()),
            probed.n(),
            units.values(Unit::accepted, Unit::c50).length,
            units.mean(Unit::accepted, Unit::c50),
            Samples.median(units.values(Unit::accepted, Unit::c50)),
            Samples.median(units.values(Unit::accepted, Unit::exponent)),
            Samples.median(units.values(Unit::saturationIndex)));
    return new ContrastFigures(context, units, summary).findings(curves, fit);
  }

  @Override
  public ModelCurve<Condition> curve() {
    return new ModelCurve<>(
        "contrast_response",
        "mean",
        "contrast in %, response as a fraction of the largest",
        (context, percent) -> design(context, Arrays.stream(percent).map(p -> p / 100).toArray()),
        (context, recording, percent) ->
            Probed.of(context, recording)
                .normalized(
                    context.mainState(),
                    Arrays.stream(percent).map(p -> p / 100).toArray(),
                    Condition::new));
  }
}
