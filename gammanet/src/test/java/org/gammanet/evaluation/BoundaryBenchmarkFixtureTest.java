package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.gammanet.data.DatasetIndex;
import org.gammanet.data.GroundTruth;
import org.gammanet.testing.Fixtures;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Five maps with the results that the official program published for them. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BoundaryBenchmarkFixtureTest {
  private static final BoundaryBenchmark.Settings FIVE =
      BoundaryBenchmark.Settings.DEFAULT.withThresholds(5);

  private Path folder = Path.of("");
  private List<BoundaryCounts> counts = List.of();
  private BoundaryScores scores;

  private List<BoundaryBenchmark.Image> images() {
    List<BoundaryBenchmark.Image> images = new ArrayList<>();
    for (Map.Entry<String, Path> entry : DatasetIndex.annotations(folder, "test").entrySet()) {
      Path map = BoundaryFiles.find(folder.resolve("png"), entry.getKey());
      images.add(
          new BoundaryBenchmark.Image(
              entry.getKey(),
              () -> BoundaryFiles.read(map),
              () -> GroundTruth.read(entry.getValue())));
    }
    return images;
  }

  @BeforeAll
  void run() throws InterruptedException {
    folder = Fixtures.folder("bsds-eval");
    var result = new BoundaryBenchmark(FIVE, 2).run(images(), new BoundaryBenchmark.Listener() {});
    assertEquals(Map.of(), result.failures());
    counts = result.counts();
    scores = BoundaryScores.of(counts);
  }

  private double[][] expected(String name) throws IOException {
    return Files.readAllLines(folder.resolve("expected").resolve(name)).stream()
        .map(l -> Arrays.stream(l.strip().split("\\s+")).mapToDouble(Double::parseDouble).toArray())
        .toArray(double[][]::new);
  }

  private static void near(String what, double expected, double actual, double tolerance) {
    System.out.printf(
        "%-24s official %.6f ours %.6f (%+.6f)%n", what, expected, actual, actual - expected);
    assertEquals(expected, actual, tolerance, what);
  }

  private static void point(String what, double[] row, int from, BoundaryScores.Point p) {
    near(what + " R", row[from], p.recall(), 0.003);
    assertTrue(p.recall() >= row[from] - 0.001, what + ": recall is lower than the official one");
    near(what + " P", row[from + 1], p.precision(), 0.003);
    near(what + " F", row[from + 2], p.f(), 0.002);
  }

  @Test
  void whole() throws IOException {
    double[] row = expected("eval_bdry.txt")[0];
    assertEquals(row[0], scores.ods().threshold(), 1e-6);
    point("ODS", row, 1, scores.ods());
    point("OIS", row, 4, scores.ois());
    near("AP", row[7], scores.ap(), 0.002);
  }

  @Test
  void eachThreshold() throws IOException {
    double[][] rows = expected("eval_bdry_thr.txt");
    assertEquals(5, rows.length);
    for (int k = 0; k < rows.length; k++) {
      assertEquals(rows[k][0], scores.curve().get(k).threshold(), 1e-6);
      point("threshold %d/6".formatted(k + 1), rows[k], 1, scores.curve().get(k));
    }
  }

  @Test
  void eachImage() throws IOException {
    double[][] rows = expected("eval_bdry_img.txt");
    assertEquals(
        List.of("2018", "3063", "5096", "6046", "8068"),
        counts.stream().map(BoundaryCounts::id).toList());
    for (int i = 0; i < rows.length; i++) {
      BoundaryScores.ImageScore image = scores.images().get(i);
      assertEquals(rows[i][1], image.best().threshold(), 1e-6);
      point("image " + image.id(), rows[i], 2, image.best());
    }
  }

  /** What does not depend on ties must be equal; ties decide about a few confirmed pixels. */
  @Test
  void countsOfOneImage() {
    BoundaryCounts c = counts.getFirst();
    long[] drawn = new long[5];
    Arrays.fill(drawn, 14318);
    assertArrayEquals(drawn, c.sumR());
    assertArrayEquals(new long[] {2808, 1724, 1663, 1663, 946}, c.sumP());
    assertArrayEquals(new long[] {9251, 7685, 7472, 7472, 4568}, c.cntR());
    System.out.println(Arrays.toString(c.cntP()));
    long[] confirmed = {2489, 1669, 1608, 1608, 946};
    for (int k = 0; k < confirmed.length; k++) {
      assertEquals(confirmed[k], c.cntP()[k], 8, "confirmed pixels at threshold " + k);
    }
  }
}
