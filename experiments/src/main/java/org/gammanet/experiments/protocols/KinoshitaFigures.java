package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Summary;
import org.gammanet.experiments.protocols.KinoshitaExperiment.Unit;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;

/** The figure and the report of {@link KinoshitaExperiment}. */
record KinoshitaFigures(RunContext context, UnitTable<Unit> units, Summary summary) {

  Findings findings() {
    List<Series> dynamics = dynamics();
    Axis difference = Axis.linear("Surround − center (deg)").ticks(-90, -60, -30, 0, 30, 60, 90);
    Panel responsePanel =
        Panel.at(0, 0, "response")
            .title("Surround orientation", summary.n())
            .axes(difference, "Response / response to center")
            .horizontal(1)
            .add(response());
    Findings findings =
        Findings.of(summary, units)
            .figure(
                FigureSpec.of(
                    "kinoshita_surround",
                    12,
                    8,
                    """
                    A: response with a surround divided by that to the center alone, mean and \
                    bootstrap interval of 95 % over units. B: suppression index after each \
                    timestep, with a parallel (iso) and an orthogonal (cross) surround. C: both in \
                    each unit. D: iso/cross index, positive where a parallel surround suppresses \
                    more.\
                    """,
                    responsePanel,
                    Charts.dynamics(0, 1, context, "Suppression over time", "Suppression index")
                        .add(dynamics),
                    Charts.units(
                            1,
                            0,
                            "Single units",
                            "Suppression, orthogonal surround",
                            units.values(Unit::suppressionCross),
                            "Suppression, parallel surround",
                            units.values(Unit::suppressionIso))
                        .equalAspect(),
                    Charts.distribution(
                        1,
                        1,
                        "Orientation-tuned suppression",
                        "Iso/cross index",
                        units.values(Unit::isoCrossIndex))))
            .value("Units", "%s of %s tested".formatted(summary.n(), summary.nTested()))
            .value(
                "Units to which the ring alone evokes 5 % of the center's response, or more",
                "%s of %s".formatted(summary.nRingNotSilent(), summary.nTested()))
            .value(
                "Units that the parallel ring suppresses more",
                "%s, n = %s".formatted(Format.percent(summary.fractionIsoStronger()), summary.n()))
            .value("Suppression index, parallel, mean [95 %]", summary.suppressionIso())
            .value("Suppression index, orthogonal, mean [95 %]", summary.suppressionCross())
            .value("Iso/cross index, mean [95 %]", summary.isoCrossIndex())
            .value(
                "Parallel against orthogonal, Wilcoxon",
                Format.p(summary.wilcoxonIsoAgainstCross()))
            .value(
                "Response to the ring alone, fraction of that to the center, median",
                summary.surroundAloneFractionMedian())
            .overview(responsePanel)
            .overviewDynamics("surround suppression", dynamics.getFirst())
            .overviewValue("iso/cross index", Format.number(summary.isoCrossIndex().value()));
    return summary.n() > 0
        ? findings
        : findings.warning(
            "Not measurable: there is no unit to which the center evokes a tenth of its largest"
                + " response, and the ring by itself nothing.");
  }

  private List<Series> response() {
    return Charts.ofStates(
        context,
        s ->
            Series.mean(
                s.word(),
                summary.orientationDifferences(),
                d ->
                    units.values(
                        s,
                        context.lastStep(),
                        m -> true,
                        m -> m.normalized().get(KinoshitaExperiment.column(d))),
                context.seed()));
  }

  /** Suppression by a parallel ring in every population, and in the main one by an orthogonal. */
  private List<Series> dynamics() {
    List<Series> out = new ArrayList<>();
    for (State s : context.states()) {
      String iso = s.word() + ", iso";
      Style style = Series.style(s.word()).label(iso);
      out.add(units.dynamics(iso, s, m -> true, Unit::suppressionIso).style(style));
      if (s == context.mainState()) {
        String cross = s.word() + ", cross";
        out.add(
            units
                .dynamics(cross, s, m -> true, Unit::suppressionCross)
                .style(
                    style
                        .dash(Style.Dash.DOTTED)
                        .filled(false)
                        .marker(Style.Marker.TRIANGLE, 5)
                        .label(cross)));
      }
    }
    return out;
  }
}
