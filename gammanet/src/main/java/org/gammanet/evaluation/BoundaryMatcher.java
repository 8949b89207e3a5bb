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
 * optimum is exact, and there is nothing random.
 *
 * <p>Method: shortest augmenting paths with dual prices (Jonker and Volgenant, Computing 38, 1987).
 * A search ends as soon as it meets a free pixel, mostly within the same connected part of the
 * contours. A pixel's neighbors are read from the other mask's bits and kept only while there is
 * room, so memory is proportional to the number of pixels whatever the radius.
 *
 * <p>An instance keeps its work space for the next pair of masks; it is for one thread.
 */
public final class BoundaryMatcher {
  private static final int SPARE = -2;
  private static final int NONE = -1;

  /** How many steps a bidding pass may take for each pixel before it leaves the rest to paths. */
  private static final int BIDS = 8;

  /** How many neighbors are kept for later at most: 16 MB, enough for maps of usual size. */
  private static final int KEPT = 1 << 21;

  private static final BooleanSupplier NEVER = () -> false;

  private final double radius;
  private final int outlierCost;

  /** Largest dx at each dy in 0 … reach. */
  private final int[] half;

  /** Rounded distance at [dy][dx]. */
  private final int[][] cost;

  /** The most neighbors that a pixel can have. */
  private final int mostNeighbors;

  /**
   * Neighbors of rows, number and cost, one row after the other. A row that is looked at a second
   * time finds its neighbors here if there was room for them; one more list fits in any case.
   */
  private int[] near = new int[1 << 12];

  private int[] nearCost = new int[1 << 12];
  private int nearUsed;

  /** Where a row's neighbors begin and end in {@link #near}; end is 0 if they are not there. */
  private int[] nearStart = new int[0];

  private int[] nearEnd = new int[0];

  /** End of the list that {@link #neighbors} found last. */
  private int listEnd;

  private BooleanSupplier cancelled = NEVER;

  // Rows are the pixels of the smaller mask, columns those of the other one.
  private PixelMask columns;
  private int width;
  private int[] rowAt = new int[0];
  private int[] columnAt = new int[0];
  private int[] rowMate = new int[0];
  private int[] columnMate = new int[0];
  private int[] price = new int[0];

  // One search: distances from the row it started from.
  private int[] distance = new int[0];
  private int[] cameFrom = new int[0];
  private int[] touched = new int[0];
  private int[] settled = new int[0];
  private int[] free = new int[0];
  private long[] heap = new long[64];
  private int heapSize;
  private int touchedCount;

