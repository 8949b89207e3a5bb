package org.gammanet.figures;

import java.awt.Font;
import java.awt.GraphicsEnvironment;
import java.awt.Shape;
import java.awt.font.FontRenderContext;
import java.awt.font.GlyphVector;
import java.awt.geom.AffineTransform;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Outlines of text for pictures: in the best font of this machine, or in {@link StrokeFont} where
 * Java has none or cannot use any.
 */
final class Glyphs {
  /** System property with the name of a font family, or {@value #BUILT_IN}. */
  static final String FONT_PROPERTY = "gammanet.figures.font";

  /** Asks for {@link StrokeFont}, with which a PNG is the same on every machine. */
  static final String BUILT_IN = "built-in";

  private static final FontRenderContext EXACT = new FontRenderContext(null, true, true);

  /** Outlines are made at this size and scaled, so that hinting cannot change them. */
  private static final int DESIGN_SIZE = 1000;

  private static final Glyphs CHOSEN = choose(System.getProperty(FONT_PROPERTY, ""));

  private final @Nullable Font font;

  private Glyphs(@Nullable Font font) {
    this.font = font;
  }

  static Glyphs chosen() {
    return CHOSEN;
  }

  static Glyphs choose(String wanted) {
    if (wanted.equals(BUILT_IN)) {
      return new Glyphs(null);
    }
    try {
      Set<String> present =
          Set.of(GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames());
      Font font = new Font(Font.SANS_SERIF, Font.PLAIN, DESIGN_SIZE);
      if (present.contains(wanted)) {
        font = new Font(wanted, Font.PLAIN, DESIGN_SIZE);
      } else {
        for (String family : Type.FAMILIES) {
          if (present.contains(family)) {
            font = new Font(family, Font.PLAIN, DESIGN_SIZE);
            break;
          }
        }
      }
      font.createGlyphVector(EXACT, "0").getOutline(); // a font system half there fails here
      return new Glyphs(font);
    } catch (RuntimeException | Error e) {
      if (e instanceof VirtualMachineError && !(e instanceof InternalError)) {
        throw e;
      }
      // No fontconfig, no font or no font library: Java reports each of them in a way of its own.
      return new Glyphs(null);
    }
  }

  /** Outline of a text that begins at (0, 0) and is never wider than {@link Type} says. */
  Shape outline(String text, double size, boolean bold) {
    if (font == null || font.canDisplayUpTo(text) >= 0) {
      return StrokeFont.outline(text, size, bold);
    }
    Font weight = bold ? font.deriveFont(Font.BOLD) : font;
    GlyphVector glyphs = weight.createGlyphVector(EXACT, text);
    double natural = glyphs.getGlyphPosition(glyphs.getNumGlyphs()).getX() * size / DESIGN_SIZE;
    double room = Type.plainWidth(text, size, bold);
    double narrow = natural > room ? room / natural : 1;
    double scale = size / DESIGN_SIZE;
    return AffineTransform.getScaleInstance(scale * narrow, scale)
        .createTransformedShape(glyphs.getOutline());
  }
}
