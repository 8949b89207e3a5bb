package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.TextureBoundary;
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

/**
 * Responses beside a boundary between two gratings. The boundary stays in the middle of the image;
 * units of a channel differ in position only, so that those at several distances from the boundary
 * are recorded at once.
 */
public final class TextureExperiment implements Experiment<TextureExperiment.Condition> {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {0, 15, 30, 45, 60, 75, 90};
  private static final int PHASES = 4;

  /**
   * A stimulus.
   *
   * @param texture orientation at the recorded units, degrees of modulation
   * @param difference of the other texture's orientation, degrees
   * @param phase index of a pair of phases
   */
  public record Condition(double texture, double difference, int phase) {}

  /** Measures of a unit beside the boundary. */
  record Unit(
      double textureDeg,
      double differenceDeg,
      double boundaryModulation,
      double dPrime,
      double response,
      double uniform) {}

  /** Numbers of the experiment. */
  record Summary(
      double[] orientationDifferences,
      double spatialFrequency,
      double[] distancesPx,
      double[] boundaryModulation,
      double[] dprime,
      Statistics.Interval modulationAt90,
      Statistics.Interval modulationParallel,
      Statistics.Interval modulationOrthogonal,
      int n) {}

  @Override
  public Description description() {
    return Descriptions.of("texture_boundary");
  }

  private static double[] differences(RunContext context) {
    return context.settings().full() ? ALL_DIFFERENCES : DIFFERENCES;
  }

  private static double[] textures(RunContext context) {
    return context.settings().full() ? new double[] {0, 45, 90, 135} : new double[] {0, 90};
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(context, differences(context)).withOutput();
  }

  private static Design<Condition> design(RunContext context, double[] differences) {
    double cycles = Preferences.of(context).commonFrequency();
    var design = new Design<Condition>();
    for (double texture : textures(context)) {
      for (double difference : differences) {
        for (int p = 0; p < PHASES; p++) {
          var first = new Sine(texture, cycles, Probed.phase(p), context.settings().contrast());
          design.add(
              new Condition(texture, difference, p),
              new TextureBoundary(
                  context.frame(),
                  first,
                  // jumps of 0, 0, 90 and 270 degrees
                  first.orientation(texture + difference).phase(Probed.phase(p * (p + 1) / 2)),
                  TextureBoundary.Boundary.VERTICAL,
                  0));
        }
      }
    }
    return design.pooling(Pooling.units(BoundaryPositions.of(context).points(context.size())));
  }

  /** Responses of a channel in a column, over phases and positions along the boundary. */
  private static double[] samples(
      BoundaryPositions positions,
      Recording<Condition>.At at,
      int channel,
      double texture,
      double difference,
      int column) {
    double[] out = new double[PHASES * positions.rows().length];
    for (int p = 0; p < PHASES; p++) {
      var condition = new Condition(texture, difference, p);
      for (int y = 0; y < positions.rows().length; y++) {
        int point = y * positions.columns().length + column;
        out[p * positions.rows().length + y] =
            at.evoked(condition, channel * positions.count() + point);
      }
    }
    return out;
  }

