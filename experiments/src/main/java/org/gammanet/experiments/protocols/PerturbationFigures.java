package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.protocols.PerturbationExperiment.Summary;
import org.gammanet.experiments.protocols.PerturbationExperiment.Unit;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.Stimulation;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;

/** The figure and the report of {@link PerturbationExperiment}. */
record PerturbationFigures(RunContext context, UnitTable<Unit> units, Summary summary) {

  Findings findings() {
    Stimulation how = summary.stimulation();
    double most = Treatment.most(how);
    double least = Treatment.least(how);
    int n = summary.n();
    double[] doses =
        DoubleStream.concat(
                DoubleStream.concat(
                    how.factors().stream().mapToDouble(f -> f - 1), DoubleStream.of(0)),
                how.added().stream().mapToDouble(a -> a))
            .sorted()
            .toArray();
    Series onE =
        dose("I changed: E", doses, State.INHIBITORY, Unit::changeExcitatory)
            .style(Style.EXCITATORY.label("change of E when I is changed"));
    Series onI =
        dose("E changed: I", doses, State.EXCITATORY, Unit::changeInhibitory)
            .style(Style.INHIBITORY.label("change of I when E is changed"));
    Interval[] suppression = {
      summary.suppressionIntact(),
      summary.suppressionSurroundExcitatorySilent(),
      summary.suppressionSurroundInhibitorySilent()
    };
    var bars =
        new Series(
            "suppression",
            new double[] {0, 1, 2},
            Arrays.stream(suppression).mapToDouble(Interval::value).toArray(),
            Arrays.stream(suppression).mapToDouble(Interval::low).toArray(),
            Arrays.stream(suppression).mapToDouble(Interval::high).toArray(),
            n,
            Series.Look.POINTS,
            Style.series(0));
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "perturbation",
                9,
                4,
                """
                A: change of one population's response when the other is changed at the site, over \
                its mean response; doses below 0 are the fraction of activity that is taken away, \
                above 0 multiples of the mean response that are added. B: suppression by the whole \
                grating with the surround intact and silenced. Means and bootstrap intervals of 95 \
                % over units.\
                """,
                Panel.at(0, 0, "dose")
                    .title("Dose and response", n)
                    .axes(Axis.linear("Dose"), Axis.linear("Change / mean response"))
                    .horizontal(0)
                    .add(onE, onI),
                Panel.at(0, 1, "surround")
                    .title("Surround silenced", n)
                    .axes(
                        Axis.names("", List.of("intact", "E silent", "I silent")),
                        Axis.linear("Suppression index"))
                    .horizontal(0)
                    .add(bars)))
        .value("Radius of the disc", summary.radiusPx())
        .value("Units", n)
        .value(
            "E activated by %s of its mean: change of I".formatted(Format.percent(most)),
            summary.excitatoryActivationOnInhibitory())
        .value(
            "E inactivated to %s: change of I".formatted(Format.percent(least)),
            summary.excitatoryInactivationOnInhibitory())
        .value(
            "I activated by %s of its mean: change of E".formatted(Format.percent(most)),
            summary.inhibitoryActivationOnExcitatory())
        .value(
            "I inactivated to %s: change of E".formatted(Format.percent(least)),
            summary.inhibitoryInactivationOnExcitatory())
        .value(
            "I inactivated to %s elsewhere (sham): change of E".formatted(Format.percent(least)),
            summary.shamOnExcitatory())
        .value("Suppression, surround intact", summary.suppressionIntact())
        .value(
            "Suppression, E of the surround silent", summary.suppressionSurroundExcitatorySilent())
        .value(
            "Suppression, I of the surround silent", summary.suppressionSurroundInhibitorySilent())
        .note(
            "Changes are over the mean response of the tested units before the perturbation."
                + " Untrained networks, --control random:N, are the control for effects of the"
                + " architecture alone.");
  }

  /** Change by dose; inactivation by a factor f is a dose of f - 1. */
  private Series dose(
      String name, double[] doses, State population, ToDoubleFunction<Unit> measure) {
    return Series.mean(
        name,
        doses,
        d -> {
          String kind = d < 0 ? "inactivation" : "activation";
          double dose = d < 0 ? 1 + d : d;
          return d == 0
              ? new double[] {0, 0}
              : units.values(m -> m.is(population, kind, dose, "site"), measure);
        },
        context.seed());
  }
}
