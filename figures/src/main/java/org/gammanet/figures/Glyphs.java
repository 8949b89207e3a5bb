package org.gammanet.figures;

import java.awt.geom.Path2D;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.StringTokenizer;

/**
 * The font of PNG files and the widths of all text: outlines of Liberation Sans, whose advances are
 * those of Helvetica and Arial. They are read as plain paths, not by {@code Font.createFont}: that
 * fails where the system has no fontconfig or no font, as in most containers. So a figure has the
 * same layout, and a PNG the same bytes, on every machine.
 */
final class Glyphs {
  /** Units per em. */
  static final int UNITS = 2048;

  /** Stands for characters that the font lacks. */
  private static final char MISSING = '\uFFFF';

  /** Advance and outline, as SVG writes paths: M, L, Q, Z. */
  private record Glyph(int advance, String outline) {}

  private static final Map<Character, Glyph> REGULAR = new HashMap<>();
  private static final Map<Character, Glyph> BOLD = new HashMap<>();

  static {
    try (var lines =
        new BufferedReader(
            new InputStreamReader(
                Objects.requireNonNull(Glyphs.class.getResourceAsStream("glyphs.txt")),
                StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (!line.startsWith("#")) {
          String[] words = line.split(" ", 3);
          boolean bold = words[0].startsWith("B");
          char c = (char) Integer.parseInt(bold ? words[0].substring(1) : words[0], 16);
          (bold ? BOLD : REGULAR).put(c, new Glyph(Integer.parseInt(words[1]), words[2]));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Glyphs() {}

  private static Glyph glyph(char c, boolean bold) {
    Map<Character, Glyph> font = bold ? BOLD : REGULAR;
    Glyph glyph = font.get(c);
    return glyph != null ? glyph : Objects.requireNonNull(font.get(MISSING));
  }

  /** Width of a text in units of {@link #UNITS} per em. */
  static int advance(String text, boolean bold) {
    return text.chars().map(c -> glyph((char) c, bold).advance).sum();
  }

  /** Outline of a text that begins at (0, 0), in units of {@link #UNITS} per em, y downwards. */
  static Path2D outline(String text, boolean bold) {
    var path = new Path2D.Double(Path2D.WIND_NON_ZERO);
    double x = 0;
    for (int i = 0; i < text.length(); i++) {
      Glyph glyph = glyph(text.charAt(i), bold);
      for (String part : glyph.outline.split("(?=[MLQZ])")) {
        double[] p = new double[4];
        int n = 0;
        for (var words = new StringTokenizer(part, "MLQZ "); words.hasMoreTokens(); n++) {
          p[n] = Double.parseDouble(words.nextToken());
        }
        switch (part.isEmpty() ? ' ' : part.charAt(0)) {
          case 'M' -> path.moveTo(x + p[0], p[1]);
          case 'L' -> path.lineTo(x + p[0], p[1]);
          case 'Q' -> path.quadTo(x + p[0], p[1], x + p[2], p[3]);
          case 'Z' -> path.closePath();
          default -> {} // a space has no outline
        }
      }
      x += glyph.advance;
    }
    return path;
  }
}
