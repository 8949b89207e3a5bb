package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code fgru.dale}: horizontal kernels without negative weights. */
class DaleTest {
  private static ModelConfig config(String... more) {
    List<String> settings = new java.util.ArrayList<>(List.of(more));
    settings.add("model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2]");
    settings.add("model.base_channels=6");
    settings.add("model.timesteps=2");
    return GammaNetConfig.shipped("default", settings).model();
  }

  private static float least(Network network, boolean excitatory) {
    float least = Float.POSITIVE_INFINITY;
    for (CellSite site : network.sites()) {
      try (Tensor kernel = site.cell().horizontalKernel(excitatory)) {
        for (float v : kernel.toFloatArray()) {
          least = Math.min(least, v);
        }
      }
    }
    return least;
  }

  @Test
  void isOffByDefault() {
    assertFalse(config().fgru().dale());
    try (Network network = Network.create(config(), 1)) {
      assertTrue(least(network, true) < 0);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "channel", "spatial_channel"})
  void noKernelIsNegative(String symmetry) {
    ModelConfig config = config("model.fgru.dale=true", "model.fgru.symmetric_weights=" + symmetry);
    try (Network network = Network.create(config, 1)) {
      assertEquals(0, Math.min(0, least(network, true)));
      assertEquals(0, Math.min(0, least(network, false)));
    }
  }

  /** The constrained network is the free one with its kernels in absolute value. */
  @Test
  void equalsTheFreeNetworkWithNonnegativeWeights() {
    try (Network constrained = Network.create(config("model.fgru.dale=true"), 1);
        Network free = Network.create(config(), 1);
        var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      free.parameters().stream()
          .filter(p -> p.name().endsWith(".W_exc") || p.name().endsWith(".W_inh"))
          .forEach(p -> p.set(Ops.abs(p.tensor())));
      Tensor image = Tensor.full(0.5, 1, 3, 17, 20);
      ForwardOptions composed = ForwardOptions.DEFAULTS.withComposedOnly();
      assertArrayEquals(
          free.forward(image, composed).logits().toFloatArray(),
          constrained.forward(image, composed).logits().toFloatArray());
    }
  }

  @Test
  void learnsAndStaysNonnegative() {
    try (Network network = Network.create(config("model.fgru.dale=true"), 1);
        var scope = TensorScope.open()) {
      network.requiresGrad(true);
      Tensor weight = network.parameter("fgru_0.W_exc").tensor();
      for (int step = 0; step < 3; step++) {
        try (Tape tape = new Tape(Recompute.CELLS)) {
          Tensor logits =
              network
                  .forward(
                      Tensor.full(0.5, 1, 3, 16, 16), ForwardOptions.DEFAULTS.withExecutor(tape))
                  .logits();
          tape.backward(logits, Tensor.full(1, logits.shape()));
        }
        Tensor gradient = weight.grad();
        assertNotNull(gradient);
        try (var noGrad = Autograd.noGrad()) {
          assertTrue(Ops.sum(Ops.square(gradient)).item() > 0);
          weight.copy_(Ops.sub(weight, Ops.mul(gradient, 1e-2)));
        }
        weight.zeroGrad();
        assertEquals(0, Math.min(0, least(network, true)));
      }
    }
  }
}
