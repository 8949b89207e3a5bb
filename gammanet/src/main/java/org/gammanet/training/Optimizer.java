package org.gammanet.training;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019) over groups of parameters, each
 * with its own rate, run by LibTorch's fused operators.
 *
 * <p>Step k of a parameter x with gradient g: {@code m = b1 m + (1 - b1) g; u = b2 u + (1 - b2) g²;
 * x -= lr (m / (1 - b1^k)) / (sqrt(u / (1 - b2^k)) + eps)}. Adam adds the weight decay to the
 * gradient, AdamW multiplies x by {@code 1 - lr decay} first. A parameter that never had a gradient
 * (a path that an ablation does not use) is skipped, moments and k too.
 *
 * <p>Owns its moments; the parameters stay the model's. Close it before or after the model.
 */
public final class Optimizer implements AutoCloseable {

  /**
   * Numbers of the update.
   *
   * @param decoupled AdamW instead of Adam
   * @param weightDecay of kernels; with {@code decayAll} of everything
   * @param decayAll whether biases, gains of norms and the circuits' scalars decay too
   */
  public record Settings(
      boolean decoupled,
      double beta1,
      double beta2,
      double epsilon,
      double weightDecay,
      boolean decayAll) {
    /** Betas 0.9 and 0.999, epsilon 1e-8, no decay. */
    public static Settings of(boolean decoupled) {
      return new Settings(decoupled, 0.9, 0.999, 1e-8, 0, false);
    }
  }

  /**
   * Parameters that share a rate.
   *
   * @param name for logs
   * @param learningRate before any schedule
   * @param parameters leaves that require gradients, by name
   */
  public record Group(String name, double learningRate, Map<String, Tensor> parameters) {
    /** Number of values. */
    public long size() {
      return parameters.values().stream().mapToLong(Tensor::numel).sum();
    }
  }

  /** Moments of one parameter. */
  private static final class Moments {
    final Tensor first;
    final Tensor second;
    long steps;

    Moments(Tensor first, Tensor second, long steps) {
      this.first = TensorScope.detach(first);
      this.second = TensorScope.detach(second);
      this.steps = steps;
    }
  }

  private final List<Group> groups;
  private final Settings settings;
  private final Map<String, Moments> moments = new LinkedHashMap<>();

  /** An optimizer that has not made a step. */
  public Optimizer(List<Group> groups, Settings settings) {
    this.groups = List.copyOf(groups);
    this.settings = settings;
  }

  /**
   * The two groups of parameters: the VGG backbone ({@code block1_conv} … {@code block5_conv}, or
   * {@code backbone.}) and everything else; an empty one is left out.
   *
   * @param parameters what is trained, by name
   * @param backboneRate learning rate of the backbone
   * @param rate learning rate of the rest
   */
  public static List<Group> groups(
      SequencedMap<String, Tensor> parameters, double backboneRate, double rate) {
    SequencedMap<String, Tensor> backbone = new LinkedHashMap<>();
    SequencedMap<String, Tensor> rest = new LinkedHashMap<>();
    parameters.forEach((name, p) -> (isBackbone(name) ? backbone : rest).put(name, p));
    List<Group> groups = new ArrayList<>();
    if (!backbone.isEmpty()) {
      groups.add(new Group("vgg", backboneRate, backbone));
    }
    if (!rest.isEmpty()) {
      groups.add(new Group("fgru", rate, rest));
    }
    return groups;
  }

  /** Whether a parameter belongs to the VGG backbone. */
  static boolean isBackbone(String name) {
    return name.matches("block\\d+_conv\\..*|backbone\\..*");
  }

  /** The groups, in their order. */
  public List<Group> groups() {
    return groups;
  }

