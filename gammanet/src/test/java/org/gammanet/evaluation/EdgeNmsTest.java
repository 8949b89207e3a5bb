package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class EdgeNmsTest {
  private static final int H = 40;
  private static final int W = 60;

  /** A soft ridge through the middle, its normal turned by an angle in degrees. */
  private static float[] ridge(int height, int width, double degrees) {
    double a = Math.toRadians(degrees);
    float[] map = new float[height * width];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        double d = (x - width / 2) * Math.cos(a) + (y - height / 2) * Math.sin(a);
        map[y * width + x] = (float) Math.exp(-d * d / 8);
      }
    }
    return map;
  }

  @ParameterizedTest
  @CsvSource({"0", "89", "91", "45", "135", "30", "70", "110", "160"})
  void leavesTheRidge(double degrees) {
    double a = Math.toRadians(degrees);
    for (EdgeNms nms : new EdgeNms[] {EdgeNms.PLAIN, EdgeNms.SMOOTH}) {
      float[] out = nms.apply(ridge(H, W, degrees), H, W);
      int kept = 0;
      for (int y = 6; y < H - 6; y++) {
        for (int x = 6; x < W - 6; x++) {
          double d = Math.abs((x - W / 2) * Math.cos(a) + (y - H / 2) * Math.sin(a));
          double value = out[y * W + x];
          kept += value > 0 ? 1 : 0;
          assertTrue(d > 0.3 || value > 0.9, "the ridge is lost at " + x + ", " + y);
          assertTrue(d < 1.2 || value < 0.01, "something is left at distance " + d);
        }
      }
      assertTrue(kept >= H - 12, kept + " pixels kept");
    }
  }

  /** The original program's quirk: where nothing changes along x, it looks along x. */
  @Test
  void exactlyHorizontalRidgesStayThick() {
    float[] out = EdgeNms.PLAIN.apply(ridge(H, W, 90), H, W);
    assertTrue(out[(H / 2 + 3) * W + 30] > 0.2);
  }

  @Test
  void transposedInputGivesTransposedOutput() {
    float[] map = ridge(H, W, 25);
    float[] turned = new float[map.length];
    for (int i = 0; i < map.length; i++) {
      turned[i % W * H + i / W] = map[i];
    }
    float[] out = EdgeNms.SMOOTH.apply(map, H, W);
    float[] outTurned = EdgeNms.SMOOTH.apply(turned, W, H);
    for (int i = 0; i < map.length; i++) {
      // Where the curvature along x all but vanishes, its 1e-5 tells the axes apart.
      if (map[i] > 0.05) {
        assertEquals(out[i], outTurned[i % W * H + i / W], 1e-4, i % W + ", " + i / W);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = EdgeNms.class,
      names = {"PLAIN", "SMOOTH"})
  void bordersFade(EdgeNms nms) {
    float[] ones = new float[H * W];
    java.util.Arrays.fill(ones, 1);
    float[] out = nms.apply(ones, H, W);
    for (int i = 0; i < 7; i++) {
      float share = Math.min(i, 5) / 5f;
      assertEquals(share, out[20 * W + i], 1e-6);
      assertEquals(share, out[20 * W + W - 1 - i], 1e-6);
      assertEquals(share, out[i * W + 30], 1e-6);
      assertEquals(share, out[(H - 1 - i) * W + 30], 1e-6);
      assertEquals(share * share, out[i * W + i], 1e-6, "corners fade twice");
    }
  }

  @Test
  void triangleFilter() {
    float[] dot = new float[7];
    dot[3] = 1;
    assertArrayEquals(
        new float[] {0, 0, 0.25f, 0.5f, 0.25f, 0, 0}, EdgeNms.triangle(dot, 1, 7, 1), 1e-7f);
    // Mirrored with the edge pixel repeated: nothing gets lost.
    float[] corner = {1, 0, 0, 0, 0, 0, 0};
    assertArrayEquals(
        new float[] {9 / 25f, 7 / 25f, 5 / 25f, 3 / 25f, 1 / 25f, 0, 0},
        EdgeNms.triangle(corner, 1, 7, 4),
        1e-6f);
  }

  /** Any size, also those smaller than the filters and the border. */
  @Test
  void smallMaps() {
    Random random = new Random(1);
    for (int h = 1; h < 8; h++) {
      for (int w = 1; w < 8; w++) {
        float[] map = new float[h * w];
        for (int i = 0; i < map.length; i++) {
          map[i] = random.nextFloat();
        }
        for (float v : EdgeNms.SMOOTH.apply(map, h, w)) {
          assertTrue(v >= 0 && v <= 1);
        }
        assertArrayEquals(map, EdgeNms.NONE.apply(map, h, w));
      }
    }
  }
}
