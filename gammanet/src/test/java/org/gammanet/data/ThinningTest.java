package org.gammanet.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ThinningTest {
  private static byte[] parse(String... rows) {
    byte[] mask = new byte[rows.length * rows[0].length()];
    int i = 0;
    for (String row : rows) {
      for (char c : row.toCharArray()) {
        mask[i++] = (byte) (c == '#' ? 1 : 0);
      }
    }
    return mask;
  }

  private static byte[] thinned(String... rows) {
    byte[] mask = parse(rows);
    Thinning.thin(mask, rows.length, rows[0].length());
    return mask;
  }

  private static int count(byte[] mask) {
    int n = 0;
    for (byte b : mask) {
      n += b;
    }
    return n;
  }

  @Test
  void onePixelLinesStay() {
    for (String[] shape :
        new String[][] {
          {".....", "#####", "....."},
          {"..#..", "..#..", "..#.."},
          {"#....", ".#...", "..#..", "...#.", "....#"},
          {"..#..", "..#..", "#####", "..#..", "..#.."},
          {".###.", "#...#", "#...#", "#...#", ".###."},
        }) {
      assertArrayEquals(parse(shape), thinned(shape));
    }
  }

  @Test
  void twoPixelLineBecomesOnePixelWide() {
    byte[] line = thinned("########", "########", "........");
    for (int x = 1; x < 7; x++) {
      assertEquals(1, line[x] + line[8 + x], "column " + x);
    }
    assertTrue(count(line) <= 8);
  }

  @Test
  void filledSquareShrinksToALine() {
    byte[] square = thinned("#######", "#######", "#######", "#######", "#######");
    assertTrue(count(square) >= 1 && count(square) <= 5, "left " + count(square));
  }

  @Test
  void isIdempotentAndKeepsComponents() {
    Random random = new Random(7);
    for (int round = 0; round < 200; round++) {
      int h = 3 + random.nextInt(12);
      int w = 3 + random.nextInt(12);
      byte[] mask = new byte[h * w];
      for (int i = 0; i < mask.length; i++) {
        mask[i] = (byte) (random.nextInt(100) < 55 ? 1 : 0);
      }
      int before = components(mask, h, w);
      Thinning.thin(mask, h, w);
      assertEquals(before, components(mask, h, w), "components");
      byte[] again = mask.clone();
      Thinning.thin(again, h, w);
      assertArrayEquals(mask, again, "idempotent");
    }
  }

  @Test
  void refusesAMaskOfAnotherSize() {
    assertThrows(IllegalArgumentException.class, () -> Thinning.thin(new byte[5], 2, 3));
  }

  private static int components(byte[] mask, int h, int w) {
    boolean[] seen = new boolean[mask.length];
    int components = 0;
    ArrayDeque<Integer> queue = new ArrayDeque<>();
    for (int start = 0; start < mask.length; start++) {
      if (mask[start] == 0 || seen[start]) {
        continue;
      }
      components++;
      seen[start] = true;
      queue.add(start);
      while (!queue.isEmpty()) {
        int p = queue.remove();
        for (int dy = -1; dy <= 1; dy++) {
          for (int dx = -1; dx <= 1; dx++) {
            int y = p / w + dy;
            int x = p % w + dx;
            if (y >= 0 && y < h && x >= 0 && x < w && mask[y * w + x] != 0 && !seen[y * w + x]) {
              seen[y * w + x] = true;
              queue.add(y * w + x);
            }
          }
        }
      }
    }
    return components;
  }

  /** The paper's conditions, pixel by pixel. */
  private static void reference(byte[] mask, int height, int width) {
    boolean changed = true;
    while (changed) {
      changed = false;
      for (boolean first : new boolean[] {true, false}) {
        byte[] before = mask.clone();
        for (int i = 0; i < mask.length; i++) {
          if (before[i] != 0 && deletes(neighbors(before, height, width, i), first)) {
            mask[i] = 0;
            changed = true;
          }
        }
      }
    }
  }

  /** Neighbors 1 to 8 from east counterclockwise, and the first one again. */
  private static boolean[] neighbors(byte[] mask, int height, int width, int i) {
    int[] dx = {1, 1, 0, -1, -1, -1, 0, 1, 1};
    int[] dy = {0, -1, -1, -1, 0, 1, 1, 1, 0};
    boolean[] x = new boolean[10];
    for (int k = 0; k < 9; k++) {
      int column = i % width + dx[k];
      int row = i / width + dy[k];
      x[k + 1] =
          column >= 0
              && column < width
              && row >= 0
              && row < height
              && mask[row * width + column] != 0;
    }
    return x;
  }

  private static boolean deletes(boolean[] x, boolean first) {
    int crossings = 0;
    int n1 = 0;
    int n2 = 0;
    for (int i = 1; i <= 4; i++) {
      crossings += !x[2 * i - 1] && (x[2 * i] || x[2 * i + 1]) ? 1 : 0;
      n1 += x[2 * i - 1] || x[2 * i] ? 1 : 0;
      n2 += x[2 * i] || x[2 * i + 1] ? 1 : 0;
    }
    int fewer = Math.min(n1, n2);
    boolean side = first ? (x[2] || x[3] || !x[8]) && x[1] : (x[6] || x[7] || !x[4]) && x[5];
    return crossings == 1 && fewer >= 2 && fewer <= 3 && !side;
  }

  @Test
  void sixtyFourPixelsAtATimeAreThinnedAsOneByOne() {
    Random random = new Random(3);
    for (int width : new int[] {1, 2, 63, 64, 65, 128, 150}) {
      for (int density : new int[] {20, 50, 80, 97}) {
        int height = 1 + random.nextInt(40);
        byte[] mask = new byte[height * width];
        for (int i = 0; i < mask.length; i++) {
          mask[i] = (byte) (random.nextInt(100) < density ? 1 : 0);
        }
        byte[] expected = mask.clone();
        reference(expected, height, width);
        Thinning.thin(mask, height, width);
        assertArrayEquals(expected, mask);
      }
    }
  }
}
