package org.gammanet.figures;

import java.awt.BasicStroke;
import java.awt.geom.AffineTransform;
import java.awt.geom.Arc2D;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.util.HashMap;
import java.util.Map;

/**
 * Letters drawn with a round pen, for machines on which Java finds no font at all (a container
 * without fontconfig, a JDK without its font library). Every glyph fits the advance of {@link
 * Type}, so a figure has the same layout with it.
 */
final class StrokeFont {
  private static final double PEN = 7.4;
  private static final double BOLD_PEN = 11.5;

  /**
   * Middle lines of the strokes in hundredths of the size, y upwards from the base line: M, L, Q, C
   * as in SVG; {@code D x y} a dot; {@code O x y rx ry} an ellipse; {@code A x y rx ry start
   * extent} an arc in degrees, counter-clockwise, joined to the point before it if there is one.
   */
  private static final Map<Character, String> SKELETONS = new HashMap<>();

  private static void glyph(char c, String skeleton) {
    SKELETONS.put(c, skeleton);
  }

  static {
    glyph(' ', "");
    glyph('A', "M6 4L33.3 68L60.7 4M15.4 26L51.3 26");
    glyph('B', "M10 4L10 68L35 68A35 53 16.5 15 90 -180L10 38M35 38A37 21 20 17 90 -180L10 4");
    glyph('C', "A38 36 29.5 32 42 276");
    glyph('D', "M10 4L10 68L33 68A33 36 31 32 90 -180L10 4");
    glyph('E', "M58 68L11 68L11 4L59 4M11 37L54 37");
    glyph('F', "M55 68L11 68L11 4M11 36L49 36");
    glyph('G', "A39 36 31 32 42 288L69 34L43 34");
    glyph('H', "M10 4L10 68M62 4L62 68M10 37L62 37");
    glyph('I', "M14 4L14 68");
    glyph('J', "M39 68L39 22A22 22 17 18 0 -170");
    glyph('K', "M10 4L10 68M60 68L10 27M26 40L61 4");
    glyph('L', "M10 68L10 4L51 4");
    glyph('M', "M10 4L10 68L41.6 8L73.3 68L73.3 4");
    glyph('N', "M10 4L10 68L62 4L62 68");
    glyph('O', "O38.9 36 32 32");
    glyph('P', "M10 4L10 68L39 68A39 50.5 20 17.5 90 -180L10 33");
    glyph('Q', "O38.9 36 32 32M46 20L69 1");
    glyph('R', "M10 4L10 68L41 68A41 51.5 20 16.5 90 -180L10 35M40 35L63 4");
    glyph(
        'S',
        "M57 55C55 64 45 68 34 68C20 68 10 62 10 52C10 41 20 39 33 36C48 33 58 30 58 20"
            + "C58 9 46 4 33 4C20 4 10 10 8 20");
    glyph('T', "M3 68L58 68M30.5 68L30.5 4");
    glyph('U', "M10 68L10 28A36 28 26 24.5 180 180L62 68");
    glyph('V', "M5 68L33.3 4L62 68");
    glyph('W', "M4 68L25 4L47.2 66L69.4 4L90.4 68");
    glyph('X', "M6 68L61 4M6 4L61 68");
    glyph('Y', "M5 68L33.3 34L62 68M33.3 34L33.3 4");
    glyph('Z', "M6 68L55 68L6 4L56 4");

    glyph('0', "O27.8 36 20 32");
    glyph('1', "M13 54Q28 57 30 68L30 4");
    glyph('2', "M9 50C9 62 17 68 28 68C39 68 47 61 47 51C47 40 39 34 27 25C15 17 9 12 8 4L48 4");
    glyph(
        '3',
        "M9 54C11 63 18 68 27.5 68C38 68 45 61 45 53C45 44 38 38 27 38L23 38L27 38"
            + "C39 38 48 32 48 21.5C48 11 39 4 27.5 4C17 4 9 10 7.5 20");
    glyph('4', "M37 4L37 68L6 22L50 22");
    glyph(
        '5',
        "M45 68L15 68L11 36C16 40 21 43 28 43C40 43 48 35 48 24C48 12 39 4 27 4C17 4 9 9 7 18");
    glyph(
        '6',
        "M46 55C44 63 38 68 29 68C15 68 8 55 8 34C8 14 16 4 28 4C40 4 48 13 48 24.5"
            + "C48 36 40 44 29 44C17 44 8.5 35 8 26");
    glyph('7', "M8 68L49 68C34 50 25 28 22 4");
    glyph('8', "O27.8 53 17.5 15O27.8 21 20 17");
    glyph(
        '9',
        "M9.6 17C11.6 9 17.6 4 26.6 4C40.6 4 47.6 17 47.6 38C47.6 58 39.6 68 27.6 68"
            + "C15.6 68 7.6 59 7.6 47.5C7.6 36 15.6 28 26.6 28C38.6 28 47.1 37 47.6 46");

    glyph(
        'a',
        "M10 38C12 46 18 49 27 49C38 49 43 45 43 36L43 12C43 6 45 4 50 4"
            + "M43 29C40 26 33 26 26 25C15 24 8 20 8 13.5C8 7 14 3.5 21 3.5C31 3.5 43 10 43 20");
    glyph('b', "M9 70L9 4O28.5 26.5 19.5 22.5");
    glyph('c', "A27 26.5 19.5 22.5 45 270");
    glyph('d', "M46.5 70L46.5 4O27 26.5 19.5 22.5");
    glyph('e', "M8 27L47 27A27.5 26.5 19.5 22.5 0 318");
    glyph('f', "M25 69C17 71 13 67 13 58L13 4M3 49L25 49");
    glyph('g', "M46.5 49L46.5 2A28 2 18.5 19 0 -155O27 26.5 19.5 22.5");
    glyph('h', "M9 70L9 4M9 30A27.5 30 18.5 19 180 -180L46 4");
    glyph('i', "M11 49L11 4D11 66");
    glyph('j', "M11 49L11 -8C11 -14 8 -17 1 -16D11 66");
    glyph('k', "M9 70L9 4M42 49L9 19M22 31L45 4");
    glyph('l', "M11 70L11 4");
    glyph('m', "M9 49L9 4M9 32A25.5 32 16.5 17 180 -180L42 4M42 32A58.5 32 16.5 17 180 -180L75 4");
    glyph('n', "M9 49L9 4M9 30A27.5 30 18.5 19 180 -180L46 4");
    glyph('o', "O27.8 26.5 20.5 22.5");
    glyph('p', "M9 49L9 -17O28.5 26.5 19.5 22.5");
    glyph('q', "M46.5 49L46.5 -17O27 26.5 19.5 22.5");
    glyph('r', "M9 49L9 4M9 28C9 42 17 50 30 48");
    glyph(
        's',
        "M42 39C40 46 34 49 25.5 49C15 49 9 45 9 38C9 30 16 28.5 25 26.5"
            + "C36 24 43 22 43 14.5C43 7 35 4 25.5 4C15 4 9 8 7.5 15");
    glyph('t', "M13 62L13 14C13 6 17 3 25 5M3 49L25 49");
    glyph('u', "M9 49L9 23A27.5 23 18.5 19 180 180M46 49L46 4");
    glyph('v', "M4 49L25 4L46 49");
    glyph('w', "M3 49L19 4L36 48L53 4L69 49");
    glyph('x', "M5 49L45 4M5 4L45 49");
    glyph('y', "M4 49L25 6M46 49L25 4L20 -8C17 -14 13 -17 6 -16");
    glyph('z', "M6 49L43 49L6 4L44 4");

    glyph('!', "M14 70L14 24D14 4.5");
    glyph('"', "M11 70L11 50M24 70L24 50");
    glyph('#', "M20 68L14 4M42 68L36 4M6 46L50 46M4 25L48 25");
    glyph(
        '$',
        "M46 53C44 62 36 66 27.5 66C17 66 9 60 9 52C9 42 17 39.5 27 37"
            + "C39 34 47 31 47 21C47 11 38 6 27.5 6C16 6 9 12 8 21M27.8 74L27.8 -3");
    glyph('%', "O21 53 13.5 15O68 19 13.5 15M66 68L23 4");
    glyph(
        '&',
        "M60 4L20 48C14 56 18 68 29 68C39 68 44 58 37 50C30 43 9 37 9 20"
            + "C9 10 17 4 27 4C42 4 53 16 56 32");
    glyph('\'', "M9.5 70L9.5 50");
    glyph('(', "M27 74C11 58 8 42 8 28C8 14 11 -2 27 -18");
    glyph(')', "M6 74C22 58 25 42 25 28C25 14 22 -2 6 -18");
    glyph('*', "M19.5 70L19.5 48M10 65L29 53M29 65L10 53");
    glyph('+', "M29 52L29 8M7 30L51 30");
    glyph(',', "M14 5L14 2L10 -9");
    glyph('-', "M5 27L28 27");
    glyph('.', "D14 4.5");
    glyph('/', "M2 0L26 70");
    glyph(':', "D14 4.5D14 46.5");
    glyph(';', "D14 46.5M14 5L14 2L10 -9");
    glyph('<', "M51 50L8 30L51 10");
    glyph('=', "M7 40L51 40M7 20L51 20");
    glyph('>', "M8 50L51 30L8 10");
    glyph('?', "M10 52C10 62 17 68 28 68C39 68 47 61 47 51C47 38 29 38 28 23D28 4.5");
    glyph('@', "M68 44L64 18C63 9 70 8 77 12C86 18 92 28 92 36A50 28 43 42 12 290O50 28 16 17");
    glyph('[', "M24 72L10 72L10 -16L24 -16");
    glyph('\\', "M2 70L26 0");
    glyph(']', "M4 72L18 72L18 -16L4 -16");
    glyph('^', "M6 38L23.5 68L41 38");
    glyph('_', "M0 -12L55.6 -12");
    glyph('`', "M8 70L20 58");
    glyph('{', "M29 72C17 72 18 64 18 50C18 36 17 29 6 28C17 27 18 20 18 6C18 -8 17 -16 29 -16");
    glyph('|', "M13 72L13 -18");
    glyph('}', "M4 72C16 72 15 64 15 50C15 36 16 29 27 28C16 27 15 20 15 6C15 -8 16 -16 4 -16");
    glyph('~', "M7 24C12 36 22 36 29 30C36 24 46 24 51 36");

    glyph('\u2212', "M7 30L51 30");
    glyph('±', "M29 58L29 20M9 39L49 39M9 6L49 6");
    glyph('×', "M11 48L47 12M47 48L11 12");
    glyph('≤', "M51 58L8 40L51 22M8 6L51 6");
    glyph('≥', "M8 58L51 40L8 22M8 6L51 6");
    glyph(
        '≈', "M7 34C12 46 22 46 29 40C36 34 46 34 51 46M7 14C12 26 22 26 29 20C36 14 46 14 51 26");
    glyph('°', "O16.7 59 10 10");
    glyph('·', "D16.5 30");
    glyph('′', "M20 70L14 50");
    glyph('…', "D17 4.5D50 4.5D83 4.5");
    glyph('–', "M2 27L53.6 27");
    glyph('—', "M2 27L98 27");
    glyph('→', "M6 30L94 30M74 46L94 30L74 14");
    glyph('∞', "M28 30C20 44 6 44 6 30C6 16 20 16 28 30C36 44 50 44 50 30C50 16 36 16 28 30");
    glyph('¹', "M8 60Q16 62 17 68L17 33");
    glyph('²', "M5 58C5 65 10 68 16 68C23 68 27 64 27 58C27 50 8 44 5 33L28 33");
    glyph(
        '³',
        "M6 61C7 66 11 68 16 68C22 68 26 65 26 60C26 54 21 52 15 52"
            + "C22 52 27 49 27 42C27 36 22 33 16 33C10 33 6 36 5 40");
    glyph('½', "M6 60Q14 62 15 68L15 36M28 2L66 70M66 26C66 40 92 40 92 26C92 18 70 14 65 4L93 4");

    glyph('Δ', "M5 4L33.4 68L62 4L5 4");
    glyph('Σ', "M50 68L8 68L30 36L8 4L50 4");
    glyph('α', "M50 49C42 28 36 4 24 4C14 4 8 13 8 26.5C8 40 14 49 25 49C38 49 42 26 50 4");
    glyph(
        'β',
        "M9 -17L9 52C9 64 16 69 25 69C35 69 42 63 42 55C42 46 35 41 24 41C38 41 47 35 47 23"
            + "C47 11 38 4 26 4C19 4 13 6 9 9");
    glyph('γ', "M4 46C14 52 22 34 27 12L48 49M27 12C24 2 22 -17 27 -17C32 -17 30 2 27 12");
    glyph('θ', "O27.8 36 19 32M9 36L46.6 36");
    glyph('κ', "M9 49L9 4M43 48C30 46 24 28 9 27M21 29C30 28 36 10 45 5");
    glyph('λ', "M6 69C16 72 19 62 22 52L43 4M25 44L6 4");
    glyph('μ', "M9 49L9 -17M9 23A27 23 18 19 180 180M45 49L45 12C45 5 47 4 51 4");
    glyph('µ', "M9 49L9 -17M9 23A27 23 18 19 180 180M45 49L45 12C45 5 47 4 51 4");
    glyph('π', "M4 48L52 48M17 48L14 4M38 48L40 4");
    glyph('ρ', "M8 -17L8 26.5A28 26.5 20 22.5 180 -360");
    glyph('σ', "M53 48L27 48A27 26 19.5 22 90 360");
    glyph('τ', "M5 48L49 48M26 48L26 14C26 6 30 3 38 5");
    glyph('φ', "O27.8 26.5 20.5 22.5M27.8 68L27.8 -17");
    glyph('χ', "M5 48C12 50 15 46 18 40L38 -10C41 -16 44 -18 50 -16M48 48L7 -16");
    glyph('ω', "M15 48C2 34 6 4 18 4C26 4 28 14 28 24C28 14 30 4 38 4C50 4 54 34 41 48");
  }

