package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gammanet.config.Ablation;
import org.gammanet.config.AblationConfig;
import org.gammanet.config.Architecture;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.nn.Parameter;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.GoldenCase;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Device;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.training.EdgeLoss;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole networks against PyTorch: logits, and states of every level and timestep. */
class NetworkFixtureTest {
  static Stream<GoldenCase> models() {
    return Stream.of("vgg_v2", "vgg_v1", "gammanet", "backbone", "ablations")
        .flatMap(folder -> Fixtures.files("model/" + folder, ".json").stream())
        .map(GoldenCase::read)
        .filter(golden -> golden.kind().startsWith("model_"));
  }

  static ModelConfig config(GoldenCase golden) {
    ModelConfig config =
        ModelConfig.parseJson(golden.json().get("config").toString(), golden.name());
    config =
        switch (golden.kind()) {
          case "model_v2", "gradient_v2" -> config.withArchitecture(Architecture.VGG16_GAMMANET_V2);
          case "model_v1", "gradient_v1" -> config.withArchitecture(Architecture.VGG16_GAMMANET);
          case "model_backbone" -> config.withArchitecture(Architecture.GAMMANET_BACKBONE);
          case "model_gammanet" -> config.withArchitecture(Architecture.GAMMANET);
          case "model_ablation" ->
              config.withAblation(
                  AblationConfig.of(Ablation.ofName(golden.json().get("ablation").asText())));
          default -> throw new AssertionError(golden.kind());
        };
    JsonNode timesteps = golden.json().path("timesteps");
    return timesteps.isInt() ? config.withTimesteps(timesteps.asInt()) : config;
  }

