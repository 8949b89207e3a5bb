package org.gammanet.experiments.protocols;

import org.gammanet.experiments.analysis.RidgeRegression;
import org.gammanet.experiments.stimuli.Orientation;
import org.hipparchus.linear.MatrixUtils;

/**
 * A linear map from responses to [sin 2θ, cos 2θ], by ridge regression on standardized responses;
 * the penalty is the one of a grid with the smallest leave-one-out error.
 */
final class RidgeDecoder {
  private final double[] mean;
  private final double[] scale;
  private final double[][] weights;
  private final double[] bias;
  private final double penalty;

  private RidgeDecoder(
      double[] mean, double[] scale, double[][] weights, double[] bias, double penalty) {
    this.mean = mean;
    this.scale = scale;
    this.weights = weights;
    this.bias = bias;
    this.penalty = penalty;
  }

  /**
   * Fits a decoder.
   *
   * @param responses a row per stimulus
   * @param orientations degrees
   */
  static RidgeDecoder fit(double[][] responses, double[] orientations) {
    int n = responses.length;
    int units = responses[0].length;
    double[] mean = new double[units];
    double[] scale = new double[units];
    for (int u = 0; u < units; u++) {
      for (double[] row : responses) {
        mean[u] += row[u] / n;
      }
      double squares = 0;
      for (double[] row : responses) {
        squares += (row[u] - mean[u]) * (row[u] - mean[u]) / n;
      }
      scale[u] =
          squares > 1e-24
              ? 1 / Math.sqrt(squares)
              : 0; // a constant response carries no information
    }
    double[][] x = new double[n][units];
    double[][] y = new double[n][2];
    double[] bias = new double[2];
    for (int i = 0; i < n; i++) {
      for (int u = 0; u < units; u++) {
        x[i][u] = (responses[i][u] - mean[u]) * scale[u];
      }
      double angle = 2 * Math.toRadians(orientations[i]);
      y[i][0] = Math.sin(angle);
      y[i][1] = Math.cos(angle);
      bias[0] += y[i][0] / n;
      bias[1] += y[i][1] / n;
    }
    for (double[] target : y) {
      target[0] -= bias[0];
      target[1] -= bias[1];
    }
    var regression = RidgeRegression.of(x);
    double best = Double.POSITIVE_INFINITY;
    double penalty = 1;
    for (double exponent = -3; exponent <= 4; exponent += 0.5) {
      double candidate = Math.pow(10, exponent);
      double[][] fitted = regression.fitted(y, candidate);
      double error = 0;
      for (int i = 0; i < n; i++) {
        double left = Math.max(1e-9, 1 - regression.hat(i, i, candidate));
        error +=
            Math.pow((y[i][0] - fitted[i][0]) / left, 2)
                + Math.pow((y[i][1] - fitted[i][1]) / left, 2);
      }
      if (error < best) {
        best = error;
        penalty = candidate;
      }
    }
    double[][] weights =
        MatrixUtils.createRealMatrix(x)
            .transposeMultiply(MatrixUtils.createRealMatrix(regression.coefficients(y, penalty)))
            .getData();
    return new RidgeDecoder(mean, scale, weights, bias, penalty);
  }

  double penalty() {
    return penalty;
  }

  /** The two outputs for a response. */
  double[] outputs(double[] response) {
    double[] out = bias.clone();
    for (int u = 0; u < mean.length; u++) {
      double x = (response[u] - mean[u]) * scale[u];
      out[0] += x * weights[u][0];
      out[1] += x * weights[u][1];
    }
    return out;
  }

  /** The orientation that two outputs stand for, degrees in [0, 180). */
  static double angle(double[] outputs) {
    return Orientation.wrap(Math.toDegrees(Math.atan2(outputs[0], outputs[1])) / 2);
  }
}
