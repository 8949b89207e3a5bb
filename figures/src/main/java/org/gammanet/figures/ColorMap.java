package org.gammanet.figures;

/**
 * Colors for values. Each map is a curve through CIELAB, resampled so that equal steps of the value
 * are equal steps of color difference (ΔE 1976), with lightness that only rises or only falls (in
 * each half of {@link #DIVERGING}): a gray print keeps the order of the values.
 */
public enum ColorMap {
  /** Dark violet over teal to yellow, after the map of van der Walt and Smith (2015). */
  VIRIDIS(
      0x440154, 0x482878, 0x3E4989, 0x31688E, 0x26828E, 0x1F9E89, 0x35B779, 0x6ECE58, 0xB5DE2B,
      0xFDE725),
  /** Black to white: luminances. */
  GRAYS(0x000000, 0xFFFFFF),
  /** White to dark red: excitation. */
  REDS(0xFFFFFF, 0xFDC9B4, 0xFB7252, 0xCB1B1E, 0x67000D),
  /** White to dark blue: inhibition. */
  BLUES(0xFFFFFF, 0xC6DBEF, 0x6BAED6, 0x2171B5, 0x08306B),
  /** Dark blue over white to dark red: differences about zero, which lies in the middle. */
  DIVERGING(
      0x08306B, 0x2171B5, 0x6BAED6, 0xC6DBEF, 0xFFFFFF, 0xFDC9B4, 0xFB7252, 0xCB1B1E, 0x67000D);

  /** Color of a value that is not a number. */
  public static final int MISSING = 0xC9C9C9;

  private static final int SIZE = 256;
  private final int[] table = new int[SIZE];

  ColorMap(int... anchors) {
    if (anchors.length % 2 == 1 && anchors[anchors.length / 2] == 0xFFFFFF) {
      // Each half has an even table of its own, so that white is exactly the middle.
      int middle = anchors.length / 2;
      for (int i = 0; i < SIZE / 2; i++) {
        double t = i / (SIZE / 2 - 0.5);
        table[i] = evenCurve(anchors, 0, middle, t);
        table[SIZE - 1 - i] = evenCurve(anchors, anchors.length - 1, middle, t);
      }
    } else {
      for (int i = 0; i < SIZE; i++) {
        table[i] = evenCurve(anchors, 0, anchors.length - 1, i / (SIZE - 1.0));
      }
    }
  }

  /**
   * The color of a value.
   *
   * @param t 0 for the lower end of the scale to 1 for the upper; beyond it, the end's color
   * @return {@code 0xRRGGBB}, {@link #MISSING} for NaN
   */
  public int rgb(double t) {
    return Double.isNaN(t) ? MISSING : table[(int) Math.clamp(Math.round(t * (SIZE - 1)), 0, 255)];
  }

  /** Lightness L* of a color (CIE 1976), 0 black to 100 white. */
  static double lightness(int rgb) {
    return lab(rgb)[0];
  }

  /** Point at fraction t of the length of the polygon anchors[from], …, anchors[to] in CIELAB. */
  private static int evenCurve(int[] anchors, int from, int to, double t) {
    int step = Integer.signum(to - from);
    int pieces = Math.abs(to - from);
    double[] length = new double[pieces + 1];
    for (int i = 0; i < pieces; i++) {
      double[] a = lab(anchors[from + i * step]);
      double[] b = lab(anchors[from + (i + 1) * step]);
      length[i + 1] = length[i] + Math.hypot(Math.hypot(b[0] - a[0], b[1] - a[1]), b[2] - a[2]);
    }
    double wanted = t * length[pieces];
    int i = 0;
    while (i < pieces - 1 && length[i + 1] < wanted) {
      i++;
    }
    double fraction = (wanted - length[i]) / (length[i + 1] - length[i]);
    double[] a = lab(anchors[from + i * step]);
    double[] b = lab(anchors[from + (i + 1) * step]);
    return rgb(
        a[0] + fraction * (b[0] - a[0]),
        a[1] + fraction * (b[1] - a[1]),
        a[2] + fraction * (b[2] - a[2]));
  }

  // sRGB (IEC 61966-2-1) to CIELAB with the white of D65 and back.

  private static double[] lab(int rgb) {
    double r = linear(rgb >> 16 & 255);
    double g = linear(rgb >> 8 & 255);
    double b = linear(rgb & 255);
    double x = root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
    double y = root(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
    double z = root((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
    return new double[] {116 * y - 16, 500 * (x - y), 200 * (y - z)};
  }

  private static int rgb(double lightness, double a, double b) {
    double fy = (lightness + 16) / 116;
    double x = 0.95047 * power(fy + a / 500);
    double y = power(fy);
    double z = 1.08883 * power(fy - b / 200);
    return encoded(3.2404542 * x - 1.5371385 * y - 0.4985314 * z) << 16
        | encoded(-0.9692660 * x + 1.8760108 * y + 0.0415560 * z) << 8
        | encoded(0.0556434 * x - 0.2040259 * y + 1.0572252 * z);
  }

  private static double root(double v) {
    return v > 216 / 24389.0 ? Math.cbrt(v) : (24389 / 27.0 * v + 16) / 116;
  }

  private static double power(double f) {
    return f > 6 / 29.0 ? f * f * f : (116 * f - 16) * 27 / 24389;
  }

  private static double linear(int sample) {
    double v = sample / 255.0;
    return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
  }

  private static int encoded(double v) {
    double e = v <= 0.0031308 ? 12.92 * v : 1.055 * Math.pow(v, 1 / 2.4) - 0.055;
    return (int) Math.clamp(Math.round(255 * e), 0, 255);
  }
}
