package org.gammanet.experiments.opto;

import java.util.Arrays;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Partial;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/** Trains decoders of orientation on the excitatory state of one pixel at the last timestep. */
record DecoderTraining(Simulation simulation) {

  /** A decoder of the responses to gratings at a pixel. */
  OrientationDecoder train(StimulusSet gratings, PixelPoint at, DecoderOptions options) {
    double[] orientations = orientations(gratings);
    DecoderOptions chosen =
        options.loss() == null ? options.loss(simulation.definitions().decoderLoss()) : options;
    double[][] features = responses(gratings, options.layer(), at, "decoder", 0, gratings.size());
    OrientationDecoder decoder =
        OrientationDecoder.train(features, orientations, chosen, simulation.seed());
    simulation.tick("decoder", gratings.size(), gratings.size());
    return decoder;
  }

  /** How well orientation is decoded at each frequency and contrast of a grid. */
  SweepResult sweep(SweepOptions.Gratings gratings, SweepOptions options) {
    double[] frequencies = options.frequencies();
    double[] contrasts = options.contrasts();
    double[][] r2 = new double[frequencies.length][contrasts.length];
    int total = frequencies.length * contrasts.length;
    DecoderOptions decoder = options.decoder();
    if (decoder.loss() == null) {
      decoder = decoder.loss(DecoderOptions.Loss.SQUARED_ERROR);
    }
    StimulusSet first = gratings.of(frequencies[0], contrasts[0]);
    Partial partial =
        simulation.partial(
            "parameter_sweep",
            decoder,
            Arrays.toString(frequencies),
            Arrays.toString(contrasts),
            first.stimuli());
    double[] done = partial == null || partial.isEmpty() ? new double[0] : partial.doubles("r2");
    PixelPoint at = simulation.locate(decoder.layer(), decoder.location(), first);
    for (int i = 0; i < total; i++) {
      int f = i / contrasts.length;
      int c = i % contrasts.length;
      if (i < done.length) {
        r2[f][c] = done[i];
        continue;
      }
      StimulusSet set = gratings.of(frequencies[f], contrasts[c]);
      int each = set.size();
      double[][] features =
          responses(set, decoder.layer(), at, "parameter sweep", i * each, total * each);
      OrientationDecoder trained =
          OrientationDecoder.train(features, orientations(set), decoder, simulation.seed());
      boolean training =
          simulation.definitions().scoresTrainingData() || Double.isNaN(trained.leftOutR2());
      r2[f][c] = training ? trained.r2() : trained.leftOutR2();
      if (partial != null) {
        Simulation.save(
            partial.put(
                "r2", Arrays.stream(r2).flatMapToDouble(Arrays::stream).limit(i + 1).toArray()));
      }
    }
    simulation.tick("parameter sweep", total * first.size(), total * first.size());
    return SweepResult.of(frequencies, contrasts, r2);
  }

  /** Excitatory states of the last timestep at one pixel: [stimuli][C]. */
  private double[][] responses(
      StimulusSet set, String layer, PixelPoint at, String what, int done, int total) {
    double[][] out = new double[set.size()][];
    for (int from = 0; from < set.size(); from += simulation.batchSize()) {
      simulation.tick(what, done + from, total);
      int to = Math.min(set.size(), from + simulation.batchSize());
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        Tensor e = simulation.respond(simulation.input(set, from, to), layer, simulation.options());
        double[] values = Simulation.pixel(e, at);
        int channels = values.length / (to - from);
        for (int i = from; i < to; i++) {
          out[i] = Arrays.copyOfRange(values, (i - from) * channels, (i - from + 1) * channels);
        }
      }
    }
    return out;
  }

  /**
   * The orientation of each stimulus, degrees of modulation.
   *
   * @throws IllegalArgumentException where a stimulus has none
   */
  static double[] orientations(StimulusSet set) {
    double[] out = new double[set.size()];
    for (int i = 0; i < out.length; i++) {
      Orientation orientation = set.meta(i).orientation();
      if (orientation == null) {
        throw new IllegalArgumentException(
            "stimulus %s (%s) has no orientation".formatted(i, set.meta(i).type()));
      }
      out[i] = orientation.modulation();
    }
    return out;
  }
}
