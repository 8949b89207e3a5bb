package org.gammanet.evaluation;

import java.util.Arrays;

/**
 * What matching found in one image at each threshold; all scores follow from these counts.
 *
 * @param id name of the image
 * @param thresholds increasing
 * @param cntR annotated pixels that were found, summed over annotators
 * @param sumR annotated pixels, summed over annotators
 * @param cntP detected pixels that at least one annotator confirms
 * @param sumP detected pixels
 */
public record BoundaryCounts(
    String id, double[] thresholds, long[] cntR, long[] sumR, long[] cntP, long[] sumP) {
  public BoundaryCounts {
    int n = thresholds.length;
    if (n == 0 || cntR.length != n || sumR.length != n || cntP.length != n || sumP.length != n) {
      throw new IllegalArgumentException("Counts of " + id + " are not one per threshold");
    }
  }

  /** Fraction of annotated pixels that were found; 0 where nothing is annotated. */
  public double recall(int threshold) {
    return BoundaryScores.ratio(cntR[threshold], sumR[threshold]);
  }

  /** Fraction of detected pixels that are right; 0 where nothing is detected. */
  public double precision(int threshold) {
    return BoundaryScores.ratio(cntP[threshold], sumP[threshold]);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof BoundaryCounts c
        && c.id.equals(id)
        && Arrays.equals(c.thresholds, thresholds)
        && Arrays.equals(c.cntR, cntR)
        && Arrays.equals(c.sumR, sumR)
        && Arrays.equals(c.cntP, cntP)
        && Arrays.equals(c.sumP, sumP);
  }

  @Override
  public int hashCode() {
    return id.hashCode() + 31 * Arrays.hashCode(cntR) + 37 * Arrays.hashCode(cntP);
  }
}
