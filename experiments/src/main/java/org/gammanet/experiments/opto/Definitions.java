package org.gammanet.experiments.opto;

import java.util.Map;
import org.gammanet.experiments.opto.DecoderOptions.Loss;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.nn.FgruCell;
import org.gammanet.torch.Tensor;

/**
 * The choices of the simulation that another implementation may make differently. The defaults are
 * this library's.
 */
public interface Definitions {
  /** This library's definitions. */
  Definitions OWN = () -> "own";

  /** A word for files and reports; two definitions with one name give the same results. */
  String name();

  /** How images become the network's input. */
  default InputScaling input() {
    return InputScaling.IMAGENET;
  }

  /** What Adam minimizes when it trains a decoder. */
  default Loss decoderLoss() {
    return Loss.SQUARED_ERROR;
  }

  /** The distance of a decoded vector from its target that initial states minimize. */
  default Loss rescueLoss() {
    return Loss.SQUARED_ERROR;
  }

  /** Where optimized states enter the recurrence. */
  default Injection injection() {
    return Injection.INITIAL_STATE;
  }

  /** Whether a sweep is scored on the training data instead of on left-out orientations. */
  default boolean scoresTrainingData() {
    return false;
  }

  /** Rotates the maps of a grating at {@code orientation} degrees to the reference at 0. */
  default ChannelMaps align(ChannelMaps maps, double orientation) {
    return maps.rotated(orientation);
  }

  /** Whether maps are kept and shown over the whole layer instead of a window about the site. */
  default boolean wholeMaps() {
    return false;
  }

  /**
   * The horizontal excitatory and inhibitory input of a cell.
   *
   * @param signals of one timestep by name, see {@link org.gammanet.model.ForwardHooks}
   * @return E and I, (N, C, h, w) each
   */
  default Tensor[] horizontalInput(FgruCell cell, Map<String, Tensor> signals) {
    return new Tensor[] {Simulation.signal(signals, "c2"), Simulation.signal(signals, "c1")};
  }

  /** Whether {@link #horizontalInput} is what the kernels make of the signals n2 and n1. */
  default boolean splitsSources() {
    return true;
  }

  /** Whether the change inside the perturbed disc counts as influence. */
  default boolean influenceIncludesSite() {
    return false;
  }
}
