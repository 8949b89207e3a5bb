package org.gammanet.experiments.protocols;

import java.util.List;
import java.util.function.DoublePredicate;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.Series;

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

    /** Whether it is accurate enough for biases. */
    boolean qualified() {
      return meanError <= TiltExperiment.LARGEST_ERROR;
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

    /** No biases. */
    TiltBias none() {
      return new TiltBias(List.of(), new double[0], meanError, rSquared, decoder.penalty());
    }
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
