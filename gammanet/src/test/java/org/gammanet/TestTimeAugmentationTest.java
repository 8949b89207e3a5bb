package org.gammanet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;
import org.junit.jupiter.api.Test;

class TestTimeAugmentationTest {
  private static final int W = 13;
  private static final int H = 8;

  private static RgbImage noise() {
    byte[] samples = new byte[3 * W * H];
    new Random(3).nextBytes(samples);
    return new RgbImage(W, H, samples);
  }

  /** Looks at each pixel alone, so it does not matter how the image is turned. */
  private static EdgeMap red(RgbImage image) {
    float[] values = new float[image.width() * image.height()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (image.samples()[3 * i] & 0xFF) / 255f;
    }
    return new EdgeMap(image.width(), image.height(), values);
  }

  /** Sees only what is brighter than its left neighbor. */
  private static EdgeMap toTheRight(RgbImage image) {
    EdgeMap red = red(image);
    float[] values = new float[red.values().length];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % red.width() == 0 ? 0 : Math.max(0, red.values()[i] - red.values()[i - 1]);
    }
    return new EdgeMap(red.width(), red.height(), values);
  }

  @Test
  void everyAnswerIsTurnedBack() {
    RgbImage image = noise();
    EdgeMap mean = new TestTimeAugmentation(true, false).detect(image, i -> red(i));
    assertArrayEquals(red(image).values(), mean.values(), 1e-6f);
  }

  @Test
  void aStepCountsInTheCopiesInWhichItIsSeen() {
    byte[] samples = new byte[3 * W * H];
    for (int i = 0; i < W * H; i++) {
      samples[3 * i] = (byte) (i % W >= 6 ? 255 : 0);
    }
    EdgeMap mean =
        new TestTimeAugmentation(true, false)
            .detect(new RgbImage(W, H, samples), i -> toTheRight(i));
    // As it is and upside down on the bright side. Mirrored or turned, nothing rises to the right.
    assertEquals(2 / 6f, mean.value(6, 4), 1e-6f);
    assertEquals(0, mean.value(5, 4), 1e-6f);
  }

  @Test
  void scalesAreResizedBack() {
    List<Integer> widths = new ArrayList<>();
    byte[] samples = new byte[3 * W * H];
    java.util.Arrays.fill(samples, (byte) 51);
    EdgeMap mean =
        new TestTimeAugmentation(false, true)
            .detect(
                new RgbImage(W, H, samples),
                i -> {
                  widths.add(i.width());
                  return red(i);
                });
    assertEquals(List.of(7, 13, 20), widths);
    assertEquals(W, mean.width());
    for (float v : mean.values()) {
      assertEquals(0.2f, v, 1e-6f);
    }
    assertEquals(18, new TestTimeAugmentation(true, true).passes());
  }

  @Test
  void withoutAugmentationThereIsOnePass() {
    RgbImage image = noise();
    EdgeMap map = red(image);
    assertSame(map, TestTimeAugmentation.NONE.detect(image, i -> map));
  }

  @Test
  void resizingKeepsLinesAndConstants() {
    float[] values = new float[4 * 2];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 4 / 4f;
    }
    EdgeMap wide = new EdgeMap(4, 2, values).resize(8, 5);
    for (int x = 1; x < 7; x++) {
      assertEquals(((x + 0.5f) / 2 - 0.5f) / 4, wide.value(x, 3), 1e-6f);
    }
    assertEquals(0.5f, new EdgeMap(1, 1, new float[] {0.5f}).resize(3, 7).value(2, 6));
  }
}
