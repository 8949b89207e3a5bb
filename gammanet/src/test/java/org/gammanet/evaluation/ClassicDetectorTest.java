package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.Random;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ClassicDetectorTest {
  private static RgbImage gray(int width, int height, java.util.function.IntBinaryOperator value) {
    byte[] samples = new byte[3 * width * height];
    for (int i = 0; i < width * height; i++) {
      for (int c = 0; c < 3; c++) {
        samples[3 * i + c] = (byte) value.applyAsInt(i % width, i / width);
      }
    }
    return new RgbImage(width, height, samples);
  }

  /** The strength is the height of the step, wherever it is and whatever the smoothing. */
  @ParameterizedTest
  @CsvSource({"SOBEL,0", "SOBEL,1", "SOBEL,2.5", "CANNY,0.7", "CANNY,2", "CANNY,4"})
  void aStepHasItsHeight(ClassicDetector detector, double sigma) {
    for (int height : new int[] {51, 204, 255}) {
      EdgeMap map = detector.detect(gray(60, 40, (x, y) -> x < 30 ? 0 : height), sigma);
      for (int x = 0; x < 60; x++) {
        float expected = x == 29 || x == 30 ? height / 255f : 0;
        assertEquals(expected, map.value(x, 20), 1e-4f, "column " + x + ", height " + height);
      }
    }
  }

  /** Hysteresis as it is defined, at one threshold. */
  private static boolean[] hysteresis(float[] lines, int width, double high) {
    boolean[] edge = new boolean[lines.length];
    var queue = new ArrayDeque<Integer>();
    for (int i = 0; i < lines.length; i++) {
      if (lines[i] >= high) {
        edge[i] = true;
        queue.add(i);
      }
    }
    int height = lines.length / width;
    while (!queue.isEmpty()) {
      int i = queue.poll();
      for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++) {
          int x = i % width + dx;
          int y = i / width + dy;
          int k = y * width + x;
          if (x >= 0
              && y >= 0
              && x < width
              && y < height
              && !edge[k]
              && lines[k] >= ClassicDetector.LOW * high) {
            edge[k] = true;
            queue.add(k);
          }
        }
      }
    }
    return edge;
  }

  @Test
  void cuttingTheMapIsHysteresisAtThatThreshold() {
    Random random = new Random(11);
    int width = 80;
    float[] lines = new float[width * 50];
    for (int i = 0; i < lines.length; i++) {
      lines[i] = random.nextInt(3) == 0 ? 0 : random.nextFloat() * random.nextFloat();
    }
    float[] map = ClassicDetector.hysteresis(lines, 50, width);
    for (double t = 0.013; t < 1; t += 0.0371) {
      boolean[] expected = hysteresis(lines, width, t);
      for (int i = 0; i < map.length; i++) {
        assertEquals(expected[i], map[i] >= t, "pixel " + i + " at " + t);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void transposingTheImageTransposesTheMap(ClassicDetector detector) {
    Random random = new Random(5);
    int[] noise = new int[40 * 40];
    for (int i = 0; i < noise.length; i++) {
      noise[i] = random.nextInt(256);
    }
    EdgeMap map = detector.detect(gray(40, 30, (x, y) -> noise[y * 40 + x]), 1.5);
    EdgeMap other = detector.detect(gray(30, 40, (x, y) -> noise[x * 40 + y]), 1.5);
    float[] back = new float[map.values().length];
    for (int i = 0; i < back.length; i++) {
      back[i] = other.value(i / 40, i % 40);
    }
    assertArrayEquals(map.values(), back, 1e-5f);
  }

  @ParameterizedTest
  @EnumSource
  void evenAndTinyImagesHaveNoEdges(ClassicDetector detector) {
    for (int size : new int[] {1, 2, 30}) {
      for (float v : detector.detect(gray(size, size, (x, y) -> 99), 2).values()) {
        assertEquals(0, v, 1e-6f);
      }
    }
  }

  @Test
  void refusesSmoothingThatMakesNoSense() {
    RgbImage image = gray(5, 5, (x, y) -> x);
    assertThrows(IllegalArgumentException.class, () -> ClassicDetector.CANNY.detect(image, 0));
    assertThrows(IllegalArgumentException.class, () -> ClassicDetector.SOBEL.detect(image, -1));
    Throwable e =
        assertThrows(
            IllegalArgumentException.class, () -> ClassicDetector.SOBEL.detect(image, Double.NaN));
    assertTrue(String.valueOf(e.getMessage()).contains("0.3 to 50"), e.getMessage());
  }
}
