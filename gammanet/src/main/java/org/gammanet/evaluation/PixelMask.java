package org.gammanet.evaluation;

/**
 * A set of pixels, one bit each. Rows start at whole words, so a stretch of a row is one or two
 * words.
 */
final class PixelMask {
  final int height;
  final int width;

  /** Words in a row. */
  final int stride;

  /** Bit x & 63 of word y * stride + (x >> 6) is pixel (x, y). */
  final long[] words;

  /** The empty set. */
  PixelMask(int height, int width) {
    this.height = height;
    this.width = width;
    this.stride = (width + 63) >> 6;
    this.words = new long[Math.multiplyExact(height, stride)];
  }

  /** Pixels of a row-major array that are not 0. */
  PixelMask(byte[] mask, int height, int width) {
    this(height, width);
    if (mask.length != (long) height * width) {
      throw new IllegalArgumentException(
          "A mask of %s values is not %s x %s pixels".formatted(mask.length, height, width));
    }
    for (int y = 0, i = 0; y < height; y++) {
      for (int x = 0; x < width; x++, i++) {
        if (mask[i] != 0) {
          words[y * stride + (x >> 6)] |= 1L << x;
        }
      }
    }
  }

  /** How many pixels are in the set. */
  int count() {
    int count = 0;
    for (long word : words) {
      count += Long.bitCount(word);
    }
    return count;
  }

  /** Adds the pixel {@code y * width + x}, or removes it if it is there. */
  void flip(int pixel) {
    int x = pixel % width;
    words[pixel / width * stride + (x >> 6)] ^= 1L << x;
  }

  /** Pixels of this set that are not in the other one, as {@code y * width + x}, in order. */
  int[] without(PixelMask other) {
    int count = 0;
    for (int w = 0; w < words.length; w++) {
      count += Long.bitCount(words[w] & ~other.words[w]);
    }
    int[] pixels = new int[count];
    int n = 0;
    for (int w = 0; w < words.length; w++) {
      int start = w / stride * width + (w % stride << 6);
      for (long rest = words[w] & ~other.words[w]; rest != 0; rest &= rest - 1) {
        pixels[n++] = start + Long.numberOfTrailingZeros(rest);
      }
    }
    return pixels;
  }
}
