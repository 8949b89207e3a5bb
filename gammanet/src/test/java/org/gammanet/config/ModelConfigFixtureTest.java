package org.gammanet.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import org.gammanet.testing.Fixtures;
import org.junit.jupiter.api.Test;

/** The configurations in the golden data, as their authors wrote them, are read completely. */
class ModelConfigFixtureTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void everyModelSectionParsesAndRoundTrips() throws IOException {
    int count = 0;
    for (Path file : Fixtures.files("model", ".json")) {
      JsonNode config = JSON.readTree(file.toFile()).path("config");
      if (!config.isObject() || !config.has("fgru")) {
        continue;
      }
      ModelConfig model = ModelConfig.parseJson(config.toString(), file.toString());
      assertEquals(model, ModelConfig.parseJson(model.toJson(), file.toString()));
      String steps = config.has("timesteps") ? "timesteps" : "num_timesteps";
      assertEquals(config.path(steps).asInt(8), model.timesteps(), file.toString());
      count++;
    }
    assertTrue(count > 20, "only " + count + " configurations found");
  }

  @Test
  void everyCellResolvesAsTheReferenceResolvesIt() throws IOException {
    int count = 0;
    for (Path file : Fixtures.files("model/cells", ".json")) {
      JsonNode json = JSON.readTree(file.toFile());
      FgruConfig asWritten = FgruConfig.parseJson(json.path("fgru").toString(), file.toString());
      FgruConfig resolved =
          FgruConfig.parseJson(json.path("fgru_resolved").toString(), file.toString());
      assertEquals(resolved, asWritten, file.toString());
      count++;
    }
    assertTrue(count > 0, "no cells found");
  }
}
