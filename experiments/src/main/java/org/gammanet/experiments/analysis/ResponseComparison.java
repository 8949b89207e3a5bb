package org.gammanet.experiments.analysis;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.RepresentationalComparison.RdmSimilarity;
import org.gammanet.experiments.analysis.RepresentationalComparison.Reliability;
import org.jspecify.annotations.Nullable;

/**
 * A model's units against recorded units that have seen the same stimuli, with the ceilings that
 * the recording's own noise allows. Ceilings come from repeats, and are NaN without them, as
 * dissimilarities and distributions are for a single unit.
 *
 * @param stimuli number of stimuli
 * @param modelUnits number of units
 * @param recordedUnits number of units
 * @param rdm Spearman's correlation of the dissimilarities of stimuli
 * @param rdmCeiling that of the two halves of the repeats, for all of them by Spearman and Brown's
 *     formula, square root
 * @param cka centered kernel alignment, unbiased
 * @param ckaCeiling that of the two halves
 * @param ridge median over recorded units of the correlation of responses with those that a ridge
 *     regression on the model predicts for held-out stimuli
 * @param ridgeCorrected the same divided by the square root of each unit's reliability
 * @param reliability median over units, by Spearman and Brown's formula
 * @param sparseness 1 - D of the distributions of units' lifetime sparseness, D the distance of
 *     Kolmogorov and Smirnov
 * @param sparsenessCeiling the same between random halves of the recorded units
 */
public record ResponseComparison(
    int stimuli,
    int modelUnits,
    int recordedUnits,
    double rdm,
    double rdmCeiling,
    double cka,
    double ckaCeiling,
    double ridge,
    double ridgeCorrected,
    double reliability,
    double sparseness,
    double sparsenessCeiling) {
  private static final int FOLDS = 5;
  private static final int SPLITS = 100;

  /**
   * Compares.
   *
   * @param model stimuli x units
   * @param repeats repeats x stimuli x units of the recording; a single one has no ceilings
   * @param seed of splits
   * @throws IllegalArgumentException for different stimuli, fewer than ten of them, or numbers that
   *     are not finite
   */
  public static ResponseComparison of(float[][] model, float[][][] repeats, long seed) {
    int n = model.length;
    if (n < 2 * FOLDS) {
      throw new IllegalArgumentException(
          "at least %s stimuli are needed, not %s".formatted(2 * FOLDS, n));
    }
    float[][] recorded = mean(repeats);
    float @Nullable [][][] halves = halves(repeats);
    double[] correlations =
        RepresentationalComparison.ridge(shuffled(model, seed), shuffled(recorded, seed), FOLDS)
            .pearson();
    int units = recorded[0].length;
    double[] corrected = new double[units];
    double[] reliable = new double[units];
    Arrays.fill(corrected, Double.NaN);
    Arrays.fill(reliable, Double.NaN);
    double rdmCeiling = Double.NaN;
    double ckaCeiling = Double.NaN;
    if (halves != null) {
      for (int u = 0; u < units; u++) {
        Reliability r = Reliability.of(column(halves[0], u), column(halves[1], u));
        reliable[u] = r.spearmanBrown();
        corrected[u] = r.corrected(correlations[u]);
      }
      double half = rdmSimilarity(halves[0], halves[1]);
      rdmCeiling = half > 0 ? Math.sqrt(2 * half / (1 + half)) : Double.NaN;
      ckaCeiling = RepresentationalComparison.cka(halves[0], halves[1], true);
    }
    double[] modelSparse = sparseness(model);
    double[] recordedSparse = sparseness(recorded);
    return new ResponseComparison(
        n,
        model[0].length,
        units,
        rdmSimilarity(model, recorded),
        rdmCeiling,
        RepresentationalComparison.cka(model, recorded, true),
        ckaCeiling,
        median(correlations),
        median(corrected),
        median(reliable),
        similarity(modelSparse, recordedSparse),
        ceiling(recordedSparse, seed));
  }

  /** Spearman's correlation of the dissimilarities; NaN where a single unit leaves none. */
  private static double rdmSimilarity(float[][] a, float[][] b) {
    return a[0].length < 2 || b[0].length < 2
        ? Double.NaN
        : RdmSimilarity.of(RepresentationalComparison.rdm(a), RepresentationalComparison.rdm(b))
            .spearman();
  }

  private static float[][] mean(float[][][] repeats) {
    int n = repeats[0].length;
    int units = repeats[0][0].length;
    float[][] out = new float[n][units];
    for (int s = 0; s < n; s++) {
      for (int u = 0; u < units; u++) {
        double sum = 0;
        for (float[][] repeat : repeats) {
          sum += repeat[s][u];
        }
        out[s][u] = (float) (sum / repeats.length);
      }
    }
    return out;
  }

  /** Means of the even and of the odd repeats; null for a single repeat. */
  private static float @Nullable [][][] halves(float[][][] repeats) {
    if (repeats.length < 2) {
      return null;
    }
    return IntStream.range(0, 2)
        .mapToObj(
            h ->
                mean(
                    IntStream.range(0, repeats.length)
                        .filter(r -> r % 2 == h)
                        .mapToObj(r -> repeats[r])
                        .toArray(float[][][]::new)))
        .toArray(float[][][]::new);
  }

  /** The same stimuli in another order, so that contiguous folds are random ones. */
  private static float[][] shuffled(float[][] rows, long seed) {
    float[][] out = rows.clone();
    var random = new SplittableRandom(seed);
    for (int i = out.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      float[] row = out[i];
      out[i] = out[j];
      out[j] = row;
    }
    return out;
  }

  private static double[] column(float[][] rows, int unit) {
    return Arrays.stream(rows).mapToDouble(r -> r[unit]).toArray();
  }

  private static double[] sparseness(float[][] rows) {
    return IntStream.range(0, rows[0].length)
        .mapToDouble(u -> Population.sparseness(column(rows, u)))
        .filter(Double::isFinite)
        .toArray();
  }

  private static double similarity(double[] a, double[] b) {
    return Math.min(a.length, b.length) < 2 ? Double.NaN : 1 - Statistics.kolmogorovSmirnov(a, b);
  }

  private static double ceiling(double[] values, long seed) {
    if (values.length < 4) {
      return Double.NaN;
    }
    var random = new SplittableRandom(seed);
    double sum = 0;
    double[] mixed = values.clone();
    for (int k = 0; k < SPLITS; k++) {
      for (int i = mixed.length - 1; i > 0; i--) {
        int j = random.nextInt(i + 1);
        double v = mixed[i];
        mixed[i] = mixed[j];
        mixed[j] = v;
      }
      int half = mixed.length / 2;
      sum += similarity(Arrays.copyOf(mixed, half), Arrays.copyOfRange(mixed, half, mixed.length));
    }
    return sum / SPLITS;
  }

  private static double median(double[] values) {
    double[] finite = Arrays.stream(values).filter(Double::isFinite).sorted().toArray();
    return Statistics.quantile(finite, 0.5);
  }
}
