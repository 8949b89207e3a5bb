package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class BoundaryScoresTest {
  private static BoundaryCounts counts(String id, long[] cntR, long[] cntP, long[] sumP) {
    double[] thresholds = new double[cntR.length];
    long[] sumR = new long[cntR.length];
    for (int k = 0; k < cntR.length; k++) {
      thresholds[k] = (k + 1) / (cntR.length + 1.0);
      sumR[k] = 100;
    }
    return new BoundaryCounts(id, thresholds, cntR, sumR, cntP, sumP);
  }

  @Test
  void bestPointLiesBetweenThresholds() {
    // R, P: (0.8, 0.4) and (0.4, 0.8); F of both is 0.5333, half way it is 0.6.
    BoundaryScores scores =
        BoundaryScores.of(
            List.of(counts("a", new long[] {80, 40}, new long[] {40, 80}, new long[] {100, 100})));
    assertEquals(0.6, scores.ods().f(), 1e-4);
    assertEquals(0.5, scores.ods().threshold(), 0.01);
    assertEquals(2 * 0.8 * 0.4 / 1.2, scores.ois().f(), 1e-12);
    assertEquals(1 / 3.0, scores.ois().threshold(), 1e-12);
  }

  @Test
  void imagesHaveTheirOwnThresholdInOis() {
    BoundaryCounts low =
        counts("a", new long[] {90, 10}, new long[] {90, 10}, new long[] {100, 10});
    BoundaryCounts high =
        counts("b", new long[] {90, 80}, new long[] {90, 80}, new long[] {900, 100});
    BoundaryScores scores = BoundaryScores.of(List.of(low, high));
    assertEquals(170 / 200.0, scores.ois().recall(), 1e-12);
    assertEquals(170 / 200.0, scores.ois().precision(), 1e-12);
    assertEquals(180 / 1000.0, scores.curve().getFirst().precision(), 1e-12);
    assertEquals(0.9, scores.images().getFirst().best().f(), 1e-12);
  }

  @Test
  void areaCountsOnlyWhatTheCurveReaches() {
    // A straight curve from (0.2, 1) to (0.6, 0.5): recall 0.2, 0.21 … 0.6 count.
    BoundaryScores scores =
        BoundaryScores.of(
            List.of(counts("a", new long[] {60, 20}, new long[] {50, 20}, new long[] {100, 20})));
    double sum = 0;
    for (int i = 20; i <= 60; i++) {
      sum += 1 - 0.5 * (i - 20) / 40;
    }
    assertEquals(sum / 100, scores.ap(), 1e-9);
    assertEquals(0.6, scores.r50(), 1e-12);
  }

  @Test
  void refusesNothingAndMixtures() {
    assertThrows(IllegalArgumentException.class, () -> BoundaryScores.of(List.of()));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            BoundaryScores.of(
                List.of(
                    counts("a", new long[1], new long[1], new long[1]),
                    counts("b", new long[2], new long[2], new long[2]))));
  }
}
