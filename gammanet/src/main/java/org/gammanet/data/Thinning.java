package org.gammanet.data;

import java.util.Arrays;

/**
 * Morphological thinning to one-pixel lines: the parallel algorithm of Lam, Lee and Suen ("Thinning
 * methodologies", IEEE PAMI 14(9), 1992), repeated until nothing changes.
 *
 * <p>Two sub-iterations, each deleting all its candidates at once, keep 8-connected components and
 * leave one-pixel lines alone. Pixels outside the image count as unset.
 */
public final class Thinning {
  /**
   * Whether the first (second) sub-iteration deletes a set pixel, by its neighbors: bit 0 is east,
   * then counter-clockwise (NE, N, NW, W, SW, S, SE).
   */
  private static final boolean[] FIRST = table(true);

  private static final boolean[] SECOND = table(false);

  private Thinning() {}

  private static boolean[] table(boolean first) {
    boolean[] table = new boolean[256];
    for (int code = 0; code < 256; code++) {
      int[] x = new int[10];
      for (int i = 1; i <= 8; i++) {
        x[i] = code >> (i - 1) & 1;
      }
      x[9] = x[1];
      int crossings = 0;
      int n1 = 0;
      int n2 = 0;
      for (int i = 1; i <= 4; i++) {
        crossings += x[2 * i - 1] == 0 && (x[2 * i] | x[2 * i + 1]) == 1 ? 1 : 0;
        n1 += x[2 * i - 1] | x[2 * i];
        n2 += x[2 * i] | x[2 * i + 1];
      }
      int neighbors = Math.min(n1, n2);
      boolean side =
          first
              ? ((x[2] | x[3] | (1 - x[8])) & x[1]) == 0
              : ((x[6] | x[7] | (1 - x[4])) & x[5]) == 0;
      table[code] = crossings == 1 && neighbors >= 2 && neighbors <= 3 && side;
    }
    return table;
  }

  /**
   * Thins a mask in place.
   *
   * @param mask row-major, {@code height * width} values, non-zero where set; becomes 0 or 1
   * @throws IllegalArgumentException if the length is not {@code height * width}
   */
  public static void thin(byte[] mask, int height, int width) {
    if (mask.length != height * width) {
      throw new IllegalArgumentException(
          "A mask of %d values is not %d x %d pixels".formatted(mask.length, height, width));
    }
    // A frame of unset pixels spares the border tests.
    int stride = width + 2;
    byte[] padded = new byte[(height + 2) * stride];
    int[] pixels = new int[mask.length];
    int count = 0;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        if (mask[y * width + x] != 0) {
          int p = (y + 1) * stride + x + 1;
          padded[p] = 1;
          pixels[count++] = p;
        }
      }
    }
    int[] doomed = new int[count];
    int before;
    do {
      before = count;
      count = pass(FIRST, padded, stride, pixels, count, doomed);
      count = pass(SECOND, padded, stride, pixels, count, doomed);
    } while (count < before);
    Arrays.fill(mask, (byte) 0);
    for (int i = 0; i < count; i++) {
      int p = pixels[i];
      mask[(p / stride - 1) * width + p % stride - 1] = 1;
    }
  }

  /** One sub-iteration; returns how many pixels are left at the front of {@code pixels}. */
  private static int pass(
      boolean[] delete, byte[] m, int stride, int[] pixels, int count, int[] doomed) {
    int kept = 0;
    int dead = 0;
    for (int i = 0; i < count; i++) {
      int p = pixels[i];
      int code =
          m[p + 1]
              | m[p - stride + 1] << 1
              | m[p - stride] << 2
              | m[p - stride - 1] << 3
              | m[p - 1] << 4
              | m[p + stride - 1] << 5
              | m[p + stride] << 6
              | m[p + stride + 1] << 7;
      if (delete[code]) {
        doomed[dead++] = p;
      } else {
        pixels[kept++] = p;
      }
    }
    for (int i = 0; i < dead; i++) {
      m[doomed[i]] = 0;
    }
    return kept;
  }
}
