package org.gammanet.javacell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import org.gammanet.config.FgruConfig;
import org.gammanet.simd.Simd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The vector kernels of a cell and their scalar twins, at every vector width. */
class JavaCellWidthsTest {
  private static float[] random(Random random, int n, float scale) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = scale * (float) random.nextGaussian();
    }
    return values;
  }

  private static int size(String name, int c) {
    return switch (name.replaceAll(".*net", "net")) {
      case "W_inh", "W_exc" -> 9 * c * c;
      case "W_gain", "W_mix" -> 3 * c * c;
      case "net.0.weight" -> (name.contains("inhibition") ? 6 : 4) * c * c;
      case "net.0.bias" -> 2 * c;
      default -> c;
    };
  }

  @Test
  void channelsWithAllTails() {
    FgruConfig config = FgruConfig.CLASS_DEFAULTS.withUseDynamicParameters(true);
    for (int c : new int[] {1, 4, 7, 16, 18, 63, 64, 67}) {
      JavaCell[] cells = new JavaCell[2];
      for (int k = 0; k < 2; k++) {
        var random = new Random(c);
        cells[k] =
            new JavaCell(config, c, 3, name -> random(random, size(name, c), 1f / (c + 1)), k == 1);
      }
      var random = new Random(3);
      int n = 5 * 7 * c;
      float[] x = random(random, n, 2);
      x[n / 2] = Float.NaN;
      float[][] e = {random(random, n, 1), null};
      float[][] i = {random(random, n, 1), null};
      e[1] = e[0].clone();
      i[1] = i[0].clone();
      for (int k = 0; k < 2; k++) {
        cells[k].step(x, e[k], i[k], e[k], i[k], 1, 5, 7, 1);
      }
      assertArrayEquals(e[0], e[1], 1e-5f, c + " channels");
      assertArrayEquals(i[0], i[1], 1e-5f, c + " channels");
      assertTrue(Float.isNaN(i[1][n / 2]));
    }
  }

  @Test
  void exponentialsAreAccurate() {
    for (double x = -86; x < 86; x += 0.0371) {
      double expected = Math.exp((float) x);
      assertEquals(1, ScalarCell.exp((float) x) / expected, 2e-7);
      double softplus = Math.log1p(Math.exp((float) x));
      assertEquals(1, ScalarCell.softplus((float) x) / softplus, 3e-7, "at " + x);
    }
    assertEquals(0, ScalarCell.sigmoid(Float.NEGATIVE_INFINITY), 1e-37);
    assertEquals(1, ScalarCell.sigmoid(Float.POSITIVE_INFINITY));
    assertEquals(Float.POSITIVE_INFINITY, ScalarCell.softplus(Float.POSITIVE_INFINITY));
    assertTrue(Float.isNaN(ScalarCell.softplus(Float.NaN)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "128", "256", "512"})
  void everyWidth(String width) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-Xmx256m",
                "-D" + Simd.WIDTH + "=" + width,
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                JavaCellWidthsTest.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
  }

  /** Started by {@link #everyWidth}. */
  public static void main(String[] args) {
    new JavaCellWidthsTest().channelsWithAllTails();
  }
}