  @ParameterizedTest
  @MethodSource("models")
  void equalsPyTorch(GoldenCase golden) {
    long before = Tensor.liveHandles();
    JsonNode json = golden.json();
    try (Network network = Network.create(config(golden));
        var noGrad = Autograd.noGrad();
        var scope = TensorScope.open()) {
      assertEquals(json.get("parameter_count").asLong(), network.parameterCount());
      DeterministicWeights.fill(network, golden.seed());
      if ("train".equals(json.path("mode").asText())) {
        network.train();
      }
      Map<String, Tensor> initial = new HashMap<>();
      json.path("initial_states")
          .properties()
          .forEach(
              state ->
                  initial.put(
                      state.getKey(),
                      DeterministicWeights.tensor(
                          state.getValue().get("generator_name").asText(),
                          golden.seed(),
                          state.getValue().get("center").asDouble(),
                          state.getValue().get("half").asDouble(),
                          GoldenCase.longs(state.getValue().get("shape")))));
      double[] worst = {0};
      ForwardHooks hooks =
          new ForwardHooks() {
            @Override
            public void timestepFinished(int t, Map<String, Tensor> states) {
              JsonNode expected = json.path("states").path(t);
              expected
                  .properties()
                  .forEach(
                      state -> {
                        if (state.getValue().has("mean")) {
                          Tensor actual = states.get(state.getKey());
                          assertNotNull(actual, state.getKey());
                          double error =
                              checkState(golden, state.getKey(), state.getValue(), actual);
                          worst[0] = Math.max(worst[0], error);
                        }
                      });
            }
          };
      ForwardOptions options =
          ForwardOptions.DEFAULTS.withInitialStates(initial).withHooks(hooks).withFinalStates();
      ForwardResult result = network.forward(golden.input("input"), options);
      golden.check("output", result.logits());
      if (json.has("states")) {
        System.out.printf("%-34s states: %.2e of the tolerance%n", golden.name(), worst[0]);
      }
      // Without hooks, states and every step: shortcuts may be taken, and the result is the same.
      boolean fused = network.fallbackReason() == null;
      boolean quick = fused || network.config().timesteps() <= 2;
      ForwardOptions plain = ForwardOptions.DEFAULTS.withInitialStates(initial);
      if (quick && !json.has("mode")) {
        golden.check("output", network.forward(golden.input("input"), plain).logits());
      }
      if (fused) {
        golden.check(
            "output", network.forward(golden.input("input"), plain.withComposedOnly()).logits());
      }
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  /** Mean, deviation and probe values; returns the largest error over its tolerance. */
  private static double checkState(
      GoldenCase golden, String name, JsonNode expected, Tensor actual) {
    double[] values = actual.toDoubleArray();
    double mean = 0;
    for (double v : values) {
      mean += v / values.length;
    }
    double variance = 0;
    for (double v : values) {
      variance += (v - mean) * (v - mean) / values.length;
    }
    double std = expected.get("std").asDouble();
    double tolerance = 1e-3 * std + 1e-5;
    double worst =
        Math.max(
            Math.abs(mean - expected.get("mean").asDouble()), Math.abs(Math.sqrt(variance) - std));
    worst = Math.max(worst, probeError(expected, values));
    assertTrue(worst <= tolerance, golden.name() + ": state " + name + " differs by " + worst);
    return worst / tolerance;
  }

  private static double probeError(JsonNode expected, double[] values) {
    JsonNode indices = expected.get("probe_indices");
    double worst = 0;
    for (int j = 0; j < indices.size(); j++) {
      double value = expected.get("probe_values").get(j).asDouble();
      worst = Math.max(worst, Math.abs(values[indices.get(j).asInt()] - value));
    }
    return worst;
  }

  @Test
  void keysAndCountsAreTheReferences() {
    GoldenCase golden = GoldenCase.read(Fixtures.folder("model/state_dict_keys.json"));
    ModelConfig parsed = GammaNetConfig.defaults().model();
    golden
        .json()
        .get("models")
        .properties()
        .forEach(
            model -> {
              Architecture architecture = null;
              for (Architecture candidate : Architecture.values()) {
                if (candidate.word().equals(model.getKey())) {
                  architecture = candidate;
                }
              }
              assertNotNull(architecture, model.getKey());
              List<String> expected = new ArrayList<>();
              model
                  .getValue()
                  .get("state_dict")
                  .properties()
                  .forEach(
                      key ->
                          expected.add(
                              key.getKey() + key.getValue().toString().replace(",", ", ")));
              try (Network network = Network.create(parsed.withArchitecture(architecture))) {
                assertEquals(
                    String.join("\n", expected),
                    String.join(
                        "\n", network.entries().stream().map(Parameter::toString).toList()));
              }
            });
  }

  static Stream<GoldenCase> gradients() {
    return Stream.of("vgg_v2", "vgg_v1")
        .flatMap(folder -> Fixtures.files("model/" + folder, ".json").stream())
        .map(GoldenCase::read)
        .filter(golden -> golden.kind().startsWith("gradient_"));
  }

  @ParameterizedTest
  @MethodSource("gradients")
  void gradientsEqualPyTorch(GoldenCase golden) {
    long before = Tensor.liveHandles();
    JsonNode json = golden.json();
    try (Network network = Network.create(config(golden));
        var scope = TensorScope.open()) {
      DeterministicWeights.fill(network, golden.seed());
      network.requiresGrad(true);
      Tensor image = golden.input("input").requiresGrad(true);
      Map<String, Tensor> initial = new HashMap<>();
      network
          .stateShapes(image.size(0), image.size(2), image.size(3))
          .forEach((name, shape) -> initial.put(name, Tensor.zeros(shape).requiresGrad(true)));
      Tensor logits =
          network.forward(image, ForwardOptions.DEFAULTS.withInitialStates(initial)).logits();
      golden.check("output", logits);
      float[] gradient = lossGradient(golden, logits);
      Autograd.backward(logits, Tensor.of(gradient, logits.shape()));
      if (golden.error("grad.input", image.grad()) > golden.tolerance("grad.input")) {
        checkAcrossKinks(golden, image.grad());
      }
      checkGradients(golden, network);
      json.path("initial_state_gradients")
          .properties()
          .forEach(
              state -> {
                double norm = norm(initial.get(state.getKey()).grad());
                double expected = state.getValue().get("l2").asDouble();
                double tolerance = json.get("gradient_l2_relative_tolerance").asDouble();
                assertEquals(expected, norm, expected * tolerance, state.getKey());
              });
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  /**
   * The gradient jumps where a rectified or pooled value is nearly a tie, and on which side float32
   * falls depends on the processor's kernels. Where single elements exceed the stored tolerance,
   * double precision has to give the golden gradient, and float32 has to agree with it as a whole.
   */
  private static void checkAcrossKinks(GoldenCase golden, Tensor gradient) {
    Tensor exact = imageGradient(golden, golden.input("input"));
    double error = golden.error("grad.input", exact);
    assertTrue(
        error <= golden.tolerance("grad.input") / 10,
        golden.name() + ": in double precision grad.input differs by " + error);
    double relative = norm(Ops.sub(gradient.to(DType.FLOAT64), exact)) / norm(exact);
    System.out.printf(
        "%-34s %-50s in double precision; float32 differs by %.2e of its norm%n",
        golden.name(), "grad.input", relative);
    double tolerance = golden.json().get("gradient_l2_relative_tolerance").asDouble();
    assertTrue(
        relative <= tolerance,
        golden.name() + ": grad.input differs by " + relative + " of its norm");
  }

  /** Gradient of the loss with respect to the image, in double precision. */
  private static Tensor imageGradient(GoldenCase golden, Tensor image) {
    try (Network network = Network.create(config(golden))) {
      DeterministicWeights.fill(network, golden.seed());
      network.to(Device.CPU, DType.FLOAT64);
      Tensor input = image.to(DType.FLOAT64).requiresGrad(true);
      Tensor logits;
      try (var recording = Autograd.enableGrad()) {
        logits = network.forward(input);
      }
      float[] gradient = lossGradient(golden, logits);
      Autograd.backward(logits, Tensor.of(gradient, logits.shape()).to(DType.FLOAT64));
      return input.grad();
    }
  }

  /** Checks the loss and gives its gradient with respect to the logits. */
  static float[] lossGradient(GoldenCase golden, Tensor logits) {
    JsonNode json = golden.json();
    float[] z = logits.toFloatArray();
    float[] target = new float[z.length];
    for (int i = 0; i < z.length; i++) {
      target[i] = DeterministicWeights.uniform("target", golden.seed(), i) < 0.2f ? 1 : 0;
    }
    double loss;
    float[] gradient;
    if (json.get("loss_name").asText().equals("bi_bce_hed")) {
      boolean[] valid = new boolean[z.length];
      Arrays.fill(valid, true);
      var result =
          EdgeLoss.of(TrainingConfig.Loss.BI_BCE_HED, EdgeLoss.Settings.of(0.5))
              .evaluate(z, target, valid, (int) logits.size(0));
      loss = result.value();
      gradient = result.gradient();
    } else {
      loss = 0;
      gradient = new float[z.length];
      for (int i = 0; i < z.length; i++) {
        double p = 1 / (1 + Math.exp(-z[i]));
        loss += (Math.log1p(Math.exp(z[i])) - z[i] * target[i]) / z.length;
        gradient[i] = (float) ((p - target[i]) / z.length);
      }
    }
    double expected = json.get("loss").asDouble();
    assertEquals(expected, loss, expected * json.get("loss_relative_tolerance").asDouble(), "loss");
    return gradient;
  }

  private static double norm(Tensor tensor) {
    double sum = 0;
    for (double g : tensor.toDoubleArray()) {
      sum += g * g;
    }
    return Math.sqrt(sum);
  }

  static void checkGradients(GoldenCase golden, Network network) {
    JsonNode json = golden.json();
    double relative = json.get("gradient_l2_relative_tolerance").asDouble();
    double absolute = json.get("gradient_l2_absolute_tolerance").asDouble();
    double[] worst = {0};
    json.get("gradients")
        .properties()
        .forEach(
            entry -> {
              Tensor gradient = network.parameter(entry.getKey()).tensor().grad();
              JsonNode expected = entry.getValue();
              if (expected.isNull()) {
                assertNull(gradient, entry.getKey());
                return;
              }
              assertNotNull(gradient, entry.getKey());
              double norm = norm(gradient);
              if (expected.path("vanishes").asBoolean()) {
                assertTrue(norm <= absolute, entry.getKey() + " has the gradient " + norm);
                return;
              }
              double l2 = expected.get("l2").asDouble();
              double error = Math.abs(norm - l2);
              worst[0] = Math.max(worst[0], error / l2);
              assertTrue(
                  error <= relative * l2 + absolute,
                  entry.getKey() + ": gradient norm " + norm + " instead of " + l2);
            });
    System.out.printf(
        "%-34s gradient norms: largest relative error %.2e%n", golden.name(), worst[0]);
  }
}
