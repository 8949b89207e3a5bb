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
    assertTrue(inkedShare(image) > 0.01);
  }

  private static Document parse(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  private static double inkedShare(BufferedImage image) {
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
    // signature 8, header chunk 25, then length, "pHYs", dots per metre: 300 / 0.0254
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
        HeatMap.of(new double[] {0, 1, 1, 0}, 2).colors(ColorMap.GREYS, 0, 1).withoutBar());
    var canvas = new PngCanvas(72, 72, 72);
    var panel = new Panel(plot, "");
    panel.fit(10, 10, 60, 60);
    panel.draw(canvas, 0, 0);
    assertEquals(0x000000, canvas.pixels()[20 * 72 + 20] & 0xFFFFFF);
    assertEquals(0xFFFFFF, canvas.pixels()[20 * 72 + 50] & 0xFFFFFF);
    assertEquals(0xFFFFFF, canvas.pixels()[50 * 72 + 20] & 0xFFFFFF);
    assertEquals(0x000000, canvas.pixels()[50 * 72 + 50] & 0xFFFFFF);
  }

  @Test
  void builtInLettersCoverWhatFiguresSayAndKeepToTheirWidths() {
    String used =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
            + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~−±×≤≥≈°·′…–—→∞¹²³½ΔΣαβγθκλμπρστφχω";
    var box = StrokeFont.outline("\u4e00", 100, false).getBounds2D();
    for (String letter : used.split("")) {
      for (boolean bold : new boolean[] {false, true}) {
        var outline = StrokeFont.outline(letter, 100, bold);
        var bounds = outline.getBounds2D();
        double room = Type.plainWidth(letter, 100, bold);
        assertFalse(bounds.equals(box), letter + " has no glyph");
        assertTrue(bounds.getWidth() > 4 && bounds.getHeight() > 4, letter);
        assertTrue(bounds.getMinX() > -6 && bounds.getMaxX() < room + 6, letter + " " + bounds);
        assertTrue(bounds.getMinY() > -82 && bounds.getMaxY() < 26, letter + " " + bounds);
      }
    }
    // The hole of the o is a hole, the dot of the i is none.
    assertFalse(StrokeFont.outline("o", 100, false).contains(27.8, -26.5));
    assertTrue(StrokeFont.outline("i", 100, false).contains(11, -66));
  }

  @Test
  void missingFontsAreReplaced() {
    var drawn = Glyphs.choose(Glyphs.BUILT_IN).outline("a", 10, false).getBounds2D();
    assertEquals(StrokeFont.outline("a", 10, false).getBounds2D(), drawn);
    var other = Glyphs.choose("no such family").outline("\u0378", 10, false).getBounds2D();
    assertTrue(other.getWidth() > 0, "an unassigned character is drawn as something");
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
  @ValueSource(strings = {"VIRIDIS", "REDS", "BLUES", "GREYS"})
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
