package org.gammanet.experiments.responses;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.gammanet.experiments.responses.Perturbation.Kind;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.junit.jupiter.api.Test;

class PerturbationTest {
  private static Perturbation of(Kind kind, double dose, double inner, double outer) {
    return new Perturbation(
        "fgru_1", State.INHIBITORY, 2, kind, dose, new PixelPoint(4, 4), inner, outer, 1, 2);
  }

  /** A map of 5 x 5 units, of which unit (2, 2) looks at pixel (4, 4). */
  private static float[] after(Perturbation p, int timestep) {
    try (var scope = TensorScope.open()) {
      float[] values = new float[25];
      java.util.Arrays.fill(values, 3);
      Tensor[] states = {Tensor.ones(1, 1, 5, 5), Tensor.of(values, 1, 1, 5, 5)};
      Tensor[] out = p.cellOutput("fgru_1", timestep, states);
      assertSame(states[0], out[0]);
      return out[1].toFloatArray();
    }
  }

  @Test
  void aDiscAndARingAreInPixelsOfTheImage() {
    float[] disc = after(of(Kind.ADDITIVE, 1, 0, 2), 1);
    float[] ring = after(of(Kind.MULTIPLICATIVE, 0, 2, 4), 2);
    for (int y = 0; y < 5; y++) {
      for (int x = 0; x < 5; x++) {
        double d = 2 * Math.hypot(y - 2, x - 2);
        assertEquals(d <= 2 ? 4 : 3, disc[y * 5 + x]);
        assertEquals(d > 2 && d <= 4 ? 0 : 3, ring[y * 5 + x]);
      }
    }
  }

  @Test
  void activityDoesNotFallBelowZero() {
    assertEquals(0, after(of(Kind.ADDITIVE, -5, 0, 1), 1)[12]);
    assertEquals(2, after(of(Kind.ADDITIVE, -1, 0, 1), 1)[12]);
  }

  @Test
  void itActsDuringItsTimestepsOnly() {
    float[] before = after(of(Kind.MULTIPLICATIVE, 0, 0, 9), 0);
    assertArrayEquals(before, after(of(Kind.MULTIPLICATIVE, 0, 0, 9), 3));
    assertEquals(3, before[12]);
  }

  @Test
  void impossibleOnesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> of(Kind.ADDITIVE, Double.NaN, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> of(Kind.MULTIPLICATIVE, -1, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> of(Kind.ADDITIVE, 1, 2, 2));
  }
}
