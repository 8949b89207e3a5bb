package org.gammanet.experiments.analysis;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.simd.RowProducts;
import org.hipparchus.linear.Array2DRowRealMatrix;
import org.hipparchus.linear.CholeskyDecomposition;
import org.hipparchus.linear.RealMatrix;

/**
 * Comparison of what two populations make of the same stimuli. Recordings are stimuli x units.
 * Everything is computed from products of stimuli, so that the number of units costs one pass.
 */
public final class RepresentationalComparison {
  /** Ridge penalties to choose from, in units of the mean squared response to a stimulus. */
  private static final double[] PENALTIES = CurveFit.logSpaced(1e-3, 1e5, 9);

  private RepresentationalComparison() {}

  // Dissimilarity matrices

  /**
   * Representational dissimilarity: 1 less Pearson's correlation of the responses to each pair of
   * stimuli (Kriegeskorte, Mur and Bandettini 2008).
   *
   * @param recording stimuli x units
   * @return stimuli x stimuli; NaN for a stimulus to which all units respond alike
   * @throws IllegalArgumentException for fewer than three stimuli, fewer than two units, rows of
   *     different lengths or responses that are not finite
   */
  public static double[][] rdm(float[][] recording) {
    requireRecording(recording, "recording");
    if (recording.length < 3 || recording[0].length < 2) {
      throw new IllegalArgumentException(
          "dissimilarities need three stimuli and two units, not %s and %s"
              .formatted(recording.length, recording[0].length));
    }
    double[][] out = RowProducts.of(recording).correlations();
    for (double[] row : out) {
      for (int j = 0; j < row.length; j++) {
        row[j] = 1 - row[j];
      }
    }
    return out;
  }

  /** What is above the diagonal, row by row. */
  public static double[] upperTriangle(double[][] matrix) {
    int n = matrix.length;
    double[] out = new double[n * (n - 1) / 2];
    int at = 0;
    for (int i = 0; i < n; i++) {
      for (int j = i + 1; j < n; j++) {
        out[at++] = matrix[i][j];
      }
    }
    return out;
  }

  /**
   * Correlations of two dissimilarity matrices.
   *
   * @param spearman of ranks
   * @param pearson of values
   * @param kendallTauA the one to use where a model predicts ties
   */
  public record RdmSimilarity(double spearman, double pearson, double kendallTauA) {
    /**
     * Compares matrices above their diagonals. A pair of stimuli whose dissimilarity is NaN in one
     * of them is skipped.
     *
     * @return NaN where fewer than three pairs remain
     * @throws IllegalArgumentException for different sizes
     */
    public static RdmSimilarity of(double[][] a, double[][] b) {
      double[] all = upperTriangle(a);
      double[] others = upperTriangle(b);
      if (all.length != others.length) {
        throw new IllegalArgumentException(
            "matrices of the same stimuli are compared, not of %s and %s"
                .formatted(a.length, b.length));
      }
      int[] defined =
          IntStream.range(0, all.length)
              .filter(i -> Double.isFinite(all[i]) && Double.isFinite(others[i]))
              .toArray();
      if (defined.length < 3) {
        return new RdmSimilarity(Double.NaN, Double.NaN, Double.NaN);
      }
      double[] x = Arrays.stream(defined).mapToDouble(i -> all[i]).toArray();
      double[] y = Arrays.stream(defined).mapToDouble(i -> others[i]).toArray();
      return new RdmSimilarity(
          Statistics.spearman(x, y), Statistics.pearson(x, y), Statistics.kendallTauA(x, y));
    }
  }

