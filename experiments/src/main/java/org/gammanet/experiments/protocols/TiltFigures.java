package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;

/** The figure and the report of {@link TiltExperiment}. */
record TiltFigures(
    RunContext context,
    TiltBias bias,
    Map<Lesion, TiltBias> lesioned,
    TiltExperiment.Summary summary) {
  private static final Axis ABSOLUTE = Axis.linear("|Surround − center| (deg)").range(0, 95);

  /**
   * Adds them to findings.
   *
   * @param overTime biases at 15° of each population
   */
  Findings findings(Findings findings, List<Series> overTime) {
    findings.value(
        "Decoder, mean error on held-out gratings",
        "%s° (R^{2} = %s)"
            .formatted(
                Format.number(summary.decoderMeanErrorDeg()),
                Format.number(summary.decoderRSquared())));
    if (!summary.qualified()) {
      return findings
          .overviewValue("tilt repulsion", "not measurable")
          .warning(
              "The decoder's mean error on held-out gratings is %s°, more than %s°: a tilt illusion of a few degrees cannot be measured with these units."
                  .formatted(
                      Format.number(summary.decoderMeanErrorDeg()),
                      Format.number(TiltExperiment.LARGEST_ERROR)));
    }
    Series folded = bias.folded("intact", context.seed()).style(Style.EXCITATORY.label("network"));
    return findings
        .figure(figure(folded, overTime))
        .value(
            "Largest repulsion",
            "%s at a difference of %s"
                .formatted(
                    Format.number(summary.peakRepulsionDeg(), "°"),
                    Format.number(summary.peakRepulsionAtDeg(), "°")))
        .value("Zero crossing", Format.number(summary.zeroCrossingDeg(), "°"))
        .value("Largest attraction", Format.number(summary.peakAttractionDeg(), "°"))
        .value("Bias at ±15° [95 %]", summary.biasAt15())
        .value("Shift by a ring of the same orientation (deg) [95 %]", summary.shiftAt0())
        .overviewValue("tilt repulsion", Format.number(summary.peakRepulsionDeg(), "°"))
        .overview(
            Panel.at(0, 0, "tilt")
                .title("Tilt illusion", folded.n())
                .axes(ABSOLUTE.ticks(0, 30, 60, 90), "Bias (deg), > 0 repulsion")
                .horizontal(0)
                .add(folded));
  }

  private FigureSpec figure(Series folded, List<Series> overTime) {
    List<Panel> panels = new ArrayList<>();
    panels.add(
        Panel.at(0, 0, "bias")
            .title("Bias")
            .axes(
                Axis.linear("Surround − center (deg)").range(-95, 95).ticks(-90, -45, 0, 45, 90),
                "Bias (deg), > 0 repulsion")
            .horizontal(0)
            .add(
                Series.mean("intact", summary.differences(), bias::at, context.seed())
                    .style(Style.EXCITATORY)));
    panels.add(
        Panel.at(0, 1, "folded")
            .title("Folded", folded.n())
            .axes(ABSOLUTE.ticks(0, 15, 30, 45, 60, 75, 90), "Bias (deg), > 0 repulsion")
            .horizontal(0)
            .add(folded));
    panels.add(
        Charts.dynamics(0, 2, context, "Bias at ±15° over time", "Bias (deg)").add(overTime));
    lesioned.forEach(
        (lesion, without) -> {
          if (!without.conditions().isEmpty()) {
            panels.add(
                Panel.at(1, panels.size() - 3, "lesion " + (panels.size() - 2))
                    .title(lesion.words())
                    .axes(ABSOLUTE.ticks(0, 30, 60, 90), "Bias (deg)")
                    .horizontal(0)
                    .add(without.folded(lesion.words(), context.seed())));
          }
        });
    boolean intact = panels.size() == 3;
    return new FigureSpec(
        "tilt_illusion",
        12,
        intact ? 4.6 : 8,
        """
        A: bias of the decoded orientation against the difference between surround and center, \
        mean and bootstrap interval of 95 % over centers and phases. B: differences of either sign \
        together. C: bias at 15° after each timestep, with a decoder of its own for each \
        population and timestep; where its error is above 5° there is no value.\
        """
            + (intact
                ? ""
                : " D to F: bias with parts of the circuit lesioned, each with a decoder of its"
                    + " own."),
        true,
        panels);
  }
}