  /** The L2 norm of all gradients together; infinite or NaN if one of them is. */
  public double gradientNorm() {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      List<Tensor> squares = new ArrayList<>();
      for (Group group : groups) {
        for (Tensor parameter : group.parameters.values()) {
          Tensor gradient = parameter.grad();
          if (gradient != null) {
            Tensor flat = Ops.reshape(gradient, -1);
            squares.add(Ops.to(Ops.dot(flat, flat), DType.FLOAT32));
          }
        }
      }
      if (squares.isEmpty()) {
        return 0;
      }
      // One transfer from the device for all of them.
      double sum = 0;
      for (double square : Ops.stack(squares, 0).toDoubleArray()) {
        sum += square;
      }
      return Math.sqrt(sum);
    }
  }

  /**
   * Changes the parameters by their gradients.
   *
   * @param rates learning rate of each group now
   * @param divisor the gradients are divided by this first: undoes loss scaling, and clips
   */
  public void step(double[] rates, double divisor) {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      Map<Long, Tensor> counts = new LinkedHashMap<>();
      Tensor scale = null;
      for (int g = 0; g < groups.size(); g++) {
        Update decayed = new Update();
        Update plain = new Update();
        for (var entry : groups.get(g).parameters.entrySet()) {
          Tensor parameter = entry.getValue();
          Tensor gradient = parameter.grad();
          if (gradient == null) {
            continue;
          }
          if (scale == null && divisor != 1) {
            scale = Tensor.full(divisor, DType.FLOAT32, parameter.device());
          }
          Moments state =
              moments.computeIfAbsent(
                  entry.getKey(), name -> new Moments(zeros(parameter), zeros(parameter), 0));
          state.steps++;
          Tensor count =
              counts.computeIfAbsent(
                  state.steps, k -> Tensor.full(k, DType.FLOAT32, parameter.device()));
          boolean decays = settings.decayAll || decays(parameter);
          (decays ? decayed : plain).add(parameter, gradient.contiguous(), state, count);
        }
        decayed.run(settings, rates[g], settings.weightDecay, scale);
        plain.run(settings, rates[g], 0, scale);
      }
    }
  }

  private static Tensor zeros(Tensor like) {
    return Tensor.zeros(like.dtype(), like.device(), like.shape());
  }

  /** Kernels decay; vectors (biases, gains, circuit scalars, also as [C, 1, 1]) do not. */
  private static boolean decays(Tensor parameter) {
    return parameter.dim() >= 2 && parameter.numel() != parameter.size(0);
  }

  private static final class Update {
    final List<Tensor> parameters = new ArrayList<>();
    final List<Tensor> gradients = new ArrayList<>();
    final List<Tensor> first = new ArrayList<>();
    final List<Tensor> second = new ArrayList<>();
    final List<Tensor> steps = new ArrayList<>();

    void add(Tensor parameter, Tensor gradient, Moments state, Tensor count) {
      parameters.add(parameter);
      gradients.add(gradient);
      first.add(state.first);
      second.add(state.second);
      steps.add(count);
    }

    void run(Settings settings, double rate, double decay, @Nullable Tensor scale) {
      if (parameters.isEmpty()) {
        return;
      }
      Ops.fusedAdam_(
          settings.decoupled,
          parameters,
          gradients,
          first,
          second,
          steps,
          rate,
          settings.beta1,
          settings.beta2,
          decay,
          settings.epsilon,
          scale);
    }
  }

  /** Sets the gradients of all parameters to zero. */
  public void zeroGradients() {
    for (Group group : groups) {
      group.parameters.values().forEach(Tensor::zeroGrad);
    }
  }

  /**
   * The moments for a checkpoint: {@code exp_avg.<name>}, {@code exp_avg_sq.<name>} and {@code
   * step.<name>} (a scalar). The tensors stay the optimizer's.
   */
  public SequencedMap<String, Tensor> state() {
    SequencedMap<String, Tensor> state = new LinkedHashMap<>();
    moments.forEach(
        (name, m) -> {
          state.put("exp_avg." + name, m.first);
          state.put("exp_avg_sq." + name, m.second);
        });
    return state;
  }

  /** Steps made with each parameter, for a checkpoint. */
  public SequencedMap<String, Long> steps() {
    SequencedMap<String, Long> steps = new LinkedHashMap<>();
    moments.forEach((name, m) -> steps.put(name, m.steps));
    return steps;
  }

  /**
   * Continues from a checkpoint; the tensors are copied.
   *
   * @param state as from {@link #state}
   * @param steps as from {@link #steps}
   * @throws IllegalArgumentException if a tensor is missing, or belongs to no parameter
   */
  public void restore(Map<String, Tensor> state, Map<String, Long> steps) {
    Map<String, Tensor> parameters = new LinkedHashMap<>();
    groups.forEach(g -> parameters.putAll(g.parameters));
    close();
    for (var entry : steps.entrySet()) {
      Tensor parameter = parameters.get(entry.getKey());
      Tensor first = state.get("exp_avg." + entry.getKey());
      Tensor second = state.get("exp_avg_sq." + entry.getKey());
      if (parameter == null || first == null || second == null) {
        throw new IllegalArgumentException(
            "The optimizer's state does not fit the model: %s %s"
                .formatted(
                    entry.getKey(),
                    parameter == null ? "is not trained here" : "has no moments in the file"));
      }
      moments.put(
          entry.getKey(),
          new Moments(copy(first, parameter), copy(second, parameter), entry.getValue()));
    }
  }

  private static Tensor copy(Tensor source, Tensor like) {
    if (!Arrays.equals(source.shape(), like.shape())) {
      throw new IllegalArgumentException(
          "a moment has the shape %s, but its weight %s"
              .formatted(Arrays.toString(source.shape()), Arrays.toString(like.shape())));
    }
    Tensor copy = Tensor.empty(like.dtype(), like.device(), like.shape());
    return copy.copy_(source);
  }

  /** Frees the moments; the parameters stay the network's. */
  @Override
  public void close() {
    for (Moments m : moments.values()) {
      m.first.close();
      m.second.close();
    }
    moments.clear();
  }
}
