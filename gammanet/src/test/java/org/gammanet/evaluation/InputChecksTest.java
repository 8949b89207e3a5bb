package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.junit.jupiter.api.Test;

class InputChecksTest {
  /** Vertical lines of a width, falling off at their sides as a network's do. */
  private static Strengths lines(int width) {
    double[] values = new double[60 * 60];
    for (int i = 0; i < values.length; i++) {
      int x = i % 60 % 20;
      values[i] = x >= 5 && x < 5 + width ? 0.9 : x == 4 || x == 5 + width ? 0.3 : 0;
    }
    return new Strengths(60, 60, values);
  }

  private static List<String> remarks(Settings settings, Strengths... maps) {
    InputChecks checks = new InputChecks();
    for (Strengths map : maps) {
      checks.map(map);
    }
    return checks.remarks(settings);
  }

  @Test
  void widthsAreMeasured() {
    assertEquals(1, InputChecks.lineWidth(lines(1)), 0.05);
    assertEquals(4, InputChecks.lineWidth(lines(4)), 0.3);
    assertTrue(Double.isNaN(InputChecks.lineWidth(new Strengths(2, 2, new double[4]))));
  }

  @Test
  void thickLinesAreNoticedWithoutSuppression() {
    List<String> remarks = remarks(Settings.DEFAULT, lines(4), lines(5), lines(1));
    assertEquals(1, remarks.size());
    assertTrue(remarks.getFirst().contains("--nms smooth"), remarks.getFirst());
    assertEquals(List.of(), remarks(Settings.DEFAULT.withNms(EdgeNms.SMOOTH), lines(4)));
    assertEquals(List.of(), remarks(Settings.DEFAULT, lines(1), lines(2), lines(1)));
  }

  @Test
  void invertedMapsAreNoticed() {
    double[] values = lines(1).values().clone();
    for (int i = 0; i < values.length; i++) {
      values[i] = 1 - values[i];
    }
    List<String> remarks = remarks(Settings.DEFAULT, new Strengths(60, 60, values), lines(1));
    assertTrue(remarks.getFirst().contains("1 of 2 maps"), remarks.getFirst());
  }
}
