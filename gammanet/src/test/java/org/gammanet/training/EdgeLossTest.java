package org.gammanet.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.gammanet.config.TrainingConfig.Loss;
import org.gammanet.training.EdgeLoss.Settings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class EdgeLossTest {
  private static final float[] Z = {-2, 0.5f, 1.5f, 0, -1, 3};
  private static final float[] T = {0, 1, 0.3f, 0.6f, 0, 0};

  private static boolean[] all(int n) {
    boolean[] valid = new boolean[n];
    Arrays.fill(valid, true);
    return valid;
  }

  @ParameterizedTest
  @CsvSource({"BI_BCE_HED, 2.2353921", "BCE, 1.1679758", "FOCAL, 0.4138563", "PEARSON, -0.0864033"})
  void smallCase(String name, double expected) {
    EdgeLoss loss = EdgeLoss.of(Loss.valueOf(name), Settings.of(0.5));
    assertEquals(expected, loss.evaluate(Z, T, all(6), 1).value(), 1e-6);
  }

  @ParameterizedTest
  @EnumSource(Loss.class)
  void gradientsAgreeWithDifferences(Loss kind) {
    Random random = new Random(3);
    int images = 2;
    float[] z = new float[24];
    float[] t = new float[24];
    boolean[] valid = new boolean[24];
    for (int i = 0; i < 24; i++) {
      z[i] = (float) random.nextGaussian() * 2;
      int annotators = random.nextInt(10);
      t[i] = annotators > 5 ? 0 : annotators / 5f;
      valid[i] = random.nextInt(6) > 0;
    }
    t[5] = -1;
    t[6] = Float.NaN;
    for (Boolean sum : new Boolean[] {null, true, false}) {
      for (boolean perImage : new boolean[] {true, false}) {
        for (boolean ignore : new boolean[] {true, false}) {
          Settings settings = new Settings(0.3, ignore, 1.1, perImage, sum, 10, null, 0.25, 2);
          EdgeLoss loss = EdgeLoss.of(kind, settings);
          float[] gradient = loss.evaluate(z, t, valid, images).gradient();
          for (int i = 0; i < z.length; i++) {
            // The step is a power of two: z ± step is exact in float32.
            float step = 0x1p-8f;
            float[] up = z.clone();
            float[] down = z.clone();
            up[i] += step;
            down[i] -= step;
            double numeric =
                (loss.evaluate(up, t, valid, images).value()
                        - loss.evaluate(down, t, valid, images).value())
                    / ((double) up[i] - down[i]);
            assertEquals(numeric, gradient[i], 2e-5 + 1e-4 * Math.abs(numeric), kind + " at " + i);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Loss.class)
  void extremesStayFinite(Loss kind) {
    float[] z = {100, -100, 100, -100, 0, 0};
    for (float[] t :
        new float[][] {
          {0, 0, 1, 1, 0, 1}, {0, 0, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 1}, {-1, -1, -1, -1, -1, -1}
        }) {
      EdgeLoss.Result result = EdgeLoss.of(kind, Settings.of(0.3)).evaluate(z, t, all(6), 1);
      assertTrue(Double.isFinite(result.value()), kind + " " + Arrays.toString(t));
      for (float g : result.gradient()) {
        assertTrue(Float.isFinite(g), kind + " " + Arrays.toString(t));
      }
    }
    boolean[] none = new boolean[6];
    EdgeLoss.Result nothing =
        EdgeLoss.of(kind, Settings.of(0.3)).evaluate(z, new float[6], none, 1);
    assertArrayEquals(new float[6], nothing.gradient());
  }

  @Test
  void imagesWithOneClassTeachNothingAndAreCounted() {
    EdgeLoss loss = EdgeLoss.of(Loss.BI_BCE_HED, Settings.of(0.3));
    float[] z = {1, 2, 3, 4, 5, 6};
    float[] t = {0, 0, 0.2f, 1, 1, 0.6f};
    EdgeLoss.Result result = loss.evaluate(z, t, all(6), 2);
    assertEquals(0, result.value());
    assertArrayEquals(new float[6], result.gradient());
    assertEquals(2, result.emptyTargets());
  }

  @Test
  void partsAddUp() {
    Map<Loss, Double> weights = new LinkedHashMap<>();
    weights.put(Loss.BI_BCE_HED, 1.0);
    weights.put(Loss.DICE, 100.0);
    EdgeLoss.Result sum = new EdgeLoss(weights, Settings.of(0.5)).evaluate(Z, T, all(6), 1);
    EdgeLoss.Result first =
        EdgeLoss.of(Loss.BI_BCE_HED, Settings.of(0.5)).evaluate(Z, T, all(6), 1);
    EdgeLoss.Result second = EdgeLoss.of(Loss.DICE, Settings.of(0.5)).evaluate(Z, T, all(6), 1);
    assertEquals(first.value() + 100 * second.value(), sum.value(), 1e-12);
    assertEquals(first.value(), sum.parts().get(Loss.BI_BCE_HED));
    assertEquals(second.value(), sum.parts().get(Loss.DICE));
    for (int i = 0; i < 6; i++) {
      assertEquals(first.gradient()[i] + 100 * second.gradient()[i], sum.gradient()[i], 1e-5);
    }
  }

  @Test
  void refusesOtherSizes() {
    EdgeLoss loss = EdgeLoss.of(Loss.BCE, Settings.of(0.5));
    assertThrows(IllegalArgumentException.class, () -> loss.evaluate(Z, new float[5], all(6), 1));
  }
}
