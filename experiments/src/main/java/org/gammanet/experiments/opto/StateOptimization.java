package org.gammanet.experiments.opto;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.io.SplitMix;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.training.Optimizer;
import org.jspecify.annotations.Nullable;

/**
 * The optimization of initial states for a batch of gratings: A_E and A_I, (N, C, h, w) each, and
 * Adam's moments. The gratings are independent of each other.
 */
final class StateOptimization implements AutoCloseable {
  /**
   * What stays the same for all batches.
   *
   * @param site cell whose drive is multiplied and whose states are optimized
   * @param injection where they enter
   * @param timesteps T
   * @param gain (1, 1, h, w): the factor inside the perturbed disc, 1 elsewhere
   * @param readout where and how the orientation is decoded
   * @param mirror whether the loss does not distinguish a decoded vector from its negative
   * @param sparseness λ₁
   * @param positivity λ₂
   */
  record Setup(
      Network network,
      CellSite site,
      Injection injection,
      int timesteps,
      Tensor gain,
      Readout readout,
      boolean mirror,
      double sparseness,
      double positivity,
      Recompute recompute) {}

  /** A decoder and the pixel that it decodes. */
  record Readout(OrientationDecoder decoder, String layer, int y, int x) {}

  /** Decoded vectors and losses of each grating. */
  record Evaluation(double[][] decoded, double[] losses) {}

  private final Setup setup;
  private final Tensor images;
  private final Tensor mask;
  private final long[] shape;
  private final Tensor excitatory;
  private final Tensor inhibitory;
  private final Optimizer optimizer;
  private final double rate;

  /** E of the first timestep before A_E is added, where a penalty needs it. */
  private @Nullable Tensor firstOutput;

  private double[][] targets = {};

  /**
   * Starts at A = 0.
   *
   * @param images (N, 3, H, W) on the network's device; they stay the caller's
   * @param mask (N or 1, 1, h, w): 1 where states may change; stays the caller's
   * @param rate of Adam
   */
  StateOptimization(Setup setup, Tensor images, Tensor mask, double rate) {
    this.setup = setup;
    this.images = images;
    this.mask = mask;
    this.rate = rate;
    Network network = setup.network;
    long[] full =
        network
            .stateShapes(images.size(0), images.size(2), images.size(3))
            .get(setup.site.states().getFirst());
    if (full == null) {
      throw new AssertionError(setup.site.name() + " has no state");
    }
    shape = full;
    excitatory = leaf();
    inhibitory = leaf();
    Map<String, Tensor> unknowns = new LinkedHashMap<>();
    unknowns.put("excitatory", excitatory);
    unknowns.put("inhibitory", inhibitory);
    optimizer =
        new Optimizer(
            List.of(new Optimizer.Group("states", rate, unknowns)), Optimizer.Settings.of(false));
  }

  private Tensor leaf() {
    Network network = setup.network;
    return TensorScope.detach(
        Tensor.zeros(images.dtype(), network.device(), shape).requiresGrad(true));
  }

  Tensor excitatory() {
    return excitatory;
  }

  Tensor inhibitory() {
    return inhibitory;
  }

  Optimizer optimizer() {
    return optimizer;
  }

  /** The decoded vectors without perturbation, for A = 0; they become the targets. */
  double[][] baseline() {
    targets = run(false, false).decoded;
    return targets;
  }

  /** Sets other targets. */
  void targets(double[][] values) {
    targets = values;
  }

