package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Context.PopulationGain;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.StimulusSet;
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
import org.jspecify.annotations.Nullable;

/** Whether a surround scales the response to its center, or acts on the component it matches. */
public final class TrottBornExperiment implements Experiment<TrottBornExperiment.Condition> {
  static final double PLAID = 60;
  private static final int BINS = 9;

  /** A population whose vector errs by more, degrees, on gratings alone codes no orientation. */
  private static final double LARGEST_ERROR = 15;

  /**
   * A stimulus; orientations in degrees of modulation.
   *
   * @param center of the center's grating, or of a plaid's first component
   * @param plaid whether a second component is added at 60° to the first
   * @param surround orientation of the surround relative to the center; NaN without one
   * @param phase index of the phase of all
   */
  public record Condition(double center, boolean plaid, double surround, int phase) {}

  /** Measures of a unit, averaged over centers. */
  record Unit(
      double preferredDeg, double responseAlone, double responseIsoSurround, double gainIso) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] centerOrientations,
      double[] orientationDifferences,
      double plaidAngleDeg,
      double spatialFrequency,
      double centerRadiusPx,
      double ringInnerRadiusPx,
      int n,
      double decodingErrorDeg,
      @Nullable Interval plaidShiftAwayDeg,
      @Nullable Interval scaleIso,
      @Nullable Interval residualIso,
      @Nullable Interval scaleCross) {}

  @Override
  public Description description() {
    return Descriptions.of("trott_born");
  }

  private static double[] centers(RunContext context) {
    int n = context.settings().full() ? 12 : 6;
    return Samples.fill(n, i -> 180.0 * i / n);
  }

  /** Of surround and center, from 0 to 180 degrees. */
  private static double[] differences(RunContext context) {
    return centers(context);
  }

  private static double centerRadius(RunContext context) {
    return Math.max(context.pixels(8), Samples.median(Fields.of(context).centerDiameterPx()) / 2);
  }

  private static double ringRadius(RunContext context) {
    double ring = Samples.median(Fields.of(context).ringInnerDiameterPx()) / 2;
    return Math.max(ring, centerRadius(context) + context.pixels(2));
  }

  /** Gratings alone, by which the population is judged. */
  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    for (double theta : centers(context)) {
      add(design, context, CenterResponses.Shown.grating(theta));
    }
    return design;
  }

  private static Design<Condition> surrounds(RunContext context) {
    var design = new Design<Condition>();
    for (double theta : centers(context)) {
      for (double d : differences(context)) {
        add(design, context, CenterResponses.Shown.grating(theta).with(d));
      }
      CenterResponses.Shown plaid = CenterResponses.Shown.plaid(theta);
      add(design, context, plaid);
      add(design, context, plaid.with(0));
      add(design, context, plaid.with(PLAID));
    }
    return design;
  }

  @Override
  public StimulusSet preview(RunContext context) {
    return surrounds(context).stimuli();
  }

  @Override
  public int stimuli(RunContext context) {
    return design(context).conditions().size() + surrounds(context).conditions().size() + 2;
  }

  private static void add(
      Design<Condition> design, RunContext context, CenterResponses.Shown shown) {
    double contrast = context.settings().contrast();
    double outer = Math.min(context.pixels(80), context.frame().largestRadius());
    double cycles = Preferences.of(context).commonFrequency();
    for (int k = 0; k < Probed.PHASES; k++) {
      var sine = new Sine(shown.center(), cycles, Probed.phase(k), contrast);
      design.add(
          shown.at(k),
          new CenterSurround(
              context.frame(),
              new CenterSurround.Disc(
                  sine,
                  shown.plaid() ? shown.center() + PLAID : null,
                  Math.min(centerRadius(context), outer / 2)),
              Double.isNaN(shown.surround())
                  ? null
                  : new CenterSurround.Ring(
                      sine.orientation(shown.center() + shown.surround()),
                      Math.min(ringRadius(context), outer - context.pixels(4)),
                      outer)));
    }
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> alone = Probed.of(context, recording);
    CenterResponses population = CenterResponses.of(alone, null);
    double[] centers = centers(context);
    double[] differences = differences(context);
    long seed = context.seed();
    if (population.units().length < 2) {
      return notMeasured(
          context,
          population,
          Double.NaN,
          "Fewer than two units prefer an orientation: there is no population to measure.");
    }
    double error = population.error(centers);
    if (!(error <= LARGEST_ERROR)) {
      return notMeasured(
          context,
          population,
          error,
          "The population vector errs by %s on gratings without a surround, more than %s°: these units do not code the orientation whose shift would be measured."
              .formatted(Format.number(error, "°"), Format.number(LARGEST_ERROR)));
    }
    Design<Condition> surrounds = surrounds(context);
    CenterResponses all = CenterResponses.of(alone, Probed.of(context, context.record(surrounds)));
    var last = new CenterResponses.At(all, context.mainState(), context.lastStep());
    Interval scaleIso = Series.mean(last.overCenters(centers, 0, PopulationGain::scale), seed);
    Interval residualIso =
        Series.mean(last.overCenters(centers, 0, PopulationGain::residual), seed);
    Interval scaleCross = Series.mean(last.overCenters(centers, 90, PopulationGain::scale), seed);
    Interval shift = Series.mean(last.shifts(centers), seed);
    Summary summary = summary(context, all, error, shift, scaleIso, residualIso, scaleCross);
    return Findings.of(summary, table(context, all, centers))
        .figure(
            FigureSpec.of(
                "trott_born",
                12,
                8,
                "A, B: responses of the population by preferred orientation relative to the"
                    + " center's, mean and bootstrap interval of 95 % over units and centers. C:"
                    + " least-squares scale between the profiles with and without surround, and"
                    + " what it leaves unexplained, over centers. D: scale after each timestep. E:"
                    + " rotation of the population vector away from the plaid component that the"
                    + " surround matches; a positive value is evidence for control of the input's"
                    + " gain. F: a stimulus.",
                profiles(
                    0, "grating", "Gratings", all, centers, CenterResponses.Shown::grating, seed),
                profiles(
                        1,
                        "plaid",
                        "Plaids, components at 0° and 60°",
                        all,
                        centers,
                        CenterResponses.Shown::plaid,
                        seed)
                    .vertical(0)
                    .vertical(PLAID),
                Panel.at(0, 2, "gain")
                    .title("Scaling of the profile")
                    .axes(
                        Axis.linear("Surround − center (deg)").ticks(0, 30, 60, 90, 120, 150),
                        "Scale, residual")
                    .horizontal(1)
                    .add(
                        Charts.colored(
                            List.of(
                                Series.mean(
                                    "scale",
                                    differences,
                                    d -> last.overCenters(centers, d, PopulationGain::scale),
                                    seed),
                                Series.mean(
                                    "residual",
                                    differences,
                                    d -> last.overCenters(centers, d, PopulationGain::residual),
                                    seed)))),
                Panel.at(1, 0, "gain over time")
                    .title("Scale over time, parallel surround")
                    .axes(Charts.steps(context), "Scale")
                    .horizontal(1)
                    .add(
                        Charts.overTime(
                            context,
                            (s, t) ->
                                new CenterResponses.At(all, s, t)
                                    .overCenters(centers, 0, PopulationGain::scale))),
                Panel.at(1, 1, "shift over time")
                    .title("Shift for plaids over time")
                    .axes(Charts.steps(context), "Away from the matched component (deg)")
                    .horizontal(0)
                    .add(
                        Charts.overTime(
                            context, (s, t) -> new CenterResponses.At(all, s, t).shifts(centers))),
                Panel.at(1, 2, "stimulus")
                    .title("Plaid, surround matches one component")
                    .picture(surrounds.stimulus(CenterResponses.Shown.plaid(0).with(0).at(1)))))
        .value("Units", summary.n)
        .value(
            "Error of the population vector, gratings alone",
            Format.number(summary.decodingErrorDeg, "°"))
        .value("Scale, parallel surround, mean [95 %]", scaleIso)
        .value("Scale, orthogonal surround", scaleCross)
        .value("Residual of scaling, parallel", residualIso)
        .value("Shift away for plaids (deg)", shift);
  }

  /** Each unit's responses averaged over centers, for every population and timestep. */
  private static UnitTable<Unit> table(RunContext context, CenterResponses all, double[] centers) {
    var units = new UnitTable<>(context, Unit.class);
    for (State state : context.states()) {
      for (int t = 0; t < context.timesteps(); t++) {
        double[] alone = new double[all.units().length];
        double[] iso = new double[all.units().length];
        for (double c : centers) {
          double[] without = all.to(CenterResponses.Shown.grating(c), state, t);
          double[] with = all.to(CenterResponses.Shown.grating(c).with(0), state, t);
          for (int i = 0; i < alone.length; i++) {
            alone[i] += without[i] / centers.length;
            iso[i] += with[i] / centers.length;
          }
        }
        for (int i = 0; i < alone.length; i++) {
          units.add(
              state,
              all.units()[i],
              t,
              new Unit(all.preferred()[i], alone[i], iso[i], Context.normalized(alone[i], iso[i])));
        }
      }
    }
    return units;
  }

  private static Findings notMeasured(
      RunContext context, CenterResponses population, double error, String reason) {
    Summary none = summary(context, population, error, null, null, null, null);
    return Findings.of(none, new UnitTable<>(context, Unit.class)).warning(reason);
  }

  private static Summary summary(
      RunContext context,
      CenterResponses population,
      double error,
      @Nullable Interval shift,
      @Nullable Interval scaleIso,
      @Nullable Interval residualIso,
      @Nullable Interval scaleCross) {
    return new Summary(
        centers(context),
        differences(context),
        PLAID,
        Preferences.of(context).commonFrequency(),
        centerRadius(context),
        ringRadius(context),
        population.units().length,
        error,
        shift,
        scaleIso,
        residualIso,
        scaleCross);
  }

  /**
   * CenterResponses by preferred orientation relative to the center's, without and with a surround.
   */
  private static Panel profiles(
      int column,
      String key,
      String title,
      CenterResponses all,
      double[] centers,
      DoubleFunction<CenterResponses.Shown> center,
      long seed) {
    return Panel.at(0, column, key)
        .title(title, all.units().length)
        .axes(
            Axis.linear("Preferred − center orientation (deg)").ticks(-90, -45, 0, 45, 90),
            "Response (a.u.)")
        .horizontal(0)
        .add(
            Charts.colored(
                List.of(
                    profile(key + " alone", all, centers, center, seed),
                    profile(
                        "with parallel surround",
                        all,
                        centers,
                        c -> center.apply(c).with(0),
                        seed))));
  }

  /** CenterResponses in bins of 20°. */
  private static Series profile(
      String name,
      CenterResponses all,
      double[] centers,
      DoubleFunction<CenterResponses.Shown> shown,
      long seed) {
    List<List<Double>> bins =
        IntStream.range(0, BINS).mapToObj(i -> (List<Double>) new ArrayList<Double>()).toList();
    for (double c : centers) {
      double[] responses = all.last(shown.apply(c));
      for (int i = 0; i < responses.length; i++) {
        double relative = Orientation.difference(all.preferred()[i], c);
        int bin = (int) Math.min(BINS - 1, Math.floor((relative + 90) / 20));
        bins.get(bin).add(responses[i]);
      }
    }
    return Series.mean(
        name,
        Samples.fill(BINS, i -> -80 + 20 * i),
        bins.stream().map(b -> b.stream().mapToDouble(v -> v).toArray()).toArray(double[][]::new),
        seed);
  }
}
