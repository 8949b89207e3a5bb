package org.gammanet.experiments.responses;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;

class StimulusAscentTest {
  private static final int SIZE = 16;

  @Test
  void imagesKeepTheirContrastEnergyAndEvokeMoreThanTheGradient() {
    GammaNetConfig config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2]",
                "model.hidden_channels=3",
                "model.timesteps=2",
                "model.fgru.normalization_type=none"));
    int[] units = {0, 2};
    double energy = 4;
    try (GammaNet net = GammaNet.random(config, 5, Device.CPU)) {
      var ascent =
          new StimulusAscent(net.network(), ForwardOptions.DEFAULTS, "fgru_0", SIZE, energy);
      StimulusAscent.Found gradient = ascent.gradient(units, 2);
      StimulusAscent.Found best = ascent.ascend(units, 2, 15, 1);
      for (int k = 0; k < units.length; k++) {
        double found = Arrays.stream(best.patterns()[k]).map(p -> p * p).sum();
        assertEquals(energy, found, 0.01 * energy);
        assertTrue(Arrays.stream(best.patterns()[k]).allMatch(p -> p >= -1 && p <= 1));
        assertTrue(best.responses()[k] >= gradient.responses()[k] - 1e-4);
      }
      // The response that is reported is the one that the image evokes.
      double[] again = ascent.responses(best.patterns(), units, 2);
      assertEquals(best.responses()[1], again[1], 1e-4);
    }
  }
}
