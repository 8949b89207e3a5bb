package org.gammanet.training;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Gradient;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.config.TrainingConfig.TimestepLoss;
import org.gammanet.data.Batch;
import org.gammanet.io.SplitMix;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.ForwardResult;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autocast;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * The objective of a batch and its gradients: {@code sum over t of w(t) L(logits(t))}, plus the
 * losses of side read-outs and the stability penalty where the configuration asks for them.
 */
final class BatchGradients {
  /** Terms of the Neumann series of {@code c_rbp} at most. */
  static final int SERIES = 30;

  /** The series ends when a term is this small relative to the first. */
  private static final double NEGLIGIBLE = 1e-4;

  /**
   * The objective of a batch.
   *
   * @param value of the objective; nothing was added to the gradients unless it is finite
   * @param penalty the part of it that is the stability penalty, weighted
   * @param timesteps of the pass
   * @param emptyTargets samples without edges or without anything else
   * @param logits after the last timestep
   */
  record Outcome(double value, double penalty, int timesteps, int emptyTargets, float[] logits) {}

  private final TrainingConfig training;
  private final long seed;
  private final Network network;
  private final EdgeLoss loss;
  private final Recompute recompute;
  private final @Nullable DType half;
  private final @Nullable SideReadOuts sides;
  private final StabilityPenalty penalty;

  BatchGradients(
      GammaNetConfig config,
      Network network,
      EdgeLoss loss,
      Recompute recompute,
      @Nullable DType half,
      @Nullable SideReadOuts sides) {
    this.training = config.training();
    this.seed = config.seed();
    this.network = network;
    this.loss = loss;
    this.recompute = recompute;
    this.half = half;
    this.sides = sides;
    this.penalty = new StabilityPenalty(network, StabilityPenalty.ITERATIONS);
  }

  /**
   * Adds the gradients of a batch to the parameters'.
   *
   * @param factor on the gradients
   */
  Outcome add(Batch batch, Curriculum.Part part, double factor) {
    // Functions of the seed and the position alone, so that a resumed run draws the same.
    SplitMix random = new SplitMix(seed, batch.epoch(), batch.index(), 't');
    int timesteps = part.fewest() + random.nextInt(part.most() - part.fewest() + 1);
    try (var scope = TensorScope.open();
        var cast = Autocast.convolutions(half);
        var recording = Autograd.enableGrad()) {
      Tensor image =
          Tensor.of(batch.images(), batch.size(), 3, batch.height(), batch.width())
              .to(network.device());
      Map<String, Tensor> states = new LinkedHashMap<>();
      boolean penalized = part.stabilityPenalty() > 0;
      Outcome outcome =
          training.gradient() == Gradient.C_RBP
              ? atFixedPoint(image, batch, timesteps, factor, states)
              : throughTime(image, batch, timesteps, factor, penalized, states);
      if (!penalized || !Double.isFinite(outcome.value)) {
        return outcome;
      }
      double added = penalty.add(image, states, recompute, part.stabilityPenalty(), factor, random);
      return new Outcome(
          outcome.value + added, added, timesteps, outcome.emptyTargets, outcome.logits);
    }
  }

  private EdgeLoss.Result evaluate(float[] logits, Batch batch) {
    return loss.evaluate(logits, batch.targets(), batch.valid(), batch.size());
  }

  /** Weights of the losses after timesteps 1 … T. */
  static double[] weights(TimestepLoss kind, int timesteps) {
    double[] weights = new double[timesteps];
    for (int t = 0; t < timesteps; t++) {
      weights[t] =
          switch (kind) {
            case LAST -> t == timesteps - 1 ? 1 : 0;
            case UNIFORM -> 1.0 / timesteps;
            case LINEAR -> 2.0 * (t + 1) / (timesteps * (timesteps + 1.0));
          };
    }
    return weights;
  }

