package org.gammanet.experiments.analysis;

import java.util.Arrays;
import java.util.function.DoubleBinaryOperator;
import org.hipparchus.linear.MatrixUtils;
import org.hipparchus.linear.RealMatrix;
import org.hipparchus.linear.SingularValueDecomposition;

/**
 * Ridge regression on centered predictors X, by the singular value decomposition X = U Λ^½ Vᵀ: one
 * serves all penalties and all targets.
 */
public final class RidgeRegression {
  /** Directions with less variance, as a fraction of the largest, carry rounding only. */
  private static final double LEAST_VARIANCE = 1e-10;

  private final RealMatrix u;
  private final double[] lambda;
  private final int rank;

  private RidgeRegression(RealMatrix u, double[] lambda, int rank) {
    this.u = u;
    this.lambda = lambda;
    this.rank = rank;
  }

  /**
   * Decomposes predictors.
   *
   * @param centered a row per observation; the columns have a mean of 0
   */
  public static RidgeRegression of(double[][] centered) {
    // Eigenvectors of X Xᵀ would do, but Hipparchus' solver for them gives up on some matrices.
    var svd = new SingularValueDecomposition(MatrixUtils.createRealMatrix(centered));
    double[] lambda = Arrays.stream(svd.getSingularValues()).map(s -> s * s).toArray();
    return new RidgeRegression(svd.getU(), lambda, rank(lambda));
  }

  private static int rank(double[] falling) {
    int rank = 0;
    while (rank < falling.length && falling[rank] > LEAST_VARIANCE * Math.max(falling[0], 1e-300)) {
      rank++;
    }
    return rank;
  }

  /** Element (i, j) of the matrix from targets to fitted values, with the intercept. */
  public double hat(int i, int j, double penalty) {
    double sum = 1.0 / u.getRowDimension();
    for (int k = 0; k < rank; k++) {
      sum += lambda[k] / (lambda[k] + penalty) * u.getEntry(i, k) * u.getEntry(j, k);
    }
    return sum;
  }

  /**
   * Fitted values.
   *
   * @param y centered targets, a row per observation
   */
  public double[][] fitted(double[][] y, double penalty) {
    return combine(y, (l, v) -> l / (l + penalty) * v);
  }

  /**
   * The coefficients (X Xᵀ + λ)⁻¹ Y of observations: Xᵀ times them are the weights of predictors.
   *
   * @param y centered targets, a row per observation
   */
  public double[][] coefficients(double[][] y, double penalty) {
    return combine(y, (l, v) -> v / (l + penalty));
  }

  private double[][] combine(double[][] y, DoubleBinaryOperator factor) {
    RealMatrix uy = u.transposeMultiply(MatrixUtils.createRealMatrix(y));
    double[][] out = new double[y.length][y[0].length];
    for (int i = 0; i < out.length; i++) {
      for (int k = 0; k < rank; k++) {
        double f = factor.applyAsDouble(lambda[k], u.getEntry(i, k));
        for (int t = 0; t < out[i].length; t++) {
          out[i][t] += f * uy.getEntry(k, t);
        }
      }
    }
    return out;
  }
}
