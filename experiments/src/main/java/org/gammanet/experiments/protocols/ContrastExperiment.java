package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.gammanet.experiments.analysis.ContrastResponse;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
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
      boolean accepted) {}

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
    return Descriptions.of("contrast_response");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, CONTRASTS);
  }

  private static Design<Condition> design(RunContext context, double[] contrasts) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    for (int p = 0; p < probes.size(); p++) {
      for (double c : contrasts) {
        for (int k = 0; k < Probed.PHASES; k++) {
          design.add(
              new Condition(p, c, k), probes.get(p).shifted(k).grating(context.frame(), c, null));
        }
      }
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
              ContrastResponse fit = ContrastResponse.fit(CONTRASTS, r);
              return new Unit(
                  probe + 1,
                  fit.c50(),
                  fit.rMax(),
                  fit.exponent(),
                  fit.baseline(),
                  fit.gain(),
                  fit.saturationIndex(),
                  fit.rSquared(),
                  fit.accepted());
            });
    double[] percent = Samples.scaled(CONTRASTS, 100);
    Panel mean =
        Panel.at(0, 0, "mean")
            .title("Contrast response, " + context.layer())
            .axes(
                Axis.log("Michelson contrast (%)").range(0.9, 112),
                "Response (fraction of each unit's largest)");
    Panel overview =
        Panel.at(0, 0, "contrast")
            .title("Contrast", probed.n())
            .axes(Axis.log("Contrast (%)").range(0.9, 112), "Response (fraction of largest)");
    double[] responses = {};
    ContrastResponse fit = null;
    for (State state : context.states()) {
      double[][] normalized = probed.normalized(state, CONTRASTS, Condition::new);
      Series series = Series.mean(state.word(), percent, normalized, context.seed());
      mean.add(series.look(Series.Look.POINTS));
      overview.add(series);
      if (state == context.mainState() && series.n() > 0) {
        responses = series.y();
        fit = ContrastResponse.fit(CONTRASTS, series.y());
      }
    }
    Fit found = null;
    if (fit != null) {
      ContrastResponse f = fit;
      found = new Fit(f.c50(), f.rMax(), f.exponent(), f.rSquared());
      double[] fine = Samples.fill(101, i -> Math.pow(10, -2 + i / 50.0));
      Series line =
          Series.line(
              "fit",
              Samples.scaled(fine, 100),
              Samples.fill(101, i -> f.at(Math.min(1, fine[i]))),
              Style.BLACK.label("fit of the mean"));
      mean.add(line);
      overview.add(line);
      mean.marker(100 * f.c50())
          .note(
              String.format(
                  Locale.ROOT,
                  "c_{50} = %.1f %%\nn = %.2f\nR^{2} = %.2f\n%d units",
                  100 * f.c50(),
                  f.exponent(),
                  f.rSquared(),
                  probed.n()));
    }
    var summary =
        new Summary(
            CONTRASTS,
            responses,
            found,
            probed.n(),
            units.values(Unit::accepted, Unit::c50).length,
            units.mean(Unit::accepted, Unit::c50),
            Samples.median(units.values(Unit::accepted, Unit::c50)),
            Samples.median(units.values(Unit::accepted, Unit::exponent)),
            Samples.median(units.values(Unit::saturationIndex)));
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "contrast_response",
                12,
                5,
                "A: mean of the units' responses, each divided by its largest, with bootstrap"
                    + " intervals of 95 % over units; line: hyperbolic ratio fitted to the mean,"
                    + " dashed at its semi-saturation contrast. B: semi-saturation contrast after"
                    + " each timestep.",
                mean,
                Panel.at(0, 1, "dynamics")
                    .title("Over time")
                    .axes(Charts.steps(context), "c_{50}")
                    .add(units.dynamics(Unit::accepted, Unit::c50))))
        .value("Units", probed.n())
        .value("Units with an accepted fit", "%s of %s".formatted(summary.nFitted, summary.n))
        .value("c_{50}, mean [95 %]", summary.c50)
        .value("c_{50}, median over units", summary.c50Median)
        .value("Exponent, median", summary.exponentMedian)
        .value("Saturation index, median", summary.saturationIndexMedian)
        .overview(overview)
        .overviewValue("c_{50}, median", Format.number(summary.c50Median));
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "contrast_response",
        "mean",
        "contrast in %, response as a fraction of the largest",
        (context, percent) -> design(context, fractions(percent)),
        (context, recording, percent) ->
            Probed.of(context, recording)
                .normalized(context.mainState(), fractions(percent), Condition::new));
  }

  private static double[] fractions(double[] percent) {
    return Arrays.stream(percent).map(p -> p / 100).toArray();
  }
}
