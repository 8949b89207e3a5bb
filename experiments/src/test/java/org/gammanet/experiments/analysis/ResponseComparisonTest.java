package org.gammanet.experiments.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.gammanet.experiments.analysis.RepresentationalComparison.RdmSimilarity;
import org.junit.jupiter.api.Test;

class ResponseComparisonTest {
  private static float[][] recording(int stimuli, int units, long seed) {
    var random = new SplittableRandom(seed);
    float[][] out = new float[stimuli][units];
    for (float[] row : out) {
      for (int u = 0; u < units; u++) {
        row[u] = (float) random.nextGaussian();
      }
    }
    return out;
  }

  @Test
  void aStimulusToWhichAllUnitsRespondAlikeIsSkipped() {
    float[][] model = recording(12, 6, 1);
    float[][] recorded = recording(12, 5, 2);
    double without =
        RdmSimilarity.of(
                RepresentationalComparison.rdm(Arrays.copyOf(model, 11)),
                RepresentationalComparison.rdm(Arrays.copyOf(recorded, 11)))
            .spearman();
    recorded[11] = new float[5]; // a blank
    var comparison = ResponseComparison.of(model, new float[][][] {recorded}, 1);
    assertEquals(without, comparison.rdm(), 1e-12);
  }

  @Test
  void aSingleUnitHasNoDissimilarities() {
    float[][] one = recording(12, 1, 3);
    assertEquals(
        Double.NaN, ResponseComparison.of(recording(12, 6, 1), new float[][][] {one}, 1).rdm());
    assertThrows(IllegalArgumentException.class, () -> RepresentationalComparison.rdm(one));
  }
}
