package org.gammanet.experiments.analysis;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RidgeRegressionTest {
  /** Each of two orthogonal predictors fits its own part: x (x y) / (x x + penalty). */
  @ParameterizedTest
  @ValueSource(doubles = {0, 0.5, 100})
  void orthogonalPredictorsFitTheirOwnParts(double penalty) {
    double[][] x = {{1, 2}, {1, -2}, {-1, 2}, {-1, -2}};
    double[][] y = {{3}, {-1}, {0}, {-2}};
    double first = 4 / (4 + penalty);
    double second = 12 / (16 + penalty);
    RidgeRegression ridge = RidgeRegression.of(x);
    double[][] fitted = ridge.fitted(y, penalty);
    for (int i = 0; i < x.length; i++) {
      double[] expected = {first * x[i][0] + second * x[i][1]};
      assertArrayEquals(expected, fitted[i], 1e-14);
    }
    assertEquals(0.25 + 1 / (4 + penalty) + 4 / (16 + penalty), ridge.hat(0, 0, penalty), 1e-14);
  }

  /** Units that hardly respond beside one that does; solvers for eigenvalues give up on some. */
  @ParameterizedTest
  @ValueSource(longs = {7, 23, 39})
  void predictorsOfVeryDifferentSizeAreFitted(long seed) {
    var random = new Random(seed);
    double[][] x = new double[48][36];
    for (int k = 0; k < x[0].length; k++) {
      double scale = k == 0 ? 1 : Math.pow(10, -12 - 100 * random.nextDouble());
      double mean = 0;
      for (double[] row : x) {
        row[k] = scale * Math.max(0, random.nextGaussian());
        mean += row[k] / x.length;
      }
      for (double[] row : x) {
        row[k] -= mean;
      }
    }
    double[][] y = Arrays.stream(x).map(row -> new double[] {2 * row[0]}).toArray(double[][]::new);
    double[][] fitted = RidgeRegression.of(x).fitted(y, 0);
    for (int i = 0; i < y.length; i++) {
      assertEquals(y[i][0], fitted[i][0], 1e-12);
    }
  }
}
