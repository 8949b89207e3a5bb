package org.gammanet.experiments.analysis;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.hipparchus.analysis.interpolation.LinearInterpolator;
import org.jspecify.annotations.Nullable;

/**
 * A curve that a model is compared with.
 *
 * @param name for legends and reports
 * @param illustrative whether the numbers are made up to look like such a curve, which every report
 *     must say
 * @param x rising
 * @param y one per x
 * @param standardErrors one per x; null where unknown
 */
public record ReferenceCurve(
    String name, boolean illustrative, double[] x, double[] y, double @Nullable [] standardErrors) {

  /** Checks lengths, order and numbers. */
  public ReferenceCurve {
    Curves.require(x, y, 1, "x");
    Curves.rising(x, "x");
    if (standardErrors != null) {
      Curves.sameLength(x, standardErrors, 1, "x and standard errors");
    }
  }

  /** A curve without standard errors. */
  public ReferenceCurve(String name, boolean illustrative, double[] x, double[] y) {
    this(name, illustrative, x, y, null);
  }

  /**
   * Curves that the original project lists as digitized from papers. Their numbers are round and
   * smooth, reach far beyond the ranges of those papers, and could not be traced to any figure:
   * they illustrate a kind of result and are evidence of nothing.
   */
  public enum Illustrative {
    /** Facilitation by collinear flankers over their distance in degrees of visual angle. */
    COLLINEAR_FLANKERS(
        "collinear flankers",
        List.of(0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0),
        List.of(.15, .45, .65, .55, .35, .15, .05, 0.0, -.02, -.03, -.02, 0.0, 0.0),
        List.of(.05, .08, .10, .08, .06, .04, .03, .02, .02, .02, .02, .02, .02)),
    /** Facilitation by orthogonal flankers over their distance in degrees of visual angle. */
    ORTHOGONAL_FLANKERS(
        "orthogonal flankers",
        List.of(0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0),
        List.of(0.0, -.05, -.10, -.08, -.05, -.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        List.of(.05, .08, .10, .08, .06, .04, .03, .02, .02, .02, .02, .02, .02)),
    /** Response with a surround over that without, over the surround's relative orientation. */
    SURROUND_ORIENTATION(
        "oriented surround",
        List.of(0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0),
        List.of(.45, .50, .65, .80, .90, .95, 1.0),
        List.of(.05, .06, .07, .08, .08, .07, .06)),
    /** Normalized response over stimulus size in degrees of visual angle. */
    SIZE(
        "stimulus size",
        List.of(0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        List.of(.3, .7, 1.0, .8, .6, .5, .45),
        List.of()),
    /** d′ of a texture boundary over the difference of orientations. */
    BOUNDARY_D_PRIME(
        "texture boundary, d′",
        List.of(0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0),
        List.of(0.0, 0.5, 1.2, 2.0, 2.5, 2.8, 3.0),
        List.of(.1, .15, .2, .2, .18, .15, .12)),
    /** Modulation by a texture boundary over the difference of orientations. */
    BOUNDARY_MODULATION(
        "texture boundary, modulation",
        List.of(0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0),
        List.of(0.0, 0.1, 0.25, 0.45, 0.6, 0.7, 0.75),
        List.of());

    private final String title;
    private final List<Double> x;
    private final List<Double> y;
    private final List<Double> errors;

    Illustrative(String title, List<Double> x, List<Double> y, List<Double> errors) {
      this.title = title;
      this.x = x;
      this.y = y;
      this.errors = errors;
    }
  }

  /** One of the curves that illustrate; its name says so. */
  public static ReferenceCurve illustrative(Illustrative which) {
    return new ReferenceCurve(
        "illustrative: " + which.title,
        true,
        doubles(which.x),
        doubles(which.y),
        which.errors.isEmpty() ? null : doubles(which.errors));
  }

  private static double[] doubles(List<Double> values) {
    return values.stream().mapToDouble(v -> v).toArray();
  }

  /**
   * Reads a curve from text with a point per line, {@code x,y} or {@code x,y,se}, in any order. A
   * first line that has no numbers is a header; empty lines and those that begin with # do not
   * count.
   *
   * @throws IOException when the file cannot be read
   * @throws IllegalArgumentException for a line that is no point, or points with and without
   *     standard errors; it names file and line
   */
  public static ReferenceCurve read(Path file) throws IOException {
    List<double[]> points = new ArrayList<>();
    List<String> lines =
        new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      double[] point = numbers(line);
      if (point.length == 0 && points.isEmpty() && line.chars().noneMatch(Character::isDigit)) {
        continue;
      }
      if (point.length < 2
          || point.length > 3
          || (!points.isEmpty() && points.get(0).length != point.length)) {
        throw new IllegalArgumentException(
            "%s, line %s: expected %s, found: %s"
                .formatted(
                    file,
                    i + 1,
                    points.isEmpty()
                        ? "x,y or x,y,se"
                        : points.get(0).length == 2 ? "x,y like above" : "x,y,se like above",
                    line));
      }
      points.add(point);
    }
    if (points.isEmpty()) {
      throw new IllegalArgumentException(file + " has no points; write one x,y[,se] per line");
    }
    points.sort((a, b) -> Double.compare(a[0], b[0]));
    try {
      return new ReferenceCurve(
          String.valueOf(file.getFileName()),
          false,
          column(points, 0),
          column(points, 1),
          points.get(0).length == 3 ? column(points, 2) : null);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
  }

  /** The numbers of a line; none where a field is no number. */
  private static double[] numbers(String line) {
    String[] fields = line.split("[,;\t]", -1);
    double[] out = new double[fields.length];
    for (int i = 0; i < fields.length; i++) {
      try {
        out[i] = Double.parseDouble(fields[i].strip());
      } catch (NumberFormatException e) {
        return new double[0];
      }
    }
    return out;
  }

  private static double[] column(List<double[]> points, int column) {
    return points.stream().mapToDouble(p -> p[column]).toArray();
  }

  /** The curve at any x by linear interpolation; NaN outside its range. */
  public double at(double where) {
    if (x.length == 1) {
      return where == x[0] ? y[0] : Double.NaN;
    }
    var curve = new LinearInterpolator().interpolate(x, y);
    return curve.isValidPoint(where) ? curve.value(where) : Double.NaN;
  }
}
