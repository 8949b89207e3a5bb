package org.gammanet.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * Scores of a set of images as the BSDS500 benchmark defines them (Arbelaez, Maire, Fowlkes and
 * Malik, "Contour detection and hierarchical image segmentation", PAMI 2011, section 2).
 *
 * @param ods best point at one threshold for the whole data set
 * @param ois recall, precision and F when each image has its own best threshold; its threshold is
 *     the images' mean, for information
 * @param ap area under the precision-recall curve, 0 to 1; a curve that does not reach small recall
 *     has less, and so have few thresholds
 * @param r50 recall where precision is 0.5
 * @param curve one point per threshold over the whole set
 * @param images one entry per image in the order given: its best point, interpolated
 */
public record BoundaryScores(
    Point ods, Point ois, double ap, double r50, List<Point> curve, List<ImageScore> images) {

  /** Recall, precision and their harmonic mean at a threshold. */
  public record Point(double threshold, double recall, double precision, double f) {
    Point(double threshold, double recall, double precision) {
      this(threshold, recall, precision, harmonicMean(recall, precision));
    }
  }

  /** Best point of an image's own curve. */
  public record ImageScore(String id, Point best) {}

  /** How finely the benchmark looks between two thresholds for the best F. */
  private static final int BLENDS = 100;

  static double ratio(long part, long whole) {
    return whole == 0 ? 0 : (double) part / whole;
  }

  static double harmonicMean(double recall, double precision) {
    double sum = recall + precision;
    return sum == 0 ? 0 : 2 * recall * precision / sum;
  }

  /**
   * Scores from the counts of all images.
   *
   * @throws IllegalArgumentException if there are none or their thresholds differ
   */
  public static BoundaryScores of(List<BoundaryCounts> counts) {
    if (counts.isEmpty()) {
      throw new IllegalArgumentException("There are no images to score");
    }
    double[] thresholds = counts.getFirst().thresholds();
    BoundarySums sums = null;
    List<ImageScore> images = new ArrayList<>();
    for (BoundaryCounts c : counts) {
      if (!Arrays.equals(c.thresholds(), thresholds)) {
        throw new IllegalArgumentException(
            "%s and %s were measured at different thresholds"
                .formatted(counts.getFirst().id(), c.id()));
      }
      BoundarySums image = BoundarySums.of(c);
      sums = sums == null ? image : sums.plus(image);
      images.add(new ImageScore(c.id(), best(curve(thresholds, image.counts()))));
    }
    return of(Objects.requireNonNull(sums), List.copyOf(images));
  }

  static BoundaryScores of(BoundarySums sums, List<ImageScore> images) {
    double[] thresholds = sums.thresholds();
    double ownThresholds = 0;
    for (int k = 0; k < thresholds.length; k++) {
      ownThresholds += sums.best()[k] * thresholds[k];
    }
    List<Point> curve = curve(thresholds, sums.counts());
    long[] own = sums.own();
    Point ois =
        new Point(ownThresholds / sums.images(), ratio(own[0], own[1]), ratio(own[2], own[3]));
    return new BoundaryScores(
        best(curve), ois, area(curve), r50(curve), List.copyOf(curve), images);
  }

  static long[][] columns(BoundaryCounts c) {
    return new long[][] {c.cntR(), c.sumR(), c.cntP(), c.sumP()};
  }

  /** The threshold at which an image on its own has the largest F; the first of equal ones. */
  static int bestThreshold(BoundaryCounts c) {
    int best = 0;
    double bestF = -1;
    for (int k = 0; k < c.thresholds().length; k++) {
      double f = harmonicMean(c.recall(k), c.precision(k));
      if (f > bestF) {
        bestF = f;
        best = k;
      }
    }
    return best;
  }

  private static List<Point> curve(double[] thresholds, long[][] set) {
    List<Point> curve = new ArrayList<>();
    for (int k = 0; k < thresholds.length; k++) {
      curve.add(new Point(thresholds[k], ratio(set[0][k], set[1][k]), ratio(set[2][k], set[3][k])));
    }
    return curve;
  }

  /**
   * ODS F, OIS F and AP of some of the images, each as often as it is picked.
   *
   * @param best {@link #bestThreshold} of each image
   */
  static double[] pooled(List<BoundaryCounts> counts, int[] best, int[] picks) {
    double[] thresholds = counts.getFirst().thresholds();
    long[][] set = new long[4][thresholds.length];
    long[] own = new long[4];
    for (int pick : picks) {
      long[][] columns = columns(counts.get(pick));
      for (int i = 0; i < 4; i++) {
        own[i] += columns[i][best[pick]];
        for (int k = 0; k < thresholds.length; k++) {
          set[i][k] += columns[i][k];
        }
      }
    }
    List<Point> curve = curve(thresholds, set);
    double ois = harmonicMean(ratio(own[0], own[1]), ratio(own[2], own[3]));
    return new double[] {best(curve).f, ois, area(curve)};
  }

  /** The largest F on the curve, which is taken as straight between thresholds; first on ties. */
  private static Point best(List<Point> curve) {
    Point best = curve.getFirst();
    for (int k = 1; k < curve.size(); k++) {
      Point a = curve.get(k - 1);
      Point b = curve.get(k);
      for (int i = 0; i < BLENDS; i++) {
        double d = i / (BLENDS - 1.0);
        Point blend =
            new Point(
                b.threshold * d + a.threshold * (1 - d),
                b.recall * d + a.recall * (1 - d),
                b.precision * d + a.precision * (1 - d));
        if (blend.f > best.f) {
          best = blend;
        }
      }
    }
    return best;
  }

  /** Precision at recall 0, 0.01 … 1, nothing outside of the curve, times 0.01. */
  private static double area(List<Point> curve) {
    double[] r = curve.stream().mapToDouble(Point::recall).toArray();
    double[] p = curve.stream().mapToDouble(Point::precision).toArray();
    double sum = 0;
    for (int i = 0; i <= 100; i++) {
      sum += interpolate(r, p, i / 100.0);
    }
    return sum * 0.01;
  }

  private static double r50(List<Point> curve) {
    double[] p = curve.stream().mapToDouble(Point::precision).toArray();
    double[] r = curve.stream().mapToDouble(Point::recall).toArray();
    double least = Arrays.stream(p).min().orElse(0);
    return interpolate(p, r, Math.max(least, 0.5));
  }

  /**
   * Value at {@code at} of the line through points in any order; where several have the same x, the
   * last one counts. 0 outside, and 0 when there is a single x.
   */
  private static double interpolate(double[] x, double[] y, double at) {
    int below = -1;
    int above = -1;
    boolean several = false;
    for (int i = 0; i < x.length; i++) {
      several |= x[i] != x[0];
      if (x[i] <= at && (below < 0 || x[i] >= x[below])) {
        below = i;
      }
      if (x[i] >= at && (above < 0 || x[i] <= x[above])) {
        above = i;
      }
    }
    if (!several || below < 0 || above < 0) {
      return 0;
    }
    return x[below] == x[above]
        ? y[below]
        : y[below] + (y[above] - y[below]) * ((at - x[below]) / (x[above] - x[below]));
  }
}
