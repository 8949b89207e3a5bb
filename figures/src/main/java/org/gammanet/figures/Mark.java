package org.gammanet.figures;

import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a {@link Plot} shows, in data units. Values that are not finite are left out. */
sealed interface Mark {
  /** Widens the limits of the axes to what is drawn. */
  default void extend(Extent extent) {}

  void draw(Canvas canvas, Projection to);

  /** The look of the entry in the legend; null for none. */
  default @Nullable Style style() {
    return null;
  }

  /** Whether the mark is an area, which the legend shows as a box. */
  default boolean area() {
    return false;
  }

  /** Whether the mark may reach beyond the axes' rectangle. */
  default boolean clipped() {
    return true;
  }

  /** Limits of what is drawn. */
  final class Extent {
    double xMin = Double.POSITIVE_INFINITY;
    double xMax = Double.NEGATIVE_INFINITY;
    double yMin = Double.POSITIVE_INFINITY;
    double yMax = Double.NEGATIVE_INFINITY;
    boolean tight;
    private final boolean xLog;
    private final boolean yLog;

    Extent(boolean xLog, boolean yLog) {
      this.xLog = xLog;
      this.yLog = yLog;
    }

    void add(double x, double y) {
      if (Double.isFinite(x) && Double.isFinite(y) && !(xLog && x <= 0) && !(yLog && y <= 0)) {
        xMin = Math.min(xMin, x);
        xMax = Math.max(xMax, x);
        yMin = Math.min(yMin, y);
        yMax = Math.max(yMax, y);
      }
    }

    boolean isEmpty() {
      return xMin > xMax;
    }
  }

  /** A line through points, with markers if the style has them; broken at missing values. */
  record Line(double[] x, double[] y, Style style) implements Mark {
    @Override
    public void extend(Extent extent) {
      for (int i = 0; i < x.length; i++) {
        extent.add(x[i], y[i]);
      }
    }

    @Override
    public void draw(Canvas canvas, Projection to) {
      if (style.width() > 0) {
        canvas.clip(to.left(), to.top(), to.width(), to.height());
        canvas.path(through(x, y, to), null, style.pen());
        canvas.unclip();
      }
      markers(canvas, style, x, y, to);
    }

    @Override
    public boolean clipped() {
      return false; // a marker on the edge is drawn whole
    }
  }

  /** Vertical bars of uncertainty with caps, or horizontal ones. */
  record ErrorBars(double[] at, double[] low, double[] high, boolean vertical, Style style)
      implements Mark {
    @Override
    public void extend(Extent extent) {
      for (int i = 0; i < at.length; i++) {
        extent.add(vertical ? at[i] : low[i], vertical ? low[i] : at[i]);
        extent.add(vertical ? at[i] : high[i], vertical ? high[i] : at[i]);
      }
    }

    @Override
    public void draw(Canvas canvas, Projection to) {
      var path = new Path2D.Double();
      for (int i = 0; i < at.length; i++) {
        double x0 = to.x(vertical ? at[i] : low[i]);
        double x1 = to.x(vertical ? at[i] : high[i]);
        double y0 = to.y(vertical ? low[i] : at[i]);
        double y1 = to.y(vertical ? high[i] : at[i]);
        if (Double.isFinite(x0 + x1 + y0 + y1)) {
          double capX = vertical ? 2.2 : 0;
          double capY = vertical ? 0 : 2.2;
          segment(path, x0, y0, x1, y1);
          segment(path, x0 - capX, y0 - capY, x0 + capX, y0 + capY);
          segment(path, x1 - capX, y1 - capY, x1 + capX, y1 + capY);
        }
      }
      canvas.path(
          path,
          null,
          new Canvas.Pen(style.rgb(), style.opacity(), Math.max(0.8, 0.6 * style.width())));
    }
  }

  /** The area between two curves. */
  record Band(double[] x, double[] low, double[] high, Style style) implements Mark {
    @Override
    public void extend(Extent extent) {
      for (int i = 0; i < x.length; i++) {
        extent.add(x[i], low[i]);
        extent.add(x[i], high[i]);
      }
    }