  /** What stands for a character that is not among the glyphs. */
  private static final String BOX = "M8 4L8 68L47 68L47 4L8 4";

  private StrokeFont() {}

  /** Outline of a text whose base line begins at (0, 0), y downwards. */
  static Path2D outline(String text, double size, boolean bold) {
    var line = new Path2D.Double();
    var dots = new Path2D.Double();
    double width = bold ? BOLD_PEN : PEN;
    double x = 0;
    for (int i = 0; i < text.length(); i++) {
      String letter = text.substring(i, i + 1);
      double stretch = bold ? 1.06 : 1;
      var place = new AffineTransform(stretch, 0, 0, -1, x, 0);
      var strokes = new Path2D.Double();
      var filled = new Path2D.Double();
      parse(SKELETONS.getOrDefault(text.charAt(i), BOX), 0.65 * width, strokes, filled);
      line.append(strokes.getPathIterator(place), false);
      dots.append(filled.getPathIterator(place), false);
      x += 100 * Type.plainWidth(letter, 1, bold);
    }
    var pen = new BasicStroke((float) width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
    var outline = new Path2D.Double(pen.createStrokedShape(line));
    outline.append(dots, false);
    outline.transform(AffineTransform.getScaleInstance(size / 100, size / 100));
    return outline;
  }

  private static void parse(String skeleton, double dot, Path2D path, Path2D dots) {
    for (int i = 0; i < skeleton.length(); ) {
      int end = i + 1;
      while (end < skeleton.length() && !Character.isLetter(skeleton.charAt(end))) {
        end++;
      }
      String[] words = skeleton.substring(i + 1, end).split(" ", -1);
      double[] p = new double[words.length];
      for (int k = 0; k < p.length; k++) {
        p[k] = Double.parseDouble(words[k]);
      }
      switch (skeleton.charAt(i)) {
        case 'M' -> path.moveTo(p[0], p[1]);
        case 'L' -> path.lineTo(p[0], p[1]);
        case 'Q' -> path.quadTo(p[0], p[1], p[2], p[3]);
        case 'C' -> path.curveTo(p[0], p[1], p[2], p[3], p[4], p[5]);
        case 'D' ->
            dots.append(new Ellipse2D.Double(p[0] - dot, p[1] - dot, 2 * dot, 2 * dot), false);
        case 'O' ->
            path.append(new Ellipse2D.Double(p[0] - p[2], p[1] - p[3], 2 * p[2], 2 * p[3]), false);
        case 'A' -> {
          // Arc2D measures angles with y downwards.
          var arc =
              new Arc2D.Double(
                  p[0] - p[2], p[1] - p[3], 2 * p[2], 2 * p[3], -p[4], -p[5], Arc2D.OPEN);
          path.append(arc, i > 0);
        }
        default -> throw new IllegalStateException("no such stroke: " + skeleton.substring(i));
      }
      i = end;
    }
  }
}
