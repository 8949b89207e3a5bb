package org.gammanet.experiments.protocols;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoublePredicate;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.jspecify.annotations.Nullable;

/**
 * What a decoder gives for one population after a timestep.
 *
 * @param conditions centers within rings; none where the decoder is not accurate enough
 * @param bias of each, degrees; at a difference of 0 the shift itself
 * @param meanError of the decoder on held-out gratings, degrees
 * @param rSquared on held-out gratings
 * @param penalty of its regression
 */
record TiltBias(
    List<TiltExperiment.Ringed> conditions,
    double[] bias,
    double meanError,
    double rSquared,
    double penalty) {

  /** The biases of a population after a timestep; none where its decoder is too coarse. */
  static TiltBias of(
      Recording<TiltExperiment.Condition> plain,
      @Nullable Recording<TiltExperiment.Condition> ringed,
      State state,
      int step) {
    var decoder =
        Decoder.of(plain.at(state, step), plain.design().conditions(TiltExperiment.Plain.class));
    TiltBias none = decoder.none();
    return ringed == null || !none.qualified()
        ? none
        : decoder.bias(
            ringed.at(state, step), ringed.design().conditions(TiltExperiment.Ringed.class));
  }

  /** With --full, the biases without parts of the circuit, each with a decoder of its own. */
  static Map<Lesion, TiltBias> lesioned(
      RunContext context,
      Design<TiltExperiment.Condition> gratings,
      Design<TiltExperiment.Condition> rings) {
    Map<Lesion, TiltBias> out = new EnumMap<>(Lesion.class);
    for (Lesion lesion : context.settings().full() ? Lesion.values() : new Lesion[0]) {
      Recording<TiltExperiment.Condition> plain = context.record(gratings, lesion);
      if (plain != null) {
        Recording<TiltExperiment.Condition> ringed = context.record(rings, lesion);
        out.put(lesion, of(plain, ringed, context.mainState(), context.lastStep()));
      }
    }
    return out;
  }

  /** A decoder of orientation and its errors. */
  record Decoder(RidgeDecoder decoder, double meanError, double rSquared) {
    /** Fits the gratings that are not held out, and tests those that are. */
    static Decoder of(
        Recording<TiltExperiment.Condition>.At at, List<TiltExperiment.Plain> gratings) {
      List<TiltExperiment.Plain> training = gratings.stream().filter(p -> !p.heldOut()).toList();
      List<TiltExperiment.Plain> heldOut =
          gratings.stream().filter(TiltExperiment.Plain::heldOut).toList();
      var decoder =
          RidgeDecoder.fit(
              training.stream().map(at::evoked).toArray(double[][]::new),
              training.stream().mapToDouble(TiltExperiment.Plain::orientation).toArray());
      double error = 0;
      double residual = 0;
      for (TiltExperiment.Plain p : heldOut) {
        double[] out = decoder.outputs(at.evoked(p));
        error += Math.abs(Orientation.difference(RidgeDecoder.angle(out), p.orientation()));
        double angle = 2 * Math.toRadians(p.orientation());
        residual += Math.pow(out[0] - Math.sin(angle), 2) + Math.pow(out[1] - Math.cos(angle), 2);
      }
      // The targets' variance about 0 is 1: |[sin, cos]|² = 1.
      return new Decoder(decoder, error / heldOut.size(), 1 - residual / heldOut.size());
    }

    /** The biases of centers within rings. */
    TiltBias bias(
        Recording<TiltExperiment.Condition>.At at, List<TiltExperiment.Ringed> conditions) {
      double[] bias =
          conditions.stream()
              .mapToDouble(
                  r -> {
                    double alone = RidgeDecoder.angle(decoder.outputs(at.evoked(r.center())));
                    double with = RidgeDecoder.angle(decoder.outputs(at.evoked(r)));
                    return r.difference() == 0
                        ? Orientation.difference(with, alone)
                        : Context.tiltBias(r.difference(), alone, with);
                  })
              .toArray();
      return new TiltBias(conditions, bias, meanError, rSquared, decoder.penalty());
    }

    /** Without biases. */
    TiltBias none() {
      return new TiltBias(List.of(), new double[0], meanError, rSquared, decoder.penalty());
    }
  }

  /**
   * The extremes of a curve of biases by difference.
   *
   * @param repulsion the largest, degrees, or 0
   * @param repulsionAt its difference, degrees; NaN without repulsion
   * @param zeroCrossing where repulsion ends, degrees; NaN where it does not
   * @param attraction the largest, degrees, or 0
   */
  record Extremes(double repulsion, double repulsionAt, double zeroCrossing, double attraction) {
    static Extremes of(double[] x, double[] y) {
      int top = -1;
      int bottom = -1;
      double crossing = Double.NaN;
      for (int i = 0; i < x.length; i++) {
        if (x[i] == 0) {
          continue; // a shift without a direction
        }
        top = top < 0 || y[i] > y[top] ? i : top;
        bottom = bottom < 0 || y[i] < y[bottom] ? i : bottom;
        if (i > 0 && x[i - 1] > 0 && Double.isNaN(crossing) && y[i - 1] > 0 && y[i] <= 0) {
          crossing = x[i - 1] + y[i - 1] / (y[i - 1] - y[i]) * (x[i] - x[i - 1]);
        }
      }
      return new Extremes(
          top < 0 ? Double.NaN : Math.max(0, y[top]),
          top < 0 || y[top] <= 0 ? Double.NaN : x[top],
          crossing,
          bottom < 0 ? Double.NaN : Math.max(0, -y[bottom]));
    }
  }

  /** Whether the decoder is accurate enough for biases of a few degrees. */
  boolean qualified() {
    return meanError <= TiltExperiment.LARGEST_ERROR;
  }

  /** Biases at a difference. */
  double[] at(double difference) {
    return where(d -> d == difference);
  }

  /** Biases at a difference of either sign. */
  double[] folded(double difference) {
    return where(d -> Math.abs(d) == difference);
  }

  private double[] where(DoublePredicate holds) {
    return IntStream.range(0, bias.length)
        .filter(i -> holds.test(conditions.get(i).difference()))
        .mapToDouble(i -> bias[i])
        .toArray();
  }

  Series folded(String name, long seed) {
    double[] x =
        conditions.stream()
            .mapToDouble(r -> Math.abs(r.difference()))
            .distinct()
            .sorted()
            .toArray();
    return Series.mean(name, x, this::folded, seed);
  }
}
