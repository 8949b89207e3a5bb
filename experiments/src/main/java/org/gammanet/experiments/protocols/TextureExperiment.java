package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;

/**
 * Responses beside a boundary between two gratings. The boundary stays in the middle of the image;
 * units of a channel differ in position only, so that those at several distances from the boundary
 * are recorded at once.
 */
public final class TextureExperiment implements Experiment<TextureExperiment.Condition> {
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
      double uniform) {
    boolean is(double texture, double difference) {
      return textureDeg == texture && differenceDeg == difference;
    }
  }

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
    return Description.of(
            "texture_boundary",
            "Texture boundaries",
            """
            Two gratings that meet along a vertical line and differ in orientation; stripes at the \
            unit run along the boundary or across it. Units of each channel are recorded at \
            distances of about a degree to both sides. The modulation compares the response beside \
            a boundary with that in a uniform texture of the same orientation whose phase also \
            jumps; d′ is computed over phases and positions along the boundary.\
            """)
        .literature(
            """
            It follows no study of neurons: the stimuli are those of the original project. Four \
            pairs of phases, and up to three places along the boundary.\
            """)
        .primary("modulation_at90")
        .requires("orientation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var stimuli = new TextureStimuli(context);
    return stimuli.design(stimuli.differences()).withOutput();
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    BoundaryResponses responses = BoundaryResponses.of(context, recording);
    Probed<Condition> probed = responses.probed();
    var stimuli = new TextureStimuli(context);
    double[] all = stimuli.differences();
    double[] differences = Arrays.copyOfRange(all, 1, all.length);
    double widest = differences[differences.length - 1];
    UnitTable<Unit> units =
        probed.tables(
            Unit.class,
            (u, probe) -> {
              List<Unit> rows = new ArrayList<>();
              for (double texture : stimuli.textures()) {
                for (double d : differences) {
                  rows.add(responses.measure(u, texture, d));
                }
              }
              return rows;
            });
    DoubleStream modulation =
        Arrays.stream(differences)
            .map(d -> units.mean(m -> m.differenceDeg == d, Unit::boundaryModulation).value());
    var summary =
        new Summary(
            all,
            probed.preferences().commonFrequency(),
            responses.positions().distances(),
            DoubleStream.concat(DoubleStream.of(0), modulation).toArray(),
            Arrays.stream(differences)
                .mapToObj(d -> units.values(m -> m.differenceDeg == d, Unit::dPrime))
                .mapToDouble(d -> Samples.mean(Series.finite(d)))
                .toArray(),
            units.mean(m -> m.differenceDeg == 90, Unit::boundaryModulation),
            units.mean(m -> m.is(0, widest), Unit::boundaryModulation),
            units.mean(m -> m.is(90, widest), Unit::boundaryModulation),
            probed.n());
    return new TextureFigures(responses, units, summary).findings();
  }

  @Override
  public ModelCurve<Condition> curve() {
    return new ModelCurve<>(
        "texture_boundary",
        "modulation",
        "orientation difference in degrees, boundary modulation",
        (context, x) ->
            new TextureStimuli(context)
                .design(
                    DoubleStream.concat(DoubleStream.of(0), Arrays.stream(x)).distinct().toArray()),
        (context, recording, x) -> {
          BoundaryResponses responses = BoundaryResponses.of(context, recording);
          return responses
              .probed()
              .sample(
                  x.length,
                  (u, probe) ->
                      Samples.fill(
                          x.length,
                          k ->
                              Arrays.stream(new TextureStimuli(context).textures())
                                  .map(t -> responses.measure(u, t, x[k]).boundaryModulation)
                                  .average()
                                  .orElse(Double.NaN)));
        });
  }
}