  /**
   * Between which correlations the true model would lie, given how subjects differ (Nili et al.
   * 2014).
   *
   * @param lower mean correlation of each subject with the mean of the others
   * @param upper mean correlation of each subject with the mean of all
   */
  public record NoiseCeiling(double lower, double upper) {
    /**
     * The ceiling for Spearman's correlation, from standardized ranks.
     *
     * @param subjects dissimilarities above the diagonal, a row per subject
     * @throws IllegalArgumentException for fewer than two subjects, different lengths or numbers
     *     that are not finite
     */
    public static NoiseCeiling of(double[][] subjects) {
      int n = subjects.length;
      if (n < 2) {
        throw new IllegalArgumentException("a noise ceiling needs two subjects or more, not " + n);
      }
      double[][] z = new double[n][];
      double[] all = new double[subjects[0].length];
      for (int s = 0; s < n; s++) {
        Curves.sameLength(subjects[0], subjects[s], 3, "subjects' dissimilarities");
        z[s] = standardized(Statistics.ranks(subjects[s]));
        for (int i = 0; i < all.length; i++) {
          all[i] += z[s][i];
        }
      }
      double lower = 0;
      double upper = 0;
      double[] others = new double[all.length];
      for (int s = 0; s < n; s++) {
        for (int i = 0; i < all.length; i++) {
          others[i] = all[i] - z[s][i];
        }
        lower += Statistics.pearson(z[s], others) / n;
        upper += Statistics.pearson(z[s], all) / n;
      }
      return new NoiseCeiling(lower, upper);
    }

    private static double[] standardized(double[] values) {
      double mean = Curves.mean(values);
      double sd = Math.sqrt(Curves.squares(values) / values.length);
      return Arrays.stream(values).map(v -> (v - mean) / sd).toArray();
    }
  }

  // Kernel alignment

  /**
   * Linear centered kernel alignment {@code |XᵀY|² / (|XᵀX| |YᵀY|)} of columns-centered recordings
   * (Kornblith et al. 2019).
   *
   * @param unbiased estimates it without the bias that makes random recordings of more units than
   *     stimuli look alike (Song et al. 2012); may be below 0
   * @return NaN where a recording does not vary
   * @throws IllegalArgumentException for recordings of different stimuli, fewer than four of them,
   *     or responses that are not finite
   */
  public static double cka(float[][] x, float[][] y, boolean unbiased) {
    requireSameStimuli(x, y, 4);
    double[][] k = RowProducts.of(x).products();
    double[][] l = RowProducts.of(y).products();
    double xy = alignment(k, l, unbiased);
    double xx = alignment(k, k, unbiased);
    double yy = alignment(l, l, unbiased);
    return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : Double.NaN;
  }

  /** {@link #cka(float[][], float[][], boolean)}, unbiased where units outnumber stimuli. */
  public static double cka(float[][] x, float[][] y) {
    requireSameStimuli(x, y, 4);
    return cka(x, y, Math.max(x[0].length, y[0].length) > x.length);
  }