  private static final PixelMask EMPTY = new PixelMask(new byte[0], 0, 0);

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
    if (!(radius >= 0 && radius <= 200)) {
      // 100 times the rounded radius must stay far below the range of int along a path.
      throw new IllegalArgumentException(
          "The largest distance of a pair must be 0 to 200 pixels, found " + radius);
    }
    this.radius = radius;
    this.outlierCost = (int) Math.ceil(100 * 100 * radius);
    double square = radius * radius;
    int reach = (int) radius;
    half = new int[reach + 1];
    cost = new int[reach + 1][];
    int neighbors = 0;
    for (int dy = 0; dy <= reach; dy++) {
      while ((half[dy] + 1) * (half[dy] + 1) + dy * dy <= square) {
        half[dy]++;
      }
      cost[dy] = new int[half[dy] + 1];
      for (int dx = 0; dx <= half[dy]; dx++) {
        cost[dy][dx] = (int) Math.round(100 * Math.sqrt(dx * dx + dy * dy));
      }
      neighbors += (2 * half[dy] + 1) * (dy == 0 ? 1 : 2);
    }
    mostNeighbors = neighbors;
    columns = EMPTY;
  }

  /** The largest distance that the benchmark allows: a share of the image's diagonal, pixels. */
  public static double radius(double share, int height, int width) {
    return share * Math.sqrt((double) height * height + (double) width * width);
  }

  /** Largest distance of a pair, pixels. */
  public double radius() {
    return radius;
  }

  /** Makes {@link #match} throw {@link CancellationException} soon after this says so. */
  void cancelWhen(BooleanSupplier condition) {
    this.cancelled = condition;
  }

  /**
   * Matches two masks.
   *
   * @param left row-major, {@code height * width} values, not 0 where set
   * @param right likewise
   * @throws IllegalArgumentException if a mask has another length
   */
  public Match match(byte[] left, byte[] right, int height, int width) {
    return match(new PixelMask(left, height, width), new PixelMask(right, height, width));
  }

  Match match(PixelMask left, PixelMask right) {
    // Each row costs a search: take the mask with fewer pixels.
    boolean swap = left.count() > right.count();
    PixelMask rows = swap ? right : left;
    columns = swap ? left : right;
    width = columns.width;
    rowAt = rows.positions();
    columnAt = columns.positions();
    reserve(rowAt.length, columnAt.length);
    int freeCount = bid(pairEqualPixels());
    for (int k = 0; k < freeCount; k++) {
      if ((k & 63) == 0 && cancelled.getAsBoolean()) {
        throw new CancellationException("matching was cancelled");
      }
      augment(free[k]);
    }
    return result(swap);
  }

  private void reserve(int rowCount, int columnCount) {
    if (rowMate.length < rowCount) {
      rowMate = new int[rowCount];
      free = new int[rowCount];
      nearStart = new int[rowCount];
      nearEnd = new int[rowCount];
    }
    nearUsed = 0;
    Arrays.fill(nearEnd, 0, rowCount, 0);
    if (columnMate.length < columnCount) {
      columnMate = new int[columnCount];
      price = new int[columnCount];
      distance = new int[columnCount];
      cameFrom = new int[columnCount];
      touched = new int[columnCount];
      settled = new int[columnCount];
    }
    Arrays.fill(rowMate, 0, rowCount, NONE);
    Arrays.fill(columnMate, 0, columnCount, NONE);
    Arrays.fill(price, 0, columnCount, 0);
    Arrays.fill(distance, 0, columnCount, Integer.MAX_VALUE);
  }

  private Match result(boolean swapped) {
    BitSet ofRows = new BitSet();
    BitSet ofColumns = new BitSet();
    int pairs = 0;
    long sum = 0;
    for (int row = 0; row < rowAt.length; row++) {
      int column = rowMate[row];
      if (column >= 0) {
        pairs++;
        sum += costOf(row, column);
        ofRows.set(rowAt[row]);
        ofColumns.set(columnAt[column]);
      }
    }
    return new Match(
        pairs, sum / 100.0, swapped ? ofColumns : ofRows, swapped ? ofRows : ofColumns);
  }

  private int costOf(int row, int column) {
    int a = rowAt[row];
    int b = columnAt[column];
    return cost[Math.abs(a / width - b / width)][Math.abs(a % width - b % width)];
  }

  /** Makes {@link #near} hold the columns within the radius of a row; says where they begin. */
  private int neighbors(int row) {
    if (nearEnd[row] > 0) {
      listEnd = nearEnd[row];
      return nearStart[row];
    }
    if (near.length < nearUsed + mostNeighbors) {
      int size = Math.max(2 * near.length, nearUsed + mostNeighbors);
      near = Arrays.copyOf(near, size);
      nearCost = Arrays.copyOf(nearCost, size);
    }
    int y = rowAt[row] / width;
    int x = rowAt[row] % width;
    int reach = half.length - 1;
    int n = nearUsed;
    int last = Math.min(columns.height - 1, y + reach);
    for (int yy = Math.max(0, y - reach); yy <= last; yy++) {
      int dy = Math.abs(yy - y);
      int from = Math.max(0, x - half[dy]);
      int to = Math.min(width - 1, x + half[dy]);
      int[] costs = cost[dy];
      for (int k = from >> 6; k <= to >> 6; k++) {
        int word = yy * columns.stride + k;
        long bits = columns.words[word];
        int start = k << 6;
        if (start < from) {
          bits &= -1L << from;
        }
        if (start + 63 > to) {
          bits &= -1L >>> (63 - to);
        }
        while (bits != 0) {
          long bit = bits & -bits;
          bits ^= bit;
          near[n] = columns.number(word, bit);
          nearCost[n++] = costs[Math.abs(start + Long.numberOfTrailingZeros(bit) - x)];
        }
      }
    }
    int start = nearUsed;
    listEnd = n;
    if (n <= KEPT) {
      nearStart[row] = start;
      nearEnd[row] = n;
      nearUsed = n;
    }
    return start;
  }

  /** Pairs what costs nothing; returns how many rows are left, which go to {@link #free}. */
  private int pairEqualPixels() {
    int freeCount = 0;
    for (int row = 0; row < rowAt.length; row++) {
      int x = rowAt[row] % width;
      int y = rowAt[row] / width;
      if (columns.contains(x, y)) {
        int column = columns.number(x, y);
        rowMate[row] = column;
        columnMate[column] = row;
      } else {
        free[freeCount++] = row;
      }
    }
    return freeCount;
  }

  /**
   * Lets free rows bid for their cheapest column, as far above the second cheapest as that allows
   * ("augmenting row reduction"). Settles most rows for less than a search would cost. Prices stay
   * feasible and free columns keep price 0.
   *
   * @return how many rows at the front of {@link #free} are left
   */
  private int bid(int freeCount) {
    for (int pass = 0; pass < 2; pass++) {
      int left = 0;
      int next = 0;
      long bids = (long) BIDS * freeCount;
      while (next < freeCount) {
        int row = free[next++];
        int best = SPARE;
        int second = SPARE;
        int min = outlierCost;
        int min2 = outlierCost;
        for (int k = neighbors(row); k < listEnd; k++) {
          int reduced = nearCost[k] - price[near[k]];
          if (reduced < min) {
            min2 = min;
            second = best;
            min = reduced;
            best = near[k];
          } else if (reduced < min2) {
            min2 = reduced;
            second = near[k];
          }
        }
        if (min == min2 && best != SPARE && columnMate[best] != NONE) {
          best = second;
        }
        if (best == SPARE) {
          // Only this row can use its own spare column, so this is final.
          rowMate[row] = SPARE;
          continue;
        }
        price[best] -= min2 - min;
        int displaced = columnMate[best];
        columnMate[best] = row;
        rowMate[row] = best;
        if (displaced != NONE) {
          rowMate[displaced] = NONE;
          if (min < min2 && bids-- > 0) {
            free[--next] = displaced;
          } else {
            free[left++] = displaced;
          }
        }
      }
      freeCount = left;
    }
    return freeCount;
  }

  /** Gives a free row a column or its spare one along the cheapest path of exchanges. */
  private void augment(int start) {
    heapSize = 0;
    touchedCount = 0;
    int settledCount = 0;
    int end = NONE;
    int endRow = start;
    int best = outlierCost;
    int row = start;
    int base = 0;
    while (true) {
      if (base + outlierCost < best) {
        best = base + outlierCost;
        end = NONE;
        endRow = row;
      }
      for (int k = neighbors(row); k < listEnd; k++) {
        int column = near[k];
        int d = base + nearCost[k] - price[column];
        if (d < best && d < distance[column]) {
          if (distance[column] == Integer.MAX_VALUE) {
            touched[touchedCount++] = column;
          }
          distance[column] = d;
          cameFrom[column] = row;
          if (columnMate[column] == NONE) {
            best = d;
            end = column;
          } else {
            push((long) d << 32 | column);
          }
        }
      }
      int column = NONE;
      while (heapSize > 0) {
        long least = pop();
        // An entry is stale if its column was reached on a shorter way afterwards.
        if (least >>> 32 == distance[(int) least]) {
          column = (int) least;
          break;
        }
      }
      if (column == NONE || distance[column] >= best) {
        break;
      }
      settled[settledCount++] = column;
      row = columnMate[column];
      base = distance[column] - (costOf(row, column) - price[column]);
    }
    for (int k = 0; k < settledCount; k++) {
      price[settled[k]] += distance[settled[k]] - best;
    }
    if (end == NONE) {
      end = rowMate[endRow];
      rowMate[endRow] = SPARE;
      if (endRow != start) {
        exchange(end, start);
      }
    } else {
      exchange(end, start);
    }
    for (int k = 0; k < touchedCount; k++) {
      distance[touched[k]] = Integer.MAX_VALUE;
    }
  }

  /** Shifts the columns along the path that led to {@code column} by one row each. */
  private void exchange(int column, int start) {
    while (true) {
      int row = cameFrom[column];
      int next = rowMate[row];
      columnMate[column] = row;
      rowMate[row] = column;
      if (row == start) {
        return;
      }
      column = next;
    }
  }

  private void push(long value) {
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, 2 * heapSize);
    }
    int at = heapSize++;
    while (at > 0) {
      int parent = (at - 1) >> 1;
      if (heap[parent] <= value) {
        break;
      }
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = value;
  }

  private long pop() {
    long least = heap[0];
    long value = heap[--heapSize];
    int at = 0;
    while (true) {
      int child = 2 * at + 1;
      if (child >= heapSize) {
        break;
      }
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
        child++;
      }
      if (value <= heap[child]) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = value;
    return least;
  }
}
