package org.gammanet.evaluation;

/**
 * Edge non-maximum suppression as papers on learned edge detectors apply it before the benchmark
 * (Dollar and Zitnick, "Fast edge detection using structured forests", PAMI 2015): leaves the ridge
 * of thick responses. Single precision throughout, as the program those papers used.
 */
public enum EdgeNms {
  /** The map is scored as it is; for maps that have thin lines. */
  NONE,
  /** Suppression only. */
  PLAIN,
  /**
   * The map is smoothed by a 3-pixel triangle first: what the published numbers of HED, RCF and
   * PiDiNet were made with.
   */
  SMOOTH;

  private static final int BORDER = 5;

  /** A pixel survives when it is at least this close to its neighbors across the edge. */
  private static final float MARGIN = 1.01f;

  /**
   * Suppresses what is not a maximum across the edge, and fades the outermost five pixels.
   *
   * @param map {@code height * width} values in [0, 1], row-major; not changed
   * @return values in [0, 1]; a copy of the input for {@link #NONE}
   */
  public float[] apply(float[] map, int height, int width) {
    if (map.length != height * width) {
      throw new IllegalArgumentException(
          "A map of %s values is not %s x %s pixels".formatted(map.length, height, width));
    }
    if (this == NONE) {
      return map.clone();
    }
    float[] e = this == SMOOTH ? triangle(map, height, width, 1) : map;
    float[] out = suppress(e, normals(e, height, width), height, width);
    fadeBorder(out, height, width);
    return out;
  }

  /** Smooths by [1 2 … r+1 … 2 1]/(r+1)² along both axes; borders are mirrored. */
  static float[] triangle(float[] map, int height, int width, int r) {
    float[] kernel = new float[2 * r + 1];
    for (int i = -r; i <= r; i++) {
      kernel[i + r] = (r + 1 - Math.abs(i)) / (float) ((r + 1) * (r + 1));
    }
    float[] rows = new float[map.length];
    for (int y = 0; y < height; y++) {
      for (int i = -r; i <= r; i++) {
        float k = kernel[i + r];
        for (int x = 0; x < width; x++) {
          rows[y * width + x] += k * map[y * width + mirrored(x + i, width)];
        }
      }
    }
    float[] out = new float[map.length];
    for (int y = 0; y < height; y++) {
      for (int i = -r; i <= r; i++) {
        float k = kernel[i + r];
        int from = mirrored(y + i, height) * width;
        for (int x = 0; x < width; x++) {
          out[y * width + x] += k * rows[from + x];
        }
      }
    }
    return out;
  }

  /** The edge pixel is repeated: … 1 0 0 1 … n-1 n-1 n-2 … */
  private static int mirrored(int i, int n) {
    int m = Math.floorMod(i, 2 * n);
    return m < n ? m : 2 * n - 1 - m;
  }

  private static float[] gradientX(float[] a, int height, int width) {
    float[] d = new float[a.length];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int left = Math.max(0, x - 1);
        int right = Math.min(width - 1, x + 1);
        if (right > left) {
          d[y * width + x] = (a[y * width + right] - a[y * width + left]) / (right - left);
        }
      }
    }
    return d;
  }

  private static float[] gradientY(float[] a, int height, int width) {
    float[] d = new float[a.length];
    for (int y = 0; y < height; y++) {
      int up = Math.max(0, y - 1);
      int down = Math.min(height - 1, y + 1);
      for (int x = 0; x < width && down > up; x++) {
        d[y * width + x] = (a[down * width + x] - a[up * width + x]) / (down - up);
      }
    }
    return d;
  }

  /** Direction across the edge at each pixel, 0 to π, x to the right and y down. */
  private static float[] normals(float[] e, int height, int width) {
    float[] smooth = triangle(e, height, width, 4);
    float[] gx = gradientX(smooth, height, width);
    float[] gxx = gradientX(gx, height, width);
    float[] gxy = gradientY(gx, height, width);
    float[] gyy = gradientY(gradientY(smooth, height, width), height, width);
    float[] angle = new float[e.length];
    for (int i = 0; i < e.length; i++) {
      if (e[i] != 0) {
        // signum(0) is 0, so a map that is constant along x is looked at along x: as published.
        float o = (float) Math.atan(gyy[i] * Math.signum(-gxy[i]) / (gxx[i] + 1e-5f));
        angle[i] = o < 0 ? o + (float) Math.PI : o;
      }
    }
    return angle;
  }

  private static float[] suppress(float[] e, float[] angle, int height, int width) {
    float[] out = e.clone();
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int i = y * width + x;
        if (e[i] == 0) {
          continue;
        }
        float cos = (float) Math.cos(angle[i]);
        float sin = (float) Math.sin(angle[i]);
        float own = MARGIN * e[i];
        if (own < sample(e, x - cos, y - sin, height, width)
            || own < sample(e, x + cos, y + sin, height, width)) {
          out[i] = 0;
        }
      }
    }
    return out;
  }

  private static float sample(float[] e, float x, float y, int height, int width) {
    float cx = Math.max(0, Math.min(x, width - 1.001f));
    float cy = Math.max(0, Math.min(y, height - 1.001f));
    int x0 = (int) cx;
    int y0 = (int) cy;
    // A map one pixel wide has no second column to blend with.
    int right = x0 + 1 < width ? 1 : 0;
    int down = y0 + 1 < height ? width : 0;
    float fx = cx - x0;
    float fy = cy - y0;
    int i = y0 * width + x0;
    return (e[i] * (1 - fx) + e[i + right] * fx) * (1 - fy)
        + (e[i + down] * (1 - fx) + e[i + down + right] * fx) * fy;
  }

  private static void fadeBorder(float[] e, int height, int width) {
    int border = Math.min(BORDER, Math.min(height, width) / 2);
    for (int i = 0; i < border; i++) {
      float share = i / (float) border;
      for (int y = 0; y < height; y++) {
        e[y * width + i] *= share;
        e[y * width + width - 1 - i] *= share;
      }
      for (int x = 0; x < width; x++) {
        e[i * width + x] *= share;
        e[(height - 1 - i) * width + x] *= share;
      }
    }
  }
}
