package org.gammanet.experiments.protocols;

import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.Series;

/** What a decoder gives for one population after a timestep. */
record TiltBias(
    List<TiltExperiment.Ringed> conditions,
    double[] bias,
    double meanError,
    double rSquared,
    double penalty) {

  static TiltBias of(
      Recording<TiltExperiment.Condition>.At at, Design<TiltExperiment.Condition> design) {
    List<TiltExperiment.Plain> plain = design.conditions(TiltExperiment.Plain.class);
    List<TiltExperiment.Plain> training = plain.stream().filter(p -> !p.heldOut()).toList();
    List<TiltExperiment.Plain> heldOut =
        plain.stream().filter(TiltExperiment.Plain::heldOut).toList();
    var decoder =
        RidgeDecoder.fit(
            training.stream().map(at::evoked).toArray(double[][]::new),
            training.stream().mapToDouble(TiltExperiment.Plain::orientation).toArray());
    double error = 0;
    double residual = 0;
    for (TiltExperiment.Plain p : heldOut) {
      double[] out = decoder.outputs(at.evoked(p));
      error +=
          Math.abs(Orientation.difference(RidgeDecoder.angle(out), p.orientation()))
              / heldOut.size();
      double angle = 2 * Math.toRadians(p.orientation());
      residual += Math.pow(out[0] - Math.sin(angle), 2) + Math.pow(out[1] - Math.cos(angle), 2);
    }
    List<TiltExperiment.Ringed> ringed = design.conditions(TiltExperiment.Ringed.class);
    double[] bias =
        ringed.stream()
            .mapToDouble(
                r ->
                    Context.tiltBias(
                        r.difference(),
                        RidgeDecoder.angle(decoder.outputs(at.evoked(r.center()))),
                        RidgeDecoder.angle(decoder.outputs(at.evoked(r)))))
            .toArray();
    // The targets' variance about 0 is 1: |[sin, cos]|² = 1.
    return new TiltBias(ringed, bias, error, 1 - residual / heldOut.size(), decoder.penalty());
  }

  /** Whether the decoder is accurate enough for biases. */
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

  private double[] where(java.util.function.DoublePredicate holds) {
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
