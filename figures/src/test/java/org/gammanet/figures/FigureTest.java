package org.gammanet.figures;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

class FigureTest {
  static Stream<String> names() {
    return Gallery.figures().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyKindIsDrawnTwiceAlikeAndIsWellFormed(String name) throws Exception {
    Figure figure = Gallery.figures().get(name);
    String svg = figure.svg();
    assertEquals(svg, Gallery.figures().get(name).svg());
    assertFalse(svg.contains("NaN") || svg.contains("Infinity"), "positions that are no numbers");
    assertTrue(parse(svg).getElementsByTagName("text").getLength() > 3, "text stays text");
    byte[] png = figure.png(50);
    assertArrayEquals(png, Gallery.figures().get(name).png(50));
    BufferedImage image = ImageIO.read(new ByteArrayInputStream(png));
    assertTrue(inkedFraction(image) > 0.01);
  }

  private static Document parse(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  private static double inkedFraction(BufferedImage image) {
    int inked = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        inked += (image.getRGB(x, y) & 0xFFFFFF) == 0xFFFFFF ? 0 : 1;
      }
    }
    return (double) inked / image.getWidth() / image.getHeight();
  }

  @Test
  void sizeAndResolutionAreThoseAskedFor(@TempDir Path folder) throws Exception {
    var figure = new Figure(2, 1.5);
    figure.panel(0, 0).points(new double[] {1}, new double[] {1}, Style.BLACK);
    figure.write(folder.resolve("new").resolve("a"));
    byte[] png = Files.readAllBytes(folder.resolve("new/a.png"));
    BufferedImage image = ImageIO.read(new ByteArrayInputStream(png));
    assertEquals(600, image.getWidth());
    assertEquals(450, image.getHeight());
    // signature 8, header chunk 25, then length, "pHYs", dots per meter: 300 / 0.0254
    assertEquals(11811, ByteBuffer.wrap(png, 8 + 25 + 8, 4).getInt());
    assertTrue(Files.readString(folder.resolve("new/a.svg")).contains("width=\"2in\""));
    try (Stream<Path> files = Files.list(folder.resolve("new"))) {
      assertEquals(2, files.count());
    }
  }

  @Test
  void dataLandWhereTheAxesSay() {
    var plot = new Plot().x(Axis.hidden());
    plot.heatMap(
        HeatMap.of(new double[] {0, 1, 1, 0}, 2).colors(ColorMap.GRAYS, 0, 1).withoutBar());
    var canvas = new PngCanvas(72, 72, 72);
    var panel = new Panel(plot, "");
    panel.fit(10, 10, 60, 60);
    panel.draw(canvas, 0, 0);
    assertEquals(0x000000, canvas.image().getRGB(20, 20) & 0xFFFFFF);
    assertEquals(0xFFFFFF, canvas.image().getRGB(50, 20) & 0xFFFFFF);
    assertEquals(0xFFFFFF, canvas.image().getRGB(20, 50) & 0xFFFFFF);
    assertEquals(0x000000, canvas.image().getRGB(50, 50) & 0xFFFFFF);
  }

  @Test
  void theFontHasWhatFiguresSay() {
    String used =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
            + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~−±×≤≥≈°·–…—→∞¹²³½ΔΣαβγθκλμπρστφχωäéßÖ";
    var missing = Glyphs.outline("\u4e00", false).getBounds2D();
    assertTrue(missing.getWidth() > 0, "a character that the font lacks is drawn as a box");
    for (String letter : used.split("")) {
      for (boolean bold : new boolean[] {false, true}) {
        var bounds = Glyphs.outline(letter, bold).getBounds2D();
        assertFalse(bounds.equals(missing), letter + " has no glyph");
        assertTrue(bounds.getWidth() > 80 && bounds.getHeight() > 60, letter);
      }
    }
    // The hole of the o is a hole, the dot of the i is none.
    assertFalse(Glyphs.outline("o", false).contains(569, -530));
    assertTrue(Glyphs.outline("i", false).contains(227, -1400));
    // The advances are those that Helvetica has.
    assertEquals(0.556, (double) Glyphs.advance("0", false) / Glyphs.UNITS, 1e-3);
    assertEquals(0.611, (double) Glyphs.advance("b", true) / Glyphs.UNITS, 1e-3);
  }

