package org.gammanet.evaluation;

import java.util.Arrays;
import java.util.BitSet;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;

/**
 * Finds which pixels of two boundary masks correspond, at most one to one and at most a given
 * distance apart (Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", PAMI
 * 2004, section 3).
 *
 * <p>The correspondence minimizes the sum of the distances of pairs, rounded to hundredths of a
 * pixel, plus an outlier cost of 100 times the radius for each pair that is missing. In practice
 * that is a matching with as many pairs as possible and, among those, of least total distance. The
 * BSDS500's own program gives each pixel six random outliers and so loses a few pairs; here the
 * optimum is exact. Where several correspondences have the least cost, a term that depends on the
 * two pixels and is smaller than any difference of costs decides, so the result is a function of
 * the two masks alone.
 *
 * <p>Method: shortest augmenting paths with dual prices on both sides (Jonker and Volgenant,
 * Computing 38, 1987). The first mask may change: a pixel that comes starts a search from itself,
 * one that goes a search from the partner that it leaves, so the masks of a map at one threshold
 * after the other, which differ by few pixels, are matched for little more than the last one.
 *
 * <p>An instance keeps its work space for the next pair of masks; it is for one thread.
 */
public final class BoundaryMatcher {
  private static final int NONE = -1;

  /** The masks' names in arrays of two. */
  private static final int LEFT = 0;

  private static final int RIGHT = 1;

  /**
   * Costs are shifted by this to make room for what decides between equal ones: less than 2^20 for
   * each of less than 2^20 pairs.
   */
  private static final int SHIFT = 40;

  /** Largest radius, pixels: the outlier cost, shifted, must fit into a long. */
  static final int MAX_RADIUS = 200;

  private static final BooleanSupplier NEVER = () -> false;

  private final double radius;
  private final long outlierCost;

  /** Largest dx at each dy in 0 … reach. */
  private final int[] half;

  /** Rounded distance at [dy][dx]. */
  private final int[][] cost;

  private BooleanSupplier canceled = NEVER;

  private int width;
  private int pairs;
  private final PixelMask[] mask = {new PixelMask(0, 0), new PixelMask(0, 0)};

  /** By mask and pixel: the pixel of the other mask that it is paired with, or NONE. */
  private final int[][] mate = {{}, {}};

  /**
   * By mask and pixel: what pairing the pixel with its partner saves, at least 0. No two pixels'
   * prices together are less than what their pair saves, partners' are equal to it, and a pixel
   * without partner has 0.
   */
  private final long[][] price = {{}, {}};

  // One search: the pixels of the mask on the other side, by their distance from its start.
  private long[] distance = {};
  private int[] cameFrom = {};
  private int[] touched = new int[64];
  private int[] settled = new int[64];
  private long[] heapKey = new long[64];
  private int[] heapPixel = new int[64];
  private int heapSize;

  /**
   * A correspondence.
   *
   * @param pairs how many pixels of either mask have a partner
   * @param distance sum of the pairs' distances, pixels, each rounded to hundredths
   * @param left pixels of the first mask that have a partner, by row-major index
   * @param right the same for the second mask
   */
  public record Match(int pairs, double distance, BitSet left, BitSet right) {}

  /**
   * Matcher for a largest distance.
   *
   * @param radius largest distance of a pair, pixels, at least 0
   */
  public BoundaryMatcher(double radius) {
    if (!(radius >= 0 && radius <= MAX_RADIUS)) {
      throw new IllegalArgumentException(
          "The largest distance of a pair must be 0 to %s pixels, found %s"
              .formatted(MAX_RADIUS, radius));
    }
    this.radius = radius;
    this.outlierCost = Math.max(1, (long) Math.ceil(100 * 100 * radius)) << SHIFT;
    double square = radius * radius;
    int reach = (int) radius;
    half = new int[reach + 1];
    cost = new int[reach + 1][];
    for (int dy = 0; dy <= reach; dy++) {
      while ((half[dy] + 1) * (half[dy] + 1) + dy * dy <= square) {
        half[dy]++;
      }
      cost[dy] = new int[half[dy] + 1];
      for (int dx = 0; dx <= half[dy]; dx++) {
        cost[dy][dx] = (int) Math.round(100 * Math.sqrt(dx * dx + dy * dy));
      }
    }
  }

  /** The largest distance that the benchmark allows: a fraction of the diagonal, pixels. */
  public static double radius(double fraction, int height, int width) {
    return fraction * Math.sqrt((double) height * height + (double) width * width);
  }

  /** Largest distance of a pair, pixels. */
  public double radius() {
    return radius;
  }

