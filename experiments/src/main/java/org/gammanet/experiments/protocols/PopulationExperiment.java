package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;

/** Orientation tuning of every channel at a grid of positions, not only at the center. */
public final class PopulationExperiment implements Experiment<PopulationExperiment.Condition> {
  /** A grating over the whole image. */
  public record Condition(int wavelength, int orientation, int phase) {}

  /**
   * A channel at a position.
   *
   * @param wavelengthPx that it prefers
   * @param preferredDeg orientation of the modulation
   */
  record Unit(
      int yPx,
      int xPx,
      boolean responsive,
      double wavelengthPx,
      double preferredDeg,
      double circularVariance) {}

  /**
   * Numbers of the experiment; intervals are over units and positions.
   *
   * @param agreement of a channel's preferred orientations over positions: length of their mean
   *     vector, over channels that respond at two or more
   */
  record Summary(
      int positions,
      int channels,
      int n,
      double responsiveFraction,
      Interval circularVariance,
      Interval agreement) {}

  @Override
  public Description description() {
    return Description.of(
            "population",
            "A population over positions",
            """
            Gratings over the whole image, and the tuning of every channel at a grid of positions: \
            each unit at its own best wavelength, by its mean response over phases or, where that \
            is larger, its modulation by phase. Circular variance is that of Ringach, Shapley and \
            Hawken (2002), of responses from which the blank is not subtracted.\
            """)
        .primary("circular_variance");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return new PopulationStimuli(context).design();
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    var stimuli = new PopulationStimuli(context);
    List<PixelPoint> positions = stimuli.positions();
    int points = positions.size();
    Recording<Condition>.At at = recording.last();
    int channels = at.responses()[0].length / points;
    var units = new UnitTable<Unit>(context, Unit.class);
    for (int c = 0; c < channels; c++) {
      for (int p = 0; p < points; p++) {
        PixelPoint where = positions.get(p);
        OrientationCurve curve = stimuli.curve(at, c * points + p);
        units.add(
            c,
            new Unit(
                where.y(),
                where.x(),
                curve.responsive(),
                stimuli.wavelength(curve),
                curve.measures().preferredVector(),
                curve.measures().circularVariance()));
      }
    }
    double[] agreement =
        IntStream.range(0, channels).mapToDouble(c -> agreement(units, c)).toArray();
    double[] variance = units.values(Unit::responsive, Unit::circularVariance);
    var summary =
        new Summary(
            points,
            channels,
            variance.length,
            variance.length / (double) (channels * points),
            units.mean(Unit::responsive, Unit::circularVariance),
            Series.mean(agreement, context.seed()));
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "population",
                9,
                4,
                """
                Responsive units at all positions. A: circular variance. B: preferred orientation, \
                direction of the modulation.\
                """,
                Panel.at(0, 0, "selectivity")
                    .title("Selectivity", variance.length)
                    .axes(Axis.linear("Circular variance"), Axis.linear("Units"))
                    .add(Series.histogram("units", variance, Samples.fill(21, i -> i / 20.0))),
                Panel.at(0, 1, "preferred")
                    .title("Preferred orientations", variance.length)
                    .axes(
                        Axis.linear("Preferred orientation (deg)")
                            .range(0, 180)
                            .ticks(0, 45, 90, 135, 180),
                        Axis.linear("Units"))
                    .add(
                        Series.histogram(
                            "units",
                            units.values(Unit::responsive, Unit::preferredDeg),
                            Samples.fill(13, i -> 15 * i)))))
        .value("Positions", points)
        .value("Channels", channels)
        .value("Responsive, of channels × positions", summary.n)
        .value("Circular variance, mean [95 %]", summary.circularVariance)
        .value("Agreement of a channel's preferred orientations over positions", summary.agreement)
        .note(
            "Units of a channel at several positions share their weights: they are not independent"
                + " of each other.");
  }

  /** Length of the mean vector of a channel's preferred orientations; NaN for fewer than two. */
  private static double agreement(UnitTable<Unit> units, int channel) {
    double[] angles =
        units.rows().stream()
            .filter(r -> r.channel() == channel && r.measures().responsive())
            .mapToDouble(r -> Math.toRadians(2 * r.measures().preferredDeg()))
            .filter(Double::isFinite)
            .toArray();
    double x = Arrays.stream(angles).map(Math::cos).sum();
    double y = Arrays.stream(angles).map(Math::sin).sum();
    return angles.length < 2 ? Double.NaN : Math.hypot(x, y) / angles.length;
  }
}