  @Test
  void notesAndLegendsLieOnNoCurve() throws Exception {
    // Two diagonals and a level: they occupy all four corners and the middle.
    double[] x = Gallery.steps(0, 1, 400);
    double[] down = new double[400];
    Arrays.setAll(down, i -> 1 - x[i]);
    var figure = new Figure(3, 3);
    figure
        .panel(0, 0)
        .line(x, x, Style.BLACK.label("rising"))
        .line(x, down, Style.BLACK)
        .note(Plot.Corner.TOP_LEFT, "half width 38.4");
    Document svg = parse(figure.svg());
    var texts = svg.getElementsByTagName("text");
    double[] box = null;
    for (int i = 0; i < texts.getLength(); i++) {
      Element text = (Element) texts.item(i);
      if (text.getTextContent().startsWith("half")) {
        double width = Type.width(text.getTextContent(), 8.5, false);
        double left = Double.parseDouble(text.getAttribute("x"));
        left -= text.getAttribute("text-anchor").equals("end") ? width : 0;
        double base = Double.parseDouble(text.getAttribute("y"));
        box = new double[] {left, base - 7, left + width, base};
      }
    }
    for (double[] p : points(svg, "#000000", "1.25")) {
      assertFalse(
          p[0] > box[0] && p[0] < box[2] && p[1] > box[1] && p[1] < box[3],
          "the curve passes (%s, %s) within the note %s"
              .formatted(p[0], p[1], Arrays.toString(box)));
    }
  }

  private static List<double[]> points(Document svg, String color, String width) {
    var points = new ArrayList<double[]>();
    var paths = svg.getElementsByTagName("path");
    for (int i = 0; i < paths.getLength(); i++) {
      Element path = (Element) paths.item(i);
      if (path.getAttribute("stroke").equals(color)
          && path.getAttribute("stroke-width").equals(width)) {
        for (String point : path.getAttribute("d").split("[MLZ]")) {
          if (!point.isEmpty()) {
            points.add(Stream.of(point.split(" ")).mapToDouble(Double::parseDouble).toArray());
          }
        }
      }
    }
    return points;
  }

  @Test
  void countsHaveWholeTicks() throws Exception {
    var figure = new Figure(3, 6); // room for many ticks
    figure
        .panel(0, 0)
        .x(Axis.linear("").ticks(0.25))
        .histogram(new double[] {0.1, 0.3}, new double[] {0, 0.25, 0.5}, Style.area(0));
    var texts = parse(figure.svg()).getElementsByTagName("text");
    List<String> ticks = new ArrayList<>();
    for (int i = 0; i < texts.getLength(); i++) {
      ticks.add(texts.item(i).getTextContent());
    }
    assertEquals(List.of("0.25", "0", "1"), ticks);
    assertEquals(List.of("0", "2", "4"), Ticks.linear(0, 5, 4, 1).labels());
  }

  @Test
  void aLegendBesideAPanelNarrowsNoOther() throws Exception {
    double[][] right = new double[2][];
    for (int k = 0; k < 2; k++) {
      var figure = new Figure(4, 4);
      figure.panel(0, 0).line(new double[] {0, 1}, new double[] {0, 1}, Style.BLACK);
      figure
          .panel(1, 0)
          .line(new double[] {0, 1}, new double[] {0, 1}, Style.GUIDE.label("a long label"))
          .legend(k == 0 ? Plot.Legend.NONE : Plot.Legend.OUTSIDE);
      right[k] = points(parse(figure.svg()), "#000000", "1.25").getLast();
    }
    assertEquals(right[0][0], right[1][0]);
  }

