package org.gammanet.experiments.responses;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.io.SplitMix;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.ForwardResult;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * A network under a constant stimulus as a dynamical system: the vector h of all its states after a
 * timestep follows from that before it, {@code h(t + 1) = F(h(t))}, and {@code h(0) = 0}.
 */
public final class NetworkDynamics implements AutoCloseable {
  /** Residual of a fitted eigenvalue at which the iteration ends. */
  private static final double CONVERGED = 1e-4;

  private final Network network;
  private final ForwardOptions options;
  private final Tensor image;
  private Map<String, Tensor> before = Map.of();
  private Map<String, Tensor> states = Map.of();
  private Tensor logits = Tensor.zeros(1);
  private int timestep;

  /**
   * A network at rest.
   *
   * @param network stays the caller's
   * @param options how passes are run, such as with hooks
   */
  public NetworkDynamics(Network network, ForwardOptions options, Stimulus stimulus) {
    this.network = network;
    this.options = options;
    StimulusSet set = StimulusSet.of(List.of(stimulus));
    try (var scope = TensorScope.open()) {
      image =
          TensorScope.detach(
              Tensor.of(set.toInput(InputScaling.IMAGENET), 1, 3, set.height(), set.width())
                  .to(network.device()));
    }
  }

  /**
   * A timestep, by norms over all states.
   *
   * @param number from 1
   * @param norm of h(t)
   * @param change |h(t) - h(t - 1)| / |h(t)|
   * @param changeOverTwo |h(t) - h(t - 2)| / |h(t)|; small where states alternate
   */
  public record Step(int number, double norm, double change, double changeOverTwo) {}

