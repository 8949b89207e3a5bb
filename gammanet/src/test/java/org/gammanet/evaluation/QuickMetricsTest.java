package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.gammanet.evaluation.QuickMetrics.Recall;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuickMetricsTest {
  private static final int H = 9;
  private static final int W = 7;

  private static boolean[] all() {
    boolean[] valid = new boolean[H * W];
    Arrays.fill(valid, true);
    return valid;
  }

  private static boolean dilated(boolean[] mask, int i) {
    int x = i % W;
    int y = i / W;
    return mask[i]
        || x > 0 && mask[i - 1]
        || x + 1 < W && mask[i + 1]
        || y > 0 && mask[i - W]
        || y + 1 < H && mask[i + W];
  }

  /** The definition, mask by mask. */
  private static double f(float[] prediction, float[] target, double t, Recall kind) {
    boolean[] m = new boolean[H * W];
    boolean[] g = new boolean[H * W];
    for (int i = 0; i < H * W; i++) {
      m[i] = prediction[i] > t;
      g[i] = target[i] > 0.3f;
    }
    double tp = 0;
    double fp = 0;
    double fn = 0;
    double hit = 0;
    double edges = 0;
    for (int i = 0; i < H * W; i++) {
      tp += m[i] && dilated(g, i) ? 1 : 0;
      fp += m[i] && !dilated(g, i) ? 1 : 0;
      fn += g[i] && !dilated(m, i) ? 1 : 0;
      hit += g[i] && dilated(m, i) ? 1 : 0;
      edges += g[i] ? 1 : 0;
    }
    double p = tp / (tp + fp + 1e-5);
    double r = kind == Recall.LEGACY ? tp / (tp + fn + 1e-5) : hit / (edges + 1e-5);
    return 2 * p * r / (p + r + 1e-5);
  }

  @ParameterizedTest
  @EnumSource(Recall.class)
  void agreesWithTheDefinition(Recall kind) {
    Random random = new Random(4);
    QuickMetrics metrics = new QuickMetrics(kind);
    double[] sum = new double[100];
    double best = 0;
    for (int image = 0; image < 3; image++) {
      float[] prediction = new float[H * W];
      float[] target = new float[H * W];
      for (int i = 0; i < H * W; i++) {
        // Multiples of 0.01 lie on thresholds.
        prediction[i] = random.nextBoolean() ? random.nextInt(101) / 100f : random.nextFloat();
        target[i] = Math.max(0, random.nextInt(12) - 6) / 5f;
      }
      metrics.add(prediction, target, all(), H, W);
      double most = 0;
      for (int k = 1; k <= 99; k++) {
        double f = f(prediction, target, k / 100.0, kind);
        sum[k] += f / 3;
        most = Math.max(most, f);
      }
      best += most / 3;
    }
    QuickMetrics.Summary summary = metrics.summary();
    assertEquals(Arrays.stream(sum).max().orElseThrow(), summary.ods(), 1e-9);
    assertEquals(summary.ods(), sum[(int) Math.round(summary.threshold() * 100)], 1e-9);
    assertEquals(best, summary.ois(), 1e-9);
  }

  @Test
  void perfectAndEmptyMaps() {
    float[] target = new float[H * W];
    for (int x = 0; x < W; x++) {
      target[4 * W + x] = 1;
    }
    QuickMetrics perfect = new QuickMetrics(Recall.TARGET_PIXELS);
    perfect.add(target, target, all(), H, W);
    assertTrue(perfect.summary().ods() > 0.999);
    assertEquals(1, perfect.summary().ap(), 1e-9);
    QuickMetrics empty = new QuickMetrics(Recall.TARGET_PIXELS);
    empty.add(new float[H * W], target, all(), H, W);
    assertEquals(0, empty.summary().ods());
    assertEquals(0, new QuickMetrics(Recall.LEGACY).summary().ap());
  }
}
