package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.gammanet.config.ConfigException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.config.TrainingConfig.TimestepLoss;
import org.gammanet.data.Batch;
import org.gammanet.io.SplitMix;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class BatchGradientsTest {
  private static final int SIDE = 16;

  private static GammaNetConfig config(String... more) {
    List<String> settings =
        new ArrayList<>(
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1, conv3_2,"
                    + " conv3_3]",
                "model.base_channels=4",
                "model.hidden_channels=4",
                "model.fgru.dynamic_param_activation=sigmoid",
                "model.timesteps=3",
                "training.loss=bce",
                "training.recompute=none"));
    settings.addAll(List.of(more));
    return GammaNetConfig.shipped("default", settings);
  }

  private static Batch batch() {
    Random random = new Random(4);
    float[] images = new float[2 * 3 * SIDE * SIDE];
    for (int i = 0; i < images.length; i++) {
      images[i] = (float) random.nextGaussian();
    }
    float[] targets = new float[2 * SIDE * SIDE];
    boolean[] valid = new boolean[targets.length];
    for (int i = 0; i < targets.length; i++) {
      targets[i] = random.nextInt(5) == 0 ? 1 : 0;
      valid[i] = true;
    }
    return new Batch(0, 0, List.of("a", "b"), SIDE, SIDE, images, targets, valid);
  }

  private static Network network(GammaNetConfig config) {
    Network network = Network.create(config.model(), 3);
    network.requiresGrad(true);
    return network;
  }

  private static BatchGradients.Outcome run(
      GammaNetConfig config, Network network, @Nullable SideReadOuts sides) {
    EdgeLoss loss = EdgeLoss.of(config.training(), 0.3, true);
    return new BatchGradients(config, network, loss, Recompute.NONE, null, sides)
        .add(batch(), Curriculum.of(config).at(0), 1);
  }

  private static Map<String, float[]> gradients(Network network) {
    Map<String, float[]> gradients = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      try (var scope = TensorScope.open()) {
        Tensor gradient = parameter.tensor().grad();
        gradients.put(
            parameter.name(),
            gradient == null ? new float[(int) parameter.numel()] : gradient.toFloatArray());
      }
      parameter.tensor().zeroGrad();
    }
    return gradients;
  }

  /** Cosine and relative distance of two sets of gradients. */
  private static double[] compare(Map<String, float[]> a, Map<String, float[]> b) {
    double aa = 0;
    double bb = 0;
    double ab = 0;
    for (String name : a.keySet()) {
      float[] x = a.get(name);
      float[] y = b.getOrDefault(name, new float[x.length]);
      for (int i = 0; i < x.length; i++) {
        aa += (double) x[i] * x[i];
        bb += (double) y[i] * y[i];
        ab += (double) x[i] * y[i];
      }
    }
    return new double[] {
      ab / Math.sqrt(aa * bb), Math.sqrt(Math.max(0, aa + bb - 2 * ab) / Math.max(aa, bb))
    };
  }

  private interface Value {
    double at();
  }

  /**
   * Compares directional derivatives with differences: along the gradient of each parameter, where
   * the derivative is its norm.
   */
  private static void assertDerivatives(
      Map<String, Tensor> parameters, Map<String, float[]> gradients, Value value, double bound) {
    int tried = 0;
    double largest = 0;
    for (float[] g : gradients.values()) {
      largest = Math.max(largest, norm(g));
    }
    for (String name : parameters.keySet()) {
      float[] g = gradients.get(name);
      double norm = norm(g);
      if (norm < 0.1 * largest) {
        continue;
      }
      Tensor parameter = parameters.get(name);
      float[] at = parameter.toFloatArray();
      double step = 1e-4;
      double up = valueAt(parameter, at, g, step / norm, value);
      double down = valueAt(parameter, at, g, -step / norm, value);
      set(parameter, at);
      assertEquals(norm, (up - down) / (2 * step), bound * norm, name);
      tried++;
    }
    assertTrue(tried > 3, "gradients of " + tried + " parameters were compared");
  }

  private static double valueAt(
      Tensor parameter, float[] at, float[] direction, double distance, Value value) {
    float[] moved = at.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (distance * direction[i]);
    }
    set(parameter, moved);
    return value.at();
  }

  private static void set(Tensor parameter, float[] values) {
    try (var scope = TensorScope.open()) {
      parameter.detach().copy_(Tensor.of(values, parameter.shape()));
    }
  }

  private static double norm(float[] g) {
    double sum = 0;
    for (float v : g) {
      sum += (double) v * v;
    }
    return Math.sqrt(sum);
  }

  @Test
  void weightsOfTimestepsSumToOne() {
    assertArrayEquals(new double[] {0, 0, 1}, BatchGradients.weights(TimestepLoss.LAST, 3));
    assertArrayEquals(new double[] {0.5, 0.5}, BatchGradients.weights(TimestepLoss.UNIFORM, 2));
    assertArrayEquals(
        new double[] {1 / 6.0, 2 / 6.0, 3 / 6.0},
        BatchGradients.weights(TimestepLoss.LINEAR, 3),
        1e-15);
  }

  @Test
  void sideLossesHaveTheirGradients() {
    long before = Tensor.liveHandles();
    GammaNetConfig config = config("training.side_loss=0.5", "training.timestep_loss=linear");
    try (Network network = network(config);
        SideReadOuts sides = new SideReadOuts(network)) {
      assertEquals(
          List.of("td_h1_exc.weight", "td_h1_exc.bias"), List.copyOf(sides.parameters().keySet()));
      set(sides.parameters().firstEntry().getValue(), new float[] {0.5f, -1, 0.7f, 0.3f});
      double with = run(config, network, sides).value();
      Map<String, float[]> gradients = gradients(network);
      Map<String, Tensor> parameters = new LinkedHashMap<>();
      network.parameters().forEach(p -> parameters.put(p.name(), p.tensor()));
      try (var scope = TensorScope.open()) {
        sides
            .parameters()
            .forEach(
                (name, p) -> {
                  Tensor gradient = p.grad();
                  gradients.put(name, gradient == null ? new float[0] : gradient.toFloatArray());
                  parameters.put(name, p);
                });
      }
      assertDerivatives(parameters, gradients, () -> run(config, network, sides).value(), 0.1);
      GammaNetConfig without = config("training.timestep_loss=linear");
      gradients(network);
      double plain = run(without, network, null).value();
      assertTrue(with > plain, with + " with side losses, " + plain + " without");
    }
    assertEquals(before, Tensor.liveHandles());
    try (Network single = Network.create(config("model.layers=[conv1_1, conv1_2]").model(), 1)) {
      assertThrows(TrainingException.class, () -> new SideReadOuts(single));
    }
  }

  @Test
  void theStabilityPenaltyHasItsGradients() {
    // Circuit parameters without a bound let a step magnify differences.
    GammaNetConfig config = config("model.fgru.dynamic_param_activation=softplus");
    try (Network network = network(config);
        var scope = TensorScope.open()) {
      network.stateDict().forEach((name, w) -> scaleUp(name, w));
      Batch batch = batch();
      Tensor image = Tensor.of(batch.images(), 2, 3, SIDE, SIDE);
      Map<String, Tensor> states =
          network
              .forward(image, ForwardOptions.DEFAULTS.withTimesteps(2).withFinalStates())
              .states();
      // Without a power iteration the direction does not depend on the weights.
      var penalty = new StabilityPenalty(network, 0);
      Value value = () -> penalty.add(image, states, Recompute.NONE, 2, 1, new SplitMix(7));
      double at = value.at();
      assertTrue(at > 1e-3, "the penalty is " + at);
      Map<String, float[]> gradients = gradients(network);
      assertDerivatives(network.stateDict(), gradients, value, 0.1);
    }
  }

  private static void scaleUp(String name, Tensor weights) {
    if (name.contains("W_exc") || name.contains("W_inh")) {
      float[] values = weights.toFloatArray();
      for (int i = 0; i < values.length; i++) {
        values[i] *= 4;
      }
      set(weights, values);
    }
  }

  @Test
  void powerIterationSettlesOnOneMagnification() {
    GammaNetConfig config = config("model.fgru.dynamic_param_activation=softplus");
    try (Network network = network(config);
        var scope = TensorScope.open()) {
      network.stateDict().forEach((name, w) -> scaleUp(name, w));
      Tensor image = Tensor.of(batch().images(), 2, 3, SIDE, SIDE);
      Map<String, Tensor> states =
          network
              .forward(image, ForwardOptions.DEFAULTS.withTimesteps(2).withFinalStates())
              .states();
      double[] magnification = new double[2];
      for (int seed = 0; seed < 2; seed++) {
        double penalty =
            new StabilityPenalty(network, 15)
                .add(image, states, Recompute.NONE, 1, 1, new SplitMix(seed));
        magnification[seed] = StabilityPenalty.BOUND * Math.exp(Math.sqrt(penalty));
      }
      assertTrue(magnification[0] > 1.1, "magnified by " + magnification[0]);
      // Eigenvalues come in conjugate pairs, which make the magnification of one step oscillate.
      assertEquals(1, magnification[1] / magnification[0], 0.15, "from another direction");
    }
  }

  @Test
  void contractorBackPropagationIsBackPropagationThroughTimeWhereTheStateHasSettled() {
    GammaNetConfig bptt = config("training.timesteps=[60, 60]");
    GammaNetConfig crbp = config("training.timesteps=[60, 60]", "training.gradient=c_rbp");
    long before = Tensor.liveHandles();
    try (Network network = network(bptt)) {
      network.stateDict().forEach((name, w) -> contract(name, w));
      try (var scope = TensorScope.open()) {
        Tensor image = Tensor.of(batch().images(), 2, 3, SIDE, SIDE);
        List<Tensor> logits =
            network
                .forward(image, ForwardOptions.DEFAULTS.withTimesteps(60).withEveryTimestep())
                .logitsPerTimestep();
        float[] late = logits.get(59).toFloatArray();
        assertArrayEquals(logits.get(50).toFloatArray(), late, 1e-4f, "settled");
      }
      BatchGradients.Outcome expected = run(bptt, network, null);
      Map<String, float[]> through = gradients(network);
      BatchGradients.Outcome actual = run(crbp, network, null);
      Map<String, float[]> fixed = gradients(network);
      assertEquals(expected.value(), actual.value(), 1e-5);
      double[] similarity = compare(through, fixed);
      assertTrue(similarity[1] < 0.01, "relative distance " + similarity[1]);
      // One term alone, the gradient of the last timestep, is something else.
      Map<String, float[]> once = new HashMap<>();
      run(config("training.timesteps=[1, 1]", "training.gradient=c_rbp"), network, null);
      once.putAll(gradients(network));
      assertTrue(compare(through, once)[1] > 0.05);
    }
    assertEquals(before, Tensor.liveHandles());
  }

  /** Opens the mixing gate, so that the past is soon forgotten. */
  private static void contract(String name, Tensor weights) {
    if (name.endsWith("b_mix") || name.endsWith("b_gain")) {
      float[] values = weights.toFloatArray();
      Arrays.fill(values, 1.5f);
      set(weights, values);
    }
  }

  @Test
  void contractorBackPropagationRefusesOtherLosses() {
    for (String more : List.of("training.timestep_loss=linear", "training.side_loss=0.3")) {
      ConfigException refused =
          assertThrows(ConfigException.class, () -> config("training.gradient=c_rbp", more));
      assertTrue(refused.getMessage().contains("the last logits only"), refused.getMessage());
    }
  }
}
