package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.function.Predicate;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.FlankedBars;
import org.gammanet.experiments.stimuli.Orientation;
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
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** Facilitation of a bar by flankers in line with it. */
public final class KapadiaExperiment implements Experiment<KapadiaExperiment.Condition> {
  private static final double LENGTH = 20;
  private static final double WIDTH = 5;
  private static final double FLANKER = 0.5;
  private static final double[] CONTRASTS = {0.1, 0.5};
  private static final double[] DISTANCES = {22, 30, 44};
  private static final double[] ALL_DISTANCES = {22, 26, 30, 36, 44, 54, 66};

  /** Flankers that evoke less, as a fraction of the target's response, are outside the field. */
  private static final double SILENT = 0.05;

  /** How flankers are arranged. */
  enum Arrangement {
    COLLINEAR(0, 0),
    ORTHOGONAL(90, 0),
    /** Collinear, but 12 px to the side. */
    DISPLACED(0, 12);

    final double angle;
    final double lateral;

    Arrangement(double angle, double lateral) {
      this.angle = angle;
      this.lateral = lateral;
    }

    String word() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  /** A stimulus on an axis, degrees. */
  public sealed interface Condition {}

  /** The target alone. */
  record Target(double axis, double contrast) implements Condition {}

  /** The flankers alone; center-to-center distance in pixels. */
  record Flankers(double axis, Arrangement arrangement, double distance) implements Condition {}

  /** Target and flankers. */
  record Both(double axis, Arrangement arrangement, double distance, double contrast)
      implements Condition {}

  /** Measures of a unit in one arrangement. */
  record Unit(
      double axisDeg,
      Arrangement arrangement,
      double distancePx,
      double targetContrast,
      double target,
      double flankersFraction,
      double facilitation,
      double facilitationIndex,
      double superadditivity,
      boolean outsideField) {
    boolean is(Arrangement a, double distance, double contrast) {
      return arrangement == a && distancePx == distance && targetContrast == contrast;
    }
  }

  /** Numbers of the experiment. */
  record Summary(
      String orientationConvention,
      double[] axesDeg,
      double[] distancesPx,
      double[] distances,
      double[] clearGapsPx,
      double[] modelFacilitationCollinear,
      double[] modelFacilitationOrthogonal,
      int n,
      int nTested,
      int unitsOutsideField,
      double fractionFacilitated,
      Statistics.Interval facilitationIndexOutsideField,
      Statistics.Interval facilitationCollinear,
      Statistics.Interval facilitationOrthogonal,
      Statistics.@Nullable Test wilcoxonCollinearAgainstOrthogonal,
      double bestDistancePx,
      double largestFacilitation,
      double profileSigmaPx) {}

  @Override
  public Description description() {
    return Description.of(
            "kapadia",
            "Flanked bars",
            "A bar on the units' preferred axis between two flankers, collinear or orthogonal, at"
                + " several center-to-center distances, after Kapadia, Ito, Gilbert and Westheimer"
                + " (1995), who found that 42 % of complex cells in V1 of alert monkeys responded"
                + " more strongly to a bar when a collinear one stood outside the receptive field."
                + " The baseline is the response to the target alone; units to which the target"
                + " evokes less than a tenth of their largest response are excluded. Flankers are"
                + " outside the field of a unit in which they alone evoke less than 5 % of the"
                + " target's response; where they are not, a larger response is summation within"
                + " the field. A unit counts as facilitated if the flankers are outside its field,"
                + " and it responds to both more than to the target and more than the sum of the"
                + " responses to each. Angles of bars are axes: 0° is horizontal.")
        .literature(
            "Kapadia et al. tested each cell over trials. The network has no noise, so that no"
                + " unit is facilitated significantly, and the percentage counts signs: half of the"
                + " units would do by chance. The bars are longer than the receptive fields of"
                + " lower layers.")
        .primary("facilitation_index_outside_field")
        .requires("orientation");
  }

  /** Axes of the probes, or eight; each once. */
  private static double[] axes(RunContext context) {
    return context.settings().full()
        ? Samples.fill(8, i -> 22.5 * i)
        : Preferences.of(context).probes().stream()
            .mapToDouble(p -> Orientation.wrap(p.modulation() + 90))
            .distinct()
            .toArray();
  }

  private static List<Arrangement> arrangements(RunContext context) {
    List<Arrangement> all = List.of(Arrangement.values());
    return context.settings().full() ? all : all.subList(0, 2);
  }

