package org.gammanet.figures;

import java.awt.Font;
import java.awt.font.FontRenderContext;
import java.awt.font.GlyphVector;
import java.awt.geom.PathIterator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;

/**
 * Extracts the outlines that {@link Glyphs} reads: {@code FontOutlines regular.ttf bold.ttf FILE}.
 * Run it where Java finds fontconfig; it was run on Liberation Sans 2.1.5.
 */
final class FontOutlines {
  private static final String OTHERS = "–—‘’“”…′‰→←∞\u2212≤≥≈≠√∑";

  private FontOutlines() {}

  public static void main(String[] files) throws Exception {
    var out = new StringBuilder();
    out.append("# Outlines of a subset of Liberation Sans 2.1.5 under the SIL Open Font License,")
        .append(" see OFL.txt; made by FontOutlines.\n")
        .append("# A line per glyph: code point (bold ones: with a B), advance, outline;")
        .append(" 2048 units per em, y downwards.\n");
    for (int weight = 0; weight < 2; weight++) {
      Font font = Font.createFont(Font.TRUETYPE_FONT, Path.of(files[weight]).toFile());
      font = font.deriveFont((float) Glyphs.UNITS);
      for (int c :
          IntStream.concat(
                  IntStream.of(0xFFFF), // stands for all that are missing
                  IntStream.concat(
                      IntStream.concat(
                          IntStream.rangeClosed(' ', '~'), IntStream.rangeClosed(0xA0, 0xFF)),
                      IntStream.concat(IntStream.rangeClosed(0x391, 0x3C9), OTHERS.chars())))
              .toArray()) {
        if (c == 0xFFFF || font.canDisplay(c)) {
          out.append(weight == 1 ? "B" : "").append(Integer.toHexString(c));
          glyph(font, c, out);
        }
      }
    }
    Files.writeString(Path.of(files[2]), out);
  }

  private static void glyph(Font font, int c, StringBuilder out) {
    var context = new FontRenderContext(null, true, true);
    GlyphVector glyph =
        c == 0xFFFF
            ? font.createGlyphVector(context, new int[] {0})
            : font.createGlyphVector(context, String.valueOf((char) c));
    out.append(' ').append(Math.round(glyph.getGlyphPosition(1).getX())).append(' ');
    float[] p = new float[6];
    for (var i = glyph.getOutline().getPathIterator(null); !i.isDone(); i.next()) {
      int kind = i.currentSegment(p);
      out.append("MLQCZ".charAt(kind));
      int values = kind == PathIterator.SEG_CLOSE ? 0 : kind == PathIterator.SEG_QUADTO ? 4 : 2;
      for (int k = 0; k < values; k++) {
        out.append(k == 0 ? "" : " ").append(Math.round(p[k]));
      }
    }
    out.append('\n');
  }
}