  /** Makes {@link #match} throw {@link CancellationException} soon after this says so. */
  void cancelWhen(BooleanSupplier condition) {
    this.canceled = condition;
  }

  /**
   * Matches two masks.
   *
   * @param left row-major, {@code height * width} values, not 0 where set
   * @param right likewise
   * @throws IllegalArgumentException if a mask has another length
   */
  public Match match(byte[] left, byte[] right, int height, int width) {
    PixelMask first = new PixelMask(left, height, width);
    PixelMask second = new PixelMask(right, height, width);
    // Each pixel of the first mask costs a search: take the one that has fewer.
    boolean swap = first.count() > second.count();
    begin(swap ? first : second);
    change(swap ? second : first);
    int[] mates = mate[LEFT];
    BitSet ofLeft = new BitSet();
    BitSet ofRight = new BitSet();
    long sum = 0;
    for (int pixel = 0; pixel < height * width; pixel++) {
      int partner = mates[pixel];
      if (partner != NONE) {
        int dx = Math.abs(pixel % width - partner % width);
        sum += cost[Math.abs(pixel / width - partner / width)][dx];
        ofLeft.set(pixel);
        ofRight.set(partner);
      }
    }
    return new Match(pairs, sum / 100.0, swap ? ofRight : ofLeft, swap ? ofLeft : ofRight);
  }

  /** Starts anew, with this mask on the right and an empty one on the left. */
  void begin(PixelMask right) {
    int pixels = right.height * right.width;
    width = right.width;
    pairs = 0;
    mask[LEFT] = new PixelMask(right.height, width);
    mask[RIGHT] = right;
    if (distance.length < pixels) {
      distance = new long[pixels];
      cameFrom = new int[pixels];
      for (int side = LEFT; side <= RIGHT; side++) {
        mate[side] = new int[pixels];
        price[side] = new long[pixels];
      }
    }
    Arrays.fill(distance, 0, pixels, Long.MAX_VALUE);
    for (int side = LEFT; side <= RIGHT; side++) {
      Arrays.fill(mate[side], 0, pixels, NONE);
      Arrays.fill(price[side], 0, pixels, 0);
    }
  }

  /** Makes the left mask equal to this one, and the correspondence the best one for it. */
  void change(PixelMask left) {
    int done = 0;
    int abandoned = 0;
    int[] gone = mask[LEFT].without(left);
    for (int pixel : gone) {
      mask[LEFT].flip(pixel);
      price[LEFT][pixel] = 0;
      int partner = mate[LEFT][pixel];
      if (partner != NONE) {
        mate[LEFT][pixel] = NONE;
        mate[RIGHT][partner] = NONE;
        pairs--;
        gone[abandoned++] = partner;
      }
    }
    // A partner that was left keeps its price until a pixel that comes may have taken it.
    for (int pixel : left.without(mask[LEFT])) {
      checkCanceled(done++);
      mask[LEFT].flip(pixel);
      price[LEFT][pixel] = outlierCost; // no pair saves more
      search(LEFT, pixel);
    }
    for (int k = 0; k < abandoned; k++) {
      checkCanceled(done++);
      if (mate[RIGHT][gone[k]] == NONE && price[RIGHT][gone[k]] > 0) {
        search(RIGHT, gone[k]);
      }
    }
  }

  private void checkCanceled(int done) {
    if ((done & 63) == 0 && canceled.getAsBoolean()) {
      throw new CancellationException("matching was canceled");
    }
  }

  /** How many pixels of either mask have a partner now. */
  int pairs() {
    return pairs;
  }

  /** Adds the left mask's pixels that have a partner now. */
  void addMatched(PixelMask to) {
    PixelMask left = mask[LEFT];
    for (int w = 0; w < left.words.length; w++) {
      int start = w / left.stride * width + (w % left.stride << 6);
      for (long rest = left.words[w]; rest != 0; rest &= rest - 1) {
        if (mate[LEFT][start + Long.numberOfTrailingZeros(rest)] != NONE) {
          to.words[w] |= rest & -rest;
        }
      }
    }
  }

  /**
   * What decides between correspondences of equal cost: 20 bits of a hash, the same whichever mask
   * a pixel is in.
   */
  private static long tieBreak(int a, int b) {
    return ((a + b) * 0x9E3779B97F4A7C15L ^ (long) a * b * 0xC2B2AE3D27D4EB4FL) >>> 44;
  }

