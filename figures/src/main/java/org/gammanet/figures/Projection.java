package org.gammanet.figures;

/**
 * From data to points on the page: the rectangle of a plot and the limits of its axes.
 *
 * @param left, top, width, height the plot's rectangle in points
 */
record Projection(
    double left,
    double top,
    double width,
    double height,
    Axis xAxis,
    double xMin,
    double xMax,
    Axis yAxis,
    double yMin,
    double yMax) {

  /** Position of a value on the x axis; NaN where it has none. */
  double x(double value) {
    double share = share(value, xAxis, xMin, xMax);
    return left + width * (xAxis.reversed() ? 1 - share : share);
  }

  /** Position of a value on the y axis; NaN where it has none. */
  double y(double value) {
    double share = share(value, yAxis, yMin, yMax);
    return top + height * (yAxis.reversed() ? share : 1 - share);
  }

  boolean contains(double x, double y) {
    return inside(share(x, xAxis, xMin, xMax)) && inside(share(y, yAxis, yMin, yMax));
  }

  private static boolean inside(double share) {
    return share >= -1e-6 && share <= 1 + 1e-6;
  }

  private static double share(double value, Axis axis, double min, double max) {
    if (axis.scale() == Axis.Scale.LOG) {
      return value > 0 ? Math.log(value / min) / Math.log(max / min) : Double.NaN;
    }
    return (value - min) / (max - min);
  }
}
