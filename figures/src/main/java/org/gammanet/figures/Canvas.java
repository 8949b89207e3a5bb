package org.gammanet.figures;

import java.awt.geom.Path2D;
import org.jspecify.annotations.Nullable;

/**
 * The primitives of which every figure is made. Lengths are points (1/72 inch), x grows to the
 * right, y downwards, colors are {@code 0xRRGGBB}.
 */
interface Canvas {
  /** Which part of a text stands at its position. */
  enum Anchor {
    START,
    MIDDLE,
    END;

    /** Fraction of the text to the left of its position. */
    double fraction() {
      return ordinal() / 2.0;
    }
  }

  /** A line: color, opacity 0 to 1, width and dashes in points (empty: solid). */
  record Pen(int rgb, double opacity, double width, double... dashes) {}

  /** A filling: color and opacity 0 to 1. */
  record Ink(int rgb, double opacity) {}

  /** How a text looks: size in points, weight, color. */
  record Font(double size, boolean bold, int rgb) {}

  /** Draws an outline, a filling or both; even-odd or non-zero as the path says. */
  void path(Path2D path, @Nullable Ink fill, @Nullable Pen pen);

  /** Fills a rectangle with edges on whole pixels, so that neighbors touch without a seam. */
  void cell(double x, double y, double width, double height, int rgb);

  /**
   * Writes one line of text; {@code ^{…}} and {@code _{…}} raise and lower a part.
   *
   * @param x, y position of the anchor on the base line
   * @param degrees rotation about the position, counterclockwise on the page
   */
  void text(String text, double x, double y, Font font, Anchor anchor, double degrees);

  /** Draws a picture of {@code columns} pixels a row, each an even rectangle, without smoothing. */
  void image(int[] rgb, int columns, double x, double y, double width, double height);

  /** Restricts what follows to a rectangle until {@link #unclip}. */
  void clip(double x, double y, double width, double height);

  /** Ends the restriction of {@link #clip}. */
  void unclip();
}
