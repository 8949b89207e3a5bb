package org.gammanet.detection;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import org.gammanet.io.EdgeMap;

/**
 * Edges as lines between points. A map is suppressed and thinned ({@link EdgeLines#thin}), cut, and
 * its pixels are followed from end to end or junction to junction; the lines are simplified by
 * Douglas and Peucker's algorithm.
 *
 * @param width of the image in pixels
 * @param height of the image in pixels
 * @param lines the longest first
 */
public record Contours(int width, int height, List<Line> lines) {
  /** Shorter lines are left out, in pixels. */
  private static final int FEWEST_PIXELS = 5;

  /** Largest distance of a pixel's center from the simplified line, in pixels. */
  private static final double TOLERANCE = 0.75;

  /**
   * A contour.
   *
   * @param points x and y of each point by turns, in pixels from the upper left corner of the
   *     image, so that the center of the first pixel is (0.5, 0.5)
   * @param closed whether the last point is joined to the first
   * @param confidence mean probability of the pixels, 0 to 1
   * @param pixels how many there are
   */
  public record Line(double[] points, boolean closed, double confidence, int pixels) {
    /** Number of points. */
    public int size() {
      return points.length / 2;
    }
  }

  public Contours {
    lines = List.copyOf(lines);
  }

  /**
   * Traces the edges of a map.
   *
   * @param map probabilities
   * @param threshold the lines consist of thinned pixels with at least this probability
   */
  public static Contours of(EdgeMap map, double threshold) {
    return new Tracer(EdgeLines.thin(map), map, threshold).trace();
  }

  /** Follows the set pixels of a thinned mask; each pixel but a junction is in one line only. */
  private static final class Tracer {
    /** East, then counter-clockwise; even directions are along rows and columns. */
    private static final int[] DX = {1, 1, 0, -1, -1, -1, 0, 1};

    private static final int[] DY = {0, -1, -1, -1, 0, 1, 1, 1};

    private final EdgeMap map;
    private final int width;
    private final int height;
    private final boolean[] set;
    private final boolean[] done;
    private final List<Line> lines = new ArrayList<>();

    Tracer(EdgeMap thin, EdgeMap map, double threshold) {
      this.map = map;
      width = map.width();
      height = map.height();
      set = new boolean[width * height];
      for (int i = 0; i < set.length; i++) {
        set[i] = thin.values()[i] > 0 && thin.values()[i] >= threshold;
      }
      done = new boolean[set.length];
    }

    private boolean isSet(int x, int y) {
      return x >= 0 && y >= 0 && x < width && y < height && set[y * width + x];
    }

    /**
     * Pixels joined to one: neighbors, but no diagonal one that is reached around a corner as well.
     */
    private int[] neighbors(int pixel) {
      int x = pixel % width;
      int y = pixel / width;
      int[] found = new int[8];
      int count = 0;
      for (int d = 0; d < 8; d++) {
        if (!isSet(x + DX[d], y + DY[d])) {
          continue;
        }
        boolean around = d % 2 == 1 && (isSet(x + DX[d], y) || isSet(x, y + DY[d]));
        if (!around) {
          found[count++] = (y + DY[d]) * width + x + DX[d];
        }
      }
      return Arrays.copyOf(found, count);
    }

    Contours trace() {
      for (int pixel = 0; pixel < set.length; pixel++) {
        if (set[pixel] && neighbors(pixel).length != 2) {
          for (int next : neighbors(pixel)) {
            boolean node = neighbors(next).length != 2;
            if (!done[next] && !node || node && pixel < next) {
              follow(pixel, next);
            }
          }
        }
      }
      for (int pixel = 0; pixel < set.length; pixel++) { // what is left are rings
        if (set[pixel] && !done[pixel] && neighbors(pixel).length == 2) {
          follow(pixel, neighbors(pixel)[0]);
        }
      }
      lines.sort(Comparator.comparingInt((Line line) -> -line.pixels));
      return new Contours(width, height, lines);
    }

    private void follow(int from, int first) {
      int[] chain = new int[64];
      int count = 0;
      chain[count++] = from;
      int before = from;
      int at = first;
      boolean ring = false;
      done[from] = neighbors(from).length == 2;
      while (true) {
        if (at == from) {
          ring = true;
          break;
        }
        if (count == chain.length) {
          chain = Arrays.copyOf(chain, 2 * count);
        }
        chain[count++] = at;
        int[] next = neighbors(at);
        if (next.length != 2) {
          break;
        }
        done[at] = true;
        int on = next[0] == before ? next[1] : next[0];
        before = at;
        at = on;
      }
      if (count >= FEWEST_PIXELS) {
        lines.add(line(Arrays.copyOf(chain, count), ring));
      }
    }

