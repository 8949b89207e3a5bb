package org.gammanet.figures;

import java.util.Arrays;

/**
 * A matrix drawn in colors, with a color bar, and with the values in the cells if wanted. NaN is
 * gray and printed as "n/a".
 */
public final class HeatMap {
  final double[] values;
  final int columns;
  ColorMap colors = ColorMap.VIRIDIS;
  double min = Double.NaN;
  double max = Double.NaN;
  double left = -0.5;
  double right;
  double top = -0.5;
  double bottom;
  int decimals = -1;
  String barLabel = "";
  boolean bar = true;
  int framedRow = -1;
  int framedColumn = -1;

  private HeatMap(double[] values, int columns) {
    if (columns < 1 || values.length % columns != 0) {
      throw new IllegalArgumentException(
          values.length + " values do not make rows of " + columns + " columns");
    }
    this.values = values.clone();
    this.columns = columns;
    this.right = columns - 0.5;
    this.bottom = values.length / columns - 0.5;
  }

  /** A map of rows of equal length; cell (row, column) is centered on y = row, x = column. */
  public static HeatMap of(double[][] rows) {
    int columns = rows.length == 0 ? 0 : rows[0].length;
    double[] flat = new double[rows.length * columns];
    for (int r = 0; r < rows.length; r++) {
      if (rows[r].length != columns) {
        throw new IllegalArgumentException(
            "row %s has %s values, the first has %s".formatted(r, rows[r].length, columns));
      }
      System.arraycopy(rows[r], 0, flat, r * columns, columns);
    }
    return new HeatMap(flat, columns);
  }

  /** A map of values row by row; cell (row, column) is centered on y = row, x = column. */
  public static HeatMap of(double[] values, int columns) {
    return new HeatMap(values, columns);
  }

  /** A map of values row by row; cell (row, column) is centered on y = row, x = column. */
  public static HeatMap of(float[] values, int columns) {
    double[] copy = new double[values.length];
    Arrays.setAll(copy, i -> values[i]);
    return new HeatMap(copy, columns);
  }

  /** Colors and the values at their two ends; NaN takes an end from the data. */
  public HeatMap colors(ColorMap map, double from, double to) {
    colors = map;
    min = from;
    max = to;
    return this;
  }

  /** {@link ColorMap#DIVERGING} with 0 in the middle, the ends at ± {@code limit}. */
  public HeatMap diverging(double limit) {
    return colors(ColorMap.DIVERGING, -limit, limit);
  }

  /** The outer edges in data units; {@code top} is the edge of row 0. */
  public HeatMap extent(double left, double right, double top, double bottom) {
    this.left = left;
    this.right = right;
    this.top = top;
    this.bottom = bottom;
    return this;
  }

  /** Prints each value into its cell, with this number of decimals. */
  public HeatMap printed(int decimals) {
    this.decimals = decimals;
    return this;
  }

  /** Text beside the color bar, with the unit. */
  public HeatMap barLabel(String label) {
    barLabel = label;
    return this;
  }

  /** Leaves the color bar out, where a neighboring panel shows the same one. */
  public HeatMap withoutBar() {
    bar = false;
    return this;
  }

  /** Draws a frame about one cell. */
  public HeatMap framed(int row, int column) {
    framedRow = row;
    framedColumn = column;
    return this;
  }

  int rows() {
    return values.length / columns;
  }

  /** Values at the ends of the color scale: those given, or the data's, never equal. */
  double[] limits() {
    double lo = min;
    double hi = max;
    if (Double.isNaN(lo)) {
      lo = Arrays.stream(values).filter(Double::isFinite).min().orElse(0);
    }
    if (Double.isNaN(hi)) {
      hi = Arrays.stream(values).filter(Double::isFinite).max().orElse(1);
    }
    if (!(hi > lo)) {
      double room = lo == 0 ? 1 : Math.abs(lo) * 0.1;
      hi = lo + room;
      lo -= colors == ColorMap.DIVERGING ? room : 0;
    }
    return new double[] {lo, hi};
  }

  int color(double value, double[] limits) {
    return colors.rgb((value - limits[0]) / (limits[1] - limits[0]));
  }
}
