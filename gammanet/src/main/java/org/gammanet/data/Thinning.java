package org.gammanet.data;

/**
 * Morphological thinning to one-pixel lines: the parallel algorithm of Lam, Lee and Suen ("Thinning
 * methodologies", IEEE PAMI 14(9), 1992), repeated until nothing changes.
 *
 * <p>Two sub-iterations, each deleting all its candidates at once, keep 8-connected components and
 * leave one-pixel lines alone. Pixels outside the image count as unset. The neighborhoods of 64
 * pixels are tested at a time, a bit each, and only where a neighbor was deleted since the last
 * test.
 */
public final class Thinning {
  /** Words in a row: pixel x is bit x & 63 of word 1 + (x >> 6), between two empty words. */
  private final int stride;

  /** Rows of words, between two empty rows. */
  private final long[] words;

  /** The last sub-iteration that deleted something in a word or in one next to it. */
  private final int[] disturbed;

  private final int[] changed;
  private final long[] doomed;

  private Thinning(byte[] mask, int height, int width) {
    stride = ((width + 63) >> 6) + 2;
    words = new long[(height + 2) * stride];
    disturbed = new int[words.length];
    changed = new int[words.length];
    doomed = new long[words.length];
    for (int y = 0, i = 0; y < height; y++) {
      int row = (y + 1) * stride + 1;
      for (int x = 0; x < width; x++, i++) {
        if (mask[i] != 0) {
          words[row + (x >> 6)] |= 1L << x;
        }
      }
    }
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
          "A mask of %s values is not %s x %s pixels".formatted(mask.length, height, width));
    }
    Thinning thinning = new Thinning(mask, height, width);
    int lastChange = 0;
    for (int sub = 1; sub - lastChange <= 2; sub++) {
      if (thinning.delete(sub)) {
        lastChange = sub;
      }
    }
    for (int y = 0, i = 0; y < height; y++) {
      int row = (y + 1) * thinning.stride + 1;
      for (int x = 0; x < width; x++, i++) {
        mask[i] = (byte) (thinning.words[row + (x >> 6)] >>> x & 1);
      }
    }
  }

  /** One sub-iteration, of the first kind if its number is odd; says whether it deleted a pixel. */
  private boolean delete(int sub) {
    int count = 0;
    for (int w = 0; w < words.length; w++) {
      // The last test of this kind was two sub-iterations ago, before that one's deletions.
      if (words[w] != 0 && disturbed[w] >= sub - 2) {
        long candidates = candidates(w, (sub & 1) != 0);
        if (candidates != 0) {
          changed[count] = w;
          doomed[count++] = candidates;
        }
      }
    }
    for (int k = 0; k < count; k++) {
      int w = changed[k];
      words[w] &= ~doomed[k];
      for (int row = w - stride; row <= w + stride; row += stride) {
        disturbed[row - 1] = sub;
        disturbed[row] = sub;
        disturbed[row + 1] = sub;
      }
    }
    return count > 0;
  }

  /** The pixels of a word that a sub-iteration deletes; conditions G1 to G3 of the paper. */
  private long candidates(int w, boolean first) {
    long north = words[w - stride];
    long here = words[w];
    long south = words[w + stride];
    // The bit above is the neighbor in the east.
    long e = here >>> 1 | words[w + 1] << 63;
    long ne = north >>> 1 | words[w - stride + 1] << 63;
    long nw = north << 1 | words[w - stride - 1] >>> 63;
    long west = here << 1 | words[w - 1] >>> 63;
    long sw = south << 1 | words[w + stride - 1] >>> 63;
    long se = south >>> 1 | words[w + stride + 1] << 63;

    // G1: one crossing, from an unset 4-neighbor to one of the two that follow counterclockwise.
    long c1 = ~e & (ne | north);
    long c2 = ~north & (nw | west);
    long c3 = ~west & (sw | south);
    long c4 = ~south & (se | e);
    long one = (c1 ^ c2) & ~(c3 | c4) | ~(c1 | c2) & (c3 ^ c4);

    // G2: two or three neighbors, in the pairing in which there are fewer.
    long two =
        atLeastTwo(e | ne, north | nw, west | sw, south | se)
            & atLeastTwo(ne | north, nw | west, sw | south, se | e);
    long four =
        (e | ne)
            & (north | nw)
            & (west | sw)
            & (south | se)
            & (ne | north)
            & (nw | west)
            & (sw | south)
            & (se | e);

    // G3: which side is taken in this sub-iteration.
    long kept = first ? (ne | north | ~se) & e : (sw | south | ~nw) & west;
    return here & one & two & ~four & ~kept;
  }

  private static long atLeastTwo(long a, long b, long c, long d) {
    return a & b | c & d | (a | b) & (c | d);
  }
}
