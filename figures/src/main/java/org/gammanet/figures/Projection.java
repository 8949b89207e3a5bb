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
    double fraction = fraction(value, xAxis, xMin, xMax);
    return left + width * (xAxis.reversed() ? 1 - fraction : fraction);
  }

  /** Position of a value on the y axis; NaN where it has none. */
  double y(double value) {
    double fraction = fraction(value, yAxis, yMin, yMax);
    return top + height * (yAxis.reversed() ? fraction : 1 - fraction);
  }

  boolean contains(double x, double y) {
    return inside(fraction(x, xAxis, xMin, xMax)) && inside(fraction(y, yAxis, yMin, yMax));
  }

  private static boolean inside(double fraction) {
    return fraction >= -1e-6 && fraction <= 1 + 1e-6;
  }

  private static double fraction(double value, Axis axis, double min, double max) {
    if (axis.scale() == Axis.Scale.LOG) {
      return value > 0 ? Math.log(value / min) / Math.log(max / min) : Double.NaN;
    }
    return (value - min) / (max - min);
  }
}
