package org.gammanet.experiments.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import jdk.jshell.JShell;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The notebook has the README's examples, and its cells run in JShell. */
class NotebookTest {
  private static List<String> cells() throws IOException {
    JsonNode notebook =
        new ObjectMapper()
            .readTree(DocumentationTest.root().resolve("docs/java/examples.ipynb").toFile());
    List<String> out = new ArrayList<>();
    for (JsonNode cell : notebook.path("cells")) {
      if (cell.path("cell_type").asText().equals("code")) {
        var text = new StringBuilder();
        cell.path("source").forEach(line -> text.append(line.asText()));
        out.add(text.toString());
      }
    }
    return out;
  }

  @Test
  void itHasTheExamplesOfTheReadme() throws IOException {
    List<String> blocks =
        Pattern.compile("```java\\n(.*?)\\n```", Pattern.DOTALL)
            .matcher(Files.readString(DocumentationTest.root().resolve("README.md")))
            .results()
            .map(m -> m.group(1))
            .toList();
    assertEquals(blocks, cells());
  }

  @Test
  void itsCellsRun(@TempDir Path folder) throws IOException {
    GammaNetConfig config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2]", "model.hidden_channels=4", "model.timesteps=2"));
    try (GammaNet model = GammaNet.random(config, 1, Device.CPU)) {
      model.save(folder.resolve("model.safetensors"));
    }
    ImageIO.write(
        new BufferedImage(64, 48, BufferedImage.TYPE_INT_RGB),
        "jpg",
        folder.resolve("photo.jpg").toFile());
    try (JShell shell = JShell.builder().executionEngine("local").build()) {
      for (String path : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
        shell.addToClasspath(path);
      }
      for (String cell : cells()) {
        // Files lie in the folder, not where the tests run.
        run(shell, cell.replaceAll("Path\\.of\\(\"", "Path.of(\"" + folder + "/"));
      }
    }
    for (String name : List.of("optimization_results.png", "tuning.png", "tuning.svg")) {
      assertTrue(Files.size(folder.resolve(name)) > 1_000, name);
    }
  }

  private static void run(JShell shell, String cell) {
    SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
    for (String rest = cell; !rest.isBlank(); ) {
      SourceCodeAnalysis.CompletionInfo next = analysis.analyzeCompletion(rest);
      for (SnippetEvent event : shell.eval(next.source())) {
        assertNull(event.exception(), () -> event.snippet().source() + event.exception());
        assertTrue(
            event.causeSnippet() != null || event.status().isActive(), // or replaced by a new one
            () ->
                event.snippet().source()
                    + shell.diagnostics(event.snippet()).map(d -> d.getMessage(null)).toList());
      }
      rest = next.remaining();
    }
  }
}
