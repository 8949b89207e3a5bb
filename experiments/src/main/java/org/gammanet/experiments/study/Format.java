package org.gammanet.experiments.study;

import java.util.Locale;
import org.gammanet.experiments.analysis.Statistics;
import org.jspecify.annotations.Nullable;

/** Numbers for reading. */
public final class Format {
  private Format() {}

  /** Three or four digits; "n/a" for NaN. */
  public static String number(double value) {
    if (!Double.isFinite(value)) {
      return "n/a";
    }
    double size = Math.abs(value);
    if (value == Math.rint(value) && size < 1e6) {
      return Long.toString((long) value);
    }
    String pattern = size < 1e-3 ? "%.2g" : size < 10 ? "%.3f" : size < 1000 ? "%.1f" : "%.4g";
    return String.format(Locale.ROOT, pattern, value);
  }

  /** Four significant digits; "n/a" for NaN. */
  public static String significant(double value) {
    return Double.isNaN(value) ? "n/a" : String.format(Locale.ROOT, "%.4g", value);
  }

  /** A label: at most four significant digits and no trailing zeros. */
  public static String label(double value) {
    return String.format(Locale.ROOT, "%.4g", value)
        .replaceAll("(\\.\\d*?)0+$", "$1")
        .replaceAll("\\.$", "");
  }

  /** A score in [0, 1] with four decimals; "n/a" for NaN. */
  public static String score(double value) {
    return Double.isNaN(value) ? "n/a" : String.format(Locale.ROOT, "%.4f", value);
  }

  /** As {@link #number} with a unit, such as {@code " px"}. */
  public static String number(double value, String unit) {
    return Double.isFinite(value) ? number(value) + unit : "n/a";
  }

  /** A fraction in percent. */
  public static String percent(double fraction) {
    return number(100 * fraction, " %");
  }

  /** Numbers with commas between them. */
  public static String numbers(double... values) {
    var out = new StringBuilder();
    for (double v : values) {
      out.append(out.isEmpty() ? "" : ", ").append(number(v));
    }
    return out.toString();
  }

  /** A value with its interval. */
  public static String interval(Statistics.Interval i) {
    return "%s [%s, %s]".formatted(number(i.value()), number(i.low()), number(i.high()));
  }

  /** The p value of a test; "n/a" where there was none. */
  public static String p(Statistics.@Nullable Test test) {
    return "p " + p(test == null ? Double.NaN : test.p());
  }

  /** A p value. */
  public static String p(double value) {
    return Double.isNaN(value)
        ? "n/a"
        : value < 1e-3 ? "< 0.001" : String.format(Locale.ROOT, "%.3f", value);
  }
}
