package org.gammanet.evaluation;

/**
 * A set of pixels, one bit each, with numbers for its members: the set pixels count from 0 in
 * row-major order. Rows start at whole words, so a stretch of a row is one or two words.
 */
final class PixelMask {
  final int height;
  final int width;

  /** Words in a row. */
  final int stride;

  /** Bit x & 63 of word y * stride + (x >> 6) is pixel (x, y). */
  final long[] words;

  /** Number of the first member in each word. */
  private final int[] first;

  private final int count;

  /** Pixels of a row-major array that are not 0. */
  PixelMask(byte[] mask, int height, int width) {
    if (mask.length != (long) height * width) {
      throw new IllegalArgumentException(
          "A mask of %d values is not %d x %d pixels".formatted(mask.length, height, width));
    }
    this.height = height;
    this.width = width;
    this.stride = (width + 63) >> 6;
    this.words = new long[Math.multiplyExact(height, stride)];
    for (int y = 0, i = 0; y < height; y++) {
      for (int x = 0; x < width; x++, i++) {
        if (mask[i] != 0) {
          words[y * stride + (x >> 6)] |= 1L << x;
        }
      }
    }
    this.first = new int[words.length];
    int members = 0;
    for (int w = 0; w < words.length; w++) {
      first[w] = members;
      members += Long.bitCount(words[w]);
    }
    this.count = members;
  }

  /** How many pixels are in the set. */
  int count() {
    return count;
  }

  boolean contains(int x, int y) {
    return (words[y * stride + (x >> 6)] >> x & 1) != 0;
  }

  /** The number of a member of the word with this index: its single bit is {@code bit}. */
  int number(int word, long bit) {
    return first[word] + Long.bitCount(words[word] & (bit - 1));
  }

  /** The number of the member (x, y). */
  int number(int x, int y) {
    return number(y * stride + (x >> 6), 1L << x);
  }

  /** Positions {@code y * width + x} of all members in the order of their numbers. */
  int[] positions() {
    int[] positions = new int[count];
    int n = 0;
    for (int w = 0; w < words.length; w++) {
      int start = w / stride * width + (w % stride << 6);
      for (long rest = words[w]; rest != 0; rest &= rest - 1) {
        positions[n++] = start + Long.numberOfTrailingZeros(rest);
      }
    }
    return positions;
  }
}
