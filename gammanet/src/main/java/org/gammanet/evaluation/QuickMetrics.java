package org.gammanet.evaluation;

/**
 * A fast, optimistic estimate of edge quality for watching a training run: tolerance of one pixel,
 * no one-to-one matching, no thinning, the consensus instead of separate annotators. Not comparable
 * with published numbers.
 *
 * <p>For thresholds t = 0.01 … 0.99, with M = prediction &gt; t, G = target &gt; 0.3 and D the
 * dilation by a 3x3 cross: {@code P = |M and D(G)| / |M|}, {@code R = |G and D(M)| / |G|}, {@code F
 * = 2PR / (P + R)}. In {@link Recall#LEGACY}, R is {@code |M and D(G)| / (|M and D(G)| + |G and not
 * D(M)|)}, which counts the wrong pixels but is what the GammaNet reference implementation logs.
 *
 * <p>Images are added one at a time; nothing but counts is kept.
 */
public final class QuickMetrics {
  /** What recall counts. */
  public enum Recall {
    TARGET_PIXELS,
    LEGACY
  }

  /** Thresholds k / 100, k = 1 … 99. */
  public static final int THRESHOLDS = 99;

  private static final double EPSILON = 1e-5;
  private static final int BINS = 4096;

  private final Recall kind;
  private final double[] sumF = new double[THRESHOLDS];
  private final double[][] pooled = new double[4][THRESHOLDS];
  private final long[] positives = new long[BINS];
  private final long[] negatives = new long[BINS];
  private double sumBest;
  private int images;

  /** No images yet. */
  public QuickMetrics(Recall kind) {
    this.kind = kind;
  }

  /** How many thresholds k / 100 a value exceeds. */
  private static int exceeded(float value) {
    int n = Math.clamp((int) (value * 100), 0, THRESHOLDS);
    while (n > 0 && !(value > n / 100.0)) {
      n--;
    }
    while (n < THRESHOLDS && value > (n + 1) / 100.0) {
      n++;
    }
    return n;
  }

  /**
   * Adds an image.
   *
   * @param prediction probabilities, row-major
   * @param target consensus in [0, 1]
   * @param valid pixels that count
   */
  public void add(float[] prediction, float[] target, boolean[] valid, int height, int width) {
    // Histograms over the number of exceeded thresholds; cumulated from above below.
    int[] near = new int[THRESHOLDS + 1];
    int[] far = new int[THRESHOLDS + 1];
    int[] found = new int[THRESHOLDS + 1];
    int edges = 0;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int i = y * width + x;
        if (!valid[i]) {
          continue;
        }
        boolean edge = target[i] > 0.3f;
        boolean close = edge;
        float best = prediction[i];
        if (x > 0) {
          close |= target[i - 1] > 0.3f;
          best = Math.max(best, prediction[i - 1]);
        }
        if (x + 1 < width) {
          close |= target[i + 1] > 0.3f;
          best = Math.max(best, prediction[i + 1]);
        }
        if (y > 0) {
          close |= target[i - width] > 0.3f;
          best = Math.max(best, prediction[i - width]);
        }
        if (y + 1 < height) {
          close |= target[i + width] > 0.3f;
          best = Math.max(best, prediction[i + width]);
        }
        (close ? near : far)[exceeded(prediction[i])]++;
        if (edge) {
          edges++;
          found[exceeded(best)]++;
        }
        int bin = Math.clamp((int) (prediction[i] * BINS), 0, BINS - 1);
        (target[i] > 0.5f ? positives : negatives)[bin]++;
      }
    }
    int all = sum(near) + sum(far);
    double most = 0;
    int right = 0;
    int wrong = 0;
    int hit = 0;
    for (int k = THRESHOLDS; k >= 1; k--) {
      right += near[k];
      wrong += far[k];
      hit += found[k];
      int missed = edges - hit;
      double precision = right / (right + wrong + EPSILON);
      double recall =
          kind == Recall.LEGACY ? right / (right + missed + EPSILON) : hit / (edges + EPSILON);
      double f = 2 * precision * recall / (precision + recall + EPSILON);
      most = Math.max(most, f);
      sumF[k - 1] += f;
      pooled[0][k - 1] += right;
      pooled[1][k - 1] += wrong;
      pooled[2][k - 1] += all - right - wrong - missed;
      pooled[3][k - 1] += missed;
    }
    sumBest += most;
    images++;
  }

  private static int sum(int[] counts) {
    int sum = 0;
    for (int count : counts) {
      sum += count;
    }
    return sum;
  }

  /** Images added so far. */
  public int images() {
    return images;
  }

  /**
   * The summary.
   *
   * @param ods largest mean F over images at one threshold
   * @param threshold that threshold
   * @param ois mean over images of their largest F
   * @param ap area under the curve of all pixels together, target &gt; 0.5, without tolerance
   */
  public record Summary(double ods, double threshold, double ois, double ap) {}

  /** The summary of all images so far; zeros when there are none. */
  public Summary summary() {
    if (images == 0) {
      return new Summary(0, 0, 0, 0);
    }
    int best = 0;
    for (int k = 1; k < THRESHOLDS; k++) {
      if (sumF[k] > sumF[best]) {
        best = k;
      }
    }
    return new Summary(sumF[best] / images, (best + 1) / 100.0, sumBest / images, area());
  }

  /** Trapezoids between the points of the precision-recall curve, from recall 0. */
  private double area() {
    double total = 0;
    for (long p : positives) {
      total += p;
    }
    if (total == 0) {
      return 0;
    }
    double area = 0;
    double right = 0;
    double wrong = 0;
    double recall = 0;
    double precision = 1;
    for (int bin = BINS - 1; bin >= 0; bin--) {
      right += positives[bin];
      wrong += negatives[bin];
      if (right + wrong > 0 && positives[bin] + negatives[bin] > 0) {
        double r = right / total;
        double p = right / (right + wrong);
        area += (r - recall) * (p + precision) / 2;
        recall = r;
        precision = p;
      }
    }
    return area;
  }

  /**
   * Pixels of all images together per threshold: right, wrong, rightly empty, missed. Columns are
   * the thresholds k / 100 for k = 1 … 99.
   */
  public double[][] counts() {
    double[][] copy = new double[4][];
    for (int i = 0; i < 4; i++) {
      copy[i] = pooled[i].clone();
    }
    return copy;
  }
}
