package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Tape;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Gradients of all parameters of whole networks against central differences of the loss in double
 * precision, along one direction for each parameter.
 *
 * <p>The direction is half the gradient's own, so that the difference is not small, and half a
 * random one, which finds errors across the gradient. Rectified sums within the step of zero make
 * differences that are off by their small share.
 */
class FiniteDifferenceTest {
  private static final double STEP = 1e-8;
  private static final long HEIGHT = 18;
  private static final long WIDTH = 21;

  private static final List<Recompute> MODES =
      List.of(Recompute.NONE, Recompute.CELLS, Recompute.TIMESTEPS);

  private static final List<String> DYNAMIC =
      List.of(
          "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]",
          "model.base_channels=6",
          "model.timesteps=3");

  private static final List<String> STATIC =
      List.of(
          "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]",
          "model.hidden_channels=7",
          "model.base_channels=5",
          "model.timesteps=2",
          "model.use_distribution_alignment=false",
          "model.fgru.use_dynamic_parameters=false",
          "model.fgru.symmetric_weights=spatial_channel",
          "model.fgru.normalize_circuit_outputs=true",
          "model.fgru.force_alpha_divisive=true");

  private static final List<String> DALE =
      List.of(
          "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]",
          "model.base_channels=5",
          "model.timesteps=2",
          "model.fgru.dale=true",
          "model.fgru.symmetric_weights=channel");

  /** Small networks of every kind. */
  static List<List<String>> networks() {
    return List.of(
        DYNAMIC,
        STATIC,
        List.of(
            "model.model_version=v1",
            "model.timesteps=2",
            "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]",
            "model.base_channels=5"),
        DALE,
        List.of(
            "model.use_backbone=false",
            "model.timesteps=3",
            "model.layers=[{features: 5, pool: true, h_kernel: 3}, {features: 6, pool: false,"
                + " h_kernel: 1}, {features: 5, pool: false, h_kernel: 1}]"));
  }

  static List<List<String>> networksWithKernels() {
    return List.of(DYNAMIC, STATIC);
  }

  private static Network create(List<String> settings) {
    Network network = Network.create(GammaNetConfig.shipped("default", settings).model());
    // No weight is zero: initial ones put rectified sums exactly at zero.
    DeterministicWeights.fill(network, 11);
    return network;
  }

  private static double[] random(long seed, int n) {
    Random random = new Random(seed);
    return random.doubles(n, -1, 1).map(v -> (float) v).toArray();
  }

  private static Tensor image(DType type) {
    return Tensor.of(random(1, (int) (3 * HEIGHT * WIDTH)), 1, 3, HEIGHT, WIDTH).to(type);
  }

  /** The loss is the sum of the logits times these. */
  private static double[] ofLogits() {
    return random(2, (int) (HEIGHT * WIDTH));
  }

