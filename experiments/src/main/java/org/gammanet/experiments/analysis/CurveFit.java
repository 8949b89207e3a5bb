package org.gammanet.experiments.analysis;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.hipparchus.exception.MathRuntimeException;
import org.hipparchus.linear.Array2DRowRealMatrix;
import org.hipparchus.linear.ArrayRealVector;
import org.hipparchus.linear.RealMatrix;
import org.hipparchus.linear.RealVector;
import org.hipparchus.optim.nonlinear.vector.leastsquares.LeastSquaresBuilder;
import org.hipparchus.optim.nonlinear.vector.leastsquares.LevenbergMarquardtOptimizer;
import org.hipparchus.util.Pair;

/**
 * Least squares within bounds: Levenberg-Marquardt on coordinates in which the bounds are smooth,
 * from several starts.
 */
public final class CurveFit {
  /** Starts that are followed to the end, the best ones of those offered. */
  private static final int FOLLOWED = 8;

  private CurveFit() {}

  /** A curve with parameters. */
  public interface Model {
    double at(double x, double[] parameters);
  }

  /**
   * The best parameters found.
   *
   * @param sse sum of squared errors
   */
  public record Best(double[] parameters, double sse) {}

  /**
   * Fits a curve.
   *
   * @param lower bound of each parameter; -∞ for none
   * @param upper bound of each parameter; ∞ for none, which needs no lower bound or a finite one
   * @param starts parameters to begin with, brought into the bounds
   */
  public static Best fit(
      Model model, double[] x, double[] y, double[] lower, double[] upper, List<double[]> starts) {
    List<Best> ranked =
        starts.stream()
            .map(s -> evaluated(model, x, y, inside(s, lower, upper)))
            .sorted(Comparator.comparingDouble(Best::sse))
            .limit(FOLLOWED)
            .toList();
    return ranked.stream()
        .map(start -> polish(model, x, y, lower, upper, start))
        .min(Comparator.comparingDouble(Best::sse))
        .orElseThrow();
  }

  private static Best evaluated(Model model, double[] x, double[] y, double[] parameters) {
    double sse = 0;
    for (int i = 0; i < x.length; i++) {
      double e = y[i] - model.at(x[i], parameters);
      sse += e * e;
    }
    return new Best(parameters, Double.isNaN(sse) ? Double.POSITIVE_INFINITY : sse);
  }

  /** On a bound the smooth coordinate has no slope, so that a start must be off it. */
  private static double[] inside(double[] p, double[] lower, double[] upper) {
    double[] out = p.clone();
    for (int i = 0; i < out.length; i++) {
      double margin =
          Double.isInfinite(upper[i])
              ? 1e-3 * Math.max(1e-3, Math.abs(p[i]))
              : 1e-3 * (upper[i] - lower[i]);
      out[i] = Math.min(Math.max(out[i], lower[i] + margin), upper[i] - margin);
    }
    return out;
  }

  private static Best polish(
      Model model, double[] x, double[] y, double[] lower, double[] upper, Best start) {
    int n = start.parameters.length;
    double[] t = new double[n];
    for (int i = 0; i < n; i++) {
      t[i] = toFree(start.parameters[i], lower[i], upper[i]);
    }
    Best[] best = {start};
    try {
      new LevenbergMarquardtOptimizer()
          .withCostRelativeTolerance(1e-14)
          .withParameterRelativeTolerance(1e-12)
          .optimize(
              new LeastSquaresBuilder()
                  .start(t)
                  .target(y)
                  .lazyEvaluation(false)
                  .maxEvaluations(400)
                  .maxIterations(200)
                  .model(point -> linearized(model, x, y, lower, upper, point, best))
                  .build());
    } catch (MathRuntimeException e) {
      // It did not converge; the best evaluation so far counts.
      return best[0];
    }
    return best[0];
  }

  private static Pair<RealVector, RealMatrix> linearized(
      Model model,
      double[] x,
      double[] y,
      double[] lower,
      double[] upper,
      RealVector point,
      Best[] best) {
    int n = point.getDimension();
    double[] t = point.toArray();
    double[] p = new double[n];
    for (int i = 0; i < n; i++) {
      p[i] = fromFree(t[i], lower[i], upper[i]);
    }
    double[] values = Arrays.stream(x).map(v -> model.at(v, p)).toArray();
    Best here = evaluated(model, x, y, p.clone());
    if (here.sse < best[0].sse) {
      best[0] = here;
    }
    double[][] slopes = new double[x.length][n];
    for (int j = 0; j < n; j++) {
      double h = 1e-6 * Math.max(1, Math.abs(t[j]));
      double kept = p[j];
      for (int side = -1; side <= 1; side += 2) {
        p[j] = fromFree(t[j] + side * h, lower[j], upper[j]);
        for (int i = 0; i < x.length; i++) {
          slopes[i][j] += side * model.at(x[i], p) / (2 * h);
        }
      }
      p[j] = kept;
    }
    return new Pair<>(new ArrayRealVector(values, false), new Array2DRowRealMatrix(slopes, false));
  }

  private static double fromFree(double t, double lower, double upper) {
    if (Double.isInfinite(lower)) {
      return t;
    }
    return Double.isInfinite(upper)
        ? lower - 1 + Math.sqrt(t * t + 1)
        : lower + (upper - lower) * (Math.sin(t) + 1) / 2;
  }

  private static double toFree(double p, double lower, double upper) {
    if (Double.isInfinite(lower)) {
      return p;
    }
    double above = p - lower;
    return Double.isInfinite(upper)
        ? Math.sqrt((above + 1) * (above + 1) - 1)
        : Math.asin(2 * above / (upper - lower) - 1);
  }

  /**
   * The linear parameters of {@code base + gain · shape} that fit best, gain not below 0.
   *
   * @return base, gain
   */
  static double[] line(double[] shape, double[] y) {
    double ms = Curves.mean(shape);
    double my = Curves.mean(y);
    double over = 0;
    double under = 0;
    for (int i = 0; i < y.length; i++) {
      over += (shape[i] - ms) * (y[i] - my);
      under += (shape[i] - ms) * (shape[i] - ms);
    }
    double gain = under > 0 ? Math.max(0, over / under) : 0;
    return new double[] {my - gain * ms, gain};
  }

  /** n numbers from a to b, equally spaced on a log axis. */
  static double[] logSpaced(double a, double b, int count) {
    double[] out = new double[count];
    for (int i = 0; i < count; i++) {
      out[i] = a * Math.pow(b / a, i / (count - 1.0));
    }
    return out;
  }
}
