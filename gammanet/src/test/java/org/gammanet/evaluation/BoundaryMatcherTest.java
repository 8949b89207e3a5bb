package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BoundaryMatcherTest {
  private static byte[] random(Random random, int height, int width, double density) {
    byte[] mask = new byte[height * width];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = (byte) (random.nextDouble() < density ? 1 : 0);
    }
    return mask;
  }

  /** Wandering lines, dense enough to compete for the same pixels. */
  private static byte[] scribble(Random random, int height, int width, int lines) {
    byte[] mask = new byte[height * width];
    for (int line = 0; line < lines; line++) {
      double x = random.nextDouble() * width;
      double y = random.nextDouble() * height;
      double angle = random.nextDouble() * 7;
      for (int step = 0; step < width / 2; step++) {
        angle += (random.nextDouble() - 0.5) * 0.4;
        x += Math.cos(angle);
        y += Math.sin(angle);
        if (x >= 0 && x < width && y >= 0 && y < height) {
          mask[(int) y * width + (int) x] = 1;
        }
      }
    }
    return mask;
  }

  private static int[] positions(byte[] mask) {
    int[] positions = new int[mask.length];
    int n = 0;
    for (int i = 0; i < mask.length; i++) {
      if (mask[i] != 0) {
        positions[n++] = i;
      }
    }
    return Arrays.copyOf(positions, n);
  }

  /** Pairs and rounded total distance of the optimum by the Hungarian method on a full matrix. */
  private static long[] reference(byte[] left, byte[] right, int width, double radius) {
    int[] a = positions(left);
    int[] b = positions(right);
    long outlier = (long) Math.ceil(10_000 * radius);
    // One spare column a row; forbidden pairs are dearer than any solution.
    long forbidden = 1L << 40;
    int n = a.length;
    int m = b.length + n;
    long[][] cost = new long[n][m];
    for (int i = 0; i < n; i++) {
      Arrays.fill(cost[i], forbidden);
      for (int j = 0; j < b.length; j++) {
        int dx = a[i] % width - b[j] % width;
        int dy = a[i] / width - b[j] / width;
        if (dx * dx + dy * dy <= radius * radius) {
          cost[i][j] = Math.round(100 * Math.sqrt(dx * dx + dy * dy));
        }
      }
      cost[i][b.length + i] = outlier;
    }
    int[] rowOf = hungarian(cost, n, m);
    long pairs = 0;
    long sum = 0;
    for (int j = 0; j < b.length; j++) {
      if (rowOf[j] >= 0) {
        pairs++;
        sum += cost[rowOf[j]][j];
      }
    }
    return new long[] {pairs, sum};
  }

  private static int[] hungarian(long[][] cost, int n, int m) {
    long[] u = new long[n + 1];
    long[] v = new long[m + 1];
    int[] p = new int[m + 1];
    int[] way = new int[m + 1];
    for (int i = 1; i <= n; i++) {
      p[0] = i;
      int j0 = 0;
      long[] least = new long[m + 1];
      Arrays.fill(least, Long.MAX_VALUE);
      boolean[] used = new boolean[m + 1];
      do {
        used[j0] = true;
        int next = 0;
        long delta = Long.MAX_VALUE;
        for (int j = 1; j <= m; j++) {
          if (!used[j]) {
            long c = cost[p[j0] - 1][j - 1] - u[p[j0]] - v[j];
            if (c < least[j]) {
              least[j] = c;
              way[j] = j0;
            }
            if (least[j] < delta) {
              delta = least[j];
              next = j;
            }
          }
        }
        for (int j = 0; j <= m; j++) {
          if (used[j]) {
            u[p[j]] += delta;
            v[j] -= delta;
          } else {
            least[j] -= delta;
          }
        }
        j0 = next;
      } while (p[j0] != 0);
      do {
        p[j0] = p[way[j0]];
        j0 = way[j0];
      } while (j0 != 0);
    }
    int[] rowOf = new int[m];
    for (int j = 1; j <= m; j++) {
      rowOf[j - 1] = p[j] - 1;
    }
    return rowOf;
  }

  private static void check(byte[] left, byte[] right, int height, int width, double radius) {
    BoundaryMatcher.Match match = new BoundaryMatcher(radius).match(left, right, height, width);
    long[] expected = reference(left, right, width, radius);
    assertEquals(expected[0], match.pairs());
    assertEquals(expected[1], Math.round(100 * match.distance()));
    // One to one, and only pixels that are set.
    assertEquals(match.pairs(), match.left().cardinality());
    assertEquals(match.pairs(), match.right().cardinality());
    assertTrue(match.left().stream().allMatch(i -> left[i] != 0));
    assertTrue(match.right().stream().allMatch(i -> right[i] != 0));
  }

  @Test
  void isOptimalOnSmallMasks() {
    Random random = new Random(1);
    for (int round = 0; round < 400; round++) {
      int height = 1 + random.nextInt(7);
      int width = 1 + random.nextInt(9);
      double radius = random.nextInt(4) == 0 ? 0 : 3 * random.nextDouble();
      byte[] left = random(random, height, width, random.nextDouble());
      byte[] right = random(random, height, width, random.nextDouble());
      check(left, right, height, width, radius);
    }
  }

  @Test
  void isOptimalOnLinesThatCompete() {
    Random random = new Random(2);
    for (int round = 0; round < 12; round++) {
      // Wider than a word of the masks.
      byte[] left = scribble(random, 40, 90, 3 + round);
      byte[] right = scribble(random, 40, 90, 4);
      check(left, right, 40, 90, 4.337);
      check(left, right, 40, 90, 1.5);
      check(right, left, 40, 90, 7);
    }
  }

  @Test
  void equalMasksMatchFullyAtDistanceZero() {
    byte[] mask = scribble(new Random(3), 50, 70, 9);
    BoundaryMatcher.Match match = new BoundaryMatcher(4).match(mask, mask, 50, 70);
    assertEquals(positions(mask).length, match.pairs());
    assertEquals(0, match.distance());
  }

  /** A shifted drawing keeps all pairs while the shift is within the radius, and none beyond. */
  @ParameterizedTest
  @CsvSource({"0, 4, true", "4, 0, true", "3, 3, true", "1, 4, true", "5, 0, false", "3, 4, false"})
  void shifts(int dx, int dy, boolean within) {
    byte[] mask = new byte[60 * 80];
    for (int x = 10; x < 70; x++) {
      mask[30 * 80 + x] = 1;
    }
    byte[] shifted = new byte[mask.length];
    for (int i : positions(mask)) {
      shifted[i + dy * 80 + dx] = 1;
    }
    // One pixel alone, since a line shifted along itself has other partners.
    byte[] dot = new byte[mask.length];
    dot[30 * 80 + 40] = 1;
    byte[] dotShifted = new byte[mask.length];
    dotShifted[(30 + dy) * 80 + 40 + dx] = 1;
    BoundaryMatcher matcher = new BoundaryMatcher(4.337);
    assertEquals(within ? 1 : 0, matcher.match(dot, dotShifted, 60, 80).pairs());
    if (within) {
      assertEquals(60, matcher.match(mask, shifted, 60, 80).pairs());
      assertEquals(60, matcher.match(shifted, mask, 60, 80).pairs());
    }
  }

  @Test
  void pairsAndDistanceDoNotDependOnOrientation() {
    Random random = new Random(4);
    for (int round = 0; round < 20; round++) {
      int h = 30;
      int w = 75;
      byte[] a = scribble(random, h, w, 8);
      byte[] b = scribble(random, h, w, 8);
      BoundaryMatcher matcher = new BoundaryMatcher(3.7);
      BoundaryMatcher.Match match = matcher.match(a, b, h, w);
      for (int turn = 1; turn < 8; turn++) {
        boolean transposed = (turn & 4) != 0;
        BoundaryMatcher.Match other =
            matcher.match(
                turned(a, h, w, turn),
                turned(b, h, w, turn),
                transposed ? w : h,
                transposed ? h : w);
        assertEquals(match.pairs(), other.pairs());
        assertEquals(match.distance(), other.distance());
      }
      BoundaryMatcher.Match swapped = matcher.match(b, a, h, w);
      assertEquals(match.pairs(), swapped.pairs());
      assertEquals(match.distance(), swapped.distance());
    }
  }

  /** Flips by bits 1 (columns) and 2 (rows), then transposes by bit 4. */
  static byte[] turned(byte[] mask, int h, int w, int turn) {
    byte[] out = new byte[mask.length];
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        int xx = (turn & 1) != 0 ? w - 1 - x : x;
        int yy = (turn & 2) != 0 ? h - 1 - y : y;
        out[(turn & 4) != 0 ? xx * h + yy : yy * w + xx] = mask[y * w + x];
      }
    }
    return out;
  }

  @Test
  void emptyMasks() {
    byte[] none = new byte[12];
    byte[] all = new byte[12];
    Arrays.fill(all, (byte) 1);
    BoundaryMatcher matcher = new BoundaryMatcher(2);
    assertEquals(0, matcher.match(none, all, 3, 4).pairs());
    assertEquals(0, matcher.match(all, none, 3, 4).pairs());
    assertEquals(0, matcher.match(none, none, 3, 4).pairs());
    assertEquals(12, matcher.match(all, all, 3, 4).pairs());
  }

  @Test
  void largeMapsStayWithinSecondsAndMemory() {
    // 2000 x 2000 with a radius of 21 pixels, where a stored graph would have millions of edges.
    Random random = new Random(5);
    byte[] drawn = scribble(random, 2000, 2000, 60);
    byte[] found = scribble(random, 2000, 2000, 150);
    BoundaryMatcher matcher = new BoundaryMatcher(BoundaryMatcher.radius(0.0075, 2000, 2000));
    long start = System.nanoTime();
    BoundaryMatcher.Match match = matcher.match(found, drawn, 2000, 2000);
    System.out.printf(
        "2000x2000: %d and %d pixels, %d pairs, %.2f s%n",
        positions(found).length,
        positions(drawn).length,
        match.pairs(),
        (System.nanoTime() - start) / 1e9);
    assertTrue(match.pairs() > 10_000);
  }

  @Test
  void cancels() {
    BoundaryMatcher matcher = new BoundaryMatcher(4);
    matcher.cancelWhen(() -> true);
    Random random = new Random(6);
    byte[] a = scribble(random, 100, 100, 20);
    byte[] b = scribble(random, 100, 100, 20);
    assertThrows(CancellationException.class, () -> matcher.match(a, b, 100, 100));
  }

  @Test
  void refusesWhatMakesNoSense() {
    assertThrows(IllegalArgumentException.class, () -> new BoundaryMatcher(-1));
    assertThrows(IllegalArgumentException.class, () -> new BoundaryMatcher(Double.NaN));
    BoundaryMatcher matcher = new BoundaryMatcher(1);
    assertThrows(
        IllegalArgumentException.class, () -> matcher.match(new byte[6], new byte[7], 2, 3));
  }

  /** Whatever came before, the correspondence is the one that the two masks alone determine. */
  @ParameterizedTest
  @CsvSource({"0, 40", "1, 30", "2.5, 30", "4.3, 60"})
  void aMaskThatChangesIsMatchedAsIfItWereNew(double radius, int size) {
    Random random = new Random(11);
    byte[] drawn = scribble(random, size, size, 8);
    byte[] found = new byte[size * size];
    BoundaryMatcher changing = new BoundaryMatcher(radius);
    changing.begin(new PixelMask(drawn, size, size));
    for (int step = 0; step < 30; step++) {
      byte[] lines = scribble(random, size, size, 1);
      for (int i = 0; i < found.length; i++) {
        // Lines come, single pixels go.
        found[i] |= lines[i];
        if (random.nextDouble() < 0.02) {
          found[i] = 0;
        }
      }
      changing.change(new PixelMask(found, size, size));
      BoundaryMatcher.Match match = new BoundaryMatcher(radius).match(found, drawn, size, size);
      PixelMask matched = new PixelMask(size, size);
      changing.addMatched(matched);
      byte[] expected = new byte[size * size];
      match.left().stream().forEach(i -> expected[i] = 1);
      assertArrayEquals(new PixelMask(expected, size, size).words, matched.words);
      assertEquals(match.pairs(), changing.pairs());
      BoundaryMatcher.Match mirrored = new BoundaryMatcher(radius).match(drawn, found, size, size);
      assertEquals(match.left(), mirrored.right());
      assertEquals(match.right(), mirrored.left());
    }
    check(found, drawn, size, size, radius);
  }
}
