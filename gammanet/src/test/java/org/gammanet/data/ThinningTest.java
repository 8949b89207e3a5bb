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
}
