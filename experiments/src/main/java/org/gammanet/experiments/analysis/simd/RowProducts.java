package org.gammanet.experiments.analysis.simd;

/**
 * Products and correlations of all pairs of rows of a matrix whose columns may come in blocks, so
 * that recordings larger than memory can be compared. Sums are in double precision, with room for
 * rows x rows and one block.
 */
public final class RowProducts {
  /** Columns per block: 64 rows of them fit into a core's own cache. */
  private static final int PANEL = 256;

  private final int rows;
  private final double[] gram;
  private final double[] sums;
  private long columns;

  /** No columns yet. */
  public RowProducts(int rows) {
    if (rows < 1) {
      throw new IllegalArgumentException("products need at least one row, not " + rows);
    }
    this.rows = rows;
    gram = new double[Math.multiplyExact(rows, rows)];
    sums = new double[rows];
  }

  /** Products of the rows of a whole matrix. */
  public static RowProducts of(float[][] matrix) {
    return new RowProducts(matrix.length).add(matrix);
  }

  /**
   * Takes in more columns.
   *
   * @param block as many rows as the matrix has, of one length
   * @return this
   * @throws IllegalArgumentException for another number of rows or rows of different lengths
   */
  public RowProducts add(float[][] block) {
    return add(block, StatisticsKernels.best());
  }

  RowProducts add(float[][] block, StatisticsKernels kernels) {
    if (block.length != rows) {
      throw new IllegalArgumentException(
          "a block has %s rows, but the matrix %s".formatted(block.length, rows));
    }
    int width = block[0].length;
    for (int i = 0; i < rows; i++) {
      if (block[i].length != width) {
        throw new IllegalArgumentException(
            "row %s has %s columns, but row 0 has %s".formatted(i, block[i].length, width));
      }
    }
    double[] panel = new double[rows * Math.min(PANEL, width)];
    for (int from = 0; from < width; from += PANEL) {
      int n = Math.min(PANEL, width - from);
      for (int i = 0; i < rows; i++) {
        for (int f = 0; f < n; f++) {
          double v = block[i][from + f];
          panel[i * n + f] = v;
          sums[i] += v;
        }
      }
      kernels.addGram(panel, rows, n, gram);
    }
    columns += width;
    return this;
  }

  /** Number of columns so far. */
  public long columns() {
    return columns;
  }

  /** Products {@code Σ x_if x_jf}, rows x rows. */
  public double[][] products() {
    double[][] out = new double[rows][rows];
    for (int i = 0; i < rows; i++) {
      for (int j = i; j < rows; j++) {
        out[i][j] = gram[i * rows + j];
        out[j][i] = out[i][j];
      }
    }
    return out;
  }

  /**
   * Pearson's correlations of all pairs of rows, rows x rows.
   *
   * @return NaN for rows that do not vary
   */
  public double[][] correlations() {
    double[] scale = new double[rows];
    for (int i = 0; i < rows; i++) {
      double raw = gram[i * rows + i];
      double variance = raw - sums[i] * sums[i] / columns;
      // What is left of a constant row are rounding errors.
      scale[i] = variance > 1e-13 * raw ? 1 / Math.sqrt(variance) : Double.NaN;
    }
    double[][] out = new double[rows][rows];
    for (int i = 0; i < rows; i++) {
      for (int j = i; j < rows; j++) {
        double covariance = gram[i * rows + j] - sums[i] * sums[j] / columns;
        double r = covariance * scale[i] * scale[j];
        out[i][j] = i == j && !Double.isNaN(r) ? 1 : r;
        out[j][i] = out[i][j];
      }
    }
    return out;
  }
}
