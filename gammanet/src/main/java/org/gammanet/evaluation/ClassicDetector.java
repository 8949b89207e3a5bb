package org.gammanet.evaluation;

import java.util.Comparator;
import java.util.PriorityQueue;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;

/**
 * Classic edge detectors, as a yardstick for learned ones. Both work on the gray image (Rec. 601
 * luma in [0, 1]), leave what is a maximum along the gradient, and give the strength of an edge as
 * the height of the ideal step that has the same gradient: 1 is a step from black to white.
 */
public enum ClassicDetector {
  /**
   * Gradient of the smoothed image by Sobel's 3 × 3 kernels (Duda and Hart, "Pattern Classification
   * and Scene Analysis", 1973, page 271).
   */
  SOBEL(2),
  /**
   * Canny, "A computational approach to edge detection", PAMI 1986: gradient by derivatives of a
   * Gaussian, suppression, hysteresis with a low threshold of {@value #LOW} times the high one. The
   * strength of a pixel is the largest high threshold at which the detector reports it, so that
   * cutting the map at t gives Canny's result at t, for every t at once.
   */
  CANNY(2);

  /** Low threshold of the hysteresis as a fraction of the high one. */
  static final double LOW = 0.4;

  /** Both pixels beside a step are maxima, also when rounding makes them differ a little. */
  private static final float MARGIN = 1.0001f;

  private final double sigma;

  ClassicDetector(double sigma) {
    this.sigma = sigma;
  }

  /** Standard deviation of the smoothing unless another is asked for, pixels. */
  public double defaultSigma() {
    return sigma;
  }

  /**
   * Strength of the edge at each pixel.
   *
   * @param sigma standard deviation of the Gaussian, pixels: 0 (for {@link #SOBEL}: no smoothing),
   *     or 0.3 to 50
   * @return of the image's size
   */
  public EdgeMap detect(RgbImage image, double sigma) {
    checkSigma(sigma);
    int height = image.height();
    int width = image.width();
    float[] gray = new float[height * width];
    byte[] rgb = image.samples();
    for (int i = 0; i < gray.length; i++) {
      gray[i] =
          (0.299f * (rgb[3 * i] & 0xFF)
                  + 0.587f * (rgb[3 * i + 1] & 0xFF)
                  + 0.114f * (rgb[3 * i + 2] & 0xFF))
              / 255;
    }
    float[] smooth = gaussian(sigma);
    float[] gx;
    float[] gy;
    float[] slope; // the derivative along one axis; gives the response to a step
    if (this == CANNY) {
      slope = derivative(smooth);
      gx = rows(columns(gray, height, width, smooth), height, width, slope);
      gy = columns(rows(gray, height, width, smooth), height, width, slope);
    } else {
      float[] central = {-0.5f, 0, 0.5f};
      float[] across = {0.25f, 0.5f, 0.25f};
      float[] even = columns(rows(gray, height, width, smooth), height, width, smooth);
      gx = rows(columns(even, height, width, across), height, width, central);
      gy = columns(rows(even, height, width, across), height, width, central);
      slope = convolve(smooth, central);
    }
    // Beside a step from 0 to 1 one half of the kernel sees the step.
    double step = 0;
    for (int i = slope.length / 2 + 1; i < slope.length; i++) {
      step += slope[i];
    }
    float[] strength = new float[gray.length];
    for (int i = 0; i < strength.length; i++) {
      strength[i] = (float) Math.min(1, Math.hypot(gx[i], gy[i]) / step);
    }
    float[] lines = suppress(strength, gx, gy, height, width);
    return new EdgeMap(width, height, this == CANNY ? hysteresis(lines, height, width) : lines);
  }

  public void checkSigma(double sigma) {
    if (!(sigma == 0 && this == SOBEL) && !(sigma >= 0.3 && sigma <= 50)) {
      throw new IllegalArgumentException(
          "The smoothing's standard deviation must be %s0.3 to 50 pixels, found %s"
              .formatted(this == SOBEL ? "0 or " : "", sigma));
    }
  }

  /** Samples of a Gaussian to four standard deviations that sum to 1. */
  private static float[] gaussian(double sigma) {
    int reach = (int) Math.ceil(4 * sigma);
    double[] g = new double[2 * reach + 1];
    double sum = 0;
    for (int i = -reach; i <= reach; i++) {
      g[i + reach] = sigma == 0 ? 1 : Math.exp(-i * i / (2 * sigma * sigma));
      sum += g[i + reach];
    }
    float[] kernel = new float[g.length];
    for (int i = 0; i < g.length; i++) {
      kernel[i] = (float) (g[i] / sum);
    }
    return kernel;
  }

