package org.gammanet.detection;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;

class DetectionMemoryTest {
  /** Peaks of a process less those at 32 pixels a side, by GNU time. */
  @Test
  void theEstimateIsWithinAFifthOfWhatWasMeasured() {
    GammaNetConfig config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.base_channels=16",
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2,"
                    + " conv3_1, conv3_2, conv3_3, pool3, conv4_1, conv4_2, conv4_3, pool4]"));
    try (GammaNet net = GammaNet.empty(config, Device.CPU)) {
      DetectionMemory memory = new DetectionMemory(net.network());
      assertEquals(231e6, memory.bytes(512, 512), 0.2 * 231e6);
      assertEquals(887e6, memory.bytes(1024, 1024), 0.2 * 887e6);
      assertEquals(2231e6, memory.bytes(1600, 1600), 0.2 * 2231e6);
    }
    try (GammaNet net = GammaNet.empty(GammaNetConfig.shipped("default", List.of()), Device.CPU)) {
      assertEquals(1114e6, new DetectionMemory(net.network()).bytes(512, 512), 0.2 * 1114e6);
    }
  }
}
