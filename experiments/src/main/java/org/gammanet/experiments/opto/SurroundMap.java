package org.gammanet.experiments.opto;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.stimuli.Orientation;

/**
 * One number per pixel about the perturbed site.
 *
 * @param values [height][width]
 * @param height pixels of the layer's map
 * @param width pixels
 * @param centerY row of the perturbed site
 * @param centerX column of the perturbed site
 */
public record SurroundMap(double[] values, int height, int width, double centerY, double centerX) {

  /**
   * Elongation of a map along an axis: from the second moments of its squared values about the
   * perturbed site, whose larger and smaller eigenvalue are a and b.
   *
   * @param index {@code (a - b) / (a + b)}: 0 for none, 1 for a line; NaN for an empty map
   * @param axis direction of the longer axis as a bar's, degrees in [0, 180) clockwise from
   *     horizontal; NaN for an empty map
   */
  public record Elongation(double index, double axis) {}

  /** Checks the size. */
  public SurroundMap {
    if (values.length != height * width) {
      throw new IllegalArgumentException(
          "%s values are not a map of %s x %s".formatted(values.length, height, width));
    }
  }

  /** This map minus another of the same size. */
  public SurroundMap minus(SurroundMap other) {
    double[] out = new double[values.length];
    Arrays.setAll(out, i -> values[i] - other.values[i]);
    return new SurroundMap(out, height, width, centerY, centerX);
  }

  /** The part within {@code reach} rows and columns of the perturbed site, clipped at the edges. */
  public SurroundMap crop(int reach) {
    int top = Math.max(0, (int) centerY - reach);
    int left = Math.max(0, (int) centerX - reach);
    int rows = Math.min(height, (int) centerY + reach + 1) - top;
    int columns = Math.min(width, (int) centerX + reach + 1) - left;
    double[] out = new double[rows * columns];
    for (int y = 0; y < rows; y++) {
      System.arraycopy(values, (top + y) * width + left, out, y * columns, columns);
    }
    return new SurroundMap(out, rows, columns, centerY - top, centerX - left);
  }

  private double dy(int i) {
    int row = i / width;
    return row - centerY;
  }

  private double dx(int i) {
    return i % width - centerX;
  }

  private double distance(int i) {
    return Math.hypot(dx(i), dy(i));
  }

  /** The values of pixels further than {@code inner} and at most {@code outer} away. */
  public double[] within(double inner, double outer) {
    return IntStream.range(0, values.length)
        .filter(i -> distance(i) > inner && distance(i) <= outer)
        .mapToDouble(i -> values[i])
        .toArray();
  }

  /** Mean over rings: entry k over the pixels whose distance, rounded half up, is k. */
  public double[] radialMean() {
    double furthest = 0;
    for (int i = 0; i < values.length; i++) {
      furthest = Math.max(furthest, distance(i));
    }
    double[] sum = new double[(int) Math.floor(furthest + 0.5) + 1];
    int[] count = new int[sum.length];
    for (int i = 0; i < values.length; i++) {
      int ring = (int) Math.floor(distance(i) + 0.5);
      sum[ring] += values[i];
      count[ring]++;
    }
    Arrays.setAll(sum, k -> count[k] == 0 ? Double.NaN : sum[k] / count[k]);
    return sum;
  }

  /**
   * Mean over sectors of an annulus by direction modulo 180 degrees. Sector k is centered on axis
   * {@code 180 k / bins} degrees, as a bar's.
   *
   * @param inner pixels nearer than this are left out
   * @param outer pixels further than this are left out
   * @return NaN for a sector without pixels
   */
  public double[] angularMean(double inner, double outer, int bins) {
    double[] sum = new double[bins];
    int[] count = new int[bins];
    for (int i = 0; i < values.length; i++) {
      double d = distance(i);
      if (d > 0 && d >= inner && d <= outer) {
        double axis = Orientation.wrap(Math.toDegrees(Math.atan2(dy(i), dx(i))));
        int bin = (int) Math.floor(axis * bins / 180 + 0.5) % bins;
        sum[bin] += values[i];
        count[bin]++;
      }
    }
    Arrays.setAll(sum, k -> count[k] == 0 ? Double.NaN : sum[k] / count[k]);
    return sum;
  }

  /** Elongation of the map. */
  public Elongation elongation() {
    double xx = 0;
    double yy = 0;
    double xy = 0;
    for (int i = 0; i < values.length; i++) {
      double w = values[i] * values[i];
      xx += w * dx(i) * dx(i);
      yy += w * dy(i) * dy(i);
      xy += w * dx(i) * dy(i);
    }
    if (!(xx + yy > 0)) {
      return new Elongation(Double.NaN, Double.NaN);
    }
    double spread = Math.hypot(xx - yy, 2 * xy);
    double axis = Orientation.wrap(Math.toDegrees(Math.atan2(2 * xy, xx - yy)) / 2);
    return new Elongation(spread / (xx + yy), axis);
  }

  /**
   * Mean absolute value within 22.5 degrees of an axis over that within 22.5 degrees of the
   * orthogonal one: above 1 where the map follows the axis.
   *
   * @param axis as a bar's, degrees
   */
  public double alongToAcross(double axis) {
    double[] sum = new double[2];
    int[] count = new int[2];
    for (int i = 0; i < values.length; i++) {
      if (distance(i) > 0) {
        double off =
            Math.abs(Orientation.difference(Math.toDegrees(Math.atan2(dy(i), dx(i))), axis));
        int side = off <= 22.5 ? 0 : off >= 67.5 ? 1 : 2;
        if (side < 2) {
          sum[side] += Math.abs(values[i]);
          count[side]++;
        }
      }
    }
    return sum[0] / count[0] / (sum[1] / count[1]);
  }

  /** Pearson correlation with another map over the pixels within a distance. */
  public double correlation(SurroundMap other, double within) {
    return Statistics.pearson(within(-1, within), other.within(-1, within));
  }
}
