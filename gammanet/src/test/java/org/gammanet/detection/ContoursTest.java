package org.gammanet.detection;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.function.DoubleBinaryOperator;
import javax.xml.parsers.DocumentBuilderFactory;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class ContoursTest {
  private static final int W = 80;
  private static final int H = 60;

  /** A blurred line of a strength along a function's graph, as networks draw them. */
  private static void draw(float[] map, double strength, DoubleBinaryOperator distance) {
    for (int i = 0; i < map.length; i++) {
      double d = distance.applyAsDouble(i % W, i / W);
      map[i] = (float) Math.max(map[i], strength * Math.exp(-d * d / 4));
    }
  }

  private static EdgeMap lines() {
    float[] map = new float[W * H];
    draw(map, 0.9, (x, y) -> y >= 5 && y <= 55 ? Math.abs(x - 12) : 99);
    draw(map, 0.6, (x, y) -> Math.abs(Math.hypot(x - 50, y - 30) - 14));
    return new EdgeMap(W, H, map);
  }

  @Test
  void aLineAndARingAreFound() {
    Contours contours = Contours.of(lines(), 0.3);
    assertEquals(2, contours.lines().size(), contours.toString());
    Contours.Line ring = contours.lines().get(0);
    Contours.Line line = contours.lines().get(1);
    assertTrue(ring.closed() && ring.pixels() > line.pixels());
    for (int i = 0; i < ring.size(); i++) {
      double radius = Math.hypot(ring.points()[2 * i] - 50.5, ring.points()[2 * i + 1] - 30.5);
      assertEquals(14, radius, 1.5, "a corner of the ring");
    }
    assertTrue(ring.size() >= 8 && ring.size() <= 40, "simplified: " + ring.size());
    assertEquals(0.6, ring.confidence(), 0.05);
    assertTrue(!line.closed());
    assertEquals(0.9, line.confidence(), 0.05);
    assertEquals(12.5, line.points()[0], 0, "centers of pixels lie at one half");
    assertEquals(2, line.size(), "a straight line needs two points");
    assertEquals(50, Math.abs(line.points()[3] - line.points()[1]), 6);
    assertEquals(1, Contours.of(lines(), 0.75).lines().size(), "the ring is weaker");
    assertEquals(0, Contours.of(new EdgeMap(W, H, new float[W * H]), 0).lines().size());
  }

  @Test
  void svgAndGeoJsonSayTheSame() throws Exception {
    Contours contours = Contours.of(lines(), 0.3);
    Document svg =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(
                new ByteArrayInputStream(contours.svg(0xAA0011).getBytes(StandardCharsets.UTF_8)));
    assertEquals("80", svg.getDocumentElement().getAttribute("width"));
    Element ring = (Element) svg.getElementsByTagName("polygon").item(0);
    assertEquals(1, svg.getElementsByTagName("polyline").getLength());
    JsonNode json = new ObjectMapper().readTree(contours.geoJson());
    assertEquals(60, json.at("/image/height").asInt());
    JsonNode feature = json.at("/features/0");
    JsonNode points = feature.at("/geometry/coordinates");
    assertTrue(feature.at("/properties/closed").asBoolean());
    assertEquals(points.get(0), points.get(points.size() - 1), "closed");
    assertEquals(points.size() - 1, ring.getAttribute("points").split(" ").length);
    assertEquals(
        feature.at("/properties/confidence").asDouble(),
        Double.parseDouble(ring.getAttribute("data-confidence")),
        1e-3);
  }

  @Test
  void thinLinesAreOnePixelWide() {
    EdgeMap thin = EdgeLines.thin(lines());
    int across = 0;
    for (int x = 6; x < 18; x++) {
      across += thin.value(x, 30) > 0 ? 1 : 0;
    }
    assertEquals(1, across);
    assertEquals(0.9, thin.value(12, 30), 0.1);
  }

  /** Two clusters of values: every threshold between them separates them, and none inside. */
  @Test
  void otsuSeparatesTwoClusters() {
    float[] values = new float[100];
    for (int i = 0; i < 100; i++) {
      values[i] = i < 80 ? 0.1f + 0.001f * i : 0.8f;
    }
    double threshold = EdgeLines.otsu(new EdgeMap(10, 10, values));
    assertTrue(threshold > 0.17 && threshold <= 0.8, "" + threshold);
    assertEquals(0.5, EdgeLines.otsu(new EdgeMap(2, 1, new float[] {0.3f, 0.3f})), 0.01);
    assertArrayEquals(
        new float[] {0, 1},
        EdgeLines.cut(new EdgeMap(2, 1, new float[] {0.2f, 0.5f}), 0.5).values());
  }

  @Test
  void overlaysBlendByProbability() throws IOException {
    RgbImage photo = new RgbImage(2, 1, new byte[] {100, 100, 100, 100, 100, 100});
    EdgeMap map = new EdgeMap(2, 1, new float[] {0, 1});
    RgbImage blend = EdgePictures.overlay(photo, map, 0xC86400, 0.5);
    assertArrayEquals(new byte[] {100, 100, 100, (byte) 150, 100, 50}, blend.samples());
    assertEquals(0x80C86400, EdgePictures.transparent(map, 0xC86400, 0.5).getRGB(1, 0));
    assertArrayEquals(new float[] {1, 0}, EdgePictures.invert(map).values());
  }
}
