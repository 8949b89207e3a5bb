package org.gammanet.experiments.protocols;

import java.util.List;
import java.util.Locale;
import org.gammanet.experiments.analysis.ContrastResponse;
import org.gammanet.experiments.protocols.ContrastExperiment.Summary;
import org.gammanet.experiments.protocols.ContrastExperiment.Unit;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** The figure and the report of {@link ContrastExperiment}. */
record ContrastFigures(RunContext context, UnitTable<Unit> units, Summary summary) {

  /**
   * All of it.
   *
   * @param curves of each population
   * @param fit to the main population's; null where no unit responds
   */
  Findings findings(List<Series> curves, @Nullable ContrastResponse fit) {
    Panel mean =
        Panel.at(0, 0, "mean")
            .title("Contrast response, " + context.layer())
            .axes(
                Axis.log("Michelson contrast (%)").range(0.9, 112),
                "Response (fraction of each unit's largest)")
            .add(curves.stream().map(c -> c.look(Series.Look.POINTS)).toList());
    Panel overview =
        Panel.at(0, 0, "contrast")
            .title("Contrast", summary.n())
            .axes(Axis.log("Contrast (%)").range(0.9, 112), "Response (fraction of largest)")
            .add(curves);
    if (fit != null) {
      overview.add(line(fit));
      mean.add(line(fit))
          .marker(100 * fit.c50())
          .note(
              String.format(
                  Locale.ROOT,
                  "c_{50} = %.1f %%\nn = %.2f\nR^{2} = %.2f\n%d units",
                  100 * fit.c50(),
                  fit.exponent(),
                  fit.rSquared(),
                  summary.n()));
    }
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "contrast_response",
                12,
                5,
                """
                A: mean of the units' responses, each divided by its largest, with bootstrap \
                intervals of 95 % over units; line: hyperbolic ratio fitted to the mean, dashed at \
                its semi-saturation contrast. B: semi-saturation contrast after each timestep.\
                """,
                mean,
                Panel.at(0, 1, "dynamics")
                    .title("Over time")
                    .axes(Charts.steps(context), "c_{50}")
                    .add(units.dynamics(Unit::accepted, Unit::c50))))
        .value("Units", summary.n())
        .value("Units with an accepted fit", "%s of %s".formatted(summary.nFitted(), summary.n()))
        .value("c_{50}, mean [95 %]", summary.c50())
        .value("c_{50}, median over units", summary.c50Median())
        .value("Exponent, median", summary.exponentMedian())
        .value("Saturation index, median", summary.saturationIndexMedian())
        .overview(overview)
        .overviewValue("c_{50}, median", Format.number(summary.c50Median()));
  }

  /** The fit to the population's mean. */
  private static Series line(ContrastResponse fit) {
    double[] fine = Samples.fill(101, i -> Math.pow(10, -2 + i / 50.0));
    return Series.line(
        "fit",
        Samples.scaled(fine, 100),
        Samples.fill(101, i -> fit.at(Math.min(1, fine[i]))),
        Style.BLACK.label("fit of the mean"));
  }
}
