package org.gammanet.evaluation;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;

/**
 * Counts of images, added up: all that the scores of a data set follow from, in a size that does
 * not depend on the number of images. Whole numbers are added, so sums of parts give the sum of the
 * whole, in whatever order.
 *
 * @param thresholds increasing
 * @param images how many there are
 * @param counts cntR, sumR, cntP and sumP of {@link BoundaryCounts}, each by threshold
 * @param own the same four numbers with each image at its own best threshold
 * @param best how many images have each threshold for their own best one
 */
public record BoundarySums(
    double[] thresholds, long images, long[][] counts, long[] own, long[] best)
    implements Serializable {

  /** Those of one image. */
  public static BoundarySums of(BoundaryCounts image) {
    long[][] counts = BoundaryScores.columns(image);
    int k = BoundaryScores.bestThreshold(image);
    long[] own = new long[counts.length];
    for (int i = 0; i < own.length; i++) {
      own[i] = counts[i][k];
    }
    long[] best = new long[image.thresholds().length];
    best[k] = 1;
    return new BoundarySums(image.thresholds(), 1, counts, own, best);
  }

  /**
   * With those of other images.
   *
   * @throws IllegalArgumentException if the thresholds differ
   */
  public BoundarySums plus(BoundarySums other) {
    if (!Arrays.equals(thresholds, other.thresholds)) {
      throw new IllegalArgumentException("images were measured at different thresholds");
    }
    long[][] sums = new long[counts.length][];
    for (int i = 0; i < sums.length; i++) {
      sums[i] = sum(counts[i], other.counts[i]);
    }
    return new BoundarySums(
        thresholds, images + other.images, sums, sum(own, other.own), sum(best, other.best));
  }

  private static long[] sum(long[] a, long[] b) {
    long[] out = a.clone();
    for (int i = 0; i < out.length; i++) {
      out[i] += b[i];
    }
    return out;
  }

  /** The scores of the data set, without those of single images. */
  public BoundaryScores scores() {
    return BoundaryScores.of(this, List.of());
  }
}
