package org.gammanet.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;

class NetworkCreationTest {
  @Test
  void aNetworkThatDoesNotFitIntoMemoryLeavesNothingBehind() {
    ModelConfig config =
        GammaNetConfig.shipped("default", List.of("model.base_channels=4")).model();
    long before = Tensor.liveHandles();
    int[] allocated = {0};
    assertThrows(
        OutOfMemoryError.class,
        () ->
            Network.create(
                config,
                parameter -> {
                  if (allocated[0]++ == 20) {
                    throw new OutOfMemoryError("on purpose");
                  }
                  parameter.allocate();
                }));
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }
}
