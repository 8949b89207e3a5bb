package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gammanet.evaluation.BoundaryBootstrap.Interval;
import org.junit.jupiter.api.Test;

class BoundaryBootstrapTest {
  /** Counts of images that differ in how hard they are; {@code skill} adds to what is found. */
  private static List<BoundaryCounts> detector(int images, double skill) {
    Random random = new Random(4);
    List<BoundaryCounts> counts = new ArrayList<>();
    for (int i = 0; i < images; i++) {
      double ease = 0.3 + 0.4 * random.nextDouble() + skill;
      long[][] c = new long[4][5];
      double[] thresholds = new double[5];
      for (int k = 0; k < 5; k++) {
        thresholds[k] = (k + 1) / 6.0;
        c[1][k] = 1000;
        c[0][k] = Math.round(1000 * ease * (1 - 0.15 * k));
        c[3][k] = 900 - 150 * k;
        c[2][k] = Math.round(c[3][k] * Math.min(1, ease + 0.05 * k));
      }
      counts.add(new BoundaryCounts("i" + i, thresholds, c[0], c[1], c[2], c[3]));
    }
    return counts;
  }

  private static void inside(Interval i) {
    assertTrue(i.low() <= i.value() && i.value() <= i.high(), i.toString());
    assertTrue(i.high() > i.low(), i.toString());
  }

  @Test
  void valuesAreTheScoresAndLieInTheirIntervals() {
    List<BoundaryCounts> counts = detector(40, 0);
    BoundaryScores scores = BoundaryScores.of(counts);
    BoundaryBootstrap b = BoundaryBootstrap.scores(counts, 400, 1);
    assertEquals(scores.ods().f(), b.ods().value(), 1e-12);
    assertEquals(scores.ois().f(), b.ois().value(), 1e-12);
    assertEquals(scores.ap(), b.ap().value(), 1e-12);
    List.of(b.ods(), b.ois(), b.ap()).forEach(BoundaryBootstrapTest::inside);
    assertEquals(b, BoundaryBootstrap.scores(counts, 400, 1), "the same seed");
  }

  @Test
  void moreImagesGiveNarrowerIntervals() {
    Interval few = BoundaryBootstrap.scores(detector(20, 0), 400, 1).ods();
    Interval many = BoundaryBootstrap.scores(detector(320, 0), 400, 1).ods();
    assertEquals(0.25, (many.high() - many.low()) / (few.high() - few.low()), 0.1);
  }

  /** Images are paired: a small steady difference shows although images differ much more. */
  @Test
  void differencesAreOfTheSameImages() {
    List<BoundaryCounts> better = detector(40, 0.02);
    List<BoundaryCounts> worse = detector(40, 0);
    BoundaryBootstrap d = BoundaryBootstrap.difference(better, worse, 400, 1);
    assertTrue(d.ods().low() > 0, d.toString());
    assertTrue(d.ods().high() < 0.03, d.toString());
    BoundaryBootstrap own = BoundaryBootstrap.scores(worse, 400, 1);
    assertTrue(own.ods().high() - own.ods().low() > 2 * (d.ods().high() - d.ods().low()));
    BoundaryBootstrap same = BoundaryBootstrap.difference(worse, worse, 50, 1);
    assertEquals(new Interval(0, 0, 0), same.ods());
    // Images that one of them lacks do not count.
    assertEquals(
        BoundaryBootstrap.difference(better.subList(0, 30), worse.subList(0, 30), 50, 1),
        BoundaryBootstrap.difference(better, worse.subList(0, 30), 50, 1));
  }

  @Test
  void refusesWhatCannotBeCompared() {
    assertThrows(IllegalArgumentException.class, () -> BoundaryBootstrap.scores(List.of(), 10, 1));
    assertThrows(
        IllegalArgumentException.class, () -> BoundaryBootstrap.scores(detector(3, 0), 0, 1));
    assertThrows(
        IllegalArgumentException.class,
        () -> BoundaryBootstrap.difference(detector(3, 0), List.of(), 10, 1));
  }
}
