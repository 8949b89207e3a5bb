package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Networks that nothing was trained into do not resemble a recording more often than by chance. */
@EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
class UntrainedNetworksTest {
  private static final int EACH = 20;

  /** Suppression in V1 by a ring, at 19 differences of orientation. */
  private static String recording() {
    double[] y = {.45, .5, .65, .8, .9, .95, 1};
    var out = new StringBuilder("x,y,se\n");
    for (int x = 0; x <= 90; x += 5) {
      int i = Math.min(x / 15, 5);
      double v = y[i] + (y[i + 1] - y[i]) * (x - 15 * i) / 15;
      out.append(String.format(Locale.ROOT, "%d,%.4f,0.06%n", x, v));
    }
    return out.toString();
  }

  @Test
  void atMostOneInTenIsSignificant(@TempDir Path folder) throws IOException {
    Path curve = Files.writeString(folder.resolve("recording.csv"), recording());
    Path runs = folder.resolve("runs");
    CommandLine line = GammanetCommand.commandLine();
    var err = new StringWriter();
    line.setErr(new PrintWriter(err, true));
    assertEquals(
        0,
        line.execute(
            ("insilico -e kinoshita --size 64 --timesteps 2 --control random:%d,shuffled:%d"
                    + " --curve kinoshita=%s -o %s")
                .formatted(EACH, EACH, curve, runs)
                .split(" ")),
        err.toString());
    List<JsonNode> found = new ArrayList<>();
    try (Stream<Path> files = Files.walk(runs.resolve("controls"))) {
      for (Path file :
          files.filter(f -> f.getFileName().toString().matches("insilico.*json")).toList()) {
        found.add(new ObjectMapper().readTree(file.toFile()).path("kinoshita"));
      }
    }
    assertEquals(2 * EACH, found.size());
    check(
        "the resemblance, among the others",
        ranks(numbers(found, "/comparison/correlation/value")));
    check(
        "parallel against orthogonal, over units", numbers(found, "/wilcoxon_iso_against_cross/p"));
    check("iso/cross index, among the others", ranks(numbers(found, "/iso_cross_index/value")));
  }

  private static double[] numbers(List<JsonNode> results, String at) {
    return results.stream()
        .map(r -> r.at(at))
        .filter(JsonNode::isNumber)
        .mapToDouble(JsonNode::asDouble)
        .toArray();
  }

  /** The p of each value by its rank among all others. */
  private static double[] ranks(double[] values) {
    return IntStream.range(0, values.length)
        .mapToDouble(
            i -> {
              double[] others =
                  IntStream.range(0, values.length)
                      .filter(j -> j != i)
                      .mapToDouble(j -> values[j])
                      .toArray();
              double mean = Arrays.stream(others).average().orElseThrow();
              long asFar =
                  Arrays.stream(others)
                      .filter(v -> Math.abs(v - mean) >= Math.abs(values[i] - mean))
                      .count();
              return (asFar + 1.0) / values.length;
            })
        .toArray();
  }

  private static void check(String what, double[] p) {
    long significant = Arrays.stream(p).filter(v -> v < 0.05).count();
    System.out.printf("%s: p < 0.05 in %d of %d%n", what, significant, p.length);
    assertTrue(significant <= 0.1 * p.length, what + ": " + significant + " of " + p.length);
  }
}
