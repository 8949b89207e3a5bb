package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.DoubleFunction;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.protocols.TextureExperiment.Condition;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;

/** Responses of {@link TextureExperiment}'s units at positions beside a boundary. */
record BoundaryResponses(Probed<Condition> probed, BoundaryPositions positions) {
  static BoundaryResponses of(RunContext context, Recording<Condition> recording) {
    return new BoundaryResponses(Probed.of(context, recording), BoundaryPositions.of(context));
  }

  /** Responses of a channel in a column, over phases and positions along the boundary. */
  private double[] samples(
      Recording.Unit<Condition> unit, double texture, double difference, int column) {
    int rows = positions.rows().length;
    double[] out = new double[Probed.PHASES * rows];
    for (int p = 0; p < Probed.PHASES; p++) {
      var condition = new Condition(texture, difference, p);
      for (int y = 0; y < rows; y++) {
        int point = y * positions.columns().length + column;
        out[p * rows + y] = unit.at().evoked(condition, unit.index() * positions.count() + point);
      }
    }
    return out;
  }

  /** Compares a unit's responses beside the boundary with those to the uniform texture. */
  TextureExperiment.Unit measure(
      Recording.Unit<Condition> unit, double texture, double difference) {
    double[] uniform = samples(unit, texture, 0, positions.beside());
    double[] boundary = samples(unit, texture, difference, positions.beside());
    double without = Samples.mean(uniform);
    double with = Samples.mean(boundary);
    return new TextureExperiment.Unit(
        texture,
        difference,
        probed.base(unit, without) > 0 ? Context.boundary(Math.max(0, with), without) : Double.NaN,
        Context.dPrime(boundary, uniform),
        with,
        without);
  }

  private static String label(double difference) {
    return String.format(Locale.ROOT, "difference %.0f°", difference);
  }

  /** Responses at distances from the boundary, each channel's over its uniform response. */
  Series profile(double difference) {
    int[] tested = probed.tested();
    double[] textures = new TextureStimuli(probed.context()).textures();
    double[][] out = new double[positions.columns().length][tested.length];
    for (int i = 0; i < tested.length; i++) {
      Recording.Unit<Condition> unit = probed.last(tested[i]);
      for (int x = 0; x < out.length; x++) {
        int column = x;
        double here = mean(textures, t -> samples(unit, t, difference, column));
        double uniform = mean(textures, t -> samples(unit, t, 0, column));
        out[x][i] = Context.normalized(probed.base(unit, uniform), here);
      }
    }
    return Series.mean(label(difference), positions.distances(), out, probed.context().seed());
  }

  private static double mean(double[] textures, DoubleFunction<double[]> samples) {
    return Samples.mean(
        Arrays.stream(textures).mapToObj(samples).mapToDouble(Samples::mean).toArray());
  }

  /** The network's logits at distances from the boundary, mean over stimuli and rows. */
  Series output(double difference) {
    Recording<Condition> recording = probed.recording();
    double[] sum = new double[positions.columns().length];
    int count = 0;
    for (Condition c : recording.design().conditions()) {
      if (c.difference() == difference) {
        float[] logits = recording.output(c);
        count += positions.rows().length;
        for (int i = 0; i < positions.count(); i++) {
          sum[i % sum.length] += logits[i];
        }
      }
    }
    double all = count;
    return new Series(
        label(difference),
        positions.distances(),
        Arrays.stream(sum).map(v -> v / all).toArray(),
        null,
        null,
        count,
        Series.Look.LINE,
        Series.style(""));
  }
}
