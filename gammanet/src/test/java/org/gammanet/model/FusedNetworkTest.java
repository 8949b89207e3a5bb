package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks by native kernels against the same networks composed of LibTorch's operators. */
class FusedNetworkTest {
  private static final String THREE_LEVELS =
      "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1, conv3_2, conv3_3]";

  @BeforeAll
  static void needsKernels() {
    assumeTrue(
        NativeKernels.supports(Precision.FLOAT32),
        () -> "no native kernels: " + NativeKernels.fallbackReason());
  }

  private static Network network(String... settings) {
    List<String> all = new ArrayList<>(List.of(settings));
    Network network = Network.create(GammaNetConfig.shipped("default", all).model(), 5);
    assertNull(network.fallbackReason());
    return network;
  }

  private static Tensor random(long seed, long... shape) {
    int n = 1;
    for (long s : shape) {
      n *= (int) s;
    }
    float[] values = new float[n];
    Random random = new Random(seed);
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(values, shape);
  }

  /**
   * How far the fused network may be from the composed one, over the standard deviation of the
   * logits.
   *
   * <p>A timestep multiplies the error of the states by some factor L and adds rounding of c u, u =
   * 2^-24, so that after T timesteps the error is c u (1 + L + ... + L^(T-1)). L belongs to the
   * weights and the image, and is the same for both; c belongs to the order of the sums, and
   * differs by less than ten (Winograd's transforms lose most). The error of the composed network,
   * measured against float64, thus bounds that of the fused one: ten times as much, and no less
   * than 2e-5. Two results that lie within this distance of the exact one differ by at most twice
   * as much.
   */
  private static double tolerance(Network network, Tensor image, ForwardOptions options) {
    ForwardOptions composed = options.withComposedOnly();
    float[] rounded = logits(network, image, composed);
    network.to(Device.CPU, DType.FLOAT64);
    float[] exact = logits(network, image.to(DType.FLOAT64), composed);
    network.to(Device.CPU, DType.FLOAT32);
    return 2 * Math.max(10 * difference(exact, rounded), 2e-5);
  }

