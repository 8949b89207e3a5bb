package org.gammanet.experiments.responses;

import java.util.Arrays;
import java.util.List;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Preprocessing;
import org.gammanet.io.SplitMix;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * The gray image that drives a unit most, among all of the same contrast energy, by gradient ascent
 * (as the most exciting inputs of Walker et al. 2019). An image is a pattern P about mid gray,
 * luminance 0.5 + 0.5 P with P in [-1, 1]; its contrast energy is the sum of P² over pixels.
 */
public final class StimulusAscent {
  private final Network network;
  private final ForwardOptions options;
  private final String layer;
  private final int size;
  private final double energy;

  /**
   * An ascent.
   *
   * @param network stays the caller's
   * @param options how passes are run, such as with hooks
   * @param layer a cell, of whose units at the image's center the excitatory state counts
   * @param size height and width of images, pixels
   * @param energy that images may have at most
   */
  public StimulusAscent(
      Network network, ForwardOptions options, String layer, int size, double energy) {
    if (!(energy > 0)) {
      throw new IllegalArgumentException("the contrast energy must be positive, not " + energy);
    }
    this.network = network;
    this.options = options;
    this.layer = layer;
    this.size = size;
    this.energy = energy;
  }

  /**
   * Patterns with what they evoke.
   *
   * @param patterns one per unit, size x size
   * @param responses of the units
   */
  public record Found(double[][] patterns, double[] responses) {}

  /**
   * The gradient of responses at mid gray, with the full contrast energy: the best image if the
   * units were linear.
   *
   * @param timesteps after which the response is taken
   */
  public Found gradient(int[] channels, int timesteps) {
    double[][] g = new double[channels.length][size * size];
    differentiate(g, channels, timesteps, g);
    Arrays.stream(g).forEach(p -> project(p, true));
    return new Found(g, responses(g, channels, timesteps));
  }

  /**
   * Climbs from the gradient with a little noise.
   *
   * @param timesteps after which the response is taken
   * @param steps of the ascent
   */
  public Found ascend(int[] channels, int timesteps, int steps, long seed) {
    double[][] pattern = gradient(channels, timesteps).patterns;
    for (int k = 0; k < channels.length; k++) {
      float[] noise = new float[size * size];
      new SplitMix(seed, channels[k]).fillNormal(noise, 0, noise.length, 1);
      double scale = 0.1 * Math.sqrt(energy) / size;
      for (int i = 0; i < noise.length; i++) {
        pattern[k][i] += scale * noise[i];
      }
      project(pattern[k], true);
    }
    double[][] best = Arrays.stream(pattern).map(double[]::clone).toArray(double[][]::new);
    double[] most = new double[channels.length];
    Arrays.fill(most, Double.NEGATIVE_INFINITY);
    double[][] g = new double[channels.length][size * size];
    for (int step = 0; step <= steps; step++) {
      double[] now = differentiate(pattern, channels, timesteps, g);
      // Steps shrink from half of the radius of the sphere of equal energy to a hundredth.
      double length = 0.5 * Math.pow(0.02, (double) step / Math.max(1, steps));
      for (int k = 0; k < channels.length; k++) {
        if (now[k] > most[k]) {
          most[k] = now[k];
          best[k] = pattern[k].clone();
        }
        double norm = Math.sqrt(energy(g[k]));
        for (int i = 0; i < g[k].length && norm > 0; i++) {
          pattern[k][i] += length * Math.sqrt(energy) * g[k][i] / norm;
        }
        project(pattern[k], true);
      }
    }
    return new Found(best, most);
  }

  /** Responses of units to patterns, one each. */
  public double[] responses(double[][] patterns, int[] channels, int timesteps) {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      return centers(respond(input(patterns), options.withTimesteps(timesteps)), channels);
    }
  }

  private static double energy(double[] pattern) {
    return Arrays.stream(pattern).map(p -> p * p).sum();
  }

  /** Scales to the contrast energy, or down to it, and keeps luminance in [0, 1]. */
  private void project(double[] pattern, boolean up) {
    for (int round = 0; round < 5; round++) {
      double now = energy(pattern);
      if (!(now > 0) || !up && now <= energy || Math.abs(now - energy) < 1e-6 * energy) {
        return;
      }
      double scale = Math.sqrt(energy / now);
      for (int i = 0; i < pattern.length; i++) {
        pattern[i] = Math.clamp(pattern[i] * scale, -1, 1);
      }
    }
  }

  private float[] standardized(double[][] patterns) {
    int n = size * size;
    float[] out = new float[patterns.length * 3 * n];
    for (int k = 0; k < patterns.length; k++) {
      for (int c = 0; c < 3; c++) {
        for (int i = 0; i < n; i++) {
          out[(k * 3 + c) * n + i] =
              Preprocessing.IMAGENET.normalize(c, (float) (0.5 + 0.5 * patterns[k][i]));
        }
      }
    }
    return out;
  }

  private Tensor input(double[][] patterns) {
    return Tensor.of(standardized(patterns), patterns.length, 3, size, size).to(network.device());
  }

  private Tensor respond(Tensor image, ForwardOptions run) {
    Tensor[] states = network.respond(image, List.of(layer), run).get(layer);
    if (states == null) {
      throw new AssertionError(layer + " did not respond");
    }
    return states[0];
  }

  private static double[] centers(Tensor response, int[] channels) {
    Tensor center =
        Ops.narrow(Ops.narrow(response, 2, response.size(2) / 2, 1), 3, response.size(3) / 2, 1);
    float[] all = center.contiguous().toFloatArray();
    int c = (int) response.size(1);
    double[] out = new double[channels.length];
    Arrays.setAll(out, k -> all[k * c + channels[k]]);
    return out;
  }

  /** Responses, and their gradients with respect to the patterns. */
  private double[] differentiate(
      double[][] patterns, int[] channels, int timesteps, double[][] gradients) {
    int n = size * size;
    try (var scope = TensorScope.open();
        var tape = new Tape(Recompute.CELLS);
        var silent = Autograd.noGrad()) {
      Tensor image = input(patterns).detach().clone().requiresGrad(true);
      Tensor response = respond(image, options.withTimesteps(timesteps).withExecutor(tape));
      double[] values = centers(response, channels);
      int c = (int) response.size(1);
      float[] one = new float[channels.length * c];
      for (int k = 0; k < channels.length; k++) {
        one[k * c + channels[k]] = 1;
      }
      Tensor seed = Tensor.zeros(response.dtype(), response.device(), response.shape());
      Ops.narrow(Ops.narrow(seed, 2, response.size(2) / 2, 1), 3, response.size(3) / 2, 1)
          .copy_(Tensor.of(one, channels.length, c, 1, 1).to(response.device()));
      tape.backward(response, seed);
      Tensor gradient = image.grad();
      float[] g = gradient == null ? new float[channels.length * 3 * n] : gradient.toFloatArray();
      for (int k = 0; k < channels.length; k++) {
        Arrays.fill(gradients[k], 0);
        for (int channel = 0; channel < 3; channel++) {
          double by =
              0.5
                  * (Preprocessing.IMAGENET.normalize(channel, 1)
                      - Preprocessing.IMAGENET.normalize(channel, 0));
          for (int i = 0; i < n; i++) {
            gradients[k][i] += by * g[(k * 3 + channel) * n + i];
          }
        }
      }
      return values;
    }
  }
}
