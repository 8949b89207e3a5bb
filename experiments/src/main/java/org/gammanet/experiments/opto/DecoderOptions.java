package org.gammanet.experiments.opto;

import org.gammanet.experiments.stimuli.PixelPoint;
import org.jspecify.annotations.Nullable;

/**
 * How an orientation decoder is trained. Methods named like a component return a changed copy.
 *
 * @param layer cell whose excitatory state is decoded, such as {@code fgru_0}
 * @param location pixel of that layer's map; null for its center, (floor(h/2), floor(w/2))
 * @param method how the weights are found
 * @param epochs full-batch updates with Adam
 * @param learningRate of Adam
 * @param loss what Adam minimizes; null for {@link Definitions#decoderLoss}
 */
public record DecoderOptions(
    String layer,
    @Nullable PixelPoint location,
    Method method,
    int epochs,
    double learningRate,
    @Nullable Loss loss) {

  /** How weights are found. */
  public enum Method {
    /** Adam from random weights. */
    ADAM,
    /** In closed form, with the penalty that predicts left-out orientations best. */
    RIDGE
  }

  /** What is minimized over predictions p and targets t. */
  public enum Loss {
    /** The mean of (p - t)² over all entries. */
    SQUARED_ERROR,
    /**
     * {@code min(½ Σ (p - t)², ½ Σ (p + t)²)} over the whole batch. In a code of the doubled angle,
     * -t is the orthogonal orientation: training may settle on a decoder that is wrong by 90
     * degrees everywhere.
     */
    MIRROR
  }

  /** Checks the ranges. */
  public DecoderOptions {
    if (epochs < 1) {
      throw new IllegalArgumentException("a decoder needs at least 1 epoch, not " + epochs);
    }
    if (!(learningRate > 0 && Double.isFinite(learningRate))) {
      throw new IllegalArgumentException(
          "a decoder's learning rate must be positive, not " + learningRate);
    }
  }

  /** Adam for 100 epochs at rate 0.01, at the center of a layer. */
  public static DecoderOptions layer(String name) {
    return new DecoderOptions(name, null, Method.ADAM, 100, 0.01, null);
  }

  /** Decodes another pixel of the layer's map. */
  public DecoderOptions location(int y, int x) {
    return at(new PixelPoint(y, x));
  }

  DecoderOptions at(@Nullable PixelPoint point) {
    return new DecoderOptions(layer, point, method, epochs, learningRate, loss);
  }

  /** Changes the method. */
  public DecoderOptions method(Method value) {
    return new DecoderOptions(layer, location, value, epochs, learningRate, loss);
  }

  /** Changes the number of updates. */
  public DecoderOptions epochs(int count) {
    return new DecoderOptions(layer, location, method, count, learningRate, loss);
  }

  /** Changes the rate of Adam. */
  public DecoderOptions learningRate(double rate) {
    return new DecoderOptions(layer, location, method, epochs, rate, loss);
  }

  /** Changes the loss. */
  public DecoderOptions loss(Loss value) {
    return new DecoderOptions(layer, location, method, epochs, learningRate, value);
  }
}
