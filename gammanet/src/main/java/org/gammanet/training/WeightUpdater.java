package org.gammanet.training;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Batch;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Changes a network's weights by the gradients of batches: accumulation, sums over the ranks,
 * clipping, optimizer step, moving average. Owns what that keeps from one update to the next, which
 * is also what a checkpoint holds beside the weights.
 */
final class WeightUpdater implements AutoCloseable {
  /** Prefixes of names in a checkpoint: averaged weights, side read-outs, counts of steps. */
  private static final String EMA = "ema.";

  private static final String SIDE = "side.";
  private static final String STEP = "step.";

  /**
   * What came of an update.
   *
   * @param loss mean over all batches and ranks
   * @param penalty part of the loss that is the stability penalty
   * @param gradientNorm before clipping; NaN where the loss is not finite
   * @param timesteps of its batches, on average
   * @param emptyTargets samples without edges or without anything else, of all ranks
   * @param clipped whether the gradient was shortened
   * @param skipped whether loss or gradient was not finite, so that nothing was changed
   * @param failed whether it was skipped for a reason that a smaller loss scale does not mend
   * @param stop whether a rank was asked to stop
   */
  record Update(
      double loss,
      double penalty,
      double gradientNorm,
      double timesteps,
      int emptyTargets,
      boolean clipped,
      boolean skipped,
      boolean failed,
      boolean stop) {}

  private final GammaNetConfig config;
  private final Network network;
  private final @Nullable DType half;
  private final ProcessGroup group;
  private final EdgeLoss loss;
  private final LossScale scale;
  private final @Nullable SideReadOuts sides;
  private final Optimizer optimizer;
  private final GradientReducer reducer;
  private final @Nullable WeightAverage average;
  private Recompute recompute;

