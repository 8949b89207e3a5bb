package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.protocols.FlankerStimuli.Arrangement;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.jspecify.annotations.Nullable;

/** Facilitation of a bar by flankers in line with it. */
public final class KapadiaExperiment implements Experiment<KapadiaExperiment.Condition> {
  private static final double WEAK = FlankerStimuli.CONTRASTS[0];

  /** A stimulus on an axis, degrees. */
  public sealed interface Condition {}

  /** The target alone. */
  record Target(double axis, double contrast) implements Condition {}

  /** The flankers alone; center-to-center distance in pixels. */
  record Flankers(double axis, Arrangement arrangement, double distance) implements Condition {}

  /** Target and flankers. */
  record Both(double axis, Arrangement arrangement, double distance, double contrast)
      implements Condition {}

  /** Numbers of the experiment. */
  record Summary(
      String orientationConvention,
      double[] axesDeg,
      double barLengthPx,
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
            """
            A bar on the units' preferred axis between two flankers, collinear or orthogonal, at \
            several center-to-center distances, after Kapadia, Ito, Gilbert and Westheimer (1995), \
            who found that 42 % of complex cells in V1 of alert monkeys responded more strongly to \
            a bar when a collinear one stood outside the receptive field. The bar is as long as \
            the median summation field for gratings, and a quarter as wide. The baseline is the \
            response to the target alone; units to which the stronger target evokes less than a \
            tenth of their largest response to a grating, or the weaker one less than a fiftieth \
            of that to the stronger one, are excluded. Flankers are outside the field of a unit in \
            which they alone evoke less than 5 % of the target's response; where they are not, a \
            larger response is summation within the field. A unit counts as facilitated if the \
            flankers are outside its field, and it responds to both more than to the target and \
            more than the sum of the responses to each. Indices lie between −1 and 1. Angles of \
            bars are axes: 0° is horizontal.\
            """)
        .literature(
            """
            Kapadia et al. tested each cell over trials. The network has no noise, so that no unit \
            is facilitated significantly, and the percentage counts signs: half of the units would \
            do by chance.\
            """)
        .primary("facilitation_index_outside_field")
        .requires("orientation", "size_tuning");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var stimuli = new FlankerStimuli(context);
    return stimuli.design(stimuli.distances(), stimuli.arrangements());
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    var stimuli = new FlankerStimuli(context);
    double[] distances = stimuli.distances();
    UnitTable<FlankedUnit> units =
        probed.tables(
            FlankedUnit.class,
            (u, probe) -> {
              double axis = stimuli.axisOf(u.index());
              List<FlankedUnit> rows = new ArrayList<>();
              for (Arrangement a : stimuli.arrangements()) {
                for (double d : distances) {
                  for (double c : FlankerStimuli.CONTRASTS) {
                    if (stimuli.shown(a, c)) {
                      rows.add(FlankedUnit.of(probed, u, axis, a, d, c));
                    }
                  }
                }
              }
              return rows;
            });
    Predicate<FlankedUnit> nearest = m -> m.is(Arrangement.COLLINEAR, distances[0], WEAK);
    double[] collinear = units.values(nearest, FlankedUnit::facilitationIndex);
    double[] orthogonal =
        units.values(
            m -> m.is(Arrangement.ORTHOGONAL, distances[0], WEAK), FlankedUnit::facilitationIndex);
    Statistics.Interval outside =
        units.mean(nearest.and(FlankedUnit::outsideField), FlankedUnit::facilitationIndex);
    int facilitated = units.values(nearest.and(FlankedUnit::facilitated), m -> 1).length;
    double[] profile = profile(units, distances, Arrangement.COLLINEAR);
    Context.FacilitationProfile fit =
        Arrays.stream(profile).allMatch(Double::isFinite)
            ? Context.FacilitationProfile.of(distances, profile)
            : new Context.FacilitationProfile(Double.NaN, Double.NaN, Double.NaN);
    double length = stimuli.length();
    var summary =
        new Summary(
            "direction of the long axis, degrees; 0 is horizontal",
            stimuli.axes(),
            length,
            distances,
            Samples.scaled(distances, 1 / context.settings().pixelsPerDegree()),
            Arrays.stream(distances).map(d -> d - length).toArray(),
            profile,
            profile(units, distances, Arrangement.ORTHOGONAL),
            Series.finite(collinear).length,
            probed.n(),
            outside.n(),
            outside.n() == 0 ? Double.NaN : facilitated / (double) outside.n(),
            outside,
            Series.mean(collinear, context.seed()),
            Series.mean(orthogonal, context.seed()),
            Samples.wilcoxon(collinear, orthogonal),
            fit.bestDistance(),
            fit.maximum(),
            fit.sigma());
    return new KapadiaFigures(context, stimuli, units, summary)
        .findings(nearest, collinear, orthogonal);
  }

  /** Mean facilitation index of weak targets at each distance. */
  private static double[] profile(UnitTable<FlankedUnit> units, double[] distances, Arrangement a) {
    return Arrays.stream(distances)
        .map(d -> units.mean(m -> m.is(a, d, WEAK), FlankedUnit::facilitationIndex).value())
        .toArray();
  }

  @Override
  public ModelCurve<Condition> curve() {
    return new ModelCurve<>(
        "kapadia_facilitation",
        "facilitation",
        "center-to-center distance in px, facilitation index",
        (context, distances) ->
            new FlankerStimuli(context).design(distances, List.of(Arrangement.COLLINEAR)),
        (context, recording, distances) -> {
          Probed<Condition> probed = Probed.of(context, recording);
          var stimuli = new FlankerStimuli(context);
          return probed.sample(
              distances.length,
              (u, probe) -> {
                double axis = stimuli.axisOf(u.index());
                return Arrays.stream(distances)
                    .mapToObj(d -> FlankedUnit.of(probed, u, axis, Arrangement.COLLINEAR, d, WEAK))
                    .mapToDouble(FlankedUnit::facilitationIndex)
                    .toArray();
              });
        });
  }
}