  /** Largest difference over the standard deviation of what is expected. */
  private static double difference(float[] expected, float[] actual) {
    assertEquals(expected.length, actual.length);
    double mean = 0;
    for (float v : expected) {
      mean += v / expected.length;
    }
    double variance = 0;
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      variance += (expected[i] - mean) * (expected[i] - mean) / expected.length;
      largest = Math.max(largest, Math.abs(expected[i] - actual[i]));
    }
    return largest / Math.sqrt(variance);
  }

  private static float[] logits(Network network, Tensor image, ForwardOptions options) {
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      return network.forward(image, options).logits().toFloatArray();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.timesteps=8",
        "model.hidden_channels=24",
        "model.use_distribution_alignment=false",
        "model.skip_connections=false",
        "model.kernel_size=5",
        "model.fgru.use_separate_ei_states=false",
        "model.fgru.dale=true",
        "model.fgru.multiplicative_excitation=false"
      })
  void equalsTheComposedNetwork(String setting) {
    long before = Tensor.liveHandles();
    try (Network network = network(THREE_LEVELS, setting);
        var scope = TensorScope.open()) {
      Tensor image = random(1, 2, 3, 21, 30);
      ForwardOptions plain = ForwardOptions.DEFAULTS;
      float[] expected = logits(network, image, plain.withComposedOnly());
      double difference = difference(expected, logits(network, image, plain));
      double tolerance = tolerance(network, image, plain);
      System.out.printf(
          "%-50s fused and composed differ by %.1e std of at most %.1e%n",
          setting, difference, tolerance);
      assertTrue(difference < tolerance, setting + ": " + difference + " of " + tolerance);
    }
    assertEquals(before, Tensor.liveHandles());
  }

  @Test
  void statesAndTimestepsAreThoseOfTheComposedNetwork() {
    try (Network network = network(THREE_LEVELS);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Tensor image = random(1, 1, 3, 33, 40);
      ForwardOptions options =
          ForwardOptions.DEFAULTS.withTimesteps(4).withEveryTimestep().withFinalStates();
      double tolerance = tolerance(network, image, options);
      ForwardResult expected = network.forward(image, options.withComposedOnly());
      ForwardResult actual = network.forward(image, options);
      for (int t = 0; t < 4; t++) {
        same(expected.logitsPerTimestep().get(t), actual.logitsPerTimestep().get(t), tolerance);
      }
      assertEquals(expected.states().keySet(), actual.states().keySet());
      expected.states().forEach((name, state) -> same(state, actual.states().get(name), tolerance));
      // Two passes in a row are one long pass, and leave the caller's states alone.
      ForwardResult half = network.forward(image, options.withTimesteps(2));
      float[] kept = half.states().get("h0_exc").toFloatArray();
      ForwardResult rest =
          network.forward(image, options.withTimesteps(2).withInitialStates(half.states()));
      same(expected.logits(), rest.logits(), tolerance);
      assertArrayEquals(kept, half.states().get("h0_exc").toFloatArray());
      Map<String, Tensor[]> responses =
          network.respond(image, List.of("fgru_0", "td_fgru_0"), options);
      Map<String, Tensor[]> composed =
          network.respond(image, List.of("fgru_0", "td_fgru_0"), options.withComposedOnly());
      composed.forEach((name, outputs) -> same(outputs[0], responses.get(name)[0], tolerance));
    }
  }

  private static void same(Tensor expected, Tensor actual, double tolerance) {
    assertArrayEquals(expected.shape(), actual.shape());
    double difference = difference(expected.toFloatArray(), actual.toFloatArray());
    assertTrue(difference < tolerance, "differs by " + difference + " of " + tolerance);
  }

  @Test
  void hooksSeeAndChangeTheSame() {
    try (Network network = network(THREE_LEVELS);
        var scope = TensorScope.open()) {
      Tensor image = random(1, 1, 3, 32, 32);
      double tolerance = tolerance(network, image, ForwardOptions.DEFAULTS);
      Map<String, float[]> expected = new LinkedHashMap<>();
      Map<String, float[]> actual = new LinkedHashMap<>();
      float[] a =
          logits(
              network,
              image,
              ForwardOptions.DEFAULTS.withHooks(hooks(expected)).withComposedOnly());
      float[] b = logits(network, image, ForwardOptions.DEFAULTS.withHooks(hooks(actual)));
      assertTrue(difference(a, b) < tolerance);
      assertEquals(expected.keySet(), actual.keySet());
      assertTrue(expected.size() > 15);
      expected.forEach(
          (name, values) -> assertTrue(difference(values, actual.get(name)) < tolerance, name));
    }
  }

  private static ForwardHooks hooks(Map<String, float[]> seen) {
    return new ForwardHooks() {
      @Override
      public Tensor blockOutput(String block, int timestep, Tensor drive) {
        return block.equals("block2_conv") ? Ops.mul(drive, 0.5) : drive;
      }

      @Override
      public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
        seen.put(cell + timestep, states[0].toFloatArray());
        return timestep == 1 ? new Tensor[] {Ops.relu(states[0]), states[1]} : states;
      }

      @Override
      public boolean wantsInside(String cell, int timestep) {
        return cell.equals("fgru_1") && timestep == 2;
      }

      @Override
      public void cellFinished(String cell, int timestep, Map<String, Tensor> signals) {
        signals.forEach((name, signal) -> seen.put(cell + name, signal.toFloatArray()));
      }
    };
  }

  @Test
  void changedParametersArePackedAgain() {
    try (Network network = network(THREE_LEVELS, "model.hidden_channels=8");
        var scope = TensorScope.open()) {
      Tensor image = random(1, 1, 3, 16, 16);
      float[] first = logits(network, image, ForwardOptions.DEFAULTS);
      Parameter weight = network.parameter("fgru_0.W_gain");
      weight.set(Ops.mul(weight.tensor(), 3));
      float[] second = logits(network, image, ForwardOptions.DEFAULTS);
      assertTrue(difference(first, second) > 1e-3);
      float[] composed = logits(network, image, ForwardOptions.DEFAULTS.withComposedOnly());
      double tolerance = tolerance(network, image, ForwardOptions.DEFAULTS);
      assertTrue(difference(composed, second) < tolerance);
    }
  }

  @Test
  void threadsMayShareANetwork() throws Exception {
    try (Network network = network(THREE_LEVELS, "model.hidden_channels=8");
        var scope = TensorScope.open()) {
      Tensor image = random(1, 1, 3, 24, 24);
      float[] expected = logits(network, image, ForwardOptions.DEFAULTS);
      var together = new CyclicBarrier(8); // more threads than a common pool may have
      try (var threads = Executors.newFixedThreadPool(8)) {
        List<Future<float[]>> results = new ArrayList<>();
        for (int k = 0; k < 8; k++) {
          results.add(
              threads.submit(
                  () -> {
                    together.await();
                    return logits(network, image, ForwardOptions.DEFAULTS);
                  }));
        }
        for (Future<float[]> result : results) {
          assertArrayEquals(expected, result.get());
        }
      }
    }
  }

  @Test
  void attentionStaysComposed() {
    var config =
        GammaNetConfig.shipped("default", List.of(THREE_LEVELS, "model.fgru.use_attention=se"));
    try (Network network = Network.create(config.model())) {
      String reason = network.fallbackReason();
      assertNotNull(reason);
      assertTrue(reason.contains("attention"), reason);
      var e =
          assertThrows(
              UnsupportedOperationException.class, () -> network.setPrecision(Precision.BFLOAT16));
      assertTrue(e.getMessage().contains("attention"), e.getMessage());
    }
  }

  @Test
  void bfloat16IsCloseWhereItIsPossible() {
    try (Network network = network(THREE_LEVELS);
        var scope = TensorScope.open()) {
      if (!NativeKernels.supports(Precision.BFLOAT16)) {
        network.setPrecision(Precision.BFLOAT16);
        assertEquals(Precision.FLOAT32, network.precision());
        assumeTrue(false, "this processor does not compute in bfloat16");
      }
      Tensor image = random(1, 1, 3, 40, 40);
      float[] exact = logits(network, image, ForwardOptions.DEFAULTS.withTimesteps(8));
      network.setPrecision(Precision.BFLOAT16);
      float[] rounded = logits(network, image, ForwardOptions.DEFAULTS.withTimesteps(8));
      double difference = difference(exact, rounded);
      System.out.printf("bfloat16 differs by %.1e std%n", difference);
      assertTrue(difference > 0 && difference < 0.3, "differs by " + difference);
    }
  }

  @Test
  void gradientsInBfloat16AreCloseWhereTheyArePossible() {
    assumeTrue(NativeKernels.supports(Precision.BFLOAT16));
    try (Network network = network(THREE_LEVELS, "model.timesteps=2");
        var scope = TensorScope.open()) {
      network.requiresGrad(true);
      Map<String, float[]> exact = gradients(network, Recompute.NONE, ForwardOptions.DEFAULTS);
      network.setPrecision(Precision.BFLOAT16);
      Map<String, float[]> rounded = gradients(network, Recompute.NONE, ForwardOptions.DEFAULTS);
      double square = 0;
      double total = 0;
      for (var entry : exact.entrySet()) {
        float[] other = rounded.get(entry.getKey());
        for (int k = 0; k < other.length; k++) {
          double value = entry.getValue()[k];
          square += (other[k] - value) * (other[k] - value);
          total += value * value;
        }
      }
      double difference = Math.sqrt(square / total);
      System.out.printf("gradients in bfloat16 differ by %.1e%n", difference);
      // A rounding of 2^-8 turns about as many of the rectified sums on or off, each with its whole
      // gradient: the root of that is what the gradient moves by, in each of some such layers.
      assertTrue(difference > 0 && difference < 6 * Math.sqrt(1.0 / 256), "" + difference);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.timesteps=3",
        "model.skip_connections=false",
        "model.fgru.normalize_circuit_outputs=true",
        "model.fgru.use_dynamic_parameters=false",
        "model.fgru.symmetric_weights=spatial_channel",
        "model.fgru={symmetric_weights: spatial_channel, dale: true}",
        "model.fgru.dale=true",
        "model.fgru.use_separate_ei_states=false"
      })
  void gradientsAreThoseOfAutomaticDifferentiation(String setting) {
    try (Network network =
            network(
                THREE_LEVELS, "model.timesteps=2", setting.replace("timesteps=3", "timesteps=2"));
        var scope = TensorScope.open()) {
      network.requiresGrad(true);
      Map<String, float[]> expected =
          gradients(network, Recompute.NONE, ForwardOptions.DEFAULTS.withComposedOnly());
      Map<String, float[]> actual = gradients(network, Recompute.CELLS, ForwardOptions.DEFAULTS);
      double all = 0;
      for (float[] gradient : expected.values()) {
        all = Math.max(all, norm(gradient, null));
      }
      assertEquals(expected.keySet(), actual.keySet());
      double worst = 0;
      for (String name : expected.keySet()) {
        // Biases in front of a norm have gradients that are 0 but for rounding.
        double scale = norm(expected.get(name), null) + 1e-3 * all;
        double error = norm(expected.get(name), actual.get(name)) / scale;
        worst = Math.max(worst, error);
        // Where a rectified sum crosses zero by rounding, its gradient jumps. If a share s of sums
        // do, the norm of the difference is about the root of s.
        assertTrue(error < 1e-2, name + " differs by " + error);
      }
      System.out.printf("%-50s gradients differ by %.1e of their norm%n", setting, worst);
    }
  }

  /** Euclidean norm of {@code a - b}. */
  private static double norm(float[] a, float @Nullable [] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      double d = a[i] - (b == null ? 0 : b[i]);
      sum += d * d;
    }
    return Math.sqrt(sum);
  }

  private static Map<String, float[]> gradients(
      Network network, Recompute mode, ForwardOptions options) {
    Map<String, float[]> result = new LinkedHashMap<>();
    try (var scope = TensorScope.open();
        Tape tape = new Tape(mode)) {
      Tensor image = random(7, 1, 3, 20, 27).requiresGrad(true);
      Tensor logits = network.forward(image, options.withExecutor(tape)).logits();
      tape.backward(logits, random(8, logits.shape()));
      result.put("image", gradient(image));
      for (Parameter parameter : network.parameters()) {
        if (parameter.tensor().grad() != null) {
          result.put(parameter.name(), gradient(parameter.tensor()));
          parameter.tensor().zeroGrad();
        }
      }
    }
    return result;
  }

  private static float[] gradient(Tensor leaf) {
    Tensor gradient = leaf.grad();
    assertNotNull(gradient);
    return gradient.toFloatArray();
  }
}
