package org.gammanet.parity;

import java.util.Map;
import java.util.Objects;
import org.gammanet.experiments.opto.ChannelMaps;
import org.gammanet.experiments.opto.DecoderOptions.Loss;
import org.gammanet.experiments.opto.Definitions;
import org.gammanet.experiments.opto.Injection;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.nn.FgruCell;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;

/** The original's definitions of the simulated optogenetics. */
public final class OriginalOptogenetics implements Definitions {
  @Override
  public String name() {
    return "parity";
  }

  /** Luminances without the standardization that the network was trained with. */
  @Override
  public InputScaling input() {
    return InputScaling.RAW;
  }

  /** A loss that does not distinguish an orientation from its orthogonal. */
  @Override
  public Loss decoderLoss() {
    return Loss.MIRROR;
  }

  @Override
  public Loss rescueLoss() {
    return Loss.MIRROR;
  }

  /** "Initial" states enter after the first timestep. */
  @Override
  public Injection injection() {
    return Injection.AFTER_FIRST_STEP;
  }

  @Override
  public boolean scoresTrainingData() {
    return true;
  }

  /**
   * Rotates the other way, so that the surround of a grating at θ comes to lie at 2θ, and about the
   * middle of the array, half a pixel off.
   */
  @Override
  public ChannelMaps align(ChannelMaps maps, double orientation) {
    return maps.rotated(-orientation, (maps.height() - 1) / 2.0, (maps.width() - 1) / 2.0);
  }

  @Override
  public boolean wholeMaps() {
    return true;
  }

  /** The new states convolved with the kernels of the same name, which is not the cell's input. */
  @Override
  public Tensor[] horizontalInput(FgruCell cell, Map<String, Tensor> signals) {
    int padding = cell.kernelSize() / 2;
    return new Tensor[] {
      Ops.conv2d(
          Objects.requireNonNull(signals.get("exc")),
          cell.horizontalKernel(true),
          null,
          1,
          padding),
      Ops.conv2d(
          Objects.requireNonNull(signals.get("inh")),
          cell.horizontalKernel(false),
          null,
          1,
          padding)
    };
  }

  @Override
  public boolean splitsSources() {
    return false;
  }

  @Override
  public boolean influenceIncludesSite() {
    return true;
  }
}
