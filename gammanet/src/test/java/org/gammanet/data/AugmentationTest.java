package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.gammanet.data.Augmentation.ColorJitter;
import org.gammanet.io.SplitMix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AugmentationTest {
  private static final Preprocessing PLAIN =
      new Preprocessing(List.of(0.0, 0.0, 0.0), List.of(1.0, 1.0, 1.0), 1);

  private static Augmentation of(
      int crop, double scale, int rotations, double flipX, double flipY) {
    return new Augmentation(
        crop, new double[] {scale}, rotations, flipX, flipY, null, 0, false, false, PLAIN);
  }

  /** Random colors and three random masks. */
  private static Example noise(int h, int w, long seed) {
    Random random = new Random(seed);
    byte[] rgb = new byte[3 * h * w];
    random.nextBytes(rgb);
    short[] bits = new short[h * w];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = (short) random.nextInt(8);
    }
    return new Example("noise", h, w, rgb, Example.Layers.equal(bits, 3, true));
  }

  /** A dark line at {@code angle} through the middle of a white image, and its drawing. */
  private static Example line(int h, int w, double angle) {
    byte[] rgb = new byte[3 * h * w];
    Arrays.fill(rgb, (byte) 255);
    short[] bits = new short[h * w];
    double dx = Math.cos(angle);
    double dy = Math.sin(angle);
    double longest = Math.max(Math.abs(dx), Math.abs(dy));
    int reach = h + w;
    for (int i = -reach; i <= reach; i++) {
      int x = (int) Math.rint(w / 2.0 + i * dx / longest);
      int y = (int) Math.rint(h / 2.0 + i * dy / longest);
      if (x >= 0 && x < w && y >= 0 && y < h) {
        bits[y * w + x] = 3;
        for (int c = 0; c < 3; c++) {
          rgb[3 * (y * w + x) + c] = 0;
        }
      }
    }
    return new Example("line", h, w, rgb, Example.Layers.equal(bits, 2, true));
  }

  private static Example asExample(Sample sample) {
    int n = sample.height() * sample.width();
    byte[] rgb = new byte[3 * n];
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < n; i++) {
        rgb[3 * i + c] = (byte) Math.round(255 * sample.image()[c * n + i]);
      }
    }
    return new Example(
        sample.id(), sample.height(), sample.width(), rgb, new Example.Soft(sample.target()));
  }

  /** A green image without a contour becomes one with a uniform surface and its outline. */
  @Test
  void anOccluderHasAnOutlineAndNoOtherContour() {
    int side = 64;
    byte[] rgb = new byte[3 * side * side];
    for (int i = 0; i < side * side; i++) {
      rgb[3 * i + 1] = (byte) 255;
    }
    Example green =
        new Example(
            "green", side, side, rgb, Example.Layers.equal(new short[side * side], 1, true));
    var occluding = new Augmentation(side, new double[] {1}, 1, 0, 0, null, 1, false, false, PLAIN);
    int atRim = 0;
    int whole = 0;
    for (int seed = 0; seed < 50; seed++) {
      Sample sample = occluding.apply(green, new SplitMix(seed));
      int n = side * side;
      int covered = 0;
      int outline = 0;
      for (int i = 0; i < n; i++) {
        boolean on = sample.image()[i] != 0 || sample.image()[n + i] != 1;
        boolean rim = i % side == 0 || i % side == side - 1 || i < side || i >= n - side;
        covered += on ? 1 : 0;
        outline += sample.target()[i] == 1 ? 1 : 0;
        atRim += on && rim && sample.target()[i] == 0 ? 1 : 0;
        assertTrue(on || sample.target()[i] == 0, "a contour lies on the surface");
        assertTrue(sample.valid()[i]);
      }
      assertTrue(covered > 0);
      if (covered == n) {
        whole++;
        assertEquals(0, outline);
        continue;
      }
      assertTrue(outline > 0 && outline < 4 * side, "a line: " + outline);
    }
    assertTrue(whole > 2 && whole < 25, whole + " of 50 cover everything");
    assertTrue(atRim > 0, "surfaces reach the rim, where no contour is");
  }

  @Test
  void nothingRandomGivesTheImageBack() {
    Example example = noise(5, 7, 1);
    Sample sample = Augmentation.none(PLAIN).apply(example, new SplitMix(1));
    assertArrayEquals(example.annotation().consensus(), sample.target());
    for (int i = 0; i < 35; i++) {
      assertTrue(sample.valid()[i]);
      for (int c = 0; c < 3; c++) {
        assertEquals((example.rgb()[3 * i + c] & 0xFF) / 255f, sample.image()[c * 35 + i]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1,0", "0,1", "1,1"})
  void aFlipTwiceIsTheIdentity(double flipX, double flipY) {
    Example example = noise(9, 6, 2);
    Augmentation flip = of(0, 1, 1, flipX, flipY);
    Sample once = flip.apply(example, new SplitMix(1));
    Sample twice = flip.apply(asExample(once), new SplitMix(1));
    Sample plain = Augmentation.none(PLAIN).apply(example, new SplitMix(1));
    assertFalse(Arrays.equals(plain.image(), once.image()));
    assertArrayEquals(plain.image(), twice.image());
    assertArrayEquals(plain.target(), twice.target());
  }

  @Test
  void fourQuarterTurnsAreTheIdentity() {
    Example example = noise(9, 6, 3);
    Sample plain = Augmentation.none(PLAIN).apply(example, new SplitMix(1));
    Augmentation turn = of(0, 1, 4, 0, 0);
    // A generator whose second integer is 1: one quarter turn.
    long seed = 0;
    while (true) {
      Sample turned = turn.apply(example, new SplitMix(seed));
      if (turned.height() == 6 && turned.target()[0] != plain.target()[5]) {
        break;
      }
      seed++;
    }
    Example e = example;
    for (int i = 0; i < 4; i++) {
      e = asExample(turn.apply(e, new SplitMix(seed)));
      assertEquals(i % 2 == 0 ? 6 : 9, e.height());
    }
    Sample back = Augmentation.none(PLAIN).apply(e, new SplitMix(1));
    assertArrayEquals(plain.image(), back.image());
    assertArrayEquals(plain.target(), back.target());
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.5, 0.75, 1, 1.5, 2.3})
  void straightLinesStayConnectedThinAndInPlace(double scale) {
    for (int a = 0; a < 12; a++) {
      double angle = Math.PI * a / 12 + 0.05 * a;
      Example example = line(80, 110, angle);
      for (int seed = 0; seed < 16; seed++) {
        Augmentation augmentation = of(0, scale, 16, 0.5, 0.5);
        Sample sample = augmentation.apply(example, new SplitMix(seed));
        int h = sample.height();
        int w = sample.width();
        byte[] mask = new byte[h * w];
        int set = 0;
        double darkest = 0;
        for (int i = 0; i < mask.length; i++) {
          mask[i] = (byte) (sample.target()[i] > 0 ? 1 : 0);
          set += mask[i];
        }
        byte[] thin = mask.clone();
        Thinning.thin(thin, h, w);
        String what = "scale " + scale + " angle " + angle + " seed " + seed;
        int lost = 0;
        for (int i = 0; i < mask.length; i++) {
          lost += mask[i] - thin[i];
        }
        // The frame of the output may add a pixel where thinning looked beyond it.
        assertTrue(lost <= 2, what + ": not thin");
        assertEquals(1, components(mask, h, w), what + ": components");
        // The line passes through the center and must cross the whole picture.
        assertTrue(set >= Math.min(h, w) - 3, what + ": " + set + " pixels of " + h + "x" + w);
        for (int i = 0; i < mask.length; i++) {
          if (mask[i] == 1) {
            // The image's dark line must be within one pixel.
            double darkness = 0;
            for (int dy = -1; dy <= 1; dy++) {
              for (int dx = -1; dx <= 1; dx++) {
                int y = Math.clamp(i / w + dy, 0, h - 1);
                int x = Math.clamp(i % w + dx, 0, w - 1);
                darkness = Math.max(darkness, 1 - sample.image()[y * w + x]);
              }
            }
            assertTrue(darkness > 0.12, what + ": off the line");
            darkest = Math.max(darkest, darkness);
          }
        }
        assertTrue(darkest > 0.3, what);
      }
    }
  }

  @Test
  void imageAndTargetStayAlignedInEveryPreset() {
    Augmentation[] presets = {
      new Augmentation(64, new double[] {0.5, 1, 1.5}, 16, 0.5, 0, null, 0, false, false, PLAIN),
      new Augmentation(
          64, new double[] {1}, 4, 0.5, 0.5, ColorJitter.REFERENCE, 0, false, false, PLAIN),
      Augmentation.none(PLAIN)
    };
    for (Augmentation preset : presets) {
      for (int i = 0; i < 1000; i++) {
        Example example = line(90, 120, 0.1 * (i % 31));
        Sample sample = preset.apply(example, new SplitMix(5, i));
        int w = sample.width();
        int h = sample.height();
        int off = 0;
        int set = 0;
        for (int p = 0; p < h * w; p++) {
          if (sample.target()[p] > 0) {
            set++;
            float least = 1;
            for (int dy = -1; dy <= 1; dy++) {
              for (int dx = -1; dx <= 1; dx++) {
                int y = Math.clamp(p / w + dy, 0, h - 1);
                int x = Math.clamp(p % w + dx, 0, w - 1);
                if (sample.valid()[y * w + x]) {
                  least = Math.min(least, sample.image()[y * w + x]);
                }
              }
            }
            off += least < 0.9 ? 0 : 1;
          }
        }
        assertTrue(off <= 1, "sample " + i + ": " + off + " of " + set + " off the line");
      }
    }
  }

  @Test
  void aSideThatIsTooShortIsPaddedWithoutValidity() {
    Sample sample = of(32, 1, 1, 0, 0).apply(noise(20, 40, 4), new SplitMix(9));
    int valid = 0;
    for (int i = 0; i < 32 * 32; i++) {
      valid += sample.valid()[i] ? 1 : 0;
      if (!sample.valid()[i]) {
        assertEquals(0, sample.target()[i]);
        assertEquals(0, sample.image()[i]);
      }
    }
    assertEquals(20 * 32, valid);
  }

  @Test
  void oneAnnotatorAtATime() {
    Example example = noise(20, 20, 5);
    Augmentation one = new Augmentation(0, new double[] {1}, 1, 0, 0, null, 0, true, false, PLAIN);
    boolean[] seen = new boolean[3];
    short[] bits = ((Example.Layers) example.annotation()).bits();
    for (int seed = 0; seed < 40; seed++) {
      float[] target = one.apply(example, new SplitMix(seed)).target();
      for (int k = 0; k < 3; k++) {
        float[] expected = new float[bits.length];
        for (int i = 0; i < bits.length; i++) {
          expected[i] = bits[i] >> k & 1;
        }
        seen[k] |= Arrays.equals(expected, target);
      }
    }
    assertArrayEquals(new boolean[] {true, true, true}, seen);
  }

  @Test
  void negativeTargetsAreIgnoredAndMeansBecomeMasks() {
    Example ignore =
        new Example("a", 1, 3, new byte[9], new Example.Soft(new float[] {-1, 0.5f, 1}));
    Sample sample = Augmentation.none(PLAIN).apply(ignore, new SplitMix(1));
    assertArrayEquals(new boolean[] {false, true, true}, sample.valid());
    assertArrayEquals(new float[] {0, 0.5f, 1}, sample.target());

    float[] mean = {0, 0.2f, 0.6f, 0.8f};
    var layered = new Example.Soft(mean).layered(2, 2);
    assertTrue(layered instanceof Example.Layers);
    assertArrayEquals(mean, layered.consensus(), 1e-6f);
  }

  @Test
  void jitterKeepsColorsInRangeAndChangesThem() {
    Example example = noise(12, 12, 6);
    Augmentation always =
        new Augmentation(
            0,
            new double[] {1},
            1,
            0,
            0,
            new ColorJitter(1, 0.2, 0.2, 0.2, 0.1),
            0,
            false,
            false,
            PLAIN);
    Sample plain = Augmentation.none(PLAIN).apply(example, new SplitMix(1));
    Sample changed = always.apply(example, new SplitMix(1));
    double difference = 0;
    for (int i = 0; i < plain.image().length; i++) {
      assertTrue(changed.image()[i] >= 0 && changed.image()[i] <= 1);
      difference += Math.abs(changed.image()[i] - plain.image()[i]);
    }
    assertTrue(difference / plain.image().length > 0.01);
    assertTrue(difference / plain.image().length < 0.3);
  }

  private static int components(byte[] mask, int h, int w) {
    byte[] rest = mask.clone();
    int components = 0;
    int[] stack = new int[rest.length];
    for (int start = 0; start < rest.length; start++) {
      if (rest[start] == 0) {
        continue;
      }
      components++;
      int top = 0;
      stack[top++] = start;
      rest[start] = 0;
      while (top > 0) {
        int p = stack[--top];
        for (int dy = -1; dy <= 1; dy++) {
          for (int dx = -1; dx <= 1; dx++) {
            int y = p / w + dy;
            int x = p % w + dx;
            if (y >= 0 && y < h && x >= 0 && x < w && rest[y * w + x] == 1) {
              rest[y * w + x] = 0;
              stack[top++] = y * w + x;
            }
          }
        }
      }
    }
    return components;
  }
}