  /**
   * Gives a pixel without a partner one along the cheapest path of exchanges, or leaves it or
   * another one on its side without, whichever costs least.
   */
  private void search(int side, int start) {
    long[] near = price[side];
    long[] far = price[1 - side];
    int[] nearMate = mate[side];
    int[] farMate = mate[1 - side];
    PixelMask others = mask[1 - side];
    heapSize = 0;
    int touchedCount = 0;
    int settledCount = 0;
    int end = NONE;
    int unpaired = start;
    long best = near[start];
    int pixel = start;
    long base = 0;
    while (true) {
      long own = base + near[pixel];
      if (own < best) {
        best = own;
        end = NONE;
        unpaired = pixel;
      }
      int y = pixel / width;
      int x = pixel - y * width;
      int reach = half.length - 1;
      int last = Math.min(others.height - 1, y + reach);
      for (int yy = Math.max(0, y - reach); yy <= last; yy++) {
        int dy = Math.abs(yy - y);
        int from = Math.max(0, x - half[dy]);
        int to = Math.min(width - 1, x + half[dy]);
        for (int k = from >> 6; k <= to >> 6; k++) {
          long bits = others.words[yy * others.stride + k];
          int column = k << 6;
          if (column < from) {
            bits &= -1L << from;
          }
          if (column + 63 > to) {
            bits &= -1L >>> (63 - to);
          }
          for (; bits != 0; bits &= bits - 1) {
            int xx = column + Long.numberOfTrailingZeros(bits);
            int other = yy * width + xx;
            // Saved by the pair is the outlier cost less the distance.
            long d =
                own
                    + far[other]
                    - outlierCost
                    + ((long) cost[dy][Math.abs(xx - x)] << SHIFT)
                    + tieBreak(pixel, other);
            if (d < best && d < distance[other]) {
              if (distance[other] == Long.MAX_VALUE) {
                if (touchedCount == touched.length) {
                  touched = Arrays.copyOf(touched, 2 * touchedCount);
                }
                touched[touchedCount++] = other;
              }
              distance[other] = d;
              cameFrom[other] = pixel;
              if (farMate[other] == NONE) {
                best = d;
                end = other;
              } else {
                push(d, other);
              }
            }
          }
        }
      }
      int nearest = NONE;
      while (heapSize > 0) {
        long key = heapKey[0];
        int candidate = pop();
        // An entry is stale if its pixel was reached on a shorter way afterwards.
        if (key == distance[candidate]) {
          nearest = candidate;
          break;
        }
      }
      if (nearest == NONE || distance[nearest] >= best) {
        break;
      }
      if (settledCount == settled.length) {
        settled = Arrays.copyOf(settled, 2 * settledCount);
      }
      settled[settledCount++] = nearest;
      pixel = farMate[nearest];
      base = distance[nearest];
    }
    near[start] -= best;
    for (int k = 0; k < settledCount; k++) {
      long by = best - distance[settled[k]];
      far[settled[k]] += by;
      near[farMate[settled[k]]] -= by;
    }
    for (int k = 0; k < touchedCount; k++) {
      distance[touched[k]] = Long.MAX_VALUE;
    }
    if (end == NONE) {
      if (unpaired == start) {
        return;
      }
      end = nearMate[unpaired];
      nearMate[unpaired] = NONE;
    } else {
      pairs++;
    }
    // Along the path that led to the end, each pixel takes the next one's partner.
    while (true) {
      int taker = cameFrom[end];
      int next = nearMate[taker];
      farMate[end] = taker;
      nearMate[taker] = end;
      if (taker == start) {
        return;
      }
      end = next;
    }
  }

  private void push(long key, int pixel) {
    if (heapSize == heapKey.length) {
      heapKey = Arrays.copyOf(heapKey, 2 * heapSize);
      heapPixel = Arrays.copyOf(heapPixel, 2 * heapSize);
    }
    int at = heapSize++;
    while (at > 0) {
      int parent = (at - 1) >> 1;
      if (heapKey[parent] <= key) {
        break;
      }
      heapKey[at] = heapKey[parent];
      heapPixel[at] = heapPixel[parent];
      at = parent;
    }
    heapKey[at] = key;
    heapPixel[at] = pixel;
  }

  private int pop() {
    int least = heapPixel[0];
    long key = heapKey[--heapSize];
    int pixel = heapPixel[heapSize];
    int at = 0;
    while (true) {
      int child = 2 * at + 1;
      if (child >= heapSize) {
        break;
      }
      if (child + 1 < heapSize && heapKey[child + 1] < heapKey[child]) {
        child++;
      }
      if (key <= heapKey[child]) {
        break;
      }
      heapKey[at] = heapKey[child];
      heapPixel[at] = heapPixel[child];
      at = child;
    }
    heapKey[at] = key;
    heapPixel[at] = pixel;
    return least;
  }
}