    @Override
    public void draw(Canvas canvas, Projection to) {
      var path = new Path2D.Double();
      for (int from = 0; from < x.length; from++) {
        int end = from;
        while (end < x.length && known(end, to)) {
          end++;
        }
        for (int i = from; i < end; i++) {
          point(path, i == from, to.x(x[i]), to.y(low[i]));
        }
        for (int i = end - 1; i >= from; i--) {
          path.lineTo(to.x(x[i]), to.y(high[i]));
        }
        if (end > from) {
          path.closePath();
        }
        from = end;
      }
      canvas.path(path, new Canvas.Ink(style.rgb(), style.opacity()), null);
    }

    private boolean known(int i, Projection to) {
      return Double.isFinite(to.x(x[i]) + to.y(low[i]) + to.y(high[i]));
    }

    @Override
    public boolean area() {
      return true;
    }
  }

  /**
   * Bars from zero (from the lower limit on a logarithmic axis), each {@code width} wide; where the
   * style is not filled, one outline over all of them.
   */
  record Bars(double[] x, double[] height, double width, Style style) implements Mark {
    @Override
    public void extend(Extent extent) {
      for (int i = 0; i < x.length; i++) {
        extent.add(x[i] - width / 2, height[i]);
        extent.add(x[i] + width / 2, Double.isFinite(height[i]) ? 0 : Double.NaN);
      }
    }

    @Override
    public void draw(Canvas canvas, Projection to) {
      double base = to.y(to.yAxis().scale() == Axis.Scale.LOG ? to.yMin() : 0);
      var path = new Path2D.Double();
      boolean joined = false;
      for (int i = 0; i < x.length; i++) {
        double x0 = to.x(x[i] - width / 2);
        double x1 = to.x(x[i] + width / 2);
        double y = to.y(height[i]);
        if (!Double.isFinite(y)) {
          Canvas.Font font = new Canvas.Font(8, false, 0x606060);
          canvas.text("n/a", (x0 + x1) / 2, base - 3, font, Canvas.Anchor.MIDDLE, 0);
          joined = false;
        } else if (style.filled()) {
          path.append(
              new Rectangle2D.Double(
                  Math.min(x0, x1), Math.min(base, y), Math.abs(x1 - x0), Math.abs(y - base)),
              false);
        } else {
          if (!joined) {
            path.moveTo(x0, base);
          }
          path.lineTo(x0, y);
          path.lineTo(x1, y);
          boolean last = i + 1 == x.length || Math.abs(x[i + 1] - x[i] - width) > 1e-6 * width;
          if (last) {
            path.lineTo(x1, base);
          }
          joined = !last;
        }
      }
      if (style.filled()) {
        canvas.path(
            path, new Canvas.Ink(style.rgb(), style.opacity()), new Canvas.Pen(0x202020, 1, 0.7));
      } else {
        canvas.path(path, null, style.pen());
      }
    }

    @Override
    public boolean area() {
      return true;
    }
  }

  /** A matrix in colors. */
  record Cells(HeatMap map) implements Mark {
    /** Up to this number, cells are drawn one by one; more become a picture. */
    private static final int MOST_CELLS = 400;

    @Override
    public void extend(Extent extent) {
      extent.add(map.left, map.top);
      extent.add(map.right, map.bottom);
      extent.tight = true;
    }

