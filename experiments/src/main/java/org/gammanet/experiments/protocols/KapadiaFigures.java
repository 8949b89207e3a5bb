package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import org.gammanet.experiments.protocols.FlankerStimuli.Arrangement;
import org.gammanet.experiments.protocols.KapadiaExperiment.Summary;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Style;

/** The figure and the report of {@link KapadiaExperiment}. */
record KapadiaFigures(
    RunContext context, FlankerStimuli stimuli, UnitTable<FlankedUnit> units, Summary summary) {

  Findings findings(Predicate<FlankedUnit> nearest, double[] collinear, double[] orthogonal) {
    String percentage =
        summary.unitsOutsideField() == 0
            ? "not measurable: 0 of %s units outside".formatted(summary.n())
            : "%s, n = %s"
                .formatted(
                    Format.percent(summary.fractionFacilitated()), summary.unitsOutsideField());
    Panel facilitation =
        Panel.at(0, 0, "facilitation")
            .span(2)
            .title("Facilitation by flankers", summary.n())
            .axes("Center-to-center distance (px)", "Facilitation index")
            .horizontal(0)
            .add(facilitation());
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "kapadia_facilitation",
                12,
                8,
                """
                A: facilitation index, (R_{both} − R_{target})/(|R_{both}| + R_{target}), mean and \
                bootstrap interval of 95 % over units. B: superadditivity, positive where target \
                and flankers together evoke more than the sum of both. C, D: single units with the \
                nearest flankers and the weaker target. E: the facilitation index after each \
                timestep, collinear.\
                """,
                facilitation,
                Panel.at(0, 2, "superadditivity")
                    .title("Superadditivity, weaker target")
                    .axes("Center-to-center distance (px)", "Superadditivity")
                    .horizontal(0)
                    .add(superadditivity()),
                Charts.units(
                    1,
                    0,
                    "Single units, nearest flankers",
                    "Orthogonal, facilitation index",
                    orthogonal,
                    "Collinear, facilitation index",
                    collinear),
                Charts.distribution(
                    1, 1, "Distribution", "Collinear, facilitation index", collinear),
                Charts.dynamics(1, 2, context, "Over time, nearest flankers", "Facilitation index")
                    .add(units.dynamics(nearest, FlankedUnit::facilitationIndex))))
        .value(
            "Units to which the target evokes enough",
            "%s of %s tested".formatted(summary.n(), summary.nTested()))
        .value("Length of the bars", Format.number(summary.barLengthPx(), " px"))
        .value(
            "Units with the nearest collinear flankers outside their field",
            "%s of %s".formatted(summary.unitsOutsideField(), summary.n()))
        .value("Facilitated by them", percentage)
        .value(
            "Facilitation index of these units, mean [95 %]",
            summary.unitsOutsideField() == 0
                ? "not measurable"
                : Format.interval(summary.facilitationIndexOutsideField()))
        .value("All units, collinear, mean [95 %]", summary.facilitationCollinear())
        .value("All units, orthogonal, mean [95 %]", summary.facilitationOrthogonal())
        .value(
            "Collinear against orthogonal, Wilcoxon",
            Format.p(summary.wilcoxonCollinearAgainstOrthogonal()))
        .value(
            "Best distance",
            "%s px (clear gap %s px)"
                .formatted(
                    Format.number(summary.bestDistancePx()),
                    Format.number(summary.bestDistancePx() - summary.barLengthPx())))
        .overview(facilitation)
        .overviewValue("units facilitated", percentage);
  }

  /** A color per arrangement; the stronger target is dashed. */
  private static Style style(Arrangement a, double contrast) {
    Style style = Style.series(a.ordinal());
    return contrast == FlankerStimuli.CONTRASTS[0]
        ? style
        : style.dash(Style.Dash.DASHED).filled(false);
  }

  private List<Series> facilitation() {
    List<Series> out = new ArrayList<>();
    for (Arrangement a : stimuli.arrangements()) {
      for (double c : FlankerStimuli.CONTRASTS) {
        if (stimuli.shown(a, c)) {
          String name = String.format(Locale.ROOT, "%s, target %.0f %%", a.word(), 100 * c);
          out.add(
              units
                  .curve(
                      name,
                      summary.distancesPx(),
                      d -> m -> m.is(a, d, c),
                      FlankedUnit::facilitationIndex)
                  .style(style(a, c).label(name)));
        }
      }
    }
    return out;
  }

  private List<Series> superadditivity() {
    double weak = FlankerStimuli.CONTRASTS[0];
    return stimuli.arrangements().stream()
        .map(
            a ->
                units
                    .curve(
                        a.word(),
                        summary.distancesPx(),
                        d -> m -> m.is(a, d, weak),
                        FlankedUnit::superadditivity)
                    .style(style(a, weak).label(a.word())))
        .toList();
  }
}
