package org.gammanet.figures;

import java.util.ArrayList;
import java.util.List;

/**
 * Measures text by the advance widths that Helvetica, Arial, Liberation Sans and Nimbus Sans share,
 * so that a figure's layout is the same on every machine, whichever font draws it.
 */
final class Type {
  /** The families with these widths, best known first, then the general one. */
  static final List<String> FAMILIES =
      List.of("Helvetica", "Arial", "Liberation Sans", "Nimbus Sans", "Arimo", "SansSerif");

  /** Size of raised and lowered parts relative to the line. */
  static final double SCRIPT_SIZE = 0.7;

  /** Height of capitals relative to the size. */
  static final double CAP_HEIGHT = 0.72;

  /** Advance of the printable ASCII characters from space to tilde, thousandths of the size. */
  private static final int[] ASCII = {
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, // space … /
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, // 0 … ?
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, // @ … O
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, // P … _
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, // ` … o
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584 // p … ~
  };

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
    double width = 0;
    for (int i = 0; i < text.length(); i++) {
      width += advance(text.charAt(i));
    }
    return width * size / 1000 * (bold ? 1.06 : 1);
  }

  private static int advance(char c) {
    if (c >= ' ' && c <= '~') {
      return ASCII[c - ' '];
    }
    return switch (c) {
      case '\u2212', '±', '×', '≤', '≥', '≈' -> 584;
      case '°', '·', '²', '³', '¹', '′' -> 333;
      case '½', '…', '—', '→', '‰' -> 1000;
      case 'κ', 'λ' -> 500;
      case 'Δ' -> 668;
      default -> 556;
    };
  }
}
