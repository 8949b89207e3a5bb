package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.gammanet.config.ConfigException;
import org.gammanet.experiments.Mode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProtocolTest {
  private static final Path TEMPLATES = Path.of("../config/protocols");

  @TempDir Path folder;

  @Test
  void templatesNameExperimentsAndTheirPrimaryNumbers() throws Exception {
    List<Path> files;
    try (Stream<Path> all = Files.list(TEMPLATES)) {
      files = all.toList();
    }
    assertEquals(4, files.size());
    for (Path file : files) {
      Protocol p = Protocol.read(file);
      Experiment<?> e = Experiments.named(List.of(p.experiment()), Mode.OWN).getFirst();
      assertEquals(e.description().primary(), p.primary(), file.toString());
      assertEquals(19, Control.parse(p.controls()).size());
      assertEquals(8, p.settings().apply(Settings.DEFAULTS).probes());
      assertEquals(p, Protocol.of(p.json().put("sha256", "x")));
    }
  }

  private static ObjectNode result(double difference, double p, int n) throws Exception {
    return (ObjectNode)
        Json.MAPPER.readTree(
            """
            {"suppression_index": {"value": 0.3, "low": 0.2, "high": 0.4, "n": %d},
             "controls": {"suppression_index": [{"group": "random", "difference": %s, "p": %s}]}}
            """
                .formatted(n, difference, p));
  }

  @Test
  void verdictsFollowTestDirectionAndSize() throws Exception {
    Protocol p = Protocol.read(TEMPLATES.resolve("size_tuning.yaml"));
    assertEquals("confirmed", p.judge(result(0.2, 0.05, 12)).outcome());
    assertEquals("not confirmed", p.judge(result(0.2, 0.1, 12)).outcome());
    assertEquals("not confirmed", p.judge(result(-0.2, 0.05, 12)).outcome());
    assertEquals("not testable", p.judge(result(0.2, 0.05, 9)).outcome());
    assertTrue(p.judge(Json.MAPPER.createObjectNode()).reason().contains("not defined"));
  }

  @Test
  void mistakesAreNamed() throws Exception {
    String good = Files.readString(TEMPLATES.resolve("size_tuning.yaml"));
    for (String bad :
        List.of(
            good.replace("alpha: 0.05", "alpha: 2"),
            good.replace("alpha: 0.05\n", ""),
            good + "typo: 1\n",
            good.replace("test: random", "test: guess"))) {
      Path file = Files.writeString(folder.resolve("p.yaml"), bad);
      ConfigException e = assertThrows(ConfigException.class, () -> Protocol.read(file));
      assertTrue(e.getMessage().contains("p.yaml"), e.getMessage());
    }
    Path file =
        Files.writeString(folder.resolve("p.yaml"), "# für\n" + good, StandardCharsets.ISO_8859_1);
    ConfigException e = assertThrows(ConfigException.class, () -> Protocol.read(file));
    assertEquals(file + " is not UTF-8 text", e.getMessage());
  }
}