  private static double loss(Network network) {
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      double[] logits = network.forward(image(DType.FLOAT64)).toDoubleArray();
      double[] factors = ofLogits();
      double sum = 0;
      for (int i = 0; i < logits.length; i++) {
        sum += logits[i] * factors[i];
      }
      return sum;
    }
  }

  private static Map<String, double[]> gradients(Network network, Recompute mode, DType type) {
    Map<String, double[]> gradients = new LinkedHashMap<>();
    network.requiresGrad(true);
    try (var scope = TensorScope.open();
        var tape = new Tape(mode)) {
      Tensor logits =
          network.forward(image(type), ForwardOptions.DEFAULTS.withExecutor(tape)).logits();
      tape.backward(logits, Tensor.of(ofLogits(), logits.shape()).to(type));
      for (Parameter parameter : network.parameters()) {
        Tensor gradient = parameter.tensor().grad();
        if (gradient != null) {
          gradients.put(parameter.name(), gradient.to(DType.FLOAT64).toDoubleArray());
          parameter.tensor().zeroGrad();
        }
      }
    } finally {
      network.requiresGrad(false);
    }
    return gradients;
  }

  private static double norm(double[] v) {
    return Math.sqrt(dot(v, v));
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static double[] direction(double[] gradient, int seed) {
    double[] direction = random(seed, gradient.length);
    double length = norm(direction);
    double size = norm(gradient);
    for (int i = 0; i < direction.length; i++) {
      direction[i] = direction[i] / length + (size == 0 ? 0 : gradient[i] / size);
    }
    return direction;
  }

  /** Directions by name, and the central difference along each. */
  private record Differences(Map<String, double[]> directions, Map<String, Double> slopes) {
    /**
     * The greatest error of gradients, relative to their length; that of parameters whose gradient
     * is zero in theory, such as a bias in front of a normalization, relative to {@code least} of
     * the longest one.
     */
    double error(Map<String, double[]> gradients, double least, String what) {
      assertEquals(directions.keySet(), gradients.keySet());
      double longest = gradients.values().stream().mapToDouble(v -> norm(v)).max().orElseThrow();
      double worst = 0;
      String where = "";
      for (String name : directions.keySet()) {
        double[] gradient = gradients.get(name);
        double difference =
            Math.abs(dot(gradient, directions.get(name)) - slopes.get(name))
                / Math.max(norm(gradient), least * longest);
        if (!(difference <= worst)) {
          worst = difference;
          where = name;
        }
      }
      System.out.printf("%-32s %.1e, %s%n", what, worst, where);
      return worst;
    }
  }

  private static Differences differences(Network network, Map<String, double[]> gradients) {
    Map<String, double[]> directions = new LinkedHashMap<>();
    Map<String, Double> slopes = new LinkedHashMap<>();
    for (String name : gradients.keySet()) {
      Parameter parameter = network.parameter(name);
      double[] direction = direction(gradients.get(name), slopes.size());
      double[] value = parameter.tensor().toDoubleArray();
      double[] losses = new double[2];
      for (int side = 0; side < 2; side++) {
        double[] moved = value.clone();
        for (int i = 0; i < moved.length; i++) {
          moved[i] += (side == 0 ? -STEP : STEP) * direction[i];
        }
        set(parameter, moved);
        losses[side] = loss(network);
      }
      set(parameter, value);
      directions.put(name, direction);
      slopes.put(name, (losses[1] - losses[0]) / (2 * STEP));
    }
    return new Differences(directions, slopes);
  }

  private static void set(Parameter parameter, double[] values) {
    try (var scope = TensorScope.open()) {
      parameter.set(Tensor.of(values, parameter.shape()));
    }
  }

  @ParameterizedTest
  @MethodSource("networks")
  void gradientsAreTheSlopesOfTheLoss(List<String> settings) {
    try (Network network = create(settings)) {
      network.to(Device.CPU, DType.FLOAT64);
      Map<String, double[]> gradients = gradients(network, Recompute.NONE, DType.FLOAT64);
      assertTrue(gradients.size() > 20, gradients.keySet().toString());
      Differences differences = differences(network, gradients);
      for (Recompute mode : MODES) {
        double error =
            differences.error(
                gradients(network, mode, DType.FLOAT64),
                1e-3,
                network.config().name() + " " + mode);
        assertTrue(error < 3e-4, mode + ": " + error);
      }
    }
  }

  /** The hand-written derivatives, which are float32, against the same differences. */
  @ParameterizedTest
  @MethodSource("networksWithKernels")
  void gradientsOfNativeKernelsAreThoseSlopesToo(List<String> settings) {
    try (Network exact = create(settings);
        Network network = create(settings)) {
      assumeTrue(network.fallbackReason() == null, String.valueOf(network.fallbackReason()));
      exact.to(Device.CPU, DType.FLOAT64);
      Differences differences = differences(exact, gradients(exact, Recompute.NONE, DType.FLOAT64));
      for (Recompute mode : MODES) {
        double error =
            differences.error(
                gradients(network, mode, DType.FLOAT32), 1e-2, "native kernels " + mode);
        assertTrue(error < 1e-3, mode + ": " + error);
      }
    }
  }

  /** That the test can fail: a gradient that is one part in a thousand too long is noticed. */
  @Test
  void aWrongGradientIsNoticed() {
    try (Network network = create(DYNAMIC)) {
      network.to(Device.CPU, DType.FLOAT64);
      Map<String, double[]> gradients = gradients(network, Recompute.NONE, DType.FLOAT64);
      Differences differences = differences(network, gradients);
      double[] one = gradients.get("fgru_0.W_inh");
      for (int i = 0; i < one.length; i++) {
        one[i] *= 1.001;
      }
      assertTrue(differences.error(gradients, 1e-3, "wrong on purpose") > 5e-4);
    }
  }
}