  /** Runs a timestep. */
  public Step step() {
    Map<String, Tensor> oldest = before;
    before = states;
    states = new LinkedHashMap<>();
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      ForwardResult result = network.forward(image, next(before));
      result.states().forEach((name, state) -> states.put(name, TensorScope.detach(state)));
      logits.close();
      logits = TensorScope.detach(result.logits());
    }
    timestep++;
    double norm = Math.sqrt(squaredDistance(states, Map.of()));
    Step step =
        new Step(
            timestep,
            norm,
            Math.sqrt(squaredDistance(states, before)) / norm,
            Math.sqrt(squaredDistance(states, oldest)) / norm);
    close(oldest);
    return step;
  }

  private ForwardOptions next(Map<String, Tensor> from) {
    return options
        .withTimesteps(1)
        .withFirstTimestep(timestep)
        .withInitialStates(from)
        .withFinalStates();
  }

  /** The states after the last timestep, by name, which stay this object's. */
  public Map<String, Tensor> states() {
    return Map.copyOf(states);
  }

  /** The logits of the last timestep, which stay this object's. */
  public Tensor logits() {
    return logits;
  }

  /** Distance to other states, over the norm of those. */
  public double distance(Map<String, Tensor> other) {
    return Math.sqrt(squaredDistance(states, other) / squaredDistance(other, Map.of()));
  }

  /** States that {@code b} lacks are zero. */
  private static double squaredDistance(Map<String, Tensor> a, Map<String, Tensor> b) {
    double sum = 0;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (Map.Entry<String, Tensor> state : a.entrySet()) {
        Tensor other = b.get(state.getKey());
        Tensor difference = other == null ? state.getValue() : Ops.sub(state.getValue(), other);
        sum += Ops.sum(Ops.square(difference)).item();
      }
    }
    return sum;
  }

  // The Jacobian

  /**
   * The leading eigenvalue λ of the Jacobian dF/dh: a small deviation from a fixed point grows or
   * shrinks by |λ| a timestep.
   *
   * @param modulus |λ|
   * @param angle of λ in the complex plane, 0 to π; above 0 deviations rotate
   * @param residual relative error of the relation that the last iterates obey, which bounds how
   *     far the estimate has converged
   * @param products of the Jacobian with a vector that it took
   */
  public record Eigenvalue(double modulus, double angle, double residual, int products) {}

  /**
   * Estimates the leading eigenvalue at the present states by power iteration with the transposed
   * Jacobian, which has the same eigenvalues, by automatic differentiation of the timestep. Three
   * successive iterates give a real eigenvalue, or a complex pair.
   *
   * @param most products with the Jacobian, at least 3
   * @param seed of the first vector
   * @throws IllegalStateException before the first timestep
   */
  public Eigenvalue leadingEigenvalue(int most, long seed) {
    return leadingEigenvalue(most, seed, name -> true);
  }

  /**
   * The same for some of the states while the others are held: of the excitatory states it tells
   * whether excitation alone is stable.
   *
   * @param free names of the states that deviate
   */
  public Eigenvalue leadingEigenvalue(int most, long seed, Predicate<String> free) {
    if (states.isEmpty()) {
      throw new IllegalStateException("there are no states before the first timestep");
    }
    Map<String, Tensor> u = only(free, noise(seed));
    Map<String, Tensor> v = Map.of();
    Eigenvalue best = new Eigenvalue(Double.NaN, Double.NaN, Double.NaN, 0);
    try {
      normalize(u);
      v = only(free, transposed(u));
      for (int products = 2; products <= most; products++) {
        double size = normalize(v);
        Map<String, Tensor> w = only(free, transposed(v));
        // u, size v, size w are successive powers.
        best = fit(u, v, w, size, products);
        close(u);
        u = v;
        v = w;
        if (best.residual < CONVERGED || !(best.modulus > 0)) {
          break;
        }
      }
      return best;
    } finally {
      close(u);
      close(v);
    }
  }

  /** Leaves out the other states, which end here. */
  private static Map<String, Tensor> only(Predicate<String> free, Map<String, Tensor> all) {
    Map<String, Tensor> out = new LinkedHashMap<>();
    all.forEach(
        (name, tensor) -> {
          if (free.test(name)) {
            out.put(name, tensor);
          } else {
            tensor.close();
          }
        });
    return out;
  }

  /** From A u = s v, A v = w with |u| = |v| = 1: w = a v + b (u / s), and λ² = a λ + b / s. */
  private static Eigenvalue fit(
      Map<String, Tensor> u,
      Map<String, Tensor> v,
      Map<String, Tensor> w,
      double size,
      int products) {
    double uv = dot(u, v);
    double vw = dot(v, w);
    double uw = dot(u, w);
    double ww = dot(w, w);
    if (!(ww > 0)) {
      return new Eigenvalue(ww == 0 ? 0 : Double.NaN, 0, 0, products);
    }
    double single = Math.sqrt(Math.max(0, ww - vw * vw) / ww);
    double apart = 1 - uv * uv;
    if (single < CONVERGED || apart < 1e-9) {
      return new Eigenvalue(Math.abs(vw), vw < 0 ? Math.PI : 0, single, products);
    }
    double a = (vw - uv * uw) / apart;
    double b = (uw - uv * vw) / apart;
    double residual = Math.sqrt(Math.max(0, ww - a * vw - b * uw) / ww);
    double product = b * size; // λ² - a λ - product = 0
    double discriminant = a * a / 4 + product;
    if (discriminant < 0) {
      double modulus = Math.sqrt(-product);
      return new Eigenvalue(modulus, Math.acos(a / 2 / modulus), residual, products);
    }
    double root = a / 2 + Math.copySign(Math.sqrt(discriminant), a);
    return new Eigenvalue(Math.abs(root), root < 0 ? Math.PI : 0, residual, products);
  }

  Map<String, Tensor> noise(long seed) {
    Map<String, Tensor> out = new LinkedHashMap<>();
    int stream = 0;
    for (Map.Entry<String, Tensor> state : states.entrySet()) {
      float[] values = new float[Math.toIntExact(state.getValue().numel())];
      new SplitMix(seed, stream++).fillNormal(values, 0, values.length, 1);
      try (var scope = TensorScope.open()) {
        out.put(
            state.getKey(),
            TensorScope.detach(Tensor.of(values, state.getValue().shape()).to(network.device())));
      }
    }
    return out;
  }

  /** The transposed Jacobian at the present states times a vector. */
  Map<String, Tensor> transposed(Map<String, Tensor> vector) {
    Map<String, Tensor> out = new LinkedHashMap<>();
    try (var scope = TensorScope.open();
        var tape = new Tape(Recompute.CELLS);
        var silent = Autograd.noGrad()) {
      Map<String, Tensor> leaves = new LinkedHashMap<>();
      states.forEach((name, state) -> leaves.put(name, state.detach().clone().requiresGrad(true)));
      Map<String, Tensor> after = network.forward(image, next(leaves).withExecutor(tape)).states();
      List<Tensor> outputs = new ArrayList<>();
      List<Tensor> gradients = new ArrayList<>();
      after.forEach(
          (name, state) -> {
            Tensor gradient = vector.get(name);
            if (gradient != null) {
              outputs.add(state);
              gradients.add(gradient);
            }
          });
      tape.backward(outputs, gradients);
      leaves.forEach(
          (name, leaf) -> {
            Tensor gradient = leaf.grad();
            Tensor product =
                gradient == null
                    ? Tensor.zeros(leaf.dtype(), leaf.device(), leaf.shape())
                    : gradient.clone();
            out.put(name, TensorScope.detach(product));
          });
    }
    return out;
  }

  static double dot(Map<String, Tensor> a, Map<String, Tensor> b) {
    double sum = 0;
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (Map.Entry<String, Tensor> x : a.entrySet()) {
        Tensor y = b.get(x.getKey());
        if (y != null) {
          sum += Ops.sum(Ops.mul(x.getValue(), y)).item();
        }
      }
    }
    return sum;
  }

  /** Divides a vector by its norm, which is returned. */
  private static double normalize(Map<String, Tensor> vector) {
    double norm = Math.sqrt(dot(vector, vector));
    if (norm > 0) {
      try (var scope = TensorScope.open();
          var silent = Autograd.noGrad()) {
        vector.values().forEach(v -> v.copy_(Ops.mul(v, 1 / norm)));
      }
    }
    return norm;
  }

  private static void close(Map<String, Tensor> tensors) {
    tensors.values().forEach(Tensor::close);
  }

  @Override
  public void close() {
    close(before);
    close(states);
    logits.close();
    image.close();
  }
}