  private static double[] distances(RunContext context) {
    double[] all = context.pixels(context.settings().full() ? ALL_DISTANCES : DISTANCES);
    double[] fitting = Arrays.stream(all).filter(d -> fits(context, d)).toArray();
    if (fitting.length == 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "flanked bars of %.0f px do not fit into an image of %d x %d pixels; at least %4$d x"
                  + " %4$d are needed",
              context.pixels(LENGTH),
              context.size(),
              context.size(),
              (int) Math.ceil(context.pixels(66))));
    }
    return fitting;
  }

  /** Whether flankers lie in the image on every axis and in every arrangement. */
  private static boolean fits(RunContext context, double distance) {
    try {
      for (double axis : axes(context)) {
        for (Arrangement a : arrangements(context)) {
          var unused = bars(context, axis, null, flankers(context, a, distance));
        }
      }
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static FlankedBars.Flankers flankers(RunContext context, Arrangement a, double distance) {
    return FlankedBars.Flankers.at(distance, FLANKER)
        .angle(a.angle)
        .lateral(context.pixels(a.lateral));
  }

  private static FlankedBars bars(
      RunContext context,
      double axis,
      @Nullable Double target,
      FlankedBars.@Nullable Flankers flankers) {
    return new FlankedBars(
        context.frame(),
        axis,
        FlankedBars.Element.bar(context.pixels(LENGTH), context.pixels(WIDTH)),
        target,
        flankers);
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, distances(context), arrangements(context));
  }

  private static Design<Condition> design(
      RunContext context, double[] distances, List<Arrangement> arrangements) {
    var design = new Design<Condition>();
    for (double axis : axes(context)) {
      for (double c : CONTRASTS) {
        design.add(new Target(axis, c), bars(context, axis, c, null));
      }
      for (Arrangement a : arrangements) {
        for (double d : distances) {
          design.add(new Flankers(axis, a, d), bars(context, axis, null, flankers(context, a, d)));
          for (double c : CONTRASTS) {
            if (shown(context, a, c)) {
              design.add(new Both(axis, a, d, c), bars(context, axis, c, flankers(context, a, d)));
            }
          }
        }
      }
    }
    return design;
  }

  /** Orthogonal flankers are the control of the weak target, where facilitation is found. */
  private static boolean shown(RunContext context, Arrangement a, double contrast) {
    return context.settings().full() || a == Arrangement.COLLINEAR || contrast == CONTRASTS[0];
  }

  /** The axis that is closest to a unit's preferred one. */
  private static double axisOf(RunContext context, int unit) {
    double preferred = Preferences.of(context).preferred()[unit] + 90;
    double best = Double.NaN;
    for (double axis : axes(context)) {
      if (Double.isNaN(best)
          || Math.abs(Orientation.difference(axis, preferred))
              < Math.abs(Orientation.difference(best, preferred))) {
        best = axis;
      }
    }
    return best;
  }

  private static Unit measure(
      Recording.Unit<Condition> u, double axis, Arrangement a, double distance, double contrast) {
    double target = u.evoked(new Target(axis, contrast));
    double flankers = u.evoked(new Flankers(axis, a, distance));
    double both = u.evoked(new Both(axis, a, distance, contrast));
    double base = Samples.base(target, both);
    double fraction = Context.normalized(base, flankers);
    return new Unit(
        axis,
        a,
        distance,
        contrast,
        target,
        fraction,
        Context.facilitation(base, both),
        base > 0 ? (both - target) / (Math.abs(both) + target) : Double.NaN,
        Context.superadditivity(base, flankers, both, 0),
        Math.abs(fraction) < SILENT);
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    double[] distances = distances(context);
    List<Arrangement> arrangements = arrangements(context);
    UnitTable<Unit> units =
        probed.tables(
            Unit.class,
            (u, probe) -> {
              double axis = axisOf(context, u.index());
              List<Unit> rows = new ArrayList<>();
              for (Arrangement a : arrangements) {
                for (double d : distances) {
                  for (double c : CONTRASTS) {
                    if (shown(context, a, c)) {
                      rows.add(measure(u, axis, a, d, c));
                    }
                  }
                }
              }
              return rows;
            });
    State main = context.mainState();
    long seed = context.seed();
    List<Series> facilitation = new ArrayList<>();
    List<Series> superadditivity = new ArrayList<>();
    for (Arrangement a : arrangements) {
      for (double c : CONTRASTS) {
        if (!shown(context, a, c)) {
          continue;
        }
        Style style =
            Style.series(facilitation.size())
                .dash(a == Arrangement.COLLINEAR ? Style.Dash.SOLID : Style.Dash.DASHED);
        String name = String.format(Locale.ROOT, "%s, target %.0f %%", a.word(), 100 * c);
        DoubleFunction<Predicate<Unit>> rows = d -> m -> m.is(a, d, c);
        facilitation.add(
            units
                .curve(name, main, distances, rows, m -> 100 * m.facilitation)
                .style(style.label(name)));
        if (c == CONTRASTS[0]) {
          superadditivity.add(units.curve(a.word(), main, distances, rows, Unit::superadditivity));
        }
      }
    }
    double near = distances[0];
    double weak = CONTRASTS[0];
    Predicate<Unit> nearest = m -> m.is(Arrangement.COLLINEAR, near, weak);
    double[] collinear = units.values(nearest, Unit::facilitation);
    double[] orthogonal =
        units.values(m -> m.is(Arrangement.ORTHOGONAL, near, weak), Unit::facilitation);
    double[] outside =
        Series.finite(units.values(nearest.and(m -> m.outsideField), Unit::facilitationIndex));
    long facilitated =
        Series.finite(
                units.values(
                    nearest.and(m -> m.outsideField && m.superadditivity > 0),
                    m -> m.facilitation > 0 ? 1 : Double.NaN))
            .length;
    double[] known = Series.finite(collinear);
    double[] profile = fractions(facilitation.getFirst().y());
    Context.FacilitationProfile fit =
        Arrays.stream(profile).allMatch(Double::isFinite)
            ? Context.FacilitationProfile.of(distances, profile)
            : new Context.FacilitationProfile(Double.NaN, Double.NaN, Double.NaN);
    double[] across =
        facilitation.stream()
            .filter(s -> s.name().startsWith(Arrangement.ORTHOGONAL.word()))
            .findFirst()
            .orElseThrow()
            .y();
    var summary =
        new Summary(
            "direction of the long axis, degrees; 0 is horizontal",
            axes(context),
            distances,
            Arrays.stream(distances).map(d -> d / context.settings().pixelsPerDegree()).toArray(),
            Arrays.stream(distances).map(d -> d - context.pixels(LENGTH)).toArray(),
            profile,
            fractions(across),
            known.length,
            probed.n(),
            outside.length,
            outside.length == 0 ? Double.NaN : facilitated / (double) outside.length,
            Series.mean(outside, seed),
            Series.mean(collinear, seed),
            Series.mean(orthogonal, seed),
            Samples.wilcoxon(collinear, orthogonal),
            fit.bestDistance(),
            fit.maximum(),
            fit.sigma());
    String percentage =
        outside.length == 0
            ? "not measurable: 0 of %s units outside".formatted(summary.n)
            : "%s, n = %s".formatted(Format.percent(summary.fractionFacilitated), outside.length);
    List<Series> dynamics = units.dynamics(nearest, m -> 100 * m.facilitation);
    Panel flankers =
        Panel.at(0, 0, "facilitation")
            .span(2)
            .title("Facilitation by flankers", summary.n)
            .axes("Center-to-center distance (px)", "Facilitation (%)")
            .horizontal(0)
            .add(facilitation);
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "kapadia_facilitation",
                12,
                8,
                "A: facilitation relative to the target alone, mean and bootstrap interval of 95 %"
                    + " over units. B: superadditivity, positive where target and flankers together"
                    + " evoke more than the sum of both. C, D: single units with the nearest"
                    + " flankers and the weaker target. E: the same after each timestep,"
                    + " collinear.",
                flankers,
                Panel.at(0, 2, "superadditivity")
                    .title("Superadditivity")
                    .axes("Center-to-center distance (px)", "Superadditivity")
                    .horizontal(0)
                    .add(Charts.colored(superadditivity)),
                Charts.units(
                    1,
                    0,
                    "Single units, nearest flankers",
                    "Orthogonal, facilitation (%)",
                    Samples.scaled(orthogonal, 100),
                    "Collinear, facilitation (%)",
                    Samples.scaled(collinear, 100)),
                Charts.distribution(
                    1,
                    1,
                    "Distribution",
                    "Collinear, facilitation (%)",
                    Samples.scaled(collinear, 100)),
                Charts.dynamics(1, 2, context, "Over time, nearest flankers", "Facilitation (%)")
                    .add(dynamics)))
        .value("Units", summary.n)
        .value(
            "Units with the nearest collinear flankers outside their field",
            "%s of %s".formatted(summary.unitsOutsideField, summary.n))
        .value("Facilitated by them", percentage)
        .value(
            "Facilitation index (R_{both} − R_{target})/(|R_{both}| + R_{target}) of these units",
            outside.length == 0
                ? "not measurable"
                : Format.interval(summary.facilitationIndexOutsideField))
        .value("All units, collinear, mean [95 %]", summary.facilitationCollinear)
        .value("All units, orthogonal, mean [95 %]", summary.facilitationOrthogonal)
        .value(
            "Collinear against orthogonal, Wilcoxon",
            Format.p(summary.wilcoxonCollinearAgainstOrthogonal))
        .value(
            "Best distance",
            "%s px (clear gap %s px)"
                .formatted(
                    Format.number(summary.bestDistancePx),
                    Format.number(summary.bestDistancePx - context.pixels(LENGTH))))
        .overview(flankers)
        .overviewValue("units facilitated", percentage);
  }

  private static double[] fractions(double[] percent) {
    return Arrays.stream(percent).map(v -> v / 100).toArray();
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "kapadia_facilitation",
        "facilitation",
        "center-to-center distance in px, facilitation in %",
        (context, distances) -> design(context, distances, List.of(Arrangement.COLLINEAR)),
        (context, recording, distances) ->
            Probed.of(context, recording)
                .sample(
                    distances.length,
                    (u, probe) -> {
                      double axis = axisOf(context, u.index());
                      return Arrays.stream(distances)
                          .mapToObj(d -> measure(u, axis, Arrangement.COLLINEAR, d, CONTRASTS[0]))
                          .mapToDouble(m -> 100 * m.facilitation)
                          .toArray();
                    }));
  }
}
