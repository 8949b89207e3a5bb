package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class AblateCommandTest {
  @TempDir Path folder = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void data() throws IOException {
    for (String split : List.of("train", "val", "test")) {
      Squares.write(folder, split);
    }
  }

  private int run(Object... arguments) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    List<String> words = new ArrayList<>(List.of("ablate"));
    Arrays.stream(arguments).forEach(a -> words.add(a.toString()));
    words.addAll(
        List.of(
            "--data-dir",
            folder.toString(),
            "--output",
            folder.resolve("out").toString(),
            "--thresholds",
            "5",
            "--set",
            "model.timesteps=2",
            "--set",
            "data.augmentation.random_crop=32"));
    return line.execute(words.toArray(String[]::new));
  }

  private List<String> updates(String network) throws IOException {
    return Files.readAllLines(folder.resolve("out").resolve(network).resolve("updates.csv"));
  }

  @Test
  void trainsScoresComparesAndGoesOn() throws IOException {
    long before = Tensor.liveHandles();
    assertEquals(0, run("full", "honly", "--max-steps", 2), err.toString());
    assertEquals(before, Tensor.liveHandles(), "live handles");
    JsonNode json = new ObjectMapper().readTree(folder.resolve("out/comparison.json").toFile());
    assertEquals("full", json.get("reference").asText());
    JsonNode honly = json.get("networks").get(1);
    assertEquals(694_481, honly.get("parameters").asLong());
    assertEquals(2, honly.get("updates").asInt());
    assertEquals(3, honly.get("images").asInt());
    assertTrue(honly.get("remark").asText().contains("cannot reach"));
    // Three images say nothing about others.
    assertTrue(honly.get("difference").get("ods").isNumber());
    assertTrue(honly.get("difference").get("ods_interval").get(0).isNull());
    assertTrue(json.get("networks").get(0).get("difference").get("ods").isNull());
    List<String> csv = Files.readAllLines(folder.resolve("out/comparison.csv"));
    assertEquals(3, csv.size());
    assertEquals(csv.get(0).split(",", -1).length, csv.get(2).split(",", -1).length);
    for (String name : List.of("comparison.svg", "comparison.png", "report.html")) {
      assertTrue(Files.size(folder.resolve("out").resolve(name)) > 0, name);
    }
    assertTrue(Files.exists(folder.resolve("out/full/evaluation/eval_bdry.txt")));

    // Again: nothing is left to do. One more update: only that one is made.
    List<String> first = updates("full");
    assertEquals(0, run("full", "--max-steps", 2), err.toString());
    assertTrue(out.toString().contains("trained already"), out.toString());
    assertEquals(first, updates("full"));
    assertEquals(0, run("full", "--max-steps", 3), err.toString());
    assertEquals(4, updates("full").size());
    assertEquals(first, updates("full").subList(0, 3));
    assertEquals(0, run("full", "--no-train"), err.toString());

    assertEquals(1, run("full", "--max-steps", 3, "--seed", 7), "another run");
    assertTrue(err.toString().contains("another run (seed of each"), err.toString());
    assertEquals(1, run("full", "--max-steps", 3, "--seed", 7, "--force"), "trainings stay");
    assertTrue(err.toString().contains("another configuration"), err.toString());
  }

  @Test
  void wrongUsageAndMissingFiles() {
    assertEquals(2, run("no_brain"));
    assertTrue(err.toString().contains("no_gates"), err.toString());
    assertEquals(2, run("full", "full"));
    assertEquals(2, run("full", "--max-steps", 0));
    assertEquals(2, run("full", "--max-steps", 1, "--no-train"));
    assertEquals(2, run(folder.resolve("none.yaml")));
    assertEquals(1, run("full", "--max-steps", 1, "--split", "other"));
    assertEquals(1, run("full", "--no-train"));
    assertTrue(err.toString().contains("there is no best_model or last"), err.toString());
    assertEquals(1, run("full", "--no-train", "--seed", 7), "the one before has found nothing");
    assertFalse(err.toString().contains("another run"), err.toString());
    assertFalse(Files.exists(folder.resolve("out/full/checkpoints")));
  }
}
