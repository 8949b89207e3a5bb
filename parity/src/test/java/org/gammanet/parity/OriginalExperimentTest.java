package org.gammanet.parity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.study.Experiments;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.NetworkPreparation;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.gammanet.model.Network;
import org.gammanet.testing.DeterministicWeights;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OriginalExperimentTest {
  @Test
  void theFourExperimentsHaveTheOriginalsDefects(@TempDir Path folder) throws IOException {
    var config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]",
                "model.hidden_channels=8",
                "model.timesteps=2"));
    try (Network network = Network.create(config.model())) {
      DeterministicWeights.fill(network, 5);
      InSilico run =
          InSilico.open(
              folder,
              List.of("all"),
              Settings.DEFAULTS.withMode(Mode.PARITY),
              new NetworkPreparation(network, "fgru_1", 160, 1, 32, true),
              null,
              Map.of("version", "1"),
              false,
              Study.Existing.CONTINUE,
              Progress.NONE);
      run.run();
      JsonNode r = run.results();
      assertEquals(12, r.path("orientation_tuning").path("responses").size());
      assertEquals(6, r.path("orientation_tuning").path("spatial_frequency_responses").size());
      // Standardized per image, all contrasts look alike.
      double[] flat = Json.read(r.path("contrast_response").path("responses"), double[].class);
      assertEquals(flat[0], flat[7], 1e-4 * Math.abs(flat[7]));
      double[] facilitation =
          Json.read(r.path("kapadia").path("model_facilitation_collinear"), double[].class);
      assertEquals(13, facilitation.length);
      assertEquals(4, r.path("kinoshita").path("model_normalized_responses").size());
      assertFalse(r.has("size_tuning"));
    }
  }

  @Test
  void otherExperimentsAreNotTheOriginals() {
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> Experiments.named(List.of("size_tuning"), Mode.PARITY));
    assertTrue(
        String.valueOf(e.getMessage()).contains("size_tuning is not among the original's"),
        e.getMessage());
  }
}
