package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Context.PopulationGain;
import org.gammanet.experiments.protocols.CenterResponses.Shown;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Axis;

/** The figure of {@link TrottBornExperiment}. */
record TrottBornFigures(RunContext context, CenterResponses responses) {
  /** Bins of preferred orientations relative to the center's, 20° each. */
  private static final int BINS = 9;

  FigureSpec figure(Stimulus example) {
    return FigureSpec.of(
        "trott_born",
        12,
        8,
        """
        A, B: responses of the population by preferred orientation relative to the center's, mean \
        and bootstrap interval of 95 % over units and centers. C: least-squares scale between the \
        profiles with and without surround, and what it leaves unexplained, over centers. D: scale \
        after each timestep. E: rotation of the population vector away from the plaid component \
        that the surround matches; a positive value is evidence for control of the input's gain. \
        F: a stimulus.\
        """,
        profiles(0, "grating", "Gratings", Shown::grating),
        profiles(1, "plaid", "Plaids, components at 0° and 60°", Shown::plaid)
            .vertical(0)
            .vertical(TrottBornStimuli.PLAID),
        Panel.at(0, 2, "gain")
            .title("Scaling of the profile")
            .axes(
                Axis.linear("Surround − center (deg)").ticks(0, 30, 60, 90, 120, 150),
                "Scale, residual")
            .horizontal(1)
            .add(
                Charts.colored(
                    List.of(
                        gain("scale", PopulationGain::scale),
                        gain("residual", PopulationGain::residual)))),
        Panel.at(1, 0, "gain over time")
            .title("Scale over time, parallel surround")
            .axes(Charts.steps(context), "Scale")
            .horizontal(1)
            .add(
                Charts.overTime(
                    context, (s, t) -> responses.at(s, t).overCenters(0, PopulationGain::scale))),
        Panel.at(1, 1, "shift over time")
            .title("Shift for plaids over time")
            .axes(Charts.steps(context), "Away from the matched component (deg)")
            .horizontal(0)
            .add(Charts.overTime(context, (s, t) -> responses.at(s, t).shifts())),
        Panel.at(1, 2, "stimulus").title("Plaid, surround matches one component").picture(example));
  }

  private Series gain(String name, ToDoubleFunction<PopulationGain> measure) {
    return Series.mean(
        name, responses.centers(), d -> responses.last().overCenters(d, measure), context.seed());
  }

  /** Responses by preferred orientation relative to the center's, without and with a surround. */
  private Panel profiles(int column, String key, String title, DoubleFunction<Shown> center) {
    return Panel.at(0, column, key)
        .title(title, responses.units().length)
        .axes(
            Axis.linear("Preferred − center orientation (deg)").ticks(-90, -45, 0, 45, 90),
            "Response (a.u.)")
        .horizontal(0)
        .add(
            Charts.colored(
                List.of(
                    profile(key + " alone", center),
                    profile("with parallel surround", c -> center.apply(c).with(0)))));
  }

  private Series profile(String name, DoubleFunction<Shown> shown) {
    List<List<Double>> bins =
        IntStream.range(0, BINS).mapToObj(i -> (List<Double>) new ArrayList<Double>()).toList();
    for (double c : responses.centers()) {
      double[] evoked = responses.last().to(shown.apply(c));
      for (int i = 0; i < evoked.length; i++) {
        double relative = Orientation.difference(responses.preferred()[i], c);
        int bin = (int) Math.min(BINS - 1, Math.floor((relative + 90) / 20));
        bins.get(bin).add(evoked[i]);
      }
    }
    return Series.mean(
        name,
        Samples.fill(BINS, i -> -80 + 20 * i),
        bins.stream().map(b -> b.stream().mapToDouble(v -> v).toArray()).toArray(double[][]::new),
        context.seed());
  }
}
