package org.gammanet.figures;

import java.awt.geom.Path2D;
import java.awt.geom.PathIterator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Records where a plot has ink, to find free space for legend and notes. */
final class Occupancy implements Canvas {
  /** Distance between the noted points of a line, in points on the page. */
  private static final double STEP = 4;

  private final List<double[]> inked = new ArrayList<>();

  /** Number of inked points in a rectangle. */
  int count(double x, double y, double width, double height) {
    int count = 0;
    for (double[] p : inked) {
      if (p[0] >= x && p[0] <= x + width && p[1] >= y && p[1] <= y + height) {
        count++;
      }
    }
    return count;
  }

  @Override
  public void path(Path2D path, @Nullable Ink fill, @Nullable Pen pen) {
    double[] p = new double[6];
    double lastX = 0;
    double lastY = 0;
    for (var i = path.getPathIterator(null, 1); !i.isDone(); i.next()) {
      int kind = i.currentSegment(p);
      if (kind == PathIterator.SEG_CLOSE) {
        continue;
      }
      if (kind == PathIterator.SEG_LINETO) {
        line(lastX, lastY, p[0], p[1]);
      }
      inked.add(new double[] {p[0], p[1]});
      lastX = p[0];
      lastY = p[1];
    }
    if (fill != null) {
      var box = path.getBounds2D();
      double step = 2 * STEP;
      for (double y = box.getMinY() + STEP; y < box.getMaxY(); y += step) {
        for (double x = box.getMinX() + STEP; x < box.getMaxX(); x += step) {
          if (path.contains(x, y)) {
            inked.add(new double[] {x, y});
          }
        }
      }
    }
  }

  private void line(double x0, double y0, double x1, double y1) {
    int steps = (int) Math.min(Math.hypot(x1 - x0, y1 - y0) / STEP, 1000);
    for (int i = 1; i < steps; i++) {
      double t = (double) i / steps;
      inked.add(new double[] {x0 + t * (x1 - x0), y0 + t * (y1 - y0)});
    }
  }

  @Override
  public void cell(double x, double y, double width, double height, int rgb) {
    image(new int[0], 1, x, y, width, height);
  }

  @Override
  public void text(String text, double x, double y, Font font, Anchor anchor, double degrees) {
    double width = Type.width(text, font.size(), font.bold());
    double left = x - anchor.fraction() * width;
    line(left, y, left + width, y);
    line(left, y - font.size(), left + width, y - font.size());
  }

  @Override
  public void image(int[] rgb, int columns, double x, double y, double width, double height) {
    for (double py = y; py < y + height; py += STEP) {
      line(x, py, x + width, py);
    }
  }

  @Override
  public void clip(double x, double y, double width, double height) {}

  @Override
  public void unclip() {}
}
