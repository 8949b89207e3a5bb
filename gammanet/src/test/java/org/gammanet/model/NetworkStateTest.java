package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

/** Values of a network by name: reading, loading, digest. */
class NetworkStateTest {
  private static Network network(long seed) {
    List<String> small =
        List.of(
            "model.use_backbone=false",
            "model.normalization=batch",
            "model.layers=[{features: 5, pool: true, h_kernel: 3}, {features: 6, pool: false,"
                + " h_kernel: 1}, {features: 5, pool: false, h_kernel: 1}]");
    return Network.create(GammaNetConfig.shipped("default", small).model(), seed);
  }

  @Test
  void aStateDictHoldsParametersAndBuffers() {
    try (Network network = network(1)) {
      assertTrue(network.parameters().stream().noneMatch(p -> p.name().contains("running")));
      assertTrue(network.buffers().stream().anyMatch(p -> p.name().contains("running_mean")));
      assertEquals(
          network.parameters().size() + network.buffers().size(), network.stateDict().size());
    }
  }

  @Test
  void aLoadedNetworkHasTheSameDigest() {
    try (Network first = network(1);
        Network second = network(2)) {
      String digest = first.digest();
      assertTrue(digest.matches("[0-9a-f]{64}"), digest);
      assertNotEquals(digest, second.digest());
      second.loadStateDict(first.stateDict());
      assertEquals(digest, second.digest());
      Parameter last = second.parameters().getLast();
      assertArrayEquals(
          first.parameter(last.name()).tensor().toFloatArray(), last.tensor().toFloatArray());
      second.buffers().getFirst().tensor().zero_();
      second.buffers().get(1).tensor().zero_();
      assertNotEquals(digest, second.digest());
    }
  }

  @Test
  void everyMisfitIsNamedAndNothingIsChanged() {
    try (Network network = network(1);
        var scope = TensorScope.open()) {
      String digest = network.digest();
      Map<String, Tensor> values = new LinkedHashMap<>();
      network.stateDict().forEach((name, value) -> values.put(name, Tensor.zeros(value.shape())));
      network.buffers().forEach(b -> values.put(b.name(), b.tensor()));
      values.remove("output_conv.bias");
      values.put("output_conv.weight", Tensor.zeros(2));
      values.put("elsewhere", Tensor.zeros(1));
      String message =
          assertThrows(IllegalArgumentException.class, () -> network.loadStateDict(values))
              .getMessage();
      assertTrue(message.contains("1 missing: output_conv.bias"), message);
      assertTrue(message.contains("1 unexpected: elsewhere"), message);
      assertTrue(message.contains("output_conv.weight (float32[2] instead of"), message);
      assertFalse(message.contains("\n"), message);
      assertEquals(digest, network.digest());
    }
  }
}
