package org.gammanet.figures;

import java.util.ArrayList;
import java.util.List;

/** Measures text and splits it into its raised and lowered parts. */
final class Type {
  /** Size of raised and lowered parts relative to the line. */
  static final double SCRIPT_SIZE = 0.7;

  /** Height of capitals relative to the size. */
  static final double CAP_HEIGHT = 0.72;

  /** A stretch of text on one height: 0 on the line, 1 raised, -1 lowered. */
  record Run(String text, int level) {
    double size(double lineSize) {
      return level == 0 ? lineSize : SCRIPT_SIZE * lineSize;
    }

    /** Distance of the base line above that of the whole text. */
    double rise(double lineSize) {
      return level > 0 ? 0.36 * lineSize : level < 0 ? -0.16 * lineSize : 0;
    }
  }

  private Type() {}

  /** Splits {@code R^{2}} into its runs; a sign without a brace stands for itself. */
  static List<Run> runs(String text) {
    var runs = new ArrayList<Run>();
    int from = 0;
    for (int i = 0; i + 1 < text.length(); i++) {
      char c = text.charAt(i);
      int end = text.indexOf('}', i);
      if ((c == '^' || c == '_') && text.charAt(i + 1) == '{' && end > 0) {
        if (i > from) {
          runs.add(new Run(text.substring(from, i), 0));
        }
        runs.add(new Run(text.substring(i + 2, end), c == '^' ? 1 : -1));
        from = end + 1;
        i = end;
      }
    }
    if (from < text.length()) {
      runs.add(new Run(text.substring(from), 0));
    }
    return runs;
  }

  /** Width in points of a text with raised and lowered parts. */
  static double width(String text, double size, boolean bold) {
    double width = 0;
    for (Run run : runs(text)) {
      width += plainWidth(run.text(), run.size(size), bold);
    }
    return width;
  }

  /** Width in points of characters that all have one size. */
  static double plainWidth(String text, double size, boolean bold) {
    return Glyphs.advance(text, bold) * size / Glyphs.UNITS;
  }
}
