package org.gammanet.experiments.protocols;

import java.util.List;
import org.gammanet.experiments.protocols.SizeExperiment.Summary;
import org.gammanet.experiments.protocols.SizeExperiment.Unit;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;

/** The figure and the report of {@link SizeExperiment}. */
record SizeFigures(
    Probed<SizeExperiment.Condition> probed, UnitTable<Unit> units, Summary summary) {

  /**
   * All of it.
   *
   * @param rings of each probe, the median response to rings over that to the best disc
   */
  Findings findings(List<double[]> rings) {
    RunContext context = probed.context();
    double[] diameters = summary.diametersPx();
    double[] index = Series.finite(units.values(Unit::suppressionIndex));
    List<Series> suppression = units.dynamics(Unit::suppressionIndex);
    double[] inner = summary.innerDiametersPx();
    Panel discs =
        Panel.at(0, 0, "discs")
            .title("Size", summary.n())
            .axes("Diameter (px)", "Response (fraction of largest)")
            .add(
                probed.normalized(
                    diameters, diameters, SizeStimuli.discs(context.settings().contrast())));
    Panel ringPanel =
        Panel.at(0, 1, "rings")
            .title("Rings")
            .axes("Inner diameter (px)", "Response (fraction of best disc)")
            .horizontal(0)
            .criterion(Fields.SILENT);
    if (inner.length > 0) {
      ringPanel.add(
          Series.mean(
              context.mainState().word(),
              inner,
              Samples.columns(rings, inner.length),
              context.seed()));
    }
    Findings findings =
        Findings.of(summary, units)
            .figure(
                FigureSpec.of(
                    "size_tuning",
                    10,
                    8,
                    """
                    A: responses to discs, each unit's divided by its largest; mean and bootstrap \
                    interval of 95 % over units. B: median response to rings, mean over probes; a \
                    ring below the dashed line, 5 %, counts as outside the field. C: suppression \
                    index after each timestep. D: fraction of units with a smaller index, and of \
                    190 cells of macaque V1 (Cavanaugh, Bair and Movshon 2002).\
                    """,
                    discs,
                    ringPanel,
                    Charts.dynamics(1, 0, context, "Suppression over time", "Suppression index")
                        .add(suppression),
                    Panel.at(1, 1, "distribution")
                        .title("Distribution", index.length)
                        .axes(Axis.linear("Suppression index").range(0, 1.2), "Fraction of units")
                        .add(
                            Series.line(
                                context.mainState().word(),
                                SuppressionOfCells.EDGES,
                                SuppressionOfCells.below(index),
                                Series.style(context.mainState().word())))
                        .add(
                            Series.points(
                                    "V1",
                                    SuppressionOfCells.EDGES,
                                    SuppressionOfCells.FRACTIONS,
                                    SuppressionOfCells.N,
                                    Style.BLACK)
                                .look(Series.Look.MEASURED)
                                .style(Style.BLACK.label("macaque V1, n = 190")))))
            .value("Units", summary.n())
            .value("Suppression index, mean [95 %]", summary.suppressionIndex())
            .value(
                "Units with an index of at least 0.1",
                "%s, n = %s".formatted(Format.percent(summary.fractionSuppressed()), summary.n()))
            .value(
                "Largest difference to the distribution of V1 (Kolmogorov and Smirnov) [95 %]",
                summary.distanceToCells())
            .value(
                "Summation field, median",
                "%s px (%s deg)"
                    .formatted(
                        Format.number(summary.summationFieldMedianPx()),
                        Format.number(
                            summary.summationFieldMedianPx()
                                / context.settings().pixelsPerDegree())))
            .overview(discs)
            .overviewDynamics("size suppression", suppression.getFirst())
            .overviewValue("size suppression", Format.number(summary.suppressionIndex().value()));
    return summary.contrasts().length < 2
        ? findings
        : findings.value(
            "Summation field at a fifth of the contrast, median",
            Format.number(summary.summationFieldLowContrastMedianPx(), " px"));
  }
}