  @Test
  void textIsEscapedAndMayBeRaised() throws Exception {
    var figure = new Figure(3, 3);
    figure
        .panel(0, 0)
        .title("a < b & \"c\" > R^{2}")
        .points(new double[] {1}, new double[] {1}, Style.BLACK);
    var texts = parse(figure.svg()).getElementsByTagName("text");
    boolean found = false;
    for (int i = 0; i < texts.getLength(); i++) {
      found |= texts.item(i).getTextContent().equals("a < b & \"c\" > R2");
    }
    assertTrue(found);
  }

  @Test
  void wrongInputIsNamed() {
    var plot = new Figure(1, 1).panel(0, 0);
    double[] two = {1, 2};
    var lengths =
        assertThrows(
            IllegalArgumentException.class, () -> plot.line(two, new double[3], Style.BLACK));
    assertEquals("a series has 2 positions but 3 values", lengths.getMessage());
    assertThrows(IllegalArgumentException.class, () -> Axis.linear("x").range(2, 1));
    assertThrows(IllegalArgumentException.class, () -> Axis.log("x").range(0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Figure(0, 1));
    assertThrows(IllegalArgumentException.class, () -> HeatMap.of(two, 3));
  }

  @ParameterizedTest
  @ValueSource(strings = {"VIRIDIS", "REDS", "BLUES", "GRAYS"})
  void equalStepsOfAMapAreEqualStepsOfLightnessOrder(String name) {
    ColorMap map = ColorMap.valueOf(name);
    double first = ColorMap.lightness(map.rgb(0));
    double last = ColorMap.lightness(map.rgb(1));
    for (int i = 1; i < 64; i++) {
      double step =
          ColorMap.lightness(map.rgb(i / 63.0)) - ColorMap.lightness(map.rgb((i - 1) / 63.0));
      assertTrue(step * (last - first) > 0, name + " at " + i);
    }
  }

  @Test
  void differencesHaveWhiteInTheMiddleAndEqualEnds() {
    ColorMap map = ColorMap.DIVERGING;
    assertTrue(ColorMap.lightness(map.rgb(0.5)) > 98);
    for (int i = 0; i <= 10; i++) {
      double below = ColorMap.lightness(map.rgb(i / 20.0));
      double above = ColorMap.lightness(map.rgb(1 - i / 20.0));
      assertEquals(below, above, 8, "at " + i);
    }
    assertEquals(ColorMap.MISSING, map.rgb(Double.NaN));
    assertEquals(map.rgb(0), map.rgb(-3));
    assertEquals(map.rgb(1), map.rgb(7));
  }

  @Test
  void ticksAreRoundAndInside() {
    assertEquals(List.of("0", "20", "40", "60", "80", "100"), Ticks.linear(0, 100, 6).labels());
    assertEquals(List.of("−0.5", "0.0", "0.5"), Ticks.linear(-0.7, 0.7, 4).labels());
    assertEquals(List.of("0.00", "0.25", "0.50", "0.75", "1.00"), Ticks.linear(0, 1, 5).labels());
    Ticks small = Ticks.linear(0, 3e-5, 4);
    assertEquals(List.of("0", "1", "2", "3"), small.labels());
    assertEquals(-5, small.exponent());
    assertEquals(List.of("1", "10", "100"), Ticks.log(1, 100, 4).labels());
    assertEquals(List.of("1", "2", "5", "10"), Ticks.log(1, 10, 6).labels());
    assertEquals("10^{−6}", Ticks.log(1e-6, 1, 9).labels().getFirst());
    assertEquals("n/a", Ticks.fixed(Double.NaN, 2));
    assertEquals("0.00", Ticks.fixed(-0.001, 2));
    assertEquals("1.5×10^{−7}", Ticks.significant(1.5e-7, 3));
  }

  @Test
  void linesOfEqualFPassThroughTheirPoints() {
    assertEquals(0.803, PrecisionRecall.fMeasure(0.7235, 0.9014), 5e-4);
    assertEquals(0, PrecisionRecall.fMeasure(0, 0));
  }
}
