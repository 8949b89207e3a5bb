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
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** Suppression by a ring whose orientation differs from the center's. */
public final class KinoshitaExperiment implements Experiment<KinoshitaExperiment.Condition> {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {
    -75, -60, -45, -30, -15, 0, 15, 30, 45, 60, 75, 90
  };

  /** A stimulus with a probe's orientation in its center, in a phase. */
  public sealed interface Condition {}

  /** The center alone. */
  record Center(int probe, int phase) implements Condition {}

  /**
   * The center within a ring.
   *
   * @param difference of the ring's orientation, degrees
   * @param opposite whether the ring is half a cycle out of phase with the center
   */
  record Both(int probe, double difference, int phase, boolean opposite) implements Condition {}

  /** The ring alone. */
  record Ring(int probe, double difference, int phase) implements Condition {}

  /** Measures of a unit; {@code normalized} by difference. */
  record Unit(
      int probe,
      double centerAlone,
      double surroundAloneFraction,
      boolean silent,
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
      int nRingNotSilent,
      double fractionIsoStronger,
      Statistics.Interval suppressionIso,
      Statistics.Interval suppressionCross,
      Statistics.Interval isoCrossIndex,
      double surroundAloneFractionMedian,
      Statistics.@Nullable Test wilcoxonIsoAgainstCross) {}

  @Override
  public Description description() {
    return Descriptions.of("kinoshita");
  }

  private static double[] differences(RunContext context) {
    return context.settings().full() ? ALL_DIFFERENCES : DIFFERENCES;
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, differences(context));
  }

  private static Design<Condition> design(RunContext context, double[] differences) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    Fields fields = Fields.of(context);
    double contrast = context.settings().contrast();
    double outer = Math.min(context.pixels(80), context.frame().largestRadius());
    for (int p = 0; p < probes.size(); p++) {
      Preferences.Probe probe = probes.get(p);
      double radius = Math.min(fields.centerDiameterPx()[p] / 2, outer / 2);
      double inner = Math.min(fields.ringInnerDiameterPx()[p] / 2, outer - context.pixels(4));
      for (int k = 0; k < Probed.PHASES; k++) {
        var sine = probe.shifted(k).sine(contrast);
        var center = CenterSurround.Disc.of(sine, radius);
        design.add(new Center(p, k), new CenterSurround(context.frame(), center, null));
        for (double d : differences) {
          for (boolean opposite : new boolean[] {false, true}) {
            Sine other =
                sine.orientation(probe.modulation() + d)
                    .phase(sine.phase() + (opposite ? Math.PI : 0));
            var ring = new CenterSurround.Ring(other, inner, outer);
            design.add(
                new Both(p, d, k, opposite), new CenterSurround(context.frame(), center, ring));
          }
        }
        for (double d : new double[] {0, 90}) {
          Sine other = sine.orientation(probe.modulation() + d);
          var ring = new CenterSurround.Ring(other, inner, outer);
          design.add(new Ring(p, d, k), new CenterSurround(context.frame(), null, ring));
        }
      }
    }
    return design;
  }

  private static String column(double difference) {
    return "normalized_" + Format.number(difference);
  }

  /** A unit's responses with a ring of each difference. */
  private static double[] withRing(
      Probed<Condition> probed, Recording.Unit<Condition> unit, double[] differences) {
    double[] inPhase = probed.curve(unit, differences, (p, d, k) -> new Both(p, d, k, false));
    double[] opposite = probed.curve(unit, differences, (p, d, k) -> new Both(p, d, k, true));
    return Samples.fill(differences.length, i -> (inPhase[i] + opposite[i]) / 2);
  }

  /** The larger of the responses to a ring alone, parallel or orthogonal. */
  private static double ringAlone(Probed<Condition> probed, Recording.Unit<Condition> unit) {
    return Samples.largest(probed.curve(unit, new double[] {0, 90}, Ring::new));
  }

  /** A unit's responses with a ring over that without one; NaN where the ring is not silent. */
  private static double[] relative(
      Probed<Condition> probed, Recording.Unit<Condition> unit, double[] differences) {
    double base = base(probed, unit);
    return Arrays.stream(withRing(probed, unit, differences))
        .map(w -> Context.normalized(base, w))
        .toArray();
  }

  private static double centerAlone(Probed<Condition> probed, Recording.Unit<Condition> unit) {
    int probe = probed.probe(unit.index());
    return probed.response(unit, k -> new Center(probe, k));
  }

  /** Whether a ring alone evokes nothing after the last timestep. */
  private static boolean silent(Probed<Condition> probed, int unit) {
    Recording.Unit<Condition> last = probed.last(unit);
    return ringAlone(probed, last) < Fields.SILENT * centerAlone(probed, last);
  }

  /** The response to the center; 0 where it is too small, or where the ring is not silent. */
  private static double base(Probed<Condition> probed, Recording.Unit<Condition> unit) {
    return silent(probed, unit.index()) ? probed.base(unit, centerAlone(probed, unit)) : 0;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    Fields fields = Fields.of(context);
    double[] differences = differences(context);
    int iso = Arrays.binarySearch(differences, 0);
    int cross = differences.length - 1;
    UnitTable<Unit> units =
        probed.table(
            Unit.class,
            (u, p) -> {
              double alone = centerAlone(probed, u);
              double base = base(probed, u);
              double[] with = withRing(probed, u, differences);
              Map<String, Double> normalized = new LinkedHashMap<>();
              for (int d = 0; d < with.length; d++) {
                normalized.put(column(differences[d]), Context.normalized(base, with[d]));
              }
              return new Unit(
                  p + 1,
                  alone,
                  Context.normalized(alone, ringAlone(probed, u)),
                  silent(probed, u.index()),
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
            units.values(m -> !m.silent, m -> 1).length,
            Samples.mean(Arrays.stream(Series.finite(index)).map(v -> v > 0 ? 1 : 0).toArray()),
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
            .value("Units", "%s of %s tested".formatted(summary.n, summary.nTested))
            .value(
                "Units to which the ring alone evokes 5 % of the center's response, or more",
                "%s of %s".formatted(summary.nRingNotSilent, summary.nTested))
            .value(
                "Units that the parallel ring suppresses more",
                "%s, n = %s".formatted(Format.percent(summary.fractionIsoStronger), summary.n))
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
    return summary.n > 0
        ? findings
        : findings.warning(
            "Not measurable: there is no unit to which the center evokes a tenth of its largest"
                + " response, and the ring by itself nothing.");
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
                    (u, p) -> relative(Probed.of(context, recording), u, differences)));
  }
}