  private static Unit measure(
      Probed<Condition> probed,
      BoundaryPositions positions,
      Recording.Unit<Condition> unit,
      double texture,
      double difference) {
    Recording<Condition>.At at = unit.at();
    int channel = unit.index();
    double[] uniform = samples(positions, at, channel, texture, 0, positions.beside());
    double[] boundary = samples(positions, at, channel, texture, difference, positions.beside());
    double without = Samples.mean(uniform);
    double with = Samples.mean(boundary);
    return new Unit(
        texture,
        difference,
        probed.base(unit, without) > 0 ? Context.boundary(Math.max(0, with), without) : Double.NaN,
        Context.dPrime(boundary, uniform),
        with,
        without);
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Probed<Condition> probed = Probed.of(context, recording);
    BoundaryPositions positions = BoundaryPositions.of(context);
    double[] all = differences(context);
    double[] differences = Arrays.copyOfRange(all, 1, all.length);
    UnitTable<Unit> units =
        probed.tables(
            Unit.class,
            (u, probe) -> {
              List<Unit> rows = new ArrayList<>();
              for (double texture : textures(context)) {
                for (double d : differences) {
                  rows.add(measure(probed, positions, u, texture, d));
                }
              }
              return rows;
            });
    State main = context.mainState();
    List<Series> modulation =
        Charts.ofStates(
            context,
            s ->
                units.curve(
                    s.word(),
                    s,
                    differences,
                    d -> m -> m.differenceDeg == d,
                    Unit::boundaryModulation));
    List<Series> dynamics = units.dynamics(m -> m.differenceDeg == 90, Unit::boundaryModulation);
    List<Series> dPrime =
        Stream.of(0.0, 90.0)
            .map(
                texture ->
                    units.curve(
                        texture == 0 ? "stripes along the boundary" : "stripes across the boundary",
                        main,
                        differences,
                        d -> m -> m.textureDeg == texture && m.differenceDeg == d,
                        Unit::dPrime))
            .toList();
    double widest = differences[differences.length - 1];
    var summary =
        new Summary(
            all,
            probed.preferences().commonFrequency(),
            positions.distances(),
            DoubleStream.concat(DoubleStream.of(0), Arrays.stream(modulation.getFirst().y()))
                .toArray(),
            Arrays.stream(differences)
                .map(
                    d ->
                        Samples.mean(
                            Series.finite(units.values(m -> m.differenceDeg == d, Unit::dPrime))))
                .toArray(),
            units.mean(m -> m.differenceDeg == 90, Unit::boundaryModulation),
            units.mean(
                m -> m.textureDeg == 0 && m.differenceDeg == widest, Unit::boundaryModulation),
            units.mean(
                m -> m.textureDeg == 90 && m.differenceDeg == widest, Unit::boundaryModulation),
            probed.n());
    List<Series> profiles = new ArrayList<>();
    List<Series> outputs = new ArrayList<>();
    for (double d : new double[] {0, widest}) {
      profiles.add(profile(probed, positions, d));
      if (recording.hasOutput()) {
        outputs.add(output(context, recording, positions, d));
      }
    }
    Axis difference = Axis.linear("Orientation difference (deg)").range(0, 95).ticks(0, 30, 60, 90);
    Axis distance = Axis.linear("Distance from the boundary (px)");
    return Findings.of(summary, units)
        .figure(
            FigureSpec.of(
                "texture_boundary",
                12,
                8,
                "A: (R_{boundary} − R_{uniform})/(R_{boundary} + R_{uniform}) of the units left of"
                    + " the boundary, mean and bootstrap interval of 95 % over units and textures."
                    + " B: responses at distances from the boundary, relative to the uniform"
                    + " texture, of units that respond to it with at least a tenth of their largest"
                    + " response to a grating. C: d′ of boundary against uniform texture. D: logit"
                    + " of the network's output. E: modulation after each timestep. F: a stimulus.",
                Panel.at(0, 0, "modulation")
                    .title("Modulation beside the boundary", probed.n())
                    .axes(difference, "Boundary modulation")
                    .horizontal(0)
                    .add(modulation),
                Panel.at(0, 1, "profile")
                    .title("Profile across the boundary")
                    .axes(distance, "Response / uniform texture")
                    .vertical(0)
                    .add(Charts.colored(profiles)),
                Panel.at(0, 2, "d′")
                    .title("Discriminability")
                    .axes(difference, "d′")
                    .horizontal(0)
                    .add(Charts.colored(dPrime)),
                Panel.at(1, 0, "output")
                    .title("Output of the network")
                    .axes(distance, "Contour logit")
                    .vertical(0)
                    .add(Charts.colored(outputs)),
                Charts.dynamics(1, 1, context, "Modulation at 90° over time", "Boundary modulation")
                    .add(dynamics),
                Panel.at(1, 2, "stimulus")
                    .title("Stripes along | across the boundary")
                    .picture(recording.design().stimulus(new Condition(0, widest, 0)))))
        .value("Units", probed.n())
        .value("Modulation at 90°, mean [95 %]", summary.modulationAt90)
        .value("… stripes along the boundary", summary.modulationParallel)
        .value("… stripes across the boundary", summary.modulationOrthogonal)
        .overviewDynamics("boundary modulation", dynamics.getFirst())
        .overviewValue("boundary modulation", Format.number(summary.modulationAt90.value()));
  }

  private static String label(double difference) {
    return String.format(Locale.ROOT, "difference %.0f°", difference);
  }

  /** Responses at distances from the boundary, each channel's over its uniform response. */
  private static Series profile(
      Probed<Condition> probed, BoundaryPositions positions, double difference) {
    Recording<Condition>.At at = probed.recording().last();
    int[] tested = probed.tested();
    double[] textures = textures(probed.context());
    int n = positions.columns().length;
    double[][] out = new double[n][tested.length];
    for (int i = 0; i < tested.length; i++) {
      int channel = tested[i];
      for (int x = 0; x < n; x++) {
        int column = x;
        double here = mean(textures, t -> samples(positions, at, channel, t, difference, column));
        double uniform = mean(textures, t -> samples(positions, at, channel, t, 0, column));
        out[x][i] = Context.normalized(probed.base(probed.last(channel), uniform), here);
      }
    }
    return Series.mean(label(difference), positions.distances(), out, probed.context().seed());
  }

  private static double mean(double[] textures, DoubleFunction<double[]> samples) {
    return Samples.mean(
        Arrays.stream(textures).mapToObj(samples).mapToDouble(Samples::mean).toArray());
  }

  private static Series output(
      RunContext context,
      Recording<Condition> recording,
      BoundaryPositions positions,
      double difference) {
    int n = positions.columns().length;
    double[] sum = new double[n];
    int count = 0;
    for (Condition c : recording.design().conditions()) {
      if (c.difference == difference) {
        float[] logits = recording.output(c);
        for (int y = 0; y < positions.rows().length; y++) {
          count++;
          for (int x = 0; x < n; x++) {
            sum[x] += logits[y * n + x];
          }
        }
      }
    }
    int all = count;
    return new Series(
        label(difference),
        positions.distances(),
        Arrays.stream(sum).map(v -> v / all).toArray(),
        null,
        null,
        all,
        Series.Look.LINE,
        Series.style(""));
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "texture_boundary",
        "modulation",
        "orientation difference in degrees, boundary modulation",
        (context, x) ->
            design(
                context,
                DoubleStream.concat(DoubleStream.of(0), Arrays.stream(x)).distinct().toArray()),
        (context, recording, x) -> {
          BoundaryPositions positions = BoundaryPositions.of(context);
          Probed<Condition> probed = Probed.of(context, recording);
          return probed.sample(
              x.length,
              (u, probe) ->
                  Samples.fill(
                      x.length,
                      k ->
                          Arrays.stream(textures(context))
                              .map(t -> measure(probed, positions, u, t, x[k]).boundaryModulation)
                              .average()
                              .orElse(Double.NaN)));
        });
  }
}