  /**
   * Sets A to 0.01 times normal noise inside the mask.
   *
   * @param seeds one per grating
   */
  void randomStart(long[] seeds) {
    int each = (int) (shape[1] * shape[2] * shape[3]);
    for (int which = 0; which < 2; which++) {
      float[] noise = new float[Math.multiplyExact(each, seeds.length)];
      for (int n = 0; n < seeds.length; n++) {
        new SplitMix(seeds[n], which).fillNormal(noise, n * each, each, 0.01);
      }
      Tensor target = which == 0 ? excitatory : inhibitory;
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        Tensor on = Tensor.of(noise, shape).to(target.device()).to(target.dtype());
        target.copy_(Ops.mul(on, mask));
      }
    }
  }

  /** Decoded vectors and losses under the perturbation. */
  Evaluation evaluate() {
    return run(true, false);
  }

  /** One update of A by Adam. Returns the evaluation before it. */
  Evaluation step() {
    Evaluation before = gradients();
    optimizer.step(new double[] {rate}, 1);
    optimizer.zeroGradients();
    return before;
  }

  /** As {@link #evaluate}; the gradients of the sum of losses are left in A, zero off the mask. */
  Evaluation gradients() {
    Evaluation evaluation = run(true, true);
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      finish(excitatory, positivity());
      finish(inhibitory, null);
    }
    return evaluation;
  }

  /** Adds the penalties' gradients and applies the mask. */
  private void finish(Tensor unknown, @Nullable Tensor more) {
    Tensor gradient = unknown.grad();
    if (gradient == null) { // the output does not depend on it
      return;
    }
    Tensor sum = gradient;
    if (setup.sparseness > 0) {
      sum = Ops.add(sum, Ops.mul(Ops.sign(unknown), setup.sparseness / count()));
    }
    if (more != null) {
      sum = Ops.add(sum, more);
    }
    gradient.copy_(Ops.mul(sum, mask));
  }

  private double count() {
    return (double) shape[1] * shape[2] * shape[3];
  }

  /** Gradient of {@code λ₂ mean(min(E₀, 0)²)}. */
  private @Nullable Tensor positivity() {
    return setup.positivity > 0 ? Ops.mul(negativePart(), 2 * setup.positivity / count()) : null;
  }

  /** {@code min(E₀, 0)}. */
  private Tensor negativePart() {
    Tensor e = firstOutput == null ? excitatory : Ops.add(firstOutput, excitatory);
    return Ops.minimum(e, Tensor.scalar(0));
  }

  private ForwardHooks hooks(boolean perturbed) {
    CellSite site = setup.site;
    return new ForwardHooks() {
      @Override
      public Tensor blockOutput(String block, int timestep, Tensor drive) {
        return perturbed && block.equals(site.block()) ? Ops.mul(drive, setup.gain) : drive;
      }

      @Override
      public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
        if (setup.injection != Injection.AFTER_FIRST_STEP
            || timestep > 0
            || !cell.equals(site.name())) {
          return states;
        }
        if (perturbed && setup.positivity > 0 && firstOutput == null) {
          firstOutput = TensorScope.detach(states[0].detach().clone());
        }
        return new Tensor[] {Ops.add(states[0], excitatory), Ops.add(states[1], inhibitory)};
      }
    };
  }

  private Evaluation run(boolean perturbed, boolean differentiate) {
    Readout readout = setup.readout;
    try (var scope = TensorScope.open();
        Tape tape = new Tape(setup.recompute);
        var silent = Autograd.noGrad()) {
      ForwardOptions options =
          ForwardOptions.DEFAULTS.withTimesteps(setup.timesteps).withHooks(hooks(perturbed));
      if (setup.injection == Injection.INITIAL_STATE) {
        options =
            options.withInitialStates(
                Map.of(
                    setup.site.states().get(0), excitatory,
                    setup.site.states().get(1), inhibitory));
      }
      if (differentiate) {
        options = options.withExecutor(tape);
      }
      Tensor e = output(options);
      double[] values = at(e, readout.y, readout.x).toDoubleArray();
      int batch = (int) shape[0];
      int channels = readout.decoder.channels();
      double[][] decoded = new double[batch][];
      double[] losses = new double[batch];
      float[] gradient = new float[batch * channels];
      for (int n = 0; n < batch; n++) {
        double[] response = Arrays.copyOfRange(values, n * channels, (n + 1) * channels);
        decoded[n] = readout.decoder.predict(response);
        if (targets.length > 0) {
          double[] residual = residual(decoded[n], targets[n]);
          losses[n] = 0.5 * (residual[0] * residual[0] + residual[1] * residual[1]);
          for (int c = 0; c < channels; c++) {
            gradient[n * channels + c] =
                (float)
                    (readout.decoder.weight()[0][c] * residual[0]
                        + readout.decoder.weight()[1][c] * residual[1]);
          }
        }
      }
      if (differentiate) {
        Tensor full = Tensor.zeros(e.dtype(), e.device(), e.shape());
        at(full, readout.y, readout.x)
            .copy_(Tensor.of(gradient, batch, channels, 1, 1).to(e.device()).to(e.dtype()));
        tape.backward(e, full);
      }
      if (perturbed) {
        penalties(losses);
      }
      return new Evaluation(decoded, losses);
    }
  }

  private Tensor output(ForwardOptions options) {
    String layer = setup.readout.layer;
    Tensor[] states = setup.network.respond(images, List.of(layer), options).get(layer);
    if (states == null) {
      throw new AssertionError(layer + " did not respond");
    }
    return states[0];
  }

  private double[] residual(double[] decoded, double[] target) {
    double[] minus = {decoded[0] - target[0], decoded[1] - target[1]};
    double[] plus = {decoded[0] + target[0], decoded[1] + target[1]};
    boolean flipped = setup.mirror && Math.hypot(plus[0], plus[1]) < Math.hypot(minus[0], minus[1]);
    return flipped ? plus : minus;
  }

  private void penalties(double[] losses) {
    if (setup.sparseness == 0 && setup.positivity == 0) {
      return;
    }
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      double[] absolute =
          Ops.add(Ops.mean(Ops.abs(excitatory), 1, 2, 3), Ops.mean(Ops.abs(inhibitory), 1, 2, 3))
              .toDoubleArray();
      double[] negative = Ops.mean(Ops.square(negativePart()), 1, 2, 3).toDoubleArray();
      for (int n = 0; n < losses.length; n++) {
        losses[n] += setup.sparseness * absolute[n] + setup.positivity * negative[n];
      }
    }
  }

  private static Tensor at(Tensor x, int row, int column) {
    return Ops.narrow(Ops.narrow(x, 2, row, 1), 3, column, 1);
  }

  @Override
  public void close() {
    optimizer.close();
    excitatory.close();
    inhibitory.close();
    if (firstOutput != null) {
      firstOutput.close();
    }
  }
}
