package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TorchException;
import org.junit.jupiter.api.Test;

class NetworkCreationTest {
  /** The read-out, the last weight, would take 256 TB. */
  @Test
  void aNetworkThatDoesNotFitIntoMemoryLeavesNothingBehind() {
    ModelConfig config =
        GammaNetConfig.shipped(
                "default", List.of("model.output_channels=2000000000", "model.base_channels=32"))
            .model();
    long before = Tensor.liveHandles();
    assertThrows(TorchException.class, () -> Network.create(config));
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }
}