    @Override
    public void draw(Canvas canvas, Projection to) {
      int rows = map.rows();
      double[] limits = map.limits();
      double dx = (map.right - map.left) / map.columns;
      double dy = (map.bottom - map.top) / rows;
      double x0 = Math.min(to.x(map.left), to.x(map.right));
      double y0 = Math.min(to.y(map.top), to.y(map.bottom));
      double w = Math.abs(to.x(map.right) - to.x(map.left));
      double h = Math.abs(to.y(map.bottom) - to.y(map.top));
      boolean flipX = to.x(map.left) > to.x(map.right);
      boolean flipY = to.y(map.top) > to.y(map.bottom);
      int[] rgb = new int[map.values.length];
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < map.columns; c++) {
          int from = (flipY ? rows - 1 - r : r) * map.columns + (flipX ? map.columns - 1 - c : c);
          rgb[r * map.columns + c] = map.color(map.values[from], limits);
        }
      }
      double cellWidth = w / map.columns;
      double cellHeight = h / rows;
      if (rgb.length > MOST_CELLS) {
        canvas.image(rgb, map.columns, x0, y0, w, h);
      } else {
        for (int i = 0; i < rgb.length; i++) {
          canvas.cell(
              x0 + i % map.columns * cellWidth,
              y0 + i / map.columns * cellHeight,
              cellWidth,
              cellHeight,
              rgb[i]);
        }
      }
      if (map.decimals >= 0) {
        double size = Math.clamp(Math.min(0.28 * cellWidth, 0.5 * cellHeight), 3, 9);
        for (int i = 0; i < map.values.length; i++) {
          double value = map.values[i];
          int background = map.color(value, limits);
          canvas.text(
              Ticks.fixed(value, map.decimals),
              to.x(map.left + (i % map.columns + 0.5) * dx),
              to.y(map.top + (i / map.columns + 0.5) * dy) + 0.36 * size,
              new Canvas.Font(size, false, ColorMap.lightness(background) < 55 ? 0xFFFFFF : 0),
              Canvas.Anchor.MIDDLE,
              0);
        }
      }
      if (map.framedRow >= 0) {
        double cx = to.x(map.left + (map.framedColumn + 0.5) * dx) - cellWidth / 2;
        double cy = to.y(map.top + (map.framedRow + 0.5) * dy) - cellHeight / 2;
        var frame = new Path2D.Double();
        frame.append(
            new Rectangle2D.Double(cx + 1.2, cy + 1.2, cellWidth - 2.4, cellHeight - 2.4), false);
        canvas.path(frame, null, new Canvas.Pen(0xFFFFFF, 1, 3.2));
        canvas.path(frame, null, new Canvas.Pen(0x000000, 1, 1.6));
      }
    }
  }

  /** A color picture, row 0 on the side of {@code top}. */
  record Picture(int[] rgb, int columns, double left, double right, double top, double bottom)
      implements Mark {
    @Override
    public void extend(Extent extent) {
      extent.add(left, top);
      extent.add(right, bottom);
      extent.tight = true;
    }

    @Override
    public void draw(Canvas canvas, Projection to) {
      int rows = rgb.length / columns;
      int[] shown = rgb;
      if (to.y(top) > to.y(bottom)) {
        shown = new int[rgb.length];
        for (int r = 0; r < rows; r++) {
          System.arraycopy(rgb, r * columns, shown, (rows - 1 - r) * columns, columns);
        }
      }
      canvas.image(
          shown,
          columns,
          to.x(left),
          Math.min(to.y(top), to.y(bottom)),
          to.x(right) - to.x(left),
          Math.abs(to.y(bottom) - to.y(top)));
    }
  }

  /** A line across the whole plot; NaN leaves it out. */
  record Across(double at, boolean vertical, Style style) implements Mark {
    @Override
    public void draw(Canvas canvas, Projection to) {
      double p = vertical ? to.x(at) : to.y(at);
      if (Double.isFinite(p)) {
        var path = new Path2D.Double();
        if (vertical) {
          segment(path, p, to.top() + to.height(), p, to.top());
        } else {
          segment(path, to.left(), p, to.left() + to.width(), p);
        }
        canvas.path(path, null, style.pen());
      }
    }
  }

  /** The line y = x. */
  record Unity(Style style) implements Mark {
    @Override
    public void draw(Canvas canvas, Projection to) {
      double from = Math.max(to.xMin(), to.yMin());
      double end = Math.min(to.xMax(), to.yMax());
      if (from < end) {
        var path = new Path2D.Double();
        segment(path, to.x(from), to.y(from), to.x(end), to.y(end));
        canvas.path(path, null, style.pen());
      }
    }
  }

  /** Text at a position; {@code dx}, {@code dy} shift them in points. */
  record Words(
      String text,
      double x,
      double y,
      double dx,
      double dy,
      Canvas.Anchor anchor,
      double degrees,
      Canvas.Font font)
      implements Mark {
    @Override
    public void draw(Canvas canvas, Projection to) {
      if (to.contains(x, y)) {
        canvas.text(text, to.x(x) + dx, to.y(y) + dy, font, anchor, degrees);
      }
    }

    @Override
    public boolean clipped() {
      return false;
    }
  }

  /** A circle by its radius in data units of x (an ellipse where the axes differ). */
  record Circle(double x, double y, double radius, Style style) implements Mark {
    @Override
    public void draw(Canvas canvas, Projection to) {
      double x0 = to.x(x - radius);
      double y0 = to.y(y - radius);
      double x1 = to.x(x + radius);
      double y1 = to.y(y + radius);
      if (Double.isFinite(x0 + y0 + x1 + y1)) {
        var path = new Path2D.Double();
        path.append(
            new Ellipse2D.Double(
                Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)),
            false);
        canvas.path(path, null, style.pen());
      }
    }
  }

  /** Lines of equal value in a field sampled at the centers of a heat map's cells. */
  record Contours(double[] values, int columns, double[] extent, double[] levels, Style style)
      implements Mark {
    @Override
    public void draw(Canvas canvas, Projection to) {
      int rows = values.length / columns;
      for (double level : levels) {
        var path = new Path2D.Double();
        for (int r = 0; r + 1 < rows; r++) {
          for (int c = 0; c + 1 < columns; c++) {
            square(path, r, c, level, to);
          }
        }
        canvas.path(path, null, style.pen());
      }
    }

    /** Marching squares; a saddle is cut by the mean of its corners. */
    private void square(Path2D path, int r, int c, double level, Projection to) {
      // Corners clockwise from the upper left; edge i joins corner i and the next.
      double[] v = {at(r, c), at(r, c + 1), at(r + 1, c + 1), at(r + 1, c)};
      double[] crossings = new double[8];
      int[] edges = new int[4];
      int count = 0;
      for (int i = 0; i < 4; i++) {
        double a = v[i];
        double b = v[(i + 1) & 3];
        if (Double.isNaN(a)) {
          return;
        }
        if ((a >= level) != (b >= level)) {
          double t = (level - a) / (b - a);
          double x = c + (i == 0 ? t : i == 1 ? 1 : i == 2 ? 1 - t : 0);
          double y = r + (i == 0 ? 0 : i == 1 ? t : i == 2 ? 1 : 1 - t);
          crossings[2 * count] = to.x(extent[0] + (x + 0.5) * (extent[1] - extent[0]) / columns);
          crossings[2 * count + 1] =
              to.y(extent[2] + (y + 0.5) * (extent[3] - extent[2]) * columns / values.length);
          edges[count++] = i;
        }
      }
      if (count == 2) {
        segment(path, crossings[0], crossings[1], crossings[2], crossings[3]);
      } else if (count == 4) {
        boolean middleHigh = (v[0] + v[1] + v[2] + v[3]) / 4 >= level;
        // Joining edges 0-1 and 2-3 cuts corners 1 and 3 off, the others corners 0 and 2.
        int shift = (v[0] >= level) == middleHigh ? 0 : 1;
        for (int pair = 0; pair < 2; pair++) {
          int a = (2 * pair + shift) & 3;
          int b = (a + 1) & 3;
          segment(
              path, crossings[2 * a], crossings[2 * a + 1], crossings[2 * b], crossings[2 * b + 1]);
        }
      }
    }

    private double at(int row, int column) {
      return values[row * columns + column];
    }
  }

  /** Rows of text in columns of a panel without axes. */
  record Table(List<List<String>> rows, Canvas.Font font) implements Mark {
    @Override
    public void draw(Canvas canvas, Projection to) {
      double line = Math.min(1.7 * font.size(), to.height() / Math.max(rows.size(), 1));
      double y = to.top() + line * 0.8;
      for (List<String> row : rows) {
        if (row.size() == 1) {
          canvas.text(
              row.getFirst(),
              to.left(),
              y,
              new Canvas.Font(font.size(), true, font.rgb()),
              Canvas.Anchor.START,
              0);
        } else {
          canvas.text(row.getFirst(), to.left(), y, font, Canvas.Anchor.START, 0);
          for (int i = 1; i < row.size(); i++) {
            canvas.text(
                row.get(i),
                to.left() + to.width() * (0.6 + 0.4 * i / (row.size() - 1)),
                y,
                font,
                Canvas.Anchor.END,
                0);
          }
        }
        y += line;
      }
    }
  }

  // Helpers of the marks.

  static Path2D through(double[] x, double[] y, Projection to) {
    var path = new Path2D.Double();
    boolean open = false;
    for (int i = 0; i < x.length; i++) {
      double px = to.x(x[i]);
      double py = to.y(y[i]);
      boolean known = Double.isFinite(px + py);
      if (known) {
        point(path, !open, px, py);
      }
      open = known;
    }
    return path;
  }

  static void point(Path2D path, boolean first, double x, double y) {
    if (first) {
      path.moveTo(x, y);
    } else {
      path.lineTo(x, y);
    }
  }

  static void segment(Path2D path, double x0, double y0, double x1, double y1) {
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  }

  static void markers(Canvas canvas, Style style, double[] x, double[] y, Projection to) {
    if (style.marker() == Style.Marker.NONE) {
      return;
    }
    var path = new Path2D.Double(Path2D.WIND_NON_ZERO);
    for (int i = 0; i < x.length; i++) {
      double px = to.x(x[i]);
      double py = to.y(y[i]);
      if (Double.isFinite(px + py) && to.contains(x[i], y[i])) {
        marker(path, style.marker(), px, py, style.markerSize() / 2);
      }
    }
    boolean lines = style.marker() == Style.Marker.PLUS || style.marker() == Style.Marker.CROSS;
    int inside = style.filled() ? style.rgb() : 0xFFFFFF;
    canvas.path(
        path,
        lines ? null : new Canvas.Ink(inside, style.filled() ? style.opacity() : 1),
        new Canvas.Pen(style.rgb(), style.opacity(), lines || !style.filled() ? 1.1 : 0.4));
  }

  /** Adds a marker of radius r; the shapes have about equal areas. */
  static void marker(Path2D path, Style.Marker marker, double x, double y, double r) {
    switch (marker) {
      case NONE -> {}
      case CIRCLE -> path.append(new Ellipse2D.Double(x - r, y - r, 2 * r, 2 * r), false);
      case SQUARE -> {
        double s = 0.89 * r;
        path.append(new Rectangle2D.Double(x - s, y - s, 2 * s, 2 * s), false);
      }
      case TRIANGLE -> polygon(path, x, y, 1.3 * r, -90, 3);
      case TRIANGLE_DOWN -> polygon(path, x, y, 1.3 * r, 90, 3);
      case DIAMOND -> polygon(path, x, y, 1.25 * r, -90, 4);
      case PLUS -> {
        segment(path, x - 1.1 * r, y, x + 1.1 * r, y);
        segment(path, x, y - 1.1 * r, x, y + 1.1 * r);
      }
      case CROSS -> {
        double s = 0.8 * r;
        segment(path, x - s, y - s, x + s, y + s);
        segment(path, x - s, y + s, x + s, y - s);
      }
    }
  }

  private static void polygon(
      Path2D path, double x, double y, double r, double degrees, int corners) {
    for (int i = 0; i < corners; i++) {
      double a = Math.toRadians(degrees + 360.0 * i / corners);
      point(path, i == 0, x + r * Math.cos(a), y + r * Math.sin(a));
    }
    path.closePath();
  }
}
