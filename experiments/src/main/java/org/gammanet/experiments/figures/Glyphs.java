package org.gammanet.experiments.figures;

import java.awt.Font;
import java.awt.GraphicsEnvironment;
import java.awt.Shape;
import java.awt.font.FontRenderContext;
import java.awt.font.GlyphVector;
import java.awt.geom.AffineTransform;
import java.util.Set;

/** Outlines of text in the best font of this machine. */
final class Glyphs {
  private static final FontRenderContext EXACT = new FontRenderContext(null, true, true);

  /** Outlines are made at this size and scaled, so that hinting cannot change them. */
  private static final int DESIGN_SIZE = 1000;

  private static final Font FONT = find();

  private Glyphs() {}

  private static Font find() {
    Set<String> present =
        Set.of(GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames());
    for (String family : Type.FAMILIES) {
      if (present.contains(family)) {
        return new Font(family, Font.PLAIN, DESIGN_SIZE);
      }
    }
    return new Font(Font.SANS_SERIF, Font.PLAIN, DESIGN_SIZE);
  }

  /** Outline of a text that begins at (0, 0) and is never wider than {@link Type} says. */
  static Shape outline(String text, double size, boolean bold) {
    Font font = bold ? FONT.deriveFont(Font.BOLD) : FONT;
    GlyphVector glyphs = font.createGlyphVector(EXACT, text);
    double natural = glyphs.getGlyphPosition(glyphs.getNumGlyphs()).getX() * size / DESIGN_SIZE;
    double room = Type.plainWidth(text, size, bold);
    double narrow = natural > room ? room / natural : 1;
    double scale = size / DESIGN_SIZE;
    return AffineTransform.getScaleInstance(scale * narrow, scale)
        .createTransformedShape(glyphs.getOutline());
  }
}
