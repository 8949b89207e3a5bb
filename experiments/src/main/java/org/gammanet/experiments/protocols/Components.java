package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.List;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.hipparchus.linear.Array2DRowRealMatrix;
import org.hipparchus.linear.SingularValueDecomposition;

/**
 * The first two principal components of states.
 *
 * @param explained fraction of the variance that each explains
 * @param scores of each state, in the order of the states
 */
record Components(double[] explained, double[][] scores) {
  /** By the eigenvectors of the centered Gram matrix, which is smaller than the states. */
  static Components of(List<Tensor> all) {
    int n = all.size();
    double[][] gram = new double[n][n];
    try (var scope = TensorScope.open()) {
      for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
          gram[i][j] = Ops.dot(all.get(i), all.get(j)).item();
          gram[j][i] = gram[i][j];
        }
      }
    }
    double[] rows = Arrays.stream(gram).mapToDouble(Samples::mean).toArray();
    double mean = Samples.mean(rows);
    double[][] centered = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        centered[i][j] = gram[i][j] - rows[i] - rows[j] + mean;
      }
    }
    // The singular values of a Gram matrix are its eigenvalues.
    var svd = new SingularValueDecomposition(new Array2DRowRealMatrix(centered, false));
    double[] values = svd.getSingularValues();
    double total = Arrays.stream(values).sum();
    double[][] scores = new double[2][];
    double[] explained = new double[2];
    for (int k = 0; k < 2; k++) {
      scores[k] = svd.getU().getColumnVector(k).mapMultiply(Math.sqrt(values[k])).toArray();
      explained[k] = values[k] / total;
    }
    return new Components(explained, scores);
  }
}
