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
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import org.gammanet.evaluation.BoundaryCounts;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class CompareMapsCommandTest {
  @TempDir Path folder = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String command, Object... arguments) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    String[] words = command.split(" ");
    String[] all = Arrays.copyOf(words, words.length + arguments.length);
    for (int i = 0; i < arguments.length; i++) {
      all[words.length + i] = arguments[i].toString();
    }
    return line.execute(all);
  }

  @BeforeEach
  void data() throws IOException {
    Squares.write(folder, "test");
  }

  @Test
  void mapsADetectorAndEarlierScoresAreComparedWithTheFirst() throws IOException {
    Path earlier = folder.resolve("earlier");
    Object[] common = {"--data-dir", folder, "--thresholds", 9};
    assertEquals(
        0,
        run("evaluate --maps " + folder.resolve("maps") + " --output " + earlier, common),
        err.toString());
    Path results = folder.resolve("results");
    String compare =
        "compare maps perfect=%s sobel %s --output %s"
            .formatted(folder.resolve("maps"), earlier, results);
    assertEquals(0, run(compare, common), err.toString());
    JsonNode json = new ObjectMapper().readTree(results.resolve("comparison.json").toFile());
    assertEquals("perfect", json.get("reference").asText());
    assertEquals(3, json.get("images").asInt());
    double perfect = json.at("/detectors/0/ods").asDouble();
    assertTrue(perfect > 0.95, "all but the corners, which thinning takes");
    JsonNode sobel = json.at("/detectors/1");
    assertTrue(sobel.get("ods").asDouble() < perfect);
    assertEquals(
        sobel.get("ods").asDouble() - perfect, sobel.at("/difference/ods").asDouble(), 1e-9);
    assertEquals(0, json.at("/detectors/2/difference/ods").asDouble(), "the same maps");
    for (String name : List.of("comparison.csv", "report.html", "pr_curves.svg")) {
      assertTrue(Files.size(results.resolve(name)) > 0, name);
    }
    assertEquals(4, Files.readAllLines(results.resolve("comparison.csv")).size());
    assertTrue(out.toString().contains("ODS − ODS of perfect"), out.toString());

    Path counts = results.resolve("sobel/p1_ev1.txt");
    FileTime old = FileTime.fromMillis(1_000_000);
    Files.setLastModifiedTime(counts, old);
    assertTrue(err.toString().contains("scoring sobel"), err.toString());
    err.getBuffer().setLength(0);
    assertEquals(0, run(compare, common), err.toString());
    assertFalse(err.toString().contains("scoring"), err.toString());
    assertEquals(old, Files.getLastModifiedTime(counts), "counts are reused");
  }

  @Test
  void onlyImagesThatAllHaveAreCompared() {
    long[] all = {4, 3};
    double[] thresholds = {0.25, 0.5};
    var a = new BoundaryCounts("a", thresholds, new long[] {4, 1}, all, new long[] {4, 1}, all);
    var b = new BoundaryCounts("b", thresholds, new long[] {1, 1}, all, new long[] {1, 1}, all);
    var comparison =
        MapComparison.of(
            List.of(
                new MapComparison.Entry("one", "", List.of(a, b)),
                new MapComparison.Entry("other", "", List.of(a))),
            1);
    assertTrue(comparison.notes().getFirst().contains("1 of its 2 images"), comparison.text());
    assertTrue(comparison.text().contains("+0.0000"), comparison.text());
    assertFalse(comparison.text().contains("NaN"), comparison.text());
  }

  @Test
  void whatIsMissingIsSaid() {
    assertEquals(2, run("compare"));
    assertTrue(err.toString().contains("say what to compare: "), err.toString());
    assertEquals(2, run("compare maps one"));
    assertEquals(2, run("compare maps canny sobel"));
    assertTrue(err.toString().contains("--data-dir is missing"), err.toString());
    assertEquals(2, run("compare maps canny canny -d " + folder));
    assertTrue(err.toString().contains("two sources are called 'canny'"), err.toString());
    assertEquals(1, run("compare maps canny nothing -d " + folder));
    assertTrue(err.toString().contains("no detector of that name"), err.toString());
  }

  @Test
  void theHelpOfBothLevelsCanBeRead() {
    assertEquals(0, run("compare --help"));
    assertTrue(out.toString().contains("maps"), out.toString());
    assertEquals(0, run("compare maps --help"));
    assertTrue(out.toString().contains("Usage: gammanet compare maps [OPTIONS]"), out.toString());
    assertTrue(out.toString().contains("Exit status"), out.toString());
  }
}