    private Line line(int[] chain, boolean ring) {
      double sum = 0;
      for (int pixel : chain) {
        sum += map.values()[pixel];
      }
      // A ring is cut where it is farthest from its beginning, so that each half has two ends.
      int[] closed = ring ? Arrays.copyOf(chain, chain.length + 1) : chain;
      if (ring) {
        closed[chain.length] = chain[0];
      }
      boolean[] keep = new boolean[closed.length];
      keep[0] = true;
      keep[closed.length - 1] = true;
      Deque<int[]> parts = new ArrayDeque<>();
      if (ring) {
        int far = farthest(closed);
        keep[far] = true;
        parts.push(new int[] {0, far});
        parts.push(new int[] {far, closed.length - 1});
      } else {
        parts.push(new int[] {0, closed.length - 1});
      }
      while (!parts.isEmpty()) {
        int[] part = parts.pop();
        int worst = worst(closed, part[0], part[1]);
        if (worst > 0) {
          keep[worst] = true;
          parts.push(new int[] {part[0], worst});
          parts.push(new int[] {worst, part[1]});
        }
      }
      double[] points = new double[2 * closed.length];
      int count = 0;
      for (int i = 0; i < (ring ? closed.length - 1 : closed.length); i++) {
        if (keep[i]) {
          points[count++] = closed[i] % width + 0.5;
          points[count++] = closed[i] / width + 0.5;
        }
      }
      return new Line(Arrays.copyOf(points, count), ring, sum / chain.length, chain.length);
    }

    private int farthest(int[] chain) {
      int best = chain.length / 2;
      double most = -1;
      for (int i = 0; i < chain.length; i++) {
        double d =
            Math.hypot(chain[i] % width - chain[0] % width, chain[i] / width - chain[0] / width);
        if (d > most) {
          most = d;
          best = i;
        }
      }
      return best;
    }

    /** The point farther than the tolerance from the line between two others, or 0. */
    private int worst(int[] chain, int from, int to) {
      double x0 = chain[from] % width;
      double y0 = chain[from] / width;
      double dx = chain[to] % width - x0;
      double dy = chain[to] / width - y0;
      double length = dx * dx + dy * dy;
      int worst = 0;
      double most = TOLERANCE;
      for (int i = from + 1; i < to; i++) {
        double x = chain[i] % width - x0;
        double y = chain[i] / width - y0;
        double t = length == 0 ? 0 : Math.clamp((x * dx + y * dy) / length, 0, 1);
        double distance = Math.hypot(x - t * dx, y - t * dy);
        if (distance > most) {
          most = distance;
          worst = i;
        }
      }
      return worst;
    }
  }

  /**
   * The lines as an SVG picture of the image's size, without a background: opacity is confidence,
   * which {@code data-confidence} has as well.
   *
   * @param rgb color of the lines, 0xRRGGBB
   */
  public String svg(int rgb) {
    var svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%1$d\" height=\"%2$d\""
                + " viewBox=\"0 0 %1$d %2$d\">%n",
            width,
            height));
    svg.append("<desc>GammaNet for Java: edges</desc>\n");
    svg.append(
        String.format(
            Locale.ROOT,
            "<g fill=\"none\" stroke=\"#%06x\" stroke-width=\"1\" stroke-linecap=\"round\""
                + " stroke-linejoin=\"round\">%n",
            rgb));
    for (Line line : lines) {
      svg.append(
          String.format(
              Locale.ROOT,
              "<%s stroke-opacity=\"%.3f\" data-confidence=\"%.3f\" points=\"",
              line.closed ? "polygon" : "polyline",
              line.confidence,
              line.confidence));
      for (int i = 0; i < line.size(); i++) {
        svg.append(i == 0 ? "" : " ")
            .append(line.points[2 * i])
            .append(',')
            .append(line.points[2 * i + 1]);
      }
      svg.append("\"/>\n");
    }
    return svg.append("</g>\n</svg>\n").toString();
  }

  /**
   * The lines as a GeoJSON FeatureCollection (RFC 7946) of LineStrings with {@code confidence},
   * {@code closed} and {@code pixels}. Coordinates are pixels of the image, x to the right and y
   * down, and no place on Earth.
   */
  public String geoJson() {
    var json = new StringBuilder();
    json.append(
        "{\"type\":\"FeatureCollection\",\"image\":{\"width\":%s,\"height\":%s},\"features\":["
            .formatted(width, height));
    for (int k = 0; k < lines.size(); k++) {
      Line line = lines.get(k);
      json.append(k == 0 ? "\n" : ",\n")
          .append("{\"type\":\"Feature\",\"properties\":")
          .append(
              String.format(
                  Locale.ROOT,
                  "{\"confidence\":%.4f,\"closed\":%b,\"pixels\":%d}",
                  line.confidence,
                  line.closed,
                  line.pixels))
          .append(",\"geometry\":{\"type\":\"LineString\",\"coordinates\":[");
      int n = line.size();
      for (int i = 0; i < (line.closed ? n + 1 : n); i++) {
        json.append(i == 0 ? "[" : ",[")
            .append(line.points[2 * (i % n)])
            .append(',')
            .append(line.points[2 * (i % n) + 1])
            .append(']');
      }
      json.append("]}}");
    }
    return json.append("\n]}\n").toString();
  }
}
