package org.gammanet.experiments.study;

import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.kernels.Precision;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.jspecify.annotations.Nullable;

/**
 * What experiments record from: a layer of a network, or units of known tuning with which the
 * experiments themselves are tested.
 */
public interface Preparation extends AutoCloseable {
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

  /** Smallest distance between neighboring units, pixels of the image. */
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
      IntConsumer progress);

  /**
   * The receptive field of the center units' mean response, as its gradient with respect to images
   * of noise; null where there is no gradient.
   *
   * @param after number of timesteps after which the response is taken
   * @param draws number of images
   */
  default @Nullable ReceptiveField gradient(
      State state, int after, int draws, long seed, IntConsumer progress) {
    return null;
  }

  /** Parts of the circuit that can be lesioned. */
  enum Lesion {
    /** All but the center of each horizontal kernel is zero. */
    HORIZONTAL("no horizontal connections"),
    /** The inhibitory kernel is zero. */
    INHIBITION("no inhibition"),
    /** Feedback from the level above is zero. */
    TOP_DOWN("no top-down feedback");

    private final String words;

    Lesion(String words) {
      this.words = words;
    }

    /** A description for figures. */
    public String words() {
      return words;
    }
  }

  /** The same units with a lesion; null where there is no such part. */
  @Nullable Preparation lesioned(Lesion lesion);

  /**
   * The same units while signals in the network are changed; null where there is no network behind
   * them.
   *
   * @param hooks change signals at any timestep; the recorded states are those after them
   */
  default @Nullable Preparation changed(ForwardHooks hooks) {
    return null;
  }

  /**
   * Does work on the network behind the units; nothing where there is none.
   *
   * @param work gets the network, and the options with which passes through it are to be run
   */
  default <T> Optional<T> onNetwork(BiFunction<Network, ForwardOptions, T> work) {
    return Optional.empty();
  }

  /** Whether the weights come from training; measures of untrained networks are no physiology. */
  boolean trained();

  /** Digest of the weights; empty where there are none. */
  default String digest() {
    return "";
  }

  /** Precision of the products that responses are computed from. */
  default Precision precision() {
    return Precision.FLOAT32;
  }

  /**
   * A control, to be closed by the caller; null where there is none of its kind.
   *
   * @see Control
   */
  default @Nullable Preparation control(Control control) {
    return control.lesion() == null ? null : lesioned(control.lesion());
  }

  /** Frees what only this preparation uses. */
  @Override
  default void close() {}
}
