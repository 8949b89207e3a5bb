package org.gammanet.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.io.SplitMix;

/**
 * How far scores depend on which images were scored: intervals from drawing the images anew with
 * replacement (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
 *
 * @param ods F at one threshold for all images
 * @param ois F at each image's own threshold
 * @param ap area under the precision-recall curve
 */
public record BoundaryBootstrap(Interval ods, Interval ois, Interval ap) {
  /**
   * A value and its 95 % interval.
   *
   * @param value of the images as they are
   * @param low 2.5th percentile of the resamples; NaN for fewer than {@link #FEWEST} images
   * @param high 97.5th percentile, or NaN
   */
  public record Interval(double value, double low, double high) {}

  /** Resamples of fewer images say nothing about others. */
  public static final int FEWEST = 5;

  /**
   * Intervals of a detector's scores.
   *
   * @param seed of the draws
   * @throws IllegalArgumentException if there are no images or their thresholds differ
   */
  public static BoundaryBootstrap scores(List<BoundaryCounts> counts, int resamples, long seed) {
    Side side = new Side(counts);
    return run(counts.size(), resamples, seed, side::pooled);
  }

  /**
   * Intervals of the differences between two detectors' scores, one minus the other. Each resample
   * takes the same images for both, so what makes an image hard for both cancels. Images that only
   * one of them has are left out.
   *
   * @throws IllegalArgumentException if they have no image in common or thresholds differ
   */
  public static BoundaryBootstrap difference(
      List<BoundaryCounts> one, List<BoundaryCounts> other, int resamples, long seed) {
    Map<String, BoundaryCounts> byId = new HashMap<>();
    other.forEach(c -> byId.put(c.id(), c));
    List<BoundaryCounts> first = new ArrayList<>();
    List<BoundaryCounts> second = new ArrayList<>();
    for (BoundaryCounts c : one) {
      BoundaryCounts partner = byId.get(c.id());
      if (partner != null) {
        first.add(c);
        second.add(partner);
      }
    }
    Side a = new Side(first);
    Side b = new Side(second);
    return run(
        first.size(),
        resamples,
        seed,
        picks -> {
          double[] difference = a.pooled(picks);
          double[] minus = b.pooled(picks);
          for (int i = 0; i < difference.length; i++) {
            difference[i] -= minus[i];
          }
          return difference;
        });
  }

  /** One detector's counts, with what does not change between resamples. */
  private static final class Side {
    private final List<BoundaryCounts> counts;
    private final int[] best;

    Side(List<BoundaryCounts> counts) {
      if (counts.isEmpty()) {
        throw new IllegalArgumentException("There are no images to compare");
      }
      for (BoundaryCounts c : counts) {
        if (!Arrays.equals(c.thresholds(), counts.getFirst().thresholds())) {
          throw new IllegalArgumentException(
              "%s and %s were measured at different thresholds"
                  .formatted(counts.getFirst().id(), c.id()));
        }
      }
      this.counts = counts;
      this.best = counts.stream().mapToInt(BoundaryScores::bestThreshold).toArray();
    }

    double[] pooled(int[] picks) {
      return BoundaryScores.pooled(counts, best, picks);
    }
  }

  private interface Statistic {
    double[] of(int[] picks);
  }

  private static BoundaryBootstrap run(int images, int resamples, long seed, Statistic statistic) {
    if (resamples < 1) {
      throw new IllegalArgumentException("At least one resample is needed, found " + resamples);
    }
    int[] picks = new int[images];
    Arrays.setAll(picks, i -> i);
    double[] value = statistic.of(picks);
    double[][] drawn = new double[value.length][resamples];
    SplitMix random = new SplitMix(seed, 'b');
    for (int r = 0; r < resamples; r++) {
      Arrays.setAll(picks, i -> random.nextInt(images));
      double[] one = statistic.of(picks);
      for (int i = 0; i < one.length; i++) {
        drawn[i][r] = one[i];
      }
    }
    Interval[] intervals = new Interval[value.length];
    for (int i = 0; i < intervals.length; i++) {
      Arrays.sort(drawn[i]);
      intervals[i] =
          images < FEWEST
              ? new Interval(value[i], Double.NaN, Double.NaN)
              : new Interval(value[i], percentile(drawn[i], 0.025), percentile(drawn[i], 0.975));
    }
    return new BoundaryBootstrap(intervals[0], intervals[1], intervals[2]);
  }

  private static double percentile(double[] sorted, double fraction) {
    double at = fraction * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(sorted.length - 1, below + 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
  }
}
