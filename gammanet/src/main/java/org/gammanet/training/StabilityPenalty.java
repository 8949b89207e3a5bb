package org.gammanet.training;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.io.SplitMix;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Executor;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * A penalty on networks whose step F does not contract, after the Lipschitz-coefficient penalty of
 * Linsley et al. ("Stable and expressive recurrent vision models", NeurIPS 2020): mean over images
 * of {@code log(max(1, r / 0.9))²}, where r is by how much a step magnifies a small difference d of
 * the last state h, {@code r = |F(h + d) - F(h)| / |d|}. The logarithm equals the paper's {@code r
 * - 0.9} near the bound, up to the factor 1 / 0.9, and keeps a few images with a large r from
 * ruling the gradient.
 *
 * <p>The paper bounds the sums of the Jacobian's columns, which takes second derivatives. Here the
 * Jacobian is probed along one direction by a finite difference, which takes first derivatives
 * only. The direction is random at first and then goes through a few steps itself (power
 * iteration), so that r approaches the modulus of the Jacobian's leading eigenvalue: amplification
 * that does not last is not penalized. h and d count as constants in the gradient.
 */
final class StabilityPenalty {
  /** Magnification up to which nothing is penalized. */
  static final double BOUND = 0.9;

  /** Size of the difference relative to the state. */
  private static final double RELATIVE = 1e-2;

  /** Steps of the power iteration in training. */
  static final int ITERATIONS = 3;

  private final Network network;
  private final int iterations;

  StabilityPenalty(Network network, int iterations) {
    this.network = network;
    this.iterations = iterations;
  }

  /**
   * Adds the gradients of the penalty to the parameters'.
   *
   * @param image of the batch
   * @param last h by name, all of the network's
   * @param weight of the penalty
   * @param factor on the gradients only
   * @param random makes the first direction
   * @return weight times penalty; not finite where a state is not
   */
  double add(
      Tensor image,
      Map<String, Tensor> last,
      Recompute recompute,
      double weight,
      double factor,
      SplitMix random) {
    try (var scope = TensorScope.open();
        var base = new Tape(recompute);
        var moved = new Tape(recompute)) {
      int images = (int) image.size(0);
      Map<String, Tensor> states = new LinkedHashMap<>();
      last.forEach((name, state) -> states.put(name, state.detach()));
      Map<String, float[]> start = values(states);
      double[] distance = norms(start, images);
      for (int b = 0; b < images; b++) {
        distance[b] *= RELATIVE;
      }
      Map<String, Tensor> end = step(image, states, base);
      Map<String, float[]> endValues = values(end);
      Map<String, float[]> direction = new LinkedHashMap<>();
      start.forEach(
          (name, v) -> {
            float[] normal = new float[v.length];
            random.fillNormal(normal, 0, normal.length, 1);
            direction.put(name, normal);
          });
      for (int k = 0; k < iterations; k++) {
        try (var inner = TensorScope.open();
            var silent = Autograd.noGrad()) {
          Map<String, Tensor> there =
              step(image, displaced(states, start, direction, distance), Executor.DIRECT);
          direction.putAll(difference(values(there), endValues));
        }
      }
      Map<String, Tensor> movedEnd =
          step(image, displaced(states, start, direction, distance), moved);
      Map<String, float[]> difference = difference(values(movedEnd), endValues);
      double[] norm = norms(difference, images);
      double sum = 0;
      double[] slope = new double[images];
      for (int b = 0; b < images; b++) {
        double ratio = norm[b] / Math.max(distance[b], 1e-30);
        double excess = ratio > BOUND ? Math.log(ratio / BOUND) : 0 * ratio;
        sum += weight * excess * excess / images;
        slope[b] = excess == 0 ? 0 : 2 * weight * factor * excess / (images * norm[b] * norm[b]);
      }
      if (Double.isFinite(sum) && sum > 0) {
        backward(moved, movedEnd, difference, slope, 1);
        backward(base, end, difference, slope, -1);
      }
      return sum;
    }
  }

  private static void backward(
      Tape tape,
      Map<String, Tensor> states,
      Map<String, float[]> difference,
      double[] slope,
      int sign) {
    List<Tensor> outputs = new ArrayList<>();
    List<Tensor> gradients = new ArrayList<>();
    states.forEach(
        (name, state) -> {
          float[] d = difference.getOrDefault(name, new float[0]);
          float[] g = new float[d.length];
          int size = d.length / slope.length;
          for (int i = 0; i < g.length; i++) {
            g[i] = (float) (sign * slope[i / size] * d[i]);
          }
          outputs.add(state);
          gradients.add(Tensor.of(g, state.shape()).to(state.device()));
        });
    tape.backward(outputs, gradients);
  }

  private Map<String, Tensor> step(Tensor image, Map<String, Tensor> states, Executor executor) {
    return network
        .forward(
            image,
            ForwardOptions.DEFAULTS
                .withTimesteps(1)
                .withInitialStates(states)
                .withFinalStates()
                .withExecutor(executor))
        .states();
  }

  private static Map<String, float[]> values(Map<String, Tensor> states) {
    Map<String, float[]> values = new LinkedHashMap<>();
    states.forEach((name, state) -> values.put(name, state.toFloatArray()));
    return values;
  }

  /** Euclidean norm over all states of each image. */
  private static double[] norms(Map<String, float[]> states, int images) {
    double[] squares = new double[images];
    for (float[] v : states.values()) {
      int size = v.length / images;
      for (int i = 0; i < v.length; i++) {
        squares[i / size] += (double) v[i] * v[i];
      }
    }
    for (int b = 0; b < images; b++) {
      squares[b] = Math.sqrt(squares[b]);
    }
    return squares;
  }

  private static Map<String, float[]> difference(
      Map<String, float[]> to, Map<String, float[]> from) {
    Map<String, float[]> result = new LinkedHashMap<>();
    to.forEach(
        (name, v) -> {
          float[] f = from.getOrDefault(name, new float[v.length]);
          float[] d = new float[v.length];
          for (int i = 0; i < d.length; i++) {
            d[i] = v[i] - f[i];
          }
          result.put(name, d);
        });
    return result;
  }

  /** The states moved by a distance, of each image, along a direction of any length. */
  private static Map<String, Tensor> displaced(
      Map<String, Tensor> states,
      Map<String, float[]> start,
      Map<String, float[]> direction,
      double[] distance) {
    double[] norm = norms(direction, distance.length);
    Map<String, Tensor> result = new LinkedHashMap<>();
    start.forEach(
        (name, v) -> {
          float[] d = direction.getOrDefault(name, new float[v.length]);
          float[] moved = new float[v.length];
          int size = v.length / distance.length;
          for (int i = 0; i < v.length; i++) {
            int b = i / size;
            moved[i] = (float) (v[i] + (norm[b] == 0 ? 0 : distance[b] * d[i] / norm[b]));
          }
          Tensor state = states.get(name);
          if (state != null) {
            result.put(name, Tensor.of(moved, state.shape()).to(state.device()));
          }
        });
    return result;
  }
}
