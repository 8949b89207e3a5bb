package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CenterSurround;
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

/** Suppression by a ring whose orientation differs from the center's. */
public final class KinoshitaExperiment implements Experiment<KinoshitaExperiment.Condition> {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {
    -75, -60, -45, -30, -15, 0, 15, 30, 45, 60, 75, 90
  };

  /** A stimulus with a probe's orientation in its center. */
  public sealed interface Condition {}

  /** The center alone. */
  record Center(int probe) implements Condition {}

  /** The center within a ring; the difference is in degrees. */
  record Both(int probe, double difference, int phase) implements Condition {}

  /** The ring alone. */
  record Ring(int probe, double difference) implements Condition {}

  /** Measures of a unit; {@code normalized} by difference. */
  record Unit(
      int probe,
      double centerAlone,
      double surroundAloneFraction,
      double suppressionIso,
      double suppressionCross,
      double isoCrossIndex,
      Map<String, Double> normalized) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] orientationDifferences,
      double[] centerDiameterPx,
      double[] ringInnerDiameterPx,
      int firstStepSuppressionAbove005,
      int n,
      int nTested,
      Statistics.Interval suppressionIso,
      Statistics.Interval suppressionCross,
      Statistics.Interval isoCrossIndex,
      double surroundAloneFractionMedian,
      Statistics.@Nullable Test wilcoxonIsoAgainstCross) {}

  @Override
  public Description description() {
    return Description.of(
            "kinoshita",
            "Oriented surrounds",
            "A disc of each unit's probe grating, as large as the median summation field of the"
                + " units tested with it, within a ring of another orientation, in several phases."
                + " The ring begins where it evokes less than 5 % in the median unit, if it does so"
                + " anywhere. The iso/cross index lies between −1 and 1. Units to which the disc"
                + " evokes less than a tenth of their largest response here are excluded."
                + " Orientation-tuned suppression in V1 is reported by Cavanaugh, Bair and Movshon"
                + " (2002) and Shushruth et al. (2013); the name of the experiment is historical,"
                + " see Kinoshita, Gilbert and Das (2009).")
        .literature(
            "In the physiology the ring lies outside each cell's field. Here it does for the"
                + " median unit of a probe, where there is such a ring at all; the report has the"
                + " response to the ring alone.")
        .primary("iso_cross_index")
        .requires("orientation", "size_tuning");
  }

  private static double[] differences(RunContext context) {
    return context.settings().full() ? ALL_DIFFERENCES : DIFFERENCES;
  }

  private static int phases(RunContext context) {
    return context.settings().full() ? 4 : 2;
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, differences(context));
  }

  private static Design<Condition> design(RunContext context, double[] differences) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    SizeExperiment.Fields fields = SizeExperiment.Fields.of(context);
    double contrast = context.settings().contrast();
    double outer = Math.min(context.pixels(80), context.frame().largestRadius());
    for (int p = 0; p < probes.size(); p++) {
      Preferences.Probe probe = probes.get(p);
      double radius = Math.min(fields.centerDiameterPx()[p] / 2, outer / 2);
      double inner = Math.min(fields.ringInnerDiameterPx()[p] / 2, outer - context.pixels(4));
      var sine = probe.sine(contrast);
      var center = CenterSurround.Disc.of(sine, radius);
      design.add(new Center(p), new CenterSurround(context.frame(), center, null));
      for (double d : differences) {
        for (int i = 0; i < phases(context); i++) {
          double phase = probe.phase() + 2 * Math.PI * i / phases(context);
          var ring =
              new CenterSurround.Ring(
                  sine.orientation(probe.modulation() + d).phase(phase), inner, outer);
          design.add(new Both(p, d, i), new CenterSurround(context.frame(), center, ring));
        }
      }
      for (double d : new double[] {0, 90}) {
        var ring = new CenterSurround.Ring(sine.orientation(probe.modulation() + d), inner, outer);
        design.add(new Ring(p, d), new CenterSurround(context.frame(), null, ring));
      }
    }
    return design;
  }

  private static String column(double difference) {
    return "normalized_" + Format.number(difference);
  }

  /** A unit's responses with a ring of each difference, averaged over phases. */
  private static double[] withRing(
      RunContext context, Recording.Unit<Condition> unit, int probe, double[] differences) {
    int phases = phases(context);
    return Arrays.stream(differences)
        .map(
            d -> {
              double mean = 0;
              for (int i = 0; i < phases; i++) {
                mean += unit.evoked(new Both(probe, d, i)) / phases;
              }
              return mean;
            })
        .toArray();
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    SizeExperiment.Fields fields = SizeExperiment.Fields.of(context);
    double[] differences = differences(context);
    int iso = Arrays.binarySearch(differences, 0);
    int cross = differences.length - 1;
    UnitTable<Unit> units =
        probed.table(
            Unit.class,
            (u, p) -> {
              double alone = u.evoked(new Center(p));
              double[] with = withRing(context, u, p, differences);
              double base = Samples.base(alone, with);
              Map<String, Double> normalized = new LinkedHashMap<>();
              for (int d = 0; d < with.length; d++) {
                normalized.put(column(differences[d]), Context.normalized(base, with[d]));
              }
              return new Unit(
                  p + 1,
                  alone,
                  Context.normalized(base, u.evoked(new Ring(p, 0))),
                  Samples.suppression(base, with[iso]),
                  Samples.suppression(base, with[cross]),
                  base > 0
                      ? Context.isoCross(Math.max(0, with[iso]), Math.max(0, with[cross]))
                      : Double.NaN,
                  normalized);
            });
    State main = context.mainState();
    long seed = context.seed();
    List<Series> response =
        Charts.ofStates(
            context,
            s ->
                Series.mean(
                    s.word(),
                    differences,
                    d ->
                        units.values(
                            s, context.lastStep(), m -> true, m -> m.normalized.get(column(d))),
                    seed));
    Panel dynamics = Charts.dynamics(0, 1, context, "Suppression over time", "Suppression index");
    for (State s : context.states()) {
      Style style = Series.style(s.word()).label(s.word() + ", iso");
      dynamics.add(
          units.dynamics(s.word() + ", iso", s, m -> true, Unit::suppressionIso).style(style));
      if (s == main) {
        dynamics.add(
            units
                .dynamics(s.word() + ", cross", s, m -> true, Unit::suppressionCross)
                .style(
                    style
                        .dash(Style.Dash.DOTTED)
                        .filled(false)
                        .marker(Style.Marker.TRIANGLE, 5)
                        .label(s.word() + ", cross")));
      }
    }
    double[] isoIndex = units.values(Unit::suppressionIso);
    double[] crossIndex = units.values(Unit::suppressionCross);
    double[] index = units.values(Unit::isoCrossIndex);
    Series overTime = dynamics.series(main.word() + ", iso");
    var summary =
        new Summary(
            differences,
            fields.centerDiameterPx(),
            fields.ringInnerDiameterPx(),
            Dynamics.firstAbove(overTime.y(), 0.05),
            Series.finite(isoIndex).length,
            probed.n(),
            Series.mean(isoIndex, seed),
            Series.mean(crossIndex, seed),
            Series.mean(index, seed),
            Samples.median(units.values(Unit::surroundAloneFraction)),
            Samples.wilcoxon(isoIndex, crossIndex));
    Axis difference = Axis.linear("Surround − center (deg)").ticks(-90, -60, -30, 0, 30, 60, 90);
    Panel responsePanel =
        Panel.at(0, 0, "response")
            .title("Surround orientation", summary.n)
            .axes(difference, "Response / response to center")
            .horizontal(1)
            .add(response);
    Findings findings =
        Findings.of(summary, units)
            .figure(
                FigureSpec.of(
                    "kinoshita_surround",
                    12,
                    8,
                    "A: response with a surround divided by that to the center alone, mean and"
                        + " bootstrap interval of 95 % over units. B: suppression index after each"
                        + " timestep, with a parallel (iso) and an orthogonal (cross) surround. C:"
                        + " both in each unit. D: iso/cross index, positive where a parallel"
                        + " surround suppresses more.",
                    responsePanel,
                    dynamics,
                    Charts.units(
                            1,
                            0,
                            "Single units",
                            "Suppression, orthogonal surround",
                            crossIndex,
                            "Suppression, parallel surround",
                            isoIndex)
                        .equalAspect(),
                    Charts.distribution(
                        1, 1, "Orientation-tuned suppression", "Iso/cross index", index)))
            .value("Units", summary.n)
            .value("Suppression index, parallel, mean [95 %]", summary.suppressionIso)
            .value("Suppression index, orthogonal, mean [95 %]", summary.suppressionCross)
            .value("Iso/cross index, mean [95 %]", summary.isoCrossIndex)
            .value(
                "Parallel against orthogonal, Wilcoxon", Format.p(summary.wilcoxonIsoAgainstCross))
            .value(
                "Response to the ring alone, fraction of that to the center, median",
                summary.surroundAloneFractionMedian)
            .overview(responsePanel)
            .overviewDynamics("surround suppression", overTime)
            .overviewValue("iso/cross index", Format.number(summary.isoCrossIndex.value()));
    return Math.abs(summary.surroundAloneFractionMedian) > SizeExperiment.SILENT
        ? findings.note(
            "The ring by itself changes the units' responses by more than 5 % of the response to"
                + " the center: it reaches into their receptive fields, or acts through"
                + " normalization over the whole feature map. This is not pure modulation from"
                + " outside the receptive field.")
        : findings;
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "kinoshita_surround",
        "response",
        "surround - center in degrees, response over that to the center",
        KinoshitaExperiment::design,
        (context, recording, differences) ->
            Probed.of(context, recording)
                .sample(
                    differences.length,
                    (u, p) -> {
                      double[] with = withRing(context, u, p, differences);
                      double base = Samples.base(u.evoked(new Center(p)), with);
                      return Arrays.stream(with).map(w -> Context.normalized(base, w)).toArray();
                    }));
  }
}
