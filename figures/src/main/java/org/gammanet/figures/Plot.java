package org.gammanet.figures;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One panel of a {@link Figure}: two axes and what is drawn between them, in the order of the
 * calls. Arrays are copied; values that are not finite are left out, and a panel left without any
 * says "n/a". Labels may hold {@code ^{raised}} and {@code _{lowered}} parts.
 */
public final class Plot {
  /** Position of the legend. */
  public enum Legend {
    /** In the corner or at the edge that hides least. */
    AUTO,
    TOP_LEFT,
    TOP_RIGHT,
    BOTTOM_LEFT,
    BOTTOM_RIGHT,
    /** Right of the plot, within the panel's width. */
    OUTSIDE,
    NONE
  }

  /** Preferred position of a note; another corner is taken where data would be hidden. */
  public enum Corner {
    TOP_LEFT,
    TOP_RIGHT,
    BOTTOM_LEFT,
    BOTTOM_RIGHT
  }

  /** Text in a corner. */
  record Note(String text, Corner corner) {}

  final List<Mark> marks = new ArrayList<>();
  final List<Note> notes = new ArrayList<>();
  String title = "";
  Axis x = Axis.linear("");
  Axis y = Axis.linear("");
  Legend legend = Legend.AUTO;
  boolean square;
  boolean framed;
  boolean bare;

  /** Whether the y axis counts, so that its ticks are whole numbers. */
  boolean counts;

  private boolean ySet;

  Plot() {}

  /** Title of the panel. */
  public Plot title(String text) {
    title = text;
    return this;
  }

  /** The horizontal axis. */
  public Plot x(Axis axis) {
    x = axis;
    return this;
  }

  /** The vertical axis. */
  public Plot y(Axis axis) {
    y = axis;
    ySet = true;
    return this;
  }

  /** Position of the legend; default {@link Legend#AUTO}. */
  public Plot legend(Legend where) {
    legend = where;
    return this;
  }

  /** A unit of x is as long as a unit of y. */
  public Plot equalAspect() {
    square = true;
    return this;
  }

  /** A line through points; values that are not finite interrupt it. */
  public Plot line(double[] xs, double[] ys, Style style) {
    same(xs, ys);
    marks.add(new Mark.Line(xs.clone(), ys.clone(), style));
    return this;
  }

  /** Markers without a line; a circle where the style has no marker. */
  public Plot points(double[] xs, double[] ys, Style style) {
    Style markers =
        style.marker() == Style.Marker.NONE
            ? style.marker(Style.Marker.CIRCLE, style.markerSize())
            : style;
    return line(xs, ys, markers.width(0));
  }

  /** Vertical bars from {@code low} to {@code high} (values, not lengths). */
  public Plot errorBars(double[] xs, double[] low, double[] high, Style style) {
    same(xs, low);
    same(xs, high);
    marks.add(new Mark.ErrorBars(xs.clone(), low.clone(), high.clone(), true, style.label("")));
    return this;
  }

  /** Horizontal bars from {@code low} to {@code high} (values, not lengths). */
  public Plot horizontalErrorBars(double[] ys, double[] low, double[] high, Style style) {
    same(ys, low);
    same(ys, high);
    marks.add(new Mark.ErrorBars(ys.clone(), low.clone(), high.clone(), false, style.label("")));
    return this;
  }

  /** The area between two curves, light unless the style is. */
  public Plot band(double[] xs, double[] low, double[] high, Style style) {
    same(xs, low);
    same(xs, high);
    Style light = style.opacity() == 1 ? style.opacity(0.2) : style;
    marks.add(new Mark.Band(xs.clone(), low.clone(), high.clone(), light));
    return this;
  }

  /** Bars from 0 to each value, {@code width} wide about {@code xs}; see {@link Style#area}. */
  public Plot bars(double[] xs, double[] heights, double width, Style style) {
    same(xs, heights);
    marks.add(new Mark.Bars(xs.clone(), heights.clone(), width, style));
    return this;
  }