  /** Independence criterion of two kernels, up to a factor that only depends on their size. */
  private static double alignment(double[][] k, double[][] l, boolean unbiased) {
    int n = k.length;
    double[] rowsK = new double[n];
    double[] rowsL = new double[n];
    double trace = 0;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        if (!unbiased || i != j) {
          rowsK[i] += k[i][j];
          rowsL[i] += l[i][j];
          trace += k[i][j] * l[i][j];
        }
      }
    }
    double cross = 0;
    for (int i = 0; i < n; i++) {
      cross += rowsK[i] * rowsL[i];
    }
    double sums = Curves.sum(rowsK) * Curves.sum(rowsL);
    return unbiased
        ? trace + sums / ((n - 1.0) * (n - 2.0)) - 2 * cross / (n - 2.0)
        : trace + sums / ((double) n * n) - 2 * cross / n;
  }

  // Regression

  /**
   * Responses predicted from those to other stimuli.
   *
   * @param predictions held out, stimuli x units
   * @param pearson correlation of prediction and response, one per unit
   * @param rSquared 1 - SSE/SST, one per unit
   * @param chosen the ridge penalties that inner folds chose, one per fold
   */
  public record Encoding(
      double[][] predictions, double[] pearson, double[] rSquared, double[] chosen) {}

  /**
   * Ridge regression of recorded units on a model's, with predictions for held-out stimuli only.
   * Folds are contiguous; centering and the choice of the penalty see the training part alone.
   *
   * @param model stimuli x model units
   * @param recorded stimuli x recorded units
   * @param folds at least 2
   * @param penalties from which inner folds choose; none for a range of 10⁻³ to 10⁵ times the mean
   *     squared response of the model to a stimulus
   * @throws IllegalArgumentException for recordings of different stimuli, fewer than two folds or
   *     too few stimuli for them, penalties that are not positive, or responses that are not finite
   */
  public static Encoding ridge(
      float[][] model, float[][] recorded, int folds, double... penalties) {
    double[][] kernel = kernel(model, recorded, folds);
    for (double p : penalties) {
      if (!(p > 0 && p < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException("a ridge penalty must be positive, not " + p);
      }
    }
    double[] grid = penalties;
    if (grid.length == 0) {
      double power = 0;
      for (int i = 0; i < kernel.length; i++) {
        power += kernel[i][i] / kernel.length;
      }
      double scale = power > 0 ? power : 1;
      grid = Arrays.stream(PENALTIES).map(p -> p * scale).toArray();
    }
    return crossValidated(kernel, recorded, folds, grid);
  }

  private static double[][] kernel(float[][] model, float[][] recorded, int folds) {
    requireSameStimuli(model, recorded, 4);
    if (folds < 2 || model.length < 2 * folds) {
      throw new IllegalArgumentException(
          "%s folds need at least two stimuli each, but there are %s stimuli"
              .formatted(folds, model.length));
    }
    return RowProducts.of(model).products();
  }

  private static Encoding crossValidated(double[][] kernel, float[][] y, int folds, double[] grid) {
    int n = y.length;
    int units = y[0].length;
    double[][] predictions = new double[n][];
    double[] chosen = new double[folds];
    int[] all = range(0, n);
    for (int fold = 0; fold < folds; fold++) {
      int[] test = part(all, fold, folds);
      int[] train = without(all, test);
      chosen[fold] = grid.length == 1 ? grid[0] : best(kernel, y, train, folds, grid);
      double[][] p = predict(kernel, y, train, test, chosen[fold]);
      for (int i = 0; i < test.length; i++) {
        predictions[test[i]] = p[i];
      }
    }
    double[] pearson = new double[units];
    double[] rSquared = new double[units];
    for (int u = 0; u < units; u++) {
      double[] predicted = new double[n];
      double[] actual = new double[n];
      double sse = 0;
      for (int i = 0; i < n; i++) {
        predicted[i] = predictions[i][u];
        actual[i] = y[i][u];
        sse += (actual[i] - predicted[i]) * (actual[i] - predicted[i]);
      }
      pearson[u] = Statistics.pearson(predicted, actual);
      rSquared[u] = Curves.rSquared(sse, actual);
    }
    return new Encoding(predictions, pearson, rSquared, chosen);
  }

  /** The penalty with the least error on inner folds, each unit's relative to its variance. */
  private static double best(
      double[][] kernel, float[][] y, int[] stimuli, int folds, double[] grid) {
    int units = y[0].length;
    double[] weight = new double[units];
    for (int u = 0; u < units; u++) {
      int unit = u;
      double variance =
          Curves.squares(Arrays.stream(stimuli).mapToDouble(i -> y[i][unit]).toArray());
      weight[u] = variance > 0 ? 1 / variance : 0;
    }
    int inner = Math.min(folds, stimuli.length / 2);
    double best = grid[0];
    double least = Double.POSITIVE_INFINITY;
    for (double penalty : grid) {
      double error = 0;
      for (int fold = 0; fold < inner; fold++) {
        int[] test = part(stimuli, fold, inner);
        double[][] p = predict(kernel, y, without(stimuli, test), test, penalty);
        for (int i = 0; i < test.length; i++) {
          for (int u = 0; u < units; u++) {
            double e = p[i][u] - y[test[i]][u];
            error += weight[u] * e * e;
          }
        }
      }
      if (error < least) {
        least = error;
        best = penalty;
      }
    }
    return best;
  }

  private static double[][] predict(
      double[][] kernel, float[][] y, int[] train, int[] test, double penalty) {
    int units = y[0].length;
    double[] mean = new double[units];
    for (int i : train) {
      for (int u = 0; u < units; u++) {
        mean[u] += (double) y[i][u] / train.length;
      }
    }
    double[][] centered = new double[train.length][units];
    for (int i = 0; i < train.length; i++) {
      for (int u = 0; u < units; u++) {
        centered[i][u] = y[train[i]][u] - mean[u];
      }
    }
    double[][] products = centered(kernel, train, train);
    for (int i = 0; i < train.length; i++) {
      products[i][i] += penalty;
    }
    RealMatrix weights =
        new CholeskyDecomposition(new Array2DRowRealMatrix(products, false), 1e-6, 0)
            .getSolver()
            .solve(new Array2DRowRealMatrix(centered, false));
    double[][] out =
        new Array2DRowRealMatrix(centered(kernel, test, train), false).multiply(weights).getData();
    for (double[] row : out) {
      for (int u = 0; u < units; u++) {
        row[u] += mean[u];
      }
    }
    return out;
  }

  /** Products of responses from which the mean of the training responses is taken. */
  private static double[][] centered(double[][] kernel, int[] rows, int[] train) {
    double[] means = new double[train.length];
    for (int i = 0; i < train.length; i++) {
      means[i] = meanOf(kernel[train[i]], train);
    }
    double mean = Curves.mean(means);
    double[][] out = new double[rows.length][train.length];
    for (int i = 0; i < rows.length; i++) {
      double own = meanOf(kernel[rows[i]], train);
      for (int j = 0; j < train.length; j++) {
        out[i][j] = kernel[rows[i]][train[j]] - own - means[j] + mean;
      }
    }
    return out;
  }

  private static double meanOf(double[] row, int[] columns) {
    double sum = 0;
    for (int c : columns) {
      sum += row[c];
    }
    return sum / columns.length;
  }

  private static int[] range(int from, int to) {
    int[] out = new int[to - from];
    Arrays.setAll(out, i -> from + i);
    return out;
  }

  /** The i-th of contiguous parts, of which the first are larger by one where they must be. */
  private static int[] part(int[] all, int index, int parts) {
    int size = all.length / parts;
    int larger = all.length % parts;
    int from = index * size + Math.min(index, larger);
    return Arrays.copyOfRange(all, from, from + size + (index < larger ? 1 : 0));
  }

  private static int[] without(int[] all, int[] some) {
    return Arrays.stream(all).filter(i -> i < some[0] || i > some[some.length - 1]).toArray();
  }

  // Reliability

  /**
   * How well a recording repeats.
   *
   * @param r correlation of two halves
   * @param spearmanBrown of the whole, {@code 2r/(1+r)}
   */
  public record Reliability(double r, double spearmanBrown) {
    /**
     * From responses in two halves of the trials.
     *
     * @throws IllegalArgumentException for different lengths, fewer than two stimuli or numbers
     *     that are not finite
     */
    public static Reliability of(double[] firstHalf, double[] secondHalf) {
      double r = Statistics.pearson(firstHalf, secondHalf);
      return new Reliability(r, 2 * r / (1 + r));
    }

    /**
     * A correlation with the recording corrected for its noise, {@code r / sqrt(reliability)}. Not
     * clipped: above 1 the reliability is underestimated.
     *
     * @return NaN where the reliability is not positive
     */
    public double corrected(double correlation) {
      return spearmanBrown > 0 ? correlation / Math.sqrt(spearmanBrown) : Double.NaN;
    }
  }

  private static void requireSameStimuli(float[][] x, float[][] y, int least) {
    if (x.length != y.length) {
      throw new IllegalArgumentException(
          "recordings of the same stimuli are compared, not of %s and %s"
              .formatted(x.length, y.length));
    }
    if (x.length < least) {
      throw new IllegalArgumentException(
          "at least %s stimuli are needed, not %s".formatted(least, x.length));
    }
    requireRecording(x, "first recording");
    requireRecording(y, "second recording");
  }

  private static void requireRecording(float[][] x, String what) {
    if (x.length < 2 || x[0].length < 1) {
      throw new IllegalArgumentException("the " + what + " needs two stimuli and a unit");
    }
    for (int i = 0; i < x.length; i++) {
      if (x[i].length != x[0].length) {
        throw new IllegalArgumentException(
            "the %s has %s units for stimulus %s but %s for stimulus 0"
                .formatted(what, x[i].length, i, x[0].length));
      }
      for (int u = 0; u < x[i].length; u++) {
        if (!Float.isFinite(x[i][u])) {
          throw new IllegalArgumentException(
              "the %s has %s for unit %s and stimulus %s".formatted(what, x[i][u], u, i));
        }
      }
    }
  }
}