  /**
   * Back-propagation through all timesteps.
   *
   * @param states receives those after the last timestep if {@code wanted}
   */
  private Outcome throughTime(
      Tensor image,
      Batch batch,
      int timesteps,
      double factor,
      boolean wanted,
      Map<String, Tensor> states) {
    try (var tape = new Tape(recompute)) {
      ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps).withExecutor(tape);
      boolean last = training.timestepLoss() == TimestepLoss.LAST;
      options = last ? options : options.withEveryTimestep();
      options = wanted || sides != null ? options.withFinalStates() : options;
      ForwardResult pass = network.forward(image, options);
      double[] weights = last ? new double[] {1} : weights(training.timestepLoss(), timesteps);
      List<Tensor> outputs =
          new ArrayList<>(last ? List.of(pass.logits()) : pass.logitsPerTimestep());
      List<Tensor> gradients = new ArrayList<>();
      double value = 0;
      int empty = 0;
      float[] values = {};
      for (int k = 0; k < weights.length; k++) {
        Tensor logits = outputs.get(k);
        values = logits.toFloatArray();
        EdgeLoss.Result result = evaluate(values, batch);
        value += weights[k] * result.value();
        empty = result.emptyTargets();
        gradients.add(result.gradient(weights[k] * factor, logits));
      }
      if (sides != null && Double.isFinite(value)) {
        double weight = training.sideLoss();
        value +=
            weight
                * sides.add(
                    pass.states(),
                    batch.height(),
                    batch.width(),
                    logits -> evaluate(logits, batch),
                    weight * factor,
                    outputs,
                    gradients);
      }
      if (Double.isFinite(value)) {
        tape.backward(outputs, gradients);
      }
      if (wanted) {
        states.putAll(pass.states());
      }
      return new Outcome(value, 0, timesteps, empty, values);
    }
  }

  /**
   * Recurrent back-propagation (Almeida 1987; Pineda 1987; Liao et al. 2018) as used by Linsley et
   * al. 2020. The state before the last timestep is taken as a fixed point h = F(h); then the
   * gradient with respect to the parameters is that of one step, weighted by {@code v (1 - J)^-1},
   * where v is the gradient with respect to h and J the Jacobian of F there. The inverse is summed
   * as a Neumann series, {@code v + v J + v J² + …}, each term by one more pass through the same
   * step, so that memory does not grow with the number of timesteps.
   *
   * @param states receives the fixed point
   */
  private Outcome atFixedPoint(
      Tensor image, Batch batch, int timesteps, double factor, Map<String, Tensor> states) {
    if (timesteps > 1) {
      try (var silent = Autograd.noGrad()) {
        states.putAll(
            network
                .forward(
                    image, ForwardOptions.DEFAULTS.withTimesteps(timesteps - 1).withFinalStates())
                .states());
      }
    }
    ForwardOptions once = ForwardOptions.DEFAULTS.withTimesteps(1);
    Map<String, Tensor> term;
    Outcome outcome;
    try (var inner = TensorScope.open();
        var tape = new Tape(recompute)) {
      Map<String, Tensor> leaves = leaves(states);
      Tensor logits =
          network.forward(image, once.withInitialStates(leaves).withExecutor(tape)).logits();
      float[] values = logits.toFloatArray();
      EdgeLoss.Result result = evaluate(values, batch);
      outcome = new Outcome(result.value(), 0, timesteps, result.emptyTargets(), values);
      if (!Double.isFinite(result.value())) {
        return outcome;
      }
      tape.backward(logits, result.gradient(factor, logits));
      term = gradients(leaves, inner);
    }
    double first = norm(term);
    for (int k = 1; k < SERIES && norm(term) > NEGLIGIBLE * first; k++) {
      Map<String, Tensor> next;
      try (var inner = TensorScope.open();
          var tape = new Tape(recompute)) {
        Map<String, Tensor> leaves = leaves(states);
        Map<String, Tensor> stepped =
            network
                .forward(image, once.withInitialStates(leaves).withFinalStates().withExecutor(tape))
                .states();
        List<Tensor> outputs = new ArrayList<>();
        List<Tensor> gradients = new ArrayList<>();
        term.forEach(
            (name, gradient) -> {
              Tensor output = stepped.get(name);
              if (output != null) {
                outputs.add(output);
                gradients.add(gradient);
              }
            });
        tape.backward(outputs, gradients);
        next = gradients(leaves, inner);
      }
      double now = norm(next);
      boolean grows = now > norm(term);
      term.values().forEach(Tensor::close);
      term = next;
      if (grows && now > first) { // the step does not contract, so the series has no sum
        break;
      }
    }
    return outcome;
  }

  private static Map<String, Tensor> leaves(Map<String, Tensor> states) {
    Map<String, Tensor> leaves = new LinkedHashMap<>();
    states.forEach((name, state) -> leaves.put(name, state.detach().requiresGrad(true)));
    return leaves;
  }

  private static Map<String, Tensor> gradients(Map<String, Tensor> leaves, TensorScope scope) {
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    leaves.forEach(
        (name, leaf) -> {
          Tensor gradient = leaf.grad();
          if (gradient != null) {
            gradients.put(name, scope.keep(gradient));
          }
        });
    return gradients;
  }

  private static double norm(Map<String, Tensor> gradients) {
    double sum = 0;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (Tensor gradient : gradients.values()) {
        sum += Ops.sum(Ops.square(gradient)).item();
      }
    }
    return Math.sqrt(sum);
  }
}
