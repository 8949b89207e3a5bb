package org.gammanet.experiments.responses;

import java.util.Arrays;
import org.gammanet.experiments.stimuli.PixelPoint;

/**
 * How much a response depends on each place of the image.
 *
 * @param height of the map, cells
 * @param width of the map, cells
 * @param values rows first; not negative where they are sensitivities
 * @param step distance between neighboring cells, pixels of the image
 * @param first the pixel that the first cell stands for
 */
public record ReceptiveField(int height, int width, double[] values, int step, PixelPoint first) {
  /** Fraction of the largest value above which a place belongs to the field. */
  public static final double SHARE = 0.1;

  /** Checks that the map has as many values as it says. */
  public ReceptiveField {
    if (height < 1 || width < 1 || values.length != height * width || step < 1) {
      throw new IllegalArgumentException(
          "%s values with a step of %s px are no map of %s x %s cells"
              .formatted(values.length, step, height, width));
    }
  }

  /** The largest value; 0 where nothing is positive. */
  public double largest() {
    return Math.max(0, Arrays.stream(values).max().orElse(0));
  }

  /** {@link #extent(double)} of what lies above 10 % of the largest value. */
  public int extent() {
    return extent(SHARE);
  }

  /**
   * The larger of the extents from top to bottom and from left to right, last - first + 1, of what
   * lies above a fraction of the largest value, pixels; 0 where nothing is positive.
   */
  public int extent(double fraction) {
    return Math.max(span(fraction, true), span(fraction, false));
  }

  private int span(double fraction, boolean vertical) {
    double level = fraction * largest();
    int from = Integer.MAX_VALUE;
    int to = -1;
    for (int i = 0; i < values.length; i++) {
      if (values[i] > level) {
        int at = vertical ? i / width : i % width;
        from = Math.min(from, at);
        to = Math.max(to, at);
      }
    }
    return to < 0 ? 0 : (to - from + 1) * step;
  }

  /**
   * Mean of the positive values, as weights, of the rows and columns: the center, (y, x) pixels.
   */
  public double[] center() {
    double sum = 0;
    double y = 0;
    double x = 0;
    for (int i = 0; i < values.length; i++) {
      double w = Math.max(0, values[i]);
      sum += w;
      y += w * (i / width);
      x += w * (i % width);
    }
    return new double[] {first.y() + step * y / sum, first.x() + step * x / sum};
  }

  /** Mean of several maps of the same places. */
  public static ReceptiveField mean(Iterable<ReceptiveField> fields) {
    ReceptiveField sum = null;
    int n = 0;
    for (ReceptiveField f : fields) {
      if (sum == null) {
        sum = new ReceptiveField(f.height, f.width, f.values.clone(), f.step, f.first);
      } else if (f.height != sum.height || f.width != sum.width) {
        throw new IllegalArgumentException("maps of different sizes have no mean");
      } else {
        for (int i = 0; i < sum.values.length; i++) {
          sum.values[i] += f.values[i];
        }
      }
      n++;
    }
    if (sum == null) {
      throw new IllegalArgumentException("no maps are given");
    }
    for (int i = 0; i < sum.values.length; i++) {
      sum.values[i] /= n;
    }
    return sum;
  }
}
