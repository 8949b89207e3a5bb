package org.gammanet.figures;

/**
 * How a line, a set of points, a band or a bar looks. Series differ in color, in dashes and in
 * marker, so that they can be told apart in a gray print; most colors are those of Okabe and Ito
 * (2008), which the color-blind can tell apart. Orange-red and blue mean excitation and inhibition
 * and nothing else.
 *
 * @param rgb {@code 0xRRGGBB}
 * @param width of lines, points (1/72 inch); 0 for none
 * @param dash of lines
 * @param marker at each point
 * @param markerSize diameter, points
 * @param filled whether markers are filled with the color, otherwise with white
 * @param opacity 0 to 1
 * @param label entry in the legend, empty for none
 */
public record Style(
    int rgb,
    double width,
    Dash dash,
    Marker marker,
    double markerSize,
    boolean filled,
    double opacity,
    String label) {

  /** Pattern of a line. */
  public enum Dash {
    SOLID,
    DASHED(5, 2.5),
    DOTTED(1.2, 2),
    DASH_DOT(5, 2, 1.2, 2),
    LONG_DASH(9, 3),
    DASH_DOT_DOT(5, 1.8, 1.2, 1.8, 1.2, 1.8);

    private final double[] lengths;

    Dash(double... lengths) {
      this.lengths = lengths;
    }

    double[] lengths() {
      return lengths.clone();
    }
  }

  /** Shape of a point. */
  public enum Marker {
    NONE,
    CIRCLE,
    SQUARE,
    TRIANGLE,
    DIAMOND,
    TRIANGLE_DOWN,
    PLUS,
    CROSS
  }

  private static final int[] COLORS = {0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x595959, 0x8C5A2B};
  private static final int[] AREAS = {0x9FD8C7, 0x006B4E, 0xF4DDA6, 0x6B3A57, 0xBDBDBD};
  private static final Marker[] MARKERS = {
    Marker.CIRCLE,
    Marker.SQUARE,
    Marker.TRIANGLE,
    Marker.DIAMOND,
    Marker.TRIANGLE_DOWN,
    Marker.PLUS,
    Marker.CROSS
  };

  /** Black, solid, no marker. */
  public static final Style BLACK =
      new Style(0x000000, 1.25, Dash.SOLID, Marker.NONE, 5, true, 1, "");

  /** Thin gray for lines that help reading: zero, unity. */
  public static final Style GUIDE =
      new Style(0x808080, 0.8, Dash.SOLID, Marker.NONE, 4, true, 1, "");

  /** Excitatory populations everywhere: orange-red, solid, filled circles. */
  public static final Style EXCITATORY =
      new Style(0xD55E00, 1.5, Dash.SOLID, Marker.CIRCLE, 5, true, 1, "");

  /** Inhibitory populations everywhere: blue, dashed, open squares. */
  public static final Style INHIBITORY =
      new Style(0x0072B2, 1.5, Dash.DASHED, Marker.SQUARE, 5, false, 1, "");

  /** Style of series {@code index} (from 0), with markers. */
  public static Style series(int index) {
    return new Style(
        COLORS[Math.floorMod(index, COLORS.length)],
        1.5,
        Dash.values()[Math.floorMod(index, Dash.values().length)],
        MARKERS[Math.floorMod(index, MARKERS.length)],
        5,
        index % 2 == 0,
        1,
        "");
  }

  /** Fill of bar series {@code index} (from 0); neighbors differ in lightness. */
  public static Style area(int index) {
    return new Style(
        AREAS[Math.floorMod(index, AREAS.length)], 1.5, Dash.SOLID, Marker.NONE, 5, true, 1, "");
  }

  /** Another color, {@code 0xRRGGBB}. */
  public Style rgb(int value) {
    return new Style(value, width, dash, marker, markerSize, filled, opacity, label);
  }

  /** Another line width, points. */
  public Style width(double value) {
    return new Style(rgb, value, dash, marker, markerSize, filled, opacity, label);
  }

  /** Another pattern of dashes. */
  public Style dash(Dash value) {
    return new Style(rgb, width, value, marker, markerSize, filled, opacity, label);
  }

  /** Another marker and its diameter in points. */
  public Style marker(Marker value, double size) {
    return new Style(rgb, width, dash, value, size, filled, opacity, label);
  }

  /** Lines without markers. */
  public Style plain() {
    return marker(Marker.NONE, markerSize);
  }

  /** Markers filled with the color, or with white. */
  public Style filled(boolean value) {
    return new Style(rgb, width, dash, marker, markerSize, value, opacity, label);
  }

  /** Another opacity, 0 to 1. */
  public Style opacity(double value) {
    return new Style(rgb, width, dash, marker, markerSize, filled, value, label);
  }

  /** The entry in the legend. */
  public Style label(String value) {
    return new Style(rgb, width, dash, marker, markerSize, filled, opacity, value);
  }

  Canvas.Pen pen() {
    return new Canvas.Pen(rgb, opacity, width, dash.lengths());
  }
}
