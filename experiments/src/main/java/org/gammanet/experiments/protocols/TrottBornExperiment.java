package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Context.PopulationGain;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Sine;
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
  private static final double PLAID = 60;
  private static final int BINS = 9;

  /** A population whose vector errs by more, degrees, on gratings alone codes no orientation. */
  private static final double LARGEST_ERROR = 15;

  /**
   * A stimulus; orientations in degrees of modulation.
   *
   * @param center of the center's grating, or of a plaid's first component
   * @param plaid whether a second component is added at 60° to the first
   * @param surround orientation of the surround relative to the center; NaN without one
   */
  public record Condition(double center, boolean plaid, double surround) {
    static Condition grating(double center) {
      return new Condition(center, false, Double.NaN);
    }

    static Condition plaid(double center) {
      return new Condition(center, true, Double.NaN);
    }

    Condition with(double difference) {
      return new Condition(center, plaid, difference);
    }
  }

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
    return Description.of(
            "trott_born",
            "Input gain or response gain",
            "Population responses to gratings, and to plaids of two gratings 60° apart, without and"
                + " with a surround, after Trott and Born (2015). A surround that controls the gain"
                + " of the response scales the population's profile. A surround that controls the"
                + " gain of the input suppresses the component of a plaid that it matches, so that"
                + " the population's peak moves away from that component.")
        .literature(
            "Trott and Born recorded arrays of many cells under all pairs of center and surround."
                + " Here there are 6 centers and 2 surrounds (12 and 7 with --full) at one phase,"
                + " and few units; where their population vector errs by more than 15° on gratings"
                + " without a surround, nothing is measured.")
        .primary("plaid_shift_away_deg")
        .requires("orientation", "size_tuning");
  }

  private static double[] centers(RunContext context) {
    return context.settings().full() ? Samples.fill(12, i -> 15 * i) : Samples.fill(6, i -> 30 * i);
  }

  private static double[] differences(RunContext context) {
    return context.settings().full()
        ? new double[] {0, 15, 30, 45, 60, 75, 90}
        : new double[] {0, 90};
  }

  private static double centerRadius(RunContext context) {
    return Math.max(
        context.pixels(8),
        Samples.median(SizeExperiment.Fields.of(context).centerDiameterPx()) / 2);
  }

  private static double ringRadius(RunContext context) {
    double ring = Samples.median(SizeExperiment.Fields.of(context).ringInnerDiameterPx()) / 2;
    return Math.max(ring, centerRadius(context) + context.pixels(2));
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    for (double theta : centers(context)) {
      Condition grating = Condition.grating(theta);
      add(design, context, grating);
      for (double d : differences(context)) {
        add(design, context, grating.with(d));
      }
      Condition plaid = Condition.plaid(theta);
      add(design, context, plaid);
      add(design, context, plaid.with(0));
      add(design, context, plaid.with(PLAID));
    }
    return design;
  }

  private static void add(Design<Condition> design, RunContext context, Condition c) {
    double contrast = context.settings().contrast();
    double outer = Math.min(context.pixels(80), context.frame().largestRadius());
    double cycles = Preferences.of(context).commonFrequency();
    var sine = new Sine(c.center, cycles, Math.PI / 2, contrast);
    design.add(
        c,
        new CenterSurround(
            context.frame(),
            new CenterSurround.Disc(
                sine,
                c.plaid ? c.center + PLAID : null,
                Math.min(centerRadius(context), outer / 2)),
            Double.isNaN(c.surround)
                ? null
                : new CenterSurround.Ring(
                    sine.orientation(c.center + c.surround),
                    Math.min(ringRadius(context), outer - context.pixels(4)),
                    outer)));
  }

  /** The tested units that prefer an orientation, and which. */
  private record Population(int[] units, double[] preferred) {
    static Population of(RunContext context) {
      Preferences p = Preferences.of(context);
      int[] units =
          Arrays.stream(p.tested()).filter(u -> Double.isFinite(p.preferred()[u])).toArray();
      return new Population(units, Samples.pick(p.preferred(), units));
    }

    /** Mean error of the population vector for gratings without a surround, degrees. */
    double error(Recording<Condition>.At at, double[] centers) {
      return Arrays.stream(centers)
          .map(
              c -> {
                double[] responses = at.evoked(Condition.grating(c), units);
                return Math.abs(
                    Orientation.difference(
                        org.gammanet.experiments.analysis.Population.vector(responses, preferred),
                        c));
              })
          .average()
          .orElse(Double.NaN);
    }

    PopulationGain gain(Recording<Condition>.At at, Condition without, Condition with) {
      return PopulationGain.of(preferred, at.evoked(without, units), at.evoked(with, units));
    }
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Population population = Population.of(context);
    double[] centers = centers(context);
    double[] differences = differences(context);
    long seed = context.seed();
    if (population.units.length < 2) {
      return notMeasured(
          context,
          population,
          Double.NaN,
          "Fewer than two units prefer an orientation: there is no population to measure.");
    }
    double error = population.error(recording.last(), centers);
    if (!(error <= LARGEST_ERROR)) {
      return notMeasured(
          context,
          population,
          error,
          "The population vector errs by %s on gratings without a surround, more than %s°: these units do not code the orientation whose shift would be measured."
              .formatted(Format.number(error, "°"), Format.number(LARGEST_ERROR)));
    }
    UnitTable<Unit> units =
        recording.table(
            population.units,
            Unit.class,
            u -> {
              double alone = 0;
              double iso = 0;
              for (double c : centers) {
                alone += u.evoked(Condition.grating(c)) / centers.length;
                iso += u.evoked(Condition.grating(c).with(0)) / centers.length;
              }
              return new Unit(
                  Preferences.of(context).preferred()[u.index()],
                  alone,
                  iso,
                  Context.normalized(alone, iso));
            });
    Panel gainOverTime =
        Panel.at(1, 0, "gain over time")
            .title("Scale over time, parallel surround")
            .axes(Charts.steps(context), "Scale")
            .horizontal(1)
            .add(
                Charts.overTime(
                    context, (s, t) -> scales(population, recording.at(s, t), centers, 0)));
    Panel shiftOverTime =
        Panel.at(1, 1, "shift over time")
            .title("Shift for plaids over time")
            .axes(Charts.steps(context), "Away from the matched component (deg)")
            .horizontal(0)
            .add(
                Charts.overTime(
                    context, (s, t) -> shifts(population, recording.at(s, t), centers)));
    Recording<Condition>.At last = recording.last();
    Interval scaleIso = Series.mean(scales(population, last, centers, 0), seed);
    Interval scaleCross =
        Series.mean(scales(population, last, centers, differences[differences.length - 1]), seed);
    Interval residualIso = Series.mean(residuals(population, last, centers, 0), seed);
    Interval shift = Series.mean(shifts(population, last, centers), seed);
    Summary summary = summary(context, population, error, shift, scaleIso, residualIso, scaleCross);
    Axis preference =
        Axis.linear("Preferred − center orientation (deg)").ticks(-90, -45, 0, 45, 90);
    return Findings.of(summary, units)
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
                Panel.at(0, 0, "grating")
                    .title("Gratings", population.units.length)
                    .axes(preference, "Response (a.u.)")
                    .add(
                        Charts.colored(
                            List.of(
                                profile(
                                    "grating alone",
                                    population,
                                    last,
                                    centers,
                                    false,
                                    seed,
                                    Double.NaN),
                                profile(
                                    "with parallel surround",
                                    population,
                                    last,
                                    centers,
                                    false,
                                    seed,
                                    0)))),
                Panel.at(0, 1, "plaid")
                    .title("Plaids, components at 0° and 60°")
                    .axes(preference, "Response (a.u.)")
                    .vertical(0)
                    .vertical(PLAID)
                    .add(
                        Charts.colored(
                            List.of(
                                profile(
                                    "plaid alone",
                                    population,
                                    last,
                                    centers,
                                    true,
                                    seed,
                                    Double.NaN),
                                profile(
                                    "with surround", population, last, centers, true, seed, 0)))),
                Panel.at(0, 2, "gain")
                    .title("Scaling of the profile")
                    .axes(
                        Axis.linear("Surround − center (deg)").ticks(0, 30, 60, 90),
                        "Scale, residual")
                    .horizontal(1)
                    .add(
                        Charts.colored(
                            List.of(
                                Series.mean(
                                    "scale",
                                    differences,
                                    d -> scales(population, last, centers, d),
                                    seed),
                                Series.mean(
                                    "residual",
                                    differences,
                                    d -> residuals(population, last, centers, d),
                                    seed)))),
                gainOverTime,
                shiftOverTime,
                Panel.at(1, 2, "stimulus")
                    .title("Plaid, surround matches one component")
                    .picture(recording.design().stimulus(Condition.plaid(0).with(0)))))
        .value("Units", summary.n)
        .value(
            "Error of the population vector, gratings alone",
            Format.number(summary.decodingErrorDeg, "°"))
        .value("Scale, parallel surround, mean [95 %]", scaleIso)
        .value("Scale, orthogonal surround", scaleCross)
        .value("Residual of scaling, parallel", residualIso)
        .value("Shift away for plaids (deg)", shift);
  }

  private static Findings notMeasured(
      RunContext context, Population population, double error, String reason) {
    Summary none = summary(context, population, error, null, null, null, null);
    return Findings.of(none, new UnitTable<>(context, Unit.class)).warning(reason);
  }

  private static Summary summary(
      RunContext context,
      Population population,
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
        population.units.length,
        error,
        shift,
        scaleIso,
        residualIso,
        scaleCross);
  }

  private static double[] scales(
      Population population, Recording<Condition>.At at, double[] centers, double difference) {
    return overCenters(population, at, centers, difference, PopulationGain::scale);
  }

  private static double[] residuals(
      Population population, Recording<Condition>.At at, double[] centers, double difference) {
    return overCenters(population, at, centers, difference, PopulationGain::residual);
  }

  private static double[] overCenters(
      Population population,
      Recording<Condition>.At at,
      double[] centers,
      double difference,
      ToDoubleFunction<PopulationGain> measure) {
    return Arrays.stream(centers)
        .mapToObj(Condition::grating)
        .map(c -> population.gain(at, c, c.with(difference)))
        .mapToDouble(measure)
        .toArray();
  }

  /** How far the population vector moves away from the component that the surround matches. */
  private static double[] shifts(
      Population population, Recording<Condition>.At at, double[] centers) {
    return Arrays.stream(centers)
        .mapToObj(Condition::plaid)
        .flatMapToDouble(
            p ->
                Arrays.stream(
                    new double[] {
                      population.gain(at, p, p.with(0)).vectorShift(),
                      -population.gain(at, p, p.with(PLAID)).vectorShift()
                    }))
        .toArray();
  }

  /** Responses by preferred orientation relative to the center's, in bins of 20°. */
  private static Series profile(
      String name,
      Population population,
      Recording<Condition>.At at,
      double[] centers,
      boolean plaid,
      long seed,
      double surround) {
    List<List<Double>> bins =
        IntStream.range(0, BINS).mapToObj(i -> (List<Double>) new ArrayList<Double>()).toList();
    for (double c : centers) {
      for (int i = 0; i < population.units.length; i++) {
        double relative = Orientation.difference(population.preferred[i], c);
        int bin = (int) Math.min(BINS - 1, Math.floor((relative + 90) / 20));
        bins.get(bin).add(at.evoked(new Condition(c, plaid, surround), population.units[i]));
      }
    }
    return Series.mean(
        name,
        Samples.fill(BINS, i -> -80 + 20 * i),
        bins.stream().map(b -> b.stream().mapToDouble(v -> v).toArray()).toArray(double[][]::new),
        seed);
  }
}
