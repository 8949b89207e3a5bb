package org.gammanet.figures;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;

/**
 * Ticks of an axis.
 *
 * @param values where the labeled ticks stand
 * @param labels their text
 * @param minor where unlabeled ticks stand
 * @param exponent power of ten by which the labels must be multiplied
 */
record Ticks(List<Double> values, List<String> labels, List<Double> minor, int exponent) {
  private static final double[] STEPS = {1, 2, 2.5, 5, 10};

  /** At most {@code most} (and never fewer than two) ticks at multiples of 1, 2, 2.5 or 5. */
  static Ticks linear(double lo, double hi, int most) {
    return linear(lo, hi, most, 0);
  }

  /** As {@link #linear(double, double, int)}, at least {@code leastStep} apart. */
  static Ticks linear(double lo, double hi, int most, double leastStep) {
    double rough = Math.max((hi - lo) / Math.max(most - 1, 1), leastStep);
    double decade = Math.pow(10, Math.floor(Math.log10(rough)));
    double step = 10 * decade;
    for (double s : STEPS) {
      // A range that holds a tick at both ends may have one more than steps.
      boolean whole = leastStep == 0 || s * decade % leastStep == 0;
      if (s * decade >= rough * (1 - 1e-9) && whole) {
        step = s * decade;
        break;
      }
    }
    var values = new ArrayList<Double>();
    double slack = 1e-9 * (hi - lo);
    for (double k = Math.ceil((lo - slack) / step); k * step <= hi + slack; k++) {
      values.add(k == 0 ? 0.0 : k * step); // no minus zero
    }
    double largest = Math.max(Math.abs(lo), Math.abs(hi));
    int magnitude = (int) Math.floor(Math.log10(largest) + 1e-12);
    int exponent = magnitude >= 5 || magnitude <= -4 ? magnitude : 0;
    double unit = step / Math.pow(10, exponent);
    int decimals = 0;
    while (decimals < 8
        && Math.abs(unit * Math.pow(10, decimals) % 1) > 1e-6
        && Math.abs(unit * Math.pow(10, decimals) % 1 - 1) > 1e-6) {
      decimals++;
    }
    var labels = new ArrayList<String>();
    for (double v : values) {
      labels.add(fixed(v / Math.pow(10, exponent), decimals));
    }
    return new Ticks(values, labels, List.of(), exponent);
  }

  /** Whole decades, with 2 and 5 between them while there is room; a linear choice when narrow. */
  static Ticks log(double lo, double hi, int most) {
    if (hi / lo < 4) {
      Ticks linear = linear(lo, hi, most);
      return linear.values.size() >= 2
          ? linear
          : new Ticks(List.of(lo, hi), List.of(shortest(lo), shortest(hi)), List.of(), 0);
    }
    int first = (int) Math.ceil(Math.log10(lo) - 1e-9);
    int last = (int) Math.floor(Math.log10(hi) + 1e-9);
    int stride = Math.max(1, (int) Math.ceil((last - first + 1) / (double) Math.max(most, 2)));
    boolean between = last - first < 2 && 3 * (last - first + 1) <= most + 2;
    var values = new ArrayList<Double>();
    var labels = new ArrayList<String>();
    var minor = new ArrayList<Double>();
    for (int e = first - 1; e <= last; e++) {
      for (int digit = 1; digit < 10; digit++) {
        double v = Double.parseDouble(digit + "e" + e);
        if (v < lo * (1 - 1e-9) || v > hi * (1 + 1e-9)) {
          continue;
        }
        if (digit == 1
            ? Math.floorMod(e - first, stride) == 0
            : between && (digit == 2 || digit == 5)) {
          values.add(v);
          labels.add(
              e < -3 || e > 4
                  ? (digit == 1 ? "" : digit + "×") + "10^{" + fixed(e, 0) + "}"
                  : shortest(v));
        } else if (stride == 1) {
          minor.add(v);
        }
      }
    }
    return new Ticks(values, labels, minor, 0);
  }

  /** Ticks that the author of the figure chose; those outside the limits are dropped. */
  static Ticks given(
      List<Double> ticks, List<String> tickLabels, double lo, double hi, boolean log) {
    var values = new ArrayList<Double>();
    var labels = new ArrayList<String>();
    double slack = log ? 0 : 1e-9 * (hi - lo);
    for (int i = 0; i < ticks.size(); i++) {
      double v = ticks.get(i);
      if (v >= lo - slack && v <= hi + slack) {
        values.add(v);
        labels.add(tickLabels.isEmpty() ? shortest(v) : tickLabels.get(i));
      }
    }
    return new Ticks(values, labels, List.of(), 0);
  }

  /** A number with fixed decimals and a true minus sign; "n/a" for NaN. */
  static String fixed(double value, int decimals) {
    if (!Double.isFinite(value)) {
      return notFinite(value);
    }
    return sign(new BigDecimal(value).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString());
  }

  /** A number with up to {@code digits} significant digits and no zeros at the end. */
  static String significant(double value, int digits) {
    if (!Double.isFinite(value)) {
      return notFinite(value);
    }
    if (value == 0) {
      return "0";
    }
    var rounded =
        new BigDecimal(value)
            .round(new java.math.MathContext(digits, RoundingMode.HALF_EVEN))
            .stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (exponent < -4 || exponent > 6) {
      String mantissa = rounded.movePointLeft(exponent).stripTrailingZeros().toPlainString();
      return sign(mantissa) + "×10^{" + sign(Integer.toString(exponent)) + "}";
    }
    return sign(rounded.toPlainString());
  }

  private static String shortest(double value) {
    return significant(value, 6);
  }

  private static String notFinite(double value) {
    return Double.isNaN(value) ? "n/a" : value > 0 ? "∞" : "\u2212∞";
  }

  private static String sign(String digits) {
    boolean zero = digits.chars().allMatch(c -> c == '-' || c == '0' || c == '.');
    return zero ? digits.replace("-", "") : digits.replace('-', '\u2212');
  }
}
