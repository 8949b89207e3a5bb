package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BoundaryEvaluationTest {
  private static final Settings NINE = Settings.DEFAULT.withThresholds(9);

  @TempDir Path folder = Path.of("");
  private final List<String> scored = new ArrayList<>();
  private final List<BoundaryEvaluation.Item> items = new ArrayList<>();

  @BeforeEach
  void images() throws IOException {
    for (int i = 0; i < 5; i++) {
      Path input = Files.writeString(folder.resolve("input" + i), "first " + i);
      Random random = new Random(i);
      double[] values = new double[30 * 40];
      byte[] drawn = new byte[values.length];
      for (int k = 0; k < values.length; k++) {
        values[k] = random.nextDouble();
        drawn[k] = (byte) (random.nextInt(9) == 0 ? 1 : 0);
      }
      items.add(
          new BoundaryEvaluation.Item(
              new BoundaryBenchmark.Image(
                  "image " + i,
                  () -> new Strengths(30, 40, values),
                  () -> new GroundTruth(30, 40, List.of(drawn))),
              folder.resolve("out"),
              "image " + i,
              "a",
              List.of(input),
              false));
    }
  }

  private final class Listener implements BoundaryBenchmark.Listener {
    @Override
    public void scored(BoundaryCounts counts, int finished, int total) {
      scored.add(counts.id());
      assertEquals(5, total);
    }
  }

  private BoundaryBenchmark.Result run(Settings settings, String detector)
      throws IOException, InterruptedException {
    scored.clear();
    return new BoundaryEvaluation(settings, 2).run(of(detector), new Listener());
  }

  private List<BoundaryEvaluation.Item> of(String detector) {
    return items.stream()
        .map(
            i ->
                new BoundaryEvaluation.Item(
                    i.image(), i.folder(), i.name(), detector, i.inputs(), i.anew()))
        .toList();
  }

  private List<BoundaryCounts> direct(Settings settings) throws IOException {
    List<BoundaryCounts> counts = new ArrayList<>();
    for (BoundaryEvaluation.Item item : items) {
      BoundaryBenchmark.Image i = item.image();
      counts.add(BoundaryBenchmark.count(i.id(), i.map().read(), i.truth().read(), settings));
    }
    return counts;
  }

  @Test
  void theSecondRunTakesWhatIsThere() throws Exception {
    List<BoundaryCounts> expected = direct(NINE);
    assertEquals(expected, run(NINE, "a").counts());
    assertEquals(5, scored.size());
    assertEquals(expected, run(NINE, "a").counts());
    assertEquals(List.of(), scored);
  }

  @Test
  void whatHasChangedIsCountedAnew() throws Exception {
    List<BoundaryCounts> expected = run(NINE, "a").counts();
    Files.writeString(folder.resolve("input3"), "second");
    assertEquals(expected, run(NINE, "a").counts());
    assertEquals(List.of("image 3"), scored);
    run(NINE, "b");
    assertEquals(5, scored.size(), "another detector");
    assertEquals(direct(NINE.withThinning(false)), run(NINE.withThinning(false), "b").counts());
    assertEquals(5, scored.size(), "other settings");
    run(NINE, "b");
    assertEquals(5, scored.size(), "counts of the settings before are gone");
  }

  @Test
  void damagedCountsAreCountedAnew() throws Exception {
    List<BoundaryCounts> expected = run(NINE, "a").counts();
    Path out = folder.resolve("out");
    // Cut off while it was written: the last line ends early, another one is none.
    Path file = out.resolve("counts.jsonl");
    List<String> lines = Files.readAllLines(file);
    lines.set(0, "{\"id\":");
    String cut = String.join("\n", lines);
    Files.writeString(file, cut.substring(0, cut.length() - 4));
    assertEquals(expected, run(NINE, "a").counts());
    assertEquals(2, scored.size());
    run(NINE, "a");
    assertEquals(List.of(), scored);
  }

  /** A kill between two files once left the hash of one run beside the counts of another. */
  @Test
  void tablesForOtherProgramsAreNeverRead() throws Exception {
    List<BoundaryCounts> expected = run(NINE, "a").counts();
    Path table = folder.resolve("out/image 0_ev1.txt");
    String before = Files.readString(table);
    Files.writeString(table, Files.readString(folder.resolve("out/image 1_ev1.txt")));
    assertEquals(expected, run(NINE, "a").counts());
    assertEquals(List.of(), scored);
    assertEquals(before, Files.readString(table));
  }

  @Test
  void aCancelledRunContinues() throws Exception {
    BoundaryEvaluation first = new BoundaryEvaluation(NINE, 1);
    List<String> before = new ArrayList<>();
    assertThrows(
        CancellationException.class,
        () ->
            first.run(
                items,
                new BoundaryBenchmark.Listener() {
                  @Override
                  public void scored(BoundaryCounts counts, int finished, int total) {
                    before.add(counts.id());
                    if (finished == 2) {
                      first.cancel();
                    }
                  }
                }));
    assertEquals(direct(NINE), run(NINE, "a").counts());
    assertEquals(5, before.size() + scored.size());
  }

  @Test
  void verdictsAgreeWithCounts() throws Exception {
    BoundaryBenchmark.Image image = items.getFirst().image();
    BoundaryCounts counts = direct(NINE).getFirst();
    for (int k = 0; k < 9; k++) {
      BoundaryBenchmark.Verdict verdict =
          BoundaryBenchmark.verdict(image.map().read(), image.truth().read(), NINE, k);
      long right = 0;
      long all = 0;
      long missed = 0;
      for (int i = 0; i < verdict.detected().length; i++) {
        right += verdict.detected()[i] == 1 ? 1 : 0;
        all += verdict.detected()[i] != 0 ? 1 : 0;
        missed += verdict.missed()[i];
      }
      assertEquals(counts.cntP()[k], right);
      assertEquals(counts.sumP()[k], all);
      assertEquals(counts.sumR()[k] - counts.cntR()[k], missed);
    }
  }
}
