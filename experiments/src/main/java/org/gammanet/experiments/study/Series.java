package org.gammanet.experiments.study;

import java.util.Arrays;
import java.util.function.DoubleFunction;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/**
 * The numbers of a line, a set of points or a histogram in a {@link Panel}.
 *
 * @param name in the results and, unless the style has a label of its own, in the legend
 * @param x positions; of a histogram the values themselves
 * @param y values; of a histogram the edges of its bins
 * @param low lower ends of intervals
 * @param high upper ends of intervals
 * @param n size of the largest sample behind a value; 0 where there is none
 * @param look how it is drawn
 * @param style color, marker and legend
 */
public record Series(
    String name,
    double[] x,
    double[] y,
    double @Nullable [] low,
    double @Nullable [] high,
    int n,
    Look look,
    Style style) {

  /** How a series is drawn. */
  public enum Look {
    /** A line with its interval as a band. */
    CURVE,
    /** A line. */
    LINE,
    /** Points with error bars where there are intervals. */
    POINTS,
    /** Numbers of a recording that the model is compared with: points with error bars. */
    MEASURED,
    /** A curve that is no recording. */
    ILLUSTRATIVE,
    /** The range of untrained networks, as a gray band. */
    UNTRAINED,
    /** A histogram. */
    HISTOGRAM
  }

  /** A line. */
  public static Series line(String name, double[] x, double[] y, Style style) {
    return new Series(name, x, y, null, null, 0, Look.LINE, style);
  }

  /** Points, one per unit or condition. */
  public static Series points(String name, double[] x, double[] y, int n, Style style) {
    return new Series(name, x, y, null, null, n, Look.POINTS, style);
  }

  /** A curve that is no recording, which its legend says. */
  public static Series illustrative(String name, double[] x, double[] y) {
    Style style = Style.series(2).plain().dash(Style.Dash.DOTTED).label("illustrative");
    return new Series(name, x, y, null, null, 0, Look.ILLUSTRATIVE, style);
  }

  /** A histogram of finite values. */
  public static Series histogram(String name, double[] values, double[] edges) {
    double[] finite = finite(values);
    return new Series(
        name, finite, edges, null, null, finite.length, Look.HISTOGRAM, Style.area(0));
  }

  /**
   * Means over units with bootstrap intervals of 95 %; NaN are left out.
   *
   * @param valuesAtX the sample at each x
   */
  public static Series mean(String name, double[] x, double[][] valuesAtX, long seed) {
    double[] y = new double[x.length];
    double[] low = new double[x.length];
    double[] high = new double[x.length];
    int n = 0;
    for (int i = 0; i < x.length; i++) {
      Statistics.Interval interval = mean(valuesAtX[i], seed);
      y[i] = interval.value();
      low[i] = interval.low();
      high[i] = interval.high();
      n = Math.max(n, interval.n());
    }
    return new Series(name, x, y, low, high, n, Look.CURVE, style(name));
  }

  /** As above, with a function that gives the sample at an x. */
  public static Series mean(String name, double[] x, DoubleFunction<double[]> sample, long seed) {
    return mean(name, x, Arrays.stream(x).mapToObj(sample).toArray(double[][]::new), seed);
  }

  /** A mean with its bootstrap interval of 95 %; NaN are left out. */
  public static Statistics.Interval mean(double[] values, long seed) {
    double[] finite = finite(values);
    if (finite.length < 2) {
      double only = finite.length == 1 ? finite[0] : Double.NaN;
      return new Statistics.Interval(only, Double.NaN, Double.NaN, finite.length);
    }
    return Statistics.bootstrapMean(finite, 0.95, 1000, seed);
  }

  /** The values that are finite. */
  public static double[] finite(double[] values) {
    return Arrays.stream(values).filter(Double::isFinite).toArray();
  }

  /** The look of a population's line. */
  public static Style style(String state) {
    Style style = state.equals(State.INHIBITORY.word()) ? Style.INHIBITORY : Style.EXCITATORY;
    return style.label(state);
  }

  /** The same numbers, drawn differently. */
  public Series look(Look value) {
    return new Series(name, x, y, low, high, n, value, style);
  }

  /** The same numbers in another style. */
  public Series style(Style value) {
    return new Series(name, x, y, low, high, n, look, value);
  }

  void drawIn(Plot plot) {
    switch (look) {
      case CURVE -> {
        if (low != null && high != null) {
          plot.band(x, low, high, style.label(""));
        }
        plot.line(x, y, style);
      }
      case LINE, ILLUSTRATIVE -> plot.line(x, y, style);
      case POINTS, MEASURED -> {
        if (low != null && high != null) {
          plot.errorBars(x, low, high, style.label(""));
        }
        plot.points(x, y, style);
      }
      case UNTRAINED -> {
        if (low != null && high != null) {
          plot.band(x, low, high, style);
        }
      }
      case HISTOGRAM -> plot.histogram(x, y, style);
    }
  }
}
