package org.gammanet.experiments.analysis;

import java.util.Locale;
import org.gammanet.experiments.stimuli.Orientation;

/**
 * What one unit's responses r = max(R - blank, 0) to K orientations, evenly spaced over 180
 * degrees, say of its tuning. Undefined values are NaN.
 *
 * @param responsive whether Σr exceeds 1e-12
 * @param globalOsi {@code L = |Σ r e^{2iθ}| / Σ r}: 0 untuned, 1 a single orientation. The headline
 *     index: unlike {@link #osi} it does not depend on which sample happens to be largest (Mazurek,
 *     Kager and Van Hooser 2014)
 * @param circularVariance {@code 1 - L} (Ringach, Shapley and Hawken 2002)
 * @param preferredVector {@code ½ arg Σ r e^{2iθ}}, degrees in [0, 180); NaN where |Σ| ≤ 1e-9 Σr
 * @param preferredMaximum orientation of the first maximum, degrees
 * @param osi {@code (r_p - r_o)/(r_p + r_o)}, r_o at 90 degrees from the maximum, between samples
 *     by linear interpolation
 * @param modulationIndex {@code (max - min)/(max + min)}
 * @param halfWidth degrees to where r falls to half between its minimum and maximum, mean of both
 *     sides
 * @param halfWidthRoot2 degrees to where r, smoothed by (2, 5, 2)/9, falls to 1/√2 of its maximum
 *     (Ringach, Shapley and Hawken 2002)
 * @param step between orientations, degrees, which limits how narrow a half width can be
 */
public record OrientationMeasures(
    boolean responsive,
    double globalOsi,
    double circularVariance,
    double preferredVector,
    double preferredMaximum,
    double osi,
    double modulationIndex,
    double halfWidth,
    double halfWidthRoot2,
    double step) {

  /**
   * Measures a curve.
   *
   * @param orientations degrees, evenly spaced over 180, rising
   * @param responses R, one per orientation
   * @param blank response to no stimulus; 0 without one
   * @throws IllegalArgumentException for fewer than two orientations, uneven ones, or a response
   *     that is not a finite number
   */
  public static OrientationMeasures of(double[] orientations, double[] responses, double blank) {
    Curves.require(orientations, responses, 2, "orientation");
    Curves.finite(new double[] {blank}, "blank response");
    requireEven(orientations, 180);
    double[] r = Curves.rectified(responses, blank);
    int k = r.length;
    double sum = Curves.sum(r);
    double re = 0;
    double im = 0;
    for (int i = 0; i < k; i++) {
      double angle = 2 * Math.toRadians(orientations[i]);
      re += r[i] * Math.cos(angle);
      im += r[i] * Math.sin(angle);
    }
    double length = Math.hypot(re, im);
    boolean responsive = sum > Curves.EPSILON;
    double selectivity = responsive ? length / sum : Double.NaN;
    int peak = Curves.argMax(r);
    double largest = r[peak];
    double smallest = Curves.min(r);
    double orthogonal = between(r, peak + k / 2.0);
    return new OrientationMeasures(
        responsive,
        selectivity,
        1 - selectivity,
        responsive && length > 1e-9 * sum
            ? Orientation.wrap(Math.toDegrees(Math.atan2(im, re)) / 2)
            : Double.NaN,
        orientations[peak],
        ratio(largest - orthogonal, largest + orthogonal),
        ratio(largest - smallest, largest + smallest),
        halfWidth(r, smallest, 0.5),
        halfWidth(smoothed(r), 0, Math.sqrt(0.5)),
        180.0 / k);
  }

  static double ratio(double over, double under) {
    return under > Curves.EPSILON ? over / under : Double.NaN;
  }

  /** Requires values that go around a circle in equal steps. */
  static void requireEven(double[] angles, double period) {
    double step = period / angles.length;
    for (int i = 1; i < angles.length; i++) {
      if (Math.abs(angles[i] - angles[0] - i * step) > 1e-6 * period) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%d angles must rise in equal steps of %.4g degrees around %.0f, but %s follows %s",
                angles.length,
                step,
                period,
                angles[i],
                angles[i - 1]));
      }
    }
  }

  /** A value between samples of a closed curve. */
  static double between(double[] r, double index) {
    int low = (int) Math.floor(index);
    double fraction = index - low;
    return (1 - fraction) * r[low % r.length] + fraction * r[(low + 1) % r.length];
  }

  private static double[] smoothed(double[] r) {
    int k = r.length;
    double[] out = new double[k];
    for (int i = 0; i < k; i++) {
      out[i] = (2 * r[(i + k - 1) % k] + 5 * r[i] + 2 * r[(i + 1) % k]) / 9;
    }
    return out;
  }

  /** Mean distance, in degrees, from the first maximum to where the curve falls to a level. */
  private static double halfWidth(double[] r, double base, double fraction) {
    int k = r.length;
    int peak = Curves.argMax(r);
    if (r[peak] - base <= Curves.EPSILON) {
      return Double.NaN;
    }
    double level = base + fraction * (r[peak] - base);
    double total = 0;
    for (int side = -1; side <= 1; side += 2) {
      double previous = r[peak];
      int j = 1;
      while (j <= k / 2 && r[Math.floorMod(peak + side * j, k)] > level) {
        previous = r[Math.floorMod(peak + side * j, k)];
        j++;
      }
      if (j > k / 2) {
        return Double.NaN;
      }
      double next = r[Math.floorMod(peak + side * j, k)];
      total += j - 1 + (previous - level) / (previous - next);
    }
    return total / 2 * 180 / k;
  }
}