  /** Derivative of a Gaussian, of weight 1 for a ramp of slope 1. */
  private static float[] derivative(float[] gaussian) {
    int reach = gaussian.length / 2;
    float[] kernel = new float[gaussian.length];
    double ramp = 0;
    for (int i = -reach; i <= reach; i++) {
      ramp += (double) i * i * gaussian[i + reach];
    }
    for (int i = -reach; i <= reach; i++) {
      kernel[i + reach] = (float) (i * gaussian[i + reach] / ramp);
    }
    return kernel;
  }

  private static float[] convolve(float[] a, float[] b) {
    float[] out = new float[a.length + b.length - 1];
    for (int i = 0; i < a.length; i++) {
      for (int k = 0; k < b.length; k++) {
        out[i + k] += a[i] * b[k];
      }
    }
    return out;
  }

  /** Correlates each row with a kernel of odd length; the edge pixel is repeated outside. */
  private static float[] rows(float[] in, int height, int width, float[] kernel) {
    int reach = kernel.length / 2;
    float[] out = new float[in.length];
    float[] line = new float[width + 2 * reach];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < line.length; x++) {
        line[x] = in[y * width + Math.clamp(x - reach, 0, width - 1)];
      }
      for (int x = 0; x < width; x++) {
        float sum = 0;
        for (int k = 0; k < kernel.length; k++) {
          sum += kernel[k] * line[x + k];
        }
        out[y * width + x] = sum;
      }
    }
    return out;
  }

  /** The same for columns. */
  private static float[] columns(float[] in, int height, int width, float[] kernel) {
    int reach = kernel.length / 2;
    float[] out = new float[in.length];
    for (int y = 0; y < height; y++) {
      for (int k = 0; k < kernel.length; k++) {
        int from = Math.clamp(y + k - reach, 0, height - 1) * width;
        for (int x = 0; x < width; x++) {
          out[y * width + x] += kernel[k] * in[from + x];
        }
      }
    }
    return out;
  }

  /** Keeps what is not smaller than both neighbors along the gradient, between pixels linearly. */
  private static float[] suppress(float[] m, float[] gx, float[] gy, int height, int width) {
    float[] out = new float[m.length];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int i = y * width + x;
        int sx = gx[i] < 0 ? -1 : 1;
        int sy = gy[i] < 0 ? -1 : 1;
        float ax = Math.abs(gx[i]);
        float ay = Math.abs(gy[i]);
        boolean flat = ax >= ay;
        float part = flat ? ay / ax : ax / ay;
        if (m[i] > 0) {
          float before = 0;
          float after = 0;
          for (int side = -1; side <= 1; side += 2) {
            int dx = side * sx;
            int dy = side * sy;
            float straight =
                flat ? at(m, x + dx, y, height, width) : at(m, x, y + dy, height, width);
            float oblique = at(m, x + dx, y + dy, height, width);
            float between = straight + (oblique - straight) * part;
            if (side < 0) {
              before = between;
            } else {
              after = between;
            }
          }
          float enough = m[i] * MARGIN;
          out[i] = enough >= before && enough >= after ? m[i] : 0;
        }
      }
    }
    return out;
  }

  private static float at(float[] m, int x, int y, int height, int width) {
    return x < 0 || y < 0 || x >= width || y >= height ? 0 : m[y * width + x];
  }

  /**
   * For each pixel the largest t such that pixels of at least {@code LOW * t} connect it with one
   * of at least t: a widest path, found from the strongest pixel downwards.
   */
  static float[] hysteresis(float[] m, int height, int width) {
    float[] t = m.clone();
    var queue = new PriorityQueue<Long>(1024, Comparator.reverseOrder());
    for (int i = 0; i < m.length; i++) {
      if (m[i] > 0) {
        queue.add(entry(m[i], i));
      }
    }
    while (!queue.isEmpty()) {
      long top = queue.poll();
      int i = (int) top;
      if (entry(t[i], i) != top) {
        continue; // raised since
      }
      int x = i % width;
      int y = i / width;
      for (int yy = Math.max(0, y - 1); yy <= Math.min(height - 1, y + 1); yy++) {
        for (int xx = Math.max(0, x - 1); xx <= Math.min(width - 1, x + 1); xx++) {
          int k = yy * width + xx;
          float reached = (float) Math.min(t[i], m[k] / LOW);
          if (reached > t[k]) {
            t[k] = reached;
            queue.add(entry(reached, k));
          }
        }
      }
    }
    return t;
  }

  /** Ordered by value: the bits of floats that are not negative rise with them. */
  private static long entry(float value, int index) {
    return (long) Float.floatToIntBits(value) << 32 | index;
  }
}