  /**
   * Begins with the present weights, of which those that are trained require gradients from now on.
   *
   * @param half type that products are rounded to; null for float32
   * @param recompute any mode but {@link Recompute#AUTO}
   * @throws TrainingException where the network has no levels for side read-outs
   */
  WeightUpdater(
      GammaNetConfig config,
      Network network,
      EdgeLoss loss,
      Recompute recompute,
      @Nullable DType half,
      ProcessGroup group) {
    this.config = config;
    this.network = network;
    this.loss = loss;
    this.recompute = recompute;
    this.half = half;
    this.group = group;
    this.scale = new LossScale(half == DType.FLOAT16);
    TrainingConfig training = config.training();
    SequencedMap<String, Tensor> trained = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      boolean frozen = isFrozen(parameter.name());
      parameter.tensor().requiresGrad(!frozen);
      if (!frozen) {
        trained.put(parameter.name(), parameter.tensor());
      }
    }
    this.sides = training.sideLoss() > 0 ? new SideReadOuts(network) : null;
    if (sides != null) {
      sides.to(network);
      sides.parameters().forEach((name, p) -> trained.put(SIDE + name, p));
    }
    Optimizer.Settings defaults =
        Optimizer.Settings.of(training.optimizer() == TrainingConfig.Optimizer.ADAMW);
    this.optimizer =
        new Optimizer(
            Optimizer.groups(trained, training.vggLearningRate(), training.learningRate()),
            new Optimizer.Settings(
                defaults.decoupled(),
                defaults.beta1(),
                defaults.beta2(),
                defaults.epsilon(),
                training.weightDecay(),
                training.decayAll()));
    this.reducer = new GradientReducer(group, optimizer.groups(), training.exactSums());
    this.average = training.emaDecay() > 0 ? new WeightAverage(network, training.emaDecay()) : null;
  }

  private boolean isFrozen(String parameter) {
    return config.training().vggLearningRate() == 0 && Optimizer.isBackbone(parameter);
  }

  /** Parameters with their learning rates before any schedule. */
  List<Optimizer.Group> groups() {
    return optimizer.groups();
  }

  /** How gradients are summed over the ranks. */
  GradientReducer reducer() {
    return reducer;
  }

  LossScale scale() {
    return scale;
  }

  /** The mode of the backward pass. */
  Recompute recompute() {
    return recompute;
  }

  /** Updates in the averaged weights; 0 without an average. */
  long averaged() {
    return average == null ? 0 : average.updates();
  }

  /**
   * Makes one update from one or more batches, unless loss or gradient is not finite.
   *
   * @param rates learning rates by the names of {@link #groups}, in their order
   * @param scores receives the logits of each batch, and the loss if the update is made
   * @param stopping whether this rank was asked to stop
   * @throws LostRankException before anything has changed
   */
  Update update(
      List<Batch> batches,
      Curriculum.Part part,
      SequencedMap<String, Double> rates,
      EpochScores scores,
      boolean stopping) {
    BatchGradients gradients = new BatchGradients(config, network, loss, recompute, half, sides);
    double value = 0;
    double penalty = 0;
    int empty = 0;
    int timesteps = 0;
    optimizer.zeroGradients();
    reducer.clear();
    boolean exact = config.training().exactSums();
    List<Batch> pieces =
        exact ? batches.stream().flatMap(b -> b.singles().stream()).toList() : batches;
    for (Batch batch : pieces) {
      // As many batches like this one make the update, those of the other ranks included.
      double parts = batches.size() * ((double) config.training().batchSize() / batch.size());
      BatchGradients.Outcome outcome = gradients.add(batch, part, scale.value() / parts);
      scores.add(batch, outcome.logits());
      value += outcome.value() / parts;
      penalty += outcome.penalty() / parts;
      empty += outcome.emptyTargets();
      timesteps += outcome.timesteps();
      if (exact) {
        reducer.collect();
      }
    }
    double[] sums = group.sum(value, penalty, empty, stopping ? 1 : 0);
    value = sums[0];
    boolean finite = Double.isFinite(value);
    if (finite) {
      reducer.reduce();
    }
    double norm = finite ? optimizer.gradientNorm() / scale.value() : Double.NaN;
    boolean skipped = !Double.isFinite(norm);
    double clip = config.training().gradClip();
    boolean clipped = clip > 0 && norm > clip;
    if (!skipped) {
      optimizer.step(
          rates.values().stream().mapToDouble(rate -> rate).toArray(),
          scale.value() * (clipped ? (norm + 1e-6) / clip : 1));
      scale.succeeded();
      if (average != null) {
        average.update();
      }
      scores.add(value);
    }
    return new Update(
        value,
        sums[1],
        norm,
        (double) timesteps / pieces.size(),
        (int) sums[2],
        clipped,
        skipped,
        skipped && (!finite || !scale.overflowed()),
        sums[3] > 0);
  }

  /** Puts the averaged weights, if there are any, into the network until the scope is closed. */
  WeightAverage.Exchange exchangeWeights() {
    return average == null ? () -> {} : average.exchange();
  }

  // Checkpoints

  /** The tensors for a checkpoint by name: views, to be written before the next update. */
  Map<String, StoredTensor> tensors() {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    optimizer.state().forEach((name, m) -> tensors.put(name, StoredTensor.viewOf(m)));
    optimizer
        .steps()
        .forEach(
            (name, steps) -> {
              ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
              tensors.put(
                  STEP + name,
                  new StoredTensor(ElementType.I64, new long[0], bytes.putLong(0, steps)));
            });
    if (average != null) {
      average.state().forEach((name, mean) -> tensors.put(EMA + name, StoredTensor.viewOf(mean)));
    }
    if (sides != null) {
      sides.parameters().forEach((name, p) -> tensors.put(SIDE + name, StoredTensor.viewOf(p)));
    }
    return tensors;
  }

  /**
   * Continues from a checkpoint of the same network, whose weights are loaded.
   *
   * @throws IllegalArgumentException if a tensor is missing, or belongs to no parameter
   */
  void restore(Checkpoint checkpoint, TrainerState state) {
    Map<String, Tensor> moments = new HashMap<>();
    Map<String, Tensor> averages = new HashMap<>();
    Map<String, Long> steps = new LinkedHashMap<>();
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (var entry : checkpoint.optimizer().entrySet()) {
        String key = entry.getKey();
        if (key.startsWith(STEP)) {
          steps.put(key.substring(STEP.length()), (long) entry.getValue().get(0));
        } else if (key.startsWith(EMA)) {
          averages.put(key.substring(EMA.length()), entry.getValue().toTensor());
        } else if (key.startsWith(SIDE)) {
          Tensor own = sides == null ? null : sides.parameters().get(key.substring(SIDE.length()));
          if (own != null) {
            own.copy_(entry.getValue().toTensor());
          }
        } else {
          moments.put(key, entry.getValue().toTensor());
        }
      }
      // Moments of side read-outs that are gone and of weights that are frozen now are not needed.
      steps.keySet().removeIf(name -> sides == null && name.startsWith(SIDE) || isFrozen(name));
      optimizer.restore(moments, steps);
      if (average != null) {
        if (averages.isEmpty()) { // the run has had no average so far
          network.parameters().forEach(p -> averages.put(p.name(), p.tensor()));
        }
        average.restore(averages, state.averaged());
      }
    }
    scale.restore(state.lossScale(), state.lossScaleUpdates());
    if (config.training().recompute() == Recompute.AUTO) {
      // Keep the mode, since modes differ in rounding.
      recompute =
          Stream.of(Recompute.values())
              .filter(r -> r != Recompute.AUTO && r.word().equals(state.recompute()))
              .findFirst()
              .orElse(recompute);
    }
  }

  /** Frees gradients, moments and averages; the network stays open. */
  @Override
  public void close() {
    optimizer.zeroGradients();
    optimizer.close();
    reducer.close();
    if (average != null) {
      average.close();
    }
    if (sides != null) {
      sides.close();
    }
    network.requiresGrad(false);
  }
}