  /**
   * How many values fall between neighboring edges; the last bin includes its upper edge. A style
   * that is not filled gives one outline, for a second distribution over the first.
   *
   * @param edges ascending, equally spaced
   */
  public Plot histogram(double[] values, double[] edges, Style style) {
    int bins = edges.length - 1;
    double[] centers = new double[bins];
    double[] counts = new double[bins];
    for (int i = 0; i < bins; i++) {
      centers[i] = (edges[i] + edges[i + 1]) / 2;
    }
    for (double v : values) {
      if (v >= edges[0] && v <= edges[bins]) {
        int at = Arrays.binarySearch(edges, v);
        counts[Math.min(at >= 0 ? at : -at - 2, bins - 1)]++;
      }
    }
    // No finite value: nothing to count is not the same as counted and found none.
    if (Arrays.stream(values).noneMatch(Double::isFinite)) {
      Arrays.fill(counts, Double.NaN);
    }
    this.counts = true;
    marks.add(new Mark.Bars(centers, counts, edges[1] - edges[0], style));
    return this;
  }

  /** A matrix in colors; row 0 is on top unless a y axis was given. */
  public Plot heatMap(HeatMap map) {
    rowsDownwards();
    framed = true;
    marks.add(new Mark.Cells(map));
    return this;
  }

  /** Lines of equal value of a map, drawn over it; unbroken whatever the style's dashes. */
  public Plot contours(HeatMap map, double[] levels, Style style) {
    marks.add(
        new Mark.Contours(
            map.values,
            map.columns,
            new double[] {map.left, map.right, map.top, map.bottom},
            levels.clone(),
            style.dash(Style.Dash.SOLID)));
    return this;
  }

  /**
   * A picture; pixel (row, column) is centered on y = row, x = column.
   *
   * @param rgb {@code 0xRRGGBB}, row by row
   */
  public Plot picture(int[] rgb, int columns) {
    rowsDownwards();
    framed = true;
    square = true;
    marks.add(
        new Mark.Picture(
            rgb.clone(), columns, -0.5, columns - 0.5, -0.5, (double) rgb.length / columns - 0.5));
    return this;
  }

  /** A picture of luminances 0 (black) to 1 (white), row by row. */
  public Plot luminance(float[] values, int columns) {
    int[] rgb = new int[values.length];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] =
          Float.isNaN(values[i])
              ? ColorMap.MISSING
              : 0x010101 * (int) Math.clamp(Math.round(255.0 * values[i]), 0, 255);
    }
    return picture(rgb, columns);
  }

  private void rowsDownwards() {
    if (!ySet) {
      y(y.reverse());
    }
  }

  /** A horizontal line across the plot; none for NaN. */
  public Plot horizontal(double at, Style style) {
    marks.add(new Mark.Across(at, false, style));
    return this;
  }

  /** A vertical line across the plot; none for NaN. */
  public Plot vertical(double at, Style style) {
    marks.add(new Mark.Across(at, true, style));
    return this;
  }

  /** The line y = x. */
  public Plot unity() {
    marks.add(new Mark.Unity(Style.GUIDE.dash(Style.Dash.DASHED)));
    return this;
  }

  /** A circle about a point by its radius in units of x. */
  public Plot circle(double centerX, double centerY, double radius, Style style) {
    marks.add(new Mark.Circle(centerX, centerY, radius, style));
    return this;
  }

  /** Text to the right of a point. */
  public Plot text(double atX, double atY, String text) {
    return text(atX, atY, 4, 3, text, 0);
  }

  /**
   * Text at a point.
   *
   * @param dx, dy shift on the page in points, to the right and downwards
   * @param degrees rotation, counterclockwise
   */
  public Plot text(double atX, double atY, double dx, double dy, String text, double degrees) {
    marks.add(
        new Mark.Words(
            text,
            atX,
            atY,
            dx,
            dy,
            Canvas.Anchor.START,
            degrees,
            new Canvas.Font(8, false, 0x404040)));
    return this;
  }

  /** Text in a corner: numbers of units, fit quality, test results. */
  public Plot note(Corner corner, String text) {
    notes.add(new Note(text, corner));
    return this;
  }

  /** Rows of text instead of axes; a row of one cell is a heading, numbers stand to the right. */
  public Plot table(List<List<String>> rows) {
    bare = true;
    marks.add(
        new Mark.Table(
            rows.stream().map(List::copyOf).toList(), new Canvas.Font(9, false, 0x000000)));
    return this;
  }

  private static void same(double[] a, double[] b) {
    if (a.length != b.length) {
      throw new IllegalArgumentException(
          "a series has %s positions but %s values".formatted(a.length, b.length));
    }
  }
}
