package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PassThroughTest {
  private static final GammaNetConfig CONFIG =
      GammaNetConfig.shipped(
          "default",
          List.of(
              "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2, conv3_1, conv3_2,"
                  + " conv3_3, pool3]",
              "model.base_channels=8",
              "model.timesteps=1",
              "model.init=pass_through"));

  private static Tensor parameter(Network network, String name) {
    return network.entries().stream()
        .filter(p -> p.name().equals(name))
        .findFirst()
        .map(Parameter::tensor)
        .orElseThrow();
  }

  private static Tensor conv(Network network, String name, Tensor x) {
    return Ops.relu(
        Ops.conv2d(
            x, parameter(network, name + ".weight"), parameter(network, name + ".bias"), 1, 1));
  }

  private static Tensor noise() {
    Random random = new Random(9);
    float[] values = new float[3 * 32 * 32];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(values, 1, 3, 32, 32);
  }

  private static double rms(Tensor x) {
    return Math.sqrt(Ops.mean(Ops.mul(x, x)).item());
  }

  @Test
  void eachConvolutionHasUnitResponsesAndComputesTheSameFeatures() {
    try (Network network = Network.create(CONFIG.model(), 3);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Tensor images = noise();
      Tensor before = features(network, images);
      PassThrough.unitResponses(network, images);
      Tensor after = features(network, images);
      assertEquals(1, rms(after), 1e-5);
      Tensor first = conv(network, "block1_conv.layers.0", images);
      assertEquals(1, rms(first), 1e-5);
      // Equal up to one factor.
      double scale = rms(before);
      double difference = rms(Ops.sub(Ops.mul(after, scale), before));
      assertTrue(difference < 1e-5 * scale, difference + " of " + scale);
    }
  }

  private static Tensor features(Network network, Tensor x) {
    x = conv(network, "block1_conv.layers.0", x);
    x = conv(network, "block1_conv.layers.2", x);
    x = Ops.maxPool2d(x, 2, 2);
    x = conv(network, "block2_conv.layers.5", x);
    return conv(network, "block2_conv.layers.7", x);
  }

  /**
   * After one timestep the second level's state is its block's features up to the gates' factor.
   */
  @ParameterizedTest
  @ValueSource(strings = {"softplus", "sigmoid"})
  void oneTimestepHandsOnTheFeatures(String activation) {
    GammaNetConfig config =
        CONFIG.with(List.of("model.fgru.dynamic_param_activation=" + activation));
    try (Network network = Network.create(config.model(), 3);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      Tensor images = noise();
      PassThrough.unitResponses(network, images);
      Tensor expected = features(network, images);
      Map<String, Double> correlation = new TreeMap<>();
      network.forward(
          images,
          ForwardOptions.DEFAULTS.withHooks(
              new ForwardHooks() {
                @Override
                public Tensor blockOutput(String block, int timestep, Tensor drive) {
                  if (block.equals("block2_conv")) {
                    correlation.put("block", correlation(drive, expected));
                  }
                  return drive;
                }

                @Override
                public Tensor[] cellOutput(String cell, int timestep, Tensor[] states) {
                  if (cell.equals("fgru_1")) {
                    correlation.put("cell", correlation(states[0], expected));
                  }
                  return states;
                }
              }));
      assertTrue(correlation.get("block") > 0.95, correlation.toString());
      assertTrue(correlation.get("cell") > 0.95, correlation.toString());
    }
  }

  private static double correlation(Tensor a, Tensor b) {
    Tensor x = Ops.sub(a, Ops.mean(a));
    Tensor y = Ops.sub(b, Ops.mean(b));
    return Ops.mean(Ops.mul(x, y)).item() / rms(x) / rms(y);
  }
}
