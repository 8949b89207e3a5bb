package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.junit.jupiter.api.Test;

/** The model against a recording: effects in its units, and how often chance looks like one. */
class CurveComparisonTest {
  private static final double[] X = {0, 15, 30, 45, 60, 75, 90};
  private static final double[] Y = {0.45, 0.5, 0.6, 0.72, 0.8, 0.86, 0.9};
  private static final double[] ERRORS = {.05, .05, .05, .05, .05, .05, .05};
  private static final int UNITS = 16;

  private static double[][] sample(Random random, double effect, double noise) {
    return Arrays.stream(Y)
        .mapToObj(
            y ->
                IntStream.range(0, UNITS)
                    .mapToDouble(u -> 0.7 + effect * (y - 0.7) + noise * random.nextGaussian())
                    .toArray())
        .toArray(double[][]::new);
  }

  @Test
  void effectsAreInTheUnitsOfTheRecording() {
    var curve = new ReferenceCurve("recording", false, X, Y, ERRORS);
    CurveComparison half = CurveComparison.of(curve, sample(new Random(1), 0.5, 0), 1);
    assertEquals(7, half.conditions());
    assertEquals(UNITS, half.units());
    assertEquals(0.5, half.slope(), 1e-12, "half the effect");
    assertEquals(1, half.correlation().value(), 1e-12);
    double[] d = Arrays.stream(Y).map(y -> 0.5 * (y - 0.7)).toArray();
    double square = Arrays.stream(d).map(v -> v * v).average().orElseThrow();
    assertEquals(Math.sqrt(square), half.rmse(), 1e-12);
    assertEquals(square / (0.05 * 0.05), half.chiSquaredPerCondition(), 1e-9);
    double mean = Arrays.stream(Y).average().orElseThrow();
    double variance = Arrays.stream(Y).map(y -> (y - mean) * (y - mean)).sum() / 6;
    assertEquals(Math.sqrt(1 - 0.05 * 0.05 / variance), half.noiseCeiling(), 1e-12);
    assertArrayEquals(Arrays.stream(Y).map(y -> 0.35 + y / 2).toArray(), half.model(), 1e-12);
    var unknown = new ReferenceCurve("recording", false, X, Y, null);
    CurveComparison without = CurveComparison.of(unknown, sample(new Random(1), 0.5, 0), 1);
    assertTrue(Double.isNaN(without.chiSquaredPerCondition()));
    assertTrue(Double.isNaN(without.noiseCeiling()));
  }

  @Test
  void aNetworkLikeItsControlsIsRarelySignificant() {
    var random = new Random(3);
    int runs = 2000;
    long found = 0;
    for (int i = 0; i < runs; i++) {
      double[] controls = IntStream.range(0, 39).mapToDouble(c -> random.nextGaussian()).toArray();
      double value = random.nextGaussian();
      var network = new Interval(value, value - 0.1, value + 0.1, UNITS);
      found += ControlComparison.Against.of("random", network, controls).p() <= 0.05 ? 1 : 0;
    }
    assertEquals(0.05, found / (double) runs, 0.015);
  }

  @Test
  void primaryNumbersAreCorrectedForTheirNumber() {
    Map<String, ObjectNode> results = new LinkedHashMap<>();
    double[] p = {0.01, 0.02, 0.5};
    for (int i = 0; i < p.length; i++) {
      ObjectNode result = Json.MAPPER.createObjectNode();
      for (String number : new String[] {"index", "other"}) {
        result
            .withObject("/controls")
            .putArray(number)
            .addObject()
            .put("group", "random")
            .put("p", p[i]);
      }
      results.put("e" + i, result);
    }
    ControlComparison.adjust(results, Map.of("e0", "index", "e1", "index", "e2", "index"));
    double[] expected = {0.03, 0.03, 0.5};
    for (int i = 0; i < p.length; i++) {
      JsonNode controls = results.get("e" + i).path("controls");
      assertEquals(
          expected[i], controls.path("index").path(0).path("p_adjusted").asDouble(), 1e-12);
      assertFalse(controls.path("other").path(0).has("p_adjusted"));
    }
  }
}
