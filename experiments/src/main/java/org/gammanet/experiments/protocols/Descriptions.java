package org.gammanet.experiments.protocols;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.config.Documents;
import org.gammanet.experiments.study.Description;

/** The texts of this package's experiments, from the resource {@code descriptions.yaml}. */
final class Descriptions {
  private static final String FILE = "descriptions.yaml";
  private static final JsonNode ALL = read();

  private Descriptions() {}

  private static JsonNode read() {
    try (InputStream in = Descriptions.class.getResourceAsStream(FILE)) {
      if (in == null) {
        throw new AssertionError(FILE + " is missing");
      }
      return Documents.readYaml(new String(in.readAllBytes(), StandardCharsets.UTF_8), FILE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The caption of a figure.
   *
   * @throws IllegalArgumentException where there is none
   */
  static String caption(String figure) {
    for (JsonNode texts : ALL) {
      if (texts.path("captions").has(figure)) {
        return texts.path("captions").path(figure).asText();
      }
    }
    throw new IllegalArgumentException("no caption for the figure " + figure);
  }

  static Description of(String name) {
    JsonNode texts = ALL.path(name);
    List<String> requires = new ArrayList<>();
    texts.path("requires").forEach(r -> requires.add(r.asText()));
    return new Description(
        name,
        texts.path("title").asText(),
        texts.path("about").asText(),
        texts.path("literature").asText(),
        texts.path("key").asText(name),
        texts.path("primary").asText(),
        requires);
  }
}
