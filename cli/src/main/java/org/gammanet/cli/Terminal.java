package org.gammanet.cli;

import java.util.Locale;

/**
 * Whether standard output and error are terminals, which a JVM cannot ask but the launcher can
 * (property {@code gammanet.terminal}: the file numbers that are, then the width, as in {@code
 * 1,2,120}).
 */
final class Terminal {
  private static final String PROPERTY = System.getProperty("gammanet.terminal", "");

  private Terminal() {}

  /** Whether people read standard output directly. */
  static boolean outIsTerminal() {
    return has("1") && System.getenv("NO_COLOR") == null;
  }

  /** Whether people read the error stream directly. */
  static boolean errIsTerminal() {
    return has("2");
  }

  private static boolean has(String file) {
    return ("," + PROPERTY + ",").contains("," + file + ",");
  }

  /** Columns of the terminal; 80 if unknown. */
  static int width() {
    try {
      return Math.max(20, Integer.parseInt(PROPERTY.substring(PROPERTY.lastIndexOf(',') + 1)));
    } catch (NumberFormatException e) {
      return 80;
    }
  }

  /** Shows a line that the next one replaces, if people read the error stream directly. */
  static void draw(String text) {
    if (errIsTerminal()) {
      String shown = VisibleWriter.visible(text);
      System.err.print("\r\033[K" + shown.substring(0, Math.min(shown.length(), width() - 1)));
      System.err.flush();
    }
  }

  /** Takes away what {@link #draw} has shown, before something else is printed. */
  static void clear() {
    if (errIsTerminal()) {
      System.err.print("\r\033[K");
      System.err.flush();
    }
  }

  /** A bar of 26 characters; {@code part} is from 0 to 1. */
  static String bar(double part) {
    int width = 24;
    int filled = (int) Math.round(Math.clamp(part, 0, 1) * width);
    return "[" + "#".repeat(filled) + ".".repeat(width - filled) + "]";
  }

  /** A duration as 0:05, 12:34 or 1:02:03. */
  static String clock(double seconds) {
    long s = Math.round(seconds);
    return s < 3600
        ? String.format(Locale.ROOT, "%d:%02d", s / 60, s % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  }

  /** A number of bytes as people write it: 812 B, 1.5 kB, 171.2 MB; powers of 1000. */
  static String bytes(long count) {
    String[] units = {"B", "kB", "MB", "GB", "TB"};
    double value = count;
    int unit = 0;
    while (value >= 999.95 && unit < units.length - 1) {
      value /= 1000;
      unit++;
    }
    return unit == 0 ? count + " B" : String.format(Locale.ROOT, "%.1f %s", value, units[unit]);
  }
}
