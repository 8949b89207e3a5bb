package org.gammanet.experiments.insilico;

import java.util.List;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.jspecify.annotations.Nullable;

/**
 * What experiments record from: one layer of a network, or units of known behaviour with which the
 * experiments themselves are tested.
 */
public interface Preparation {
  /** Height and width of the images, pixels. */
  int size();

  /** Name of the layer. */
  String layer();

  /** Recorded signals; analyses rest on the first. */
  List<State> states();

  /** Channels of the layer. */
  int channels();

  /** Recorded timesteps. */
  int timesteps();

  /** Diameter of a unit's feed-forward receptive field, pixels of the image; 0 where unknown. */
  int fieldDiameter();

  /** Smallest distance between neighbouring units, pixels of the image. */
  int stride();

  /**
   * Records all states at all timesteps.
   *
   * @param withOutput also the network's logits, under the name {@code output}, where there are any
   */
  Responses record(
      StimulusSet set,
      Pooling pooling,
      InputScaling scaling,
      boolean withOutput,
      java.util.function.IntConsumer progress);

  /**
   * Which pixels the mean over channels of the centre unit depends on, by the gradient of its
   * response to noise; null where there is no gradient.
   *
   * @param after timesteps after which the response is taken
   * @param draws images of noise
   */
  default @Nullable ReceptiveField gradient(
      State state, int after, int draws, long seed, java.util.function.IntConsumer progress) {
    return null;
  }

  /** Parts of the circuit that can be put out of action. */
  enum Lesion {
    /** Horizontal kernels act within a pixel only. */
    HORIZONTAL("no horizontal connections"),
    /** The inhibitory kernel is zero. */
    INHIBITION("no inhibition"),
    /** Feedback from the level above is zero. */
    TOP_DOWN("no top-down feedback");

    final String words;

    Lesion(String words) {
      this.words = words;
    }
  }

  /** The same units with a lesion; null where there is no such part. */
  @Nullable Preparation lesioned(Lesion lesion);

  /** Whether the weights come from training; measures of untrained networks are no physiology. */
  boolean trained();
}
