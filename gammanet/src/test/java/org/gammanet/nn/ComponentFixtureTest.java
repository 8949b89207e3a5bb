package org.gammanet.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.config.Activation;
import org.gammanet.config.Attention;
import org.gammanet.config.Normalization;
import org.gammanet.config.Symmetry;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.testing.Fixtures;
import org.gammanet.testing.GoldenCase;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The building blocks against PyTorch: outputs and gradients. */
class ComponentFixtureTest {
  private static final String NAME = "part";

  static Stream<GoldenCase> cases() {
    return Fixtures.files("model/components", ".json").stream().map(GoldenCase::read);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void equalsPyTorch(GoldenCase golden) {
    long before = Tensor.liveHandles();
    Layers layers = new Layers();
    Layers.Layer component = component(golden.json(), layers);
    assertEquals(names(golden.json().get("parameters")), names(layers));
    try (var scope = TensorScope.open()) {
      for (Parameter p : layers.parameters()) {
        p.allocate();
        p.set(
            Tensor.of(
                DeterministicWeights.parameter(plain(p), golden.seed(), p.shape()), p.shape()));
        p.tensor().requiresGrad(true);
      }
      Tensor x = golden.input("x").requiresGrad(true);
      Tensor output = component.forward(x);
      golden.check("output", output);
      float[] loss = DeterministicWeights.values("R1", golden.seed(), (int) output.numel(), 0, 1);
      Autograd.backward(output, Tensor.of(loss, output.shape()));
      check(golden, "grad.x", x);
      layers.parameters().forEach(p -> check(golden, "grad." + plain(p), p.tensor()));
    }
    layers.parameters().forEach(Parameter::close);
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  private static Layers.Layer component(JsonNode json, Layers layers) {
    int channels = json.path("inputs").path("x").path("shape").get(1).asInt();
    return switch (json.get("component").asText()) {
      case "bilinear" -> {
        JsonNode size = json.get("size");
        yield x -> Ops.upsampleBilinear2d(x, size.get(0).asInt(), size.get(1).asInt());
      }
      case "conv_transpose" -> {
        Parameter weight = parameter(layers, json, "weight");
        Parameter bias = parameter(layers, json, "bias");
        yield x -> Ops.convTranspose2d(x, weight.tensor(), bias.tensor(), 2, 2);
      }
      case "DistributionAlignment" -> {
        Layers.Conv alignment = layers.alignment(NAME, channels);
        yield x -> Ops.relu_(alignment.forward(x));
      }
      case "elu" -> Layers.activation(Activation.ELU);
      case "gelu" -> Layers.activation(Activation.GELU);
      case "sigmoid" -> Ops::sigmoid;
      case "softplus" -> Ops::softplus;
      case "SEBlock" -> layers.attention(NAME, Attention.SE, channels, 1);
      case "GALABlock" ->
          layers.attention(NAME, Attention.GALA, channels, json.get("layers").asInt());
      case "GroupNorm" ->
          layers.affineNorm(NAME, Normalization.GROUP, channels, json.get("groups").asInt());
      case "InstanceNorm2d" -> norm(layers, json, Normalization.INSTANCE, channels);
      case "LayerNorm2d" -> norm(layers, json, Normalization.LAYER, channels);
      case "maxpool" -> x -> Ops.maxPool2d(x, 2, 2);
      case "symmetric_conv" -> {
        Parameter weight = parameter(layers, json, "W_inh");
        Symmetry symmetry =
            Stream.of(Symmetry.values())
                .filter(s -> s.word().equals(json.get("mode").asText()))
                .findFirst()
                .orElseThrow();
        int padding = (int) weight.shape()[2] / 2;
        yield x -> Ops.conv2d(x, Layers.symmetric(weight.tensor(), symmetry), null, 1, padding);
      }
      default -> throw new AssertionError("no component for " + json.get("component"));
    };
  }

  private static Parameter parameter(Layers layers, JsonNode json, String name) {
    long[] shape = GoldenCase.longs(json.get("parameters").get(name));
    return layers.parameter(NAME + "." + name, Initialization.ZERO, shape);
  }

  private static Layers.Layer norm(Layers layers, JsonNode json, Normalization kind, int channels) {
    return json.get("parameters").isEmpty()
        ? Layers.plainNorm(kind, 1)
        : layers.affineNorm(NAME, kind, channels, 1);
  }

  private static void check(GoldenCase golden, String name, Tensor leaf) {
    Tensor gradient = leaf.grad();
    assertNotNull(gradient, name);
    golden.check(name, gradient);
  }

  private static String plain(Parameter parameter) {
    return parameter.name().substring(NAME.length() + 1);
  }

  private static Set<String> names(Layers layers) {
    return layers.parameters().stream()
        .map(ComponentFixtureTest::plain)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Set<String> names(JsonNode map) {
    Set<String> names = new TreeSet<>();
    map.fieldNames().forEachRemaining(names::add);
    return names;
  }
}
