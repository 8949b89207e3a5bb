package org.gammanet.experiments.stimuli;

import java.util.SplittableRandom;

/**
 * The primitives that stimuli are made of, as arrays of H x W values, rows first. {@code dx, dy} is
 * a pixel's offset from the frame's center and {@code d} its distance.
 */
public final class Patterns {
  private Patterns() {}

  /**
   * {@code c · sin(2π (dx cosθ + dy sinθ) f / H + p)}, between -c and c.
   *
   * @param modulation θ, direction of the wave vector in degrees
   * @param cycles f, per image height
   * @param phase p, radians; 0 has a zero crossing at the center pixel
   */
  public static double[] grating(
      Frame frame, double modulation, double cycles, double phase, double contrast) {
    // sin(a + b) from one table per axis: two products a pixel in place of a sine.
    double k = 2 * Math.PI * cycles / frame.height();
    double kx = k * Orientation.cos(modulation);
    double ky = k * Orientation.sin(modulation);
    int w = frame.width();
    double[] sinX = new double[w];
    double[] cosX = new double[w];
    for (int x = 0; x < w; x++) {
      double a = kx * (x - frame.center().x()) + phase;
      sinX[x] = contrast * Math.sin(a);
      cosX[x] = contrast * Math.cos(a);
    }
    double[] out = new double[frame.pixels()];
    for (int y = 0; y < frame.height(); y++) {
      double b = ky * (y - frame.center().y());
      double cosY = Math.cos(b);
      double sinY = Math.sin(b);
      int row = y * w;
      for (int x = 0; x < w; x++) {
        out[row + x] = sinX[x] * cosY + cosX[x] * sinY;
      }
    }
    return out;
  }

  /** A grating under a Gaussian window {@code exp(-d² / 2σ²)}, σ in pixels. */
  public static double[] gabor(
      Frame frame, double modulation, double cycles, double sigma, double phase, double contrast) {
    double[] out = grating(frame, modulation, cycles, phase, contrast);
    for (int y = 0, i = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++, i++) {
        out[i] *= Math.exp(-squaredDistance(frame, y, x) / (2 * sigma * sigma));
      }
    }
    return out;
  }

  /** 1 where d is at most r, else 0. */
  public static double[] disc(Frame frame, double radius) {
    return disc(frame, radius, 0);
  }

  /**
   * 1 where d ≤ r, falling to 0 at r + s along half a cosine. With s = 0 the edge is hard.
   *
   * @param soft s, pixels
   */
  public static double[] disc(Frame frame, double radius, double soft) {
    double[] out = new double[frame.pixels()];
    for (int y = 0, i = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++, i++) {
        double square = squaredDistance(frame, y, x);
        if (square <= radius * radius) {
          out[i] = 1;
        } else if (square < (radius + soft) * (radius + soft)) {
          out[i] = 0.5 * (1 + Math.cos(Math.PI * (Math.sqrt(square) - radius) / soft));
        }
      }
    }
    return out;
  }

  /** 1 where a &lt; d ≤ b, else 0. */
  public static double[] ring(Frame frame, double inner, double outer) {
    double[] out = new double[frame.pixels()];
    for (int y = 0, i = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++, i++) {
        double square = squaredDistance(frame, y, x);
        out[i] = square > inner * inner && square <= outer * outer ? 1 : 0;
      }
    }
    return out;
  }

  /**
   * Coverage of each pixel by an anti-aliased bar, 0 to 1.
   *
   * @param cx, cy middle of the bar relative to the frame's center, pixels
   * @param axis direction of its long axis, degrees
   */
  public static double[] bar(
      Frame frame, double cx, double cy, double length, double width, double axis) {
    double cos = Orientation.cos(axis);
    double sin = Orientation.sin(axis);
    double[] out = new double[frame.pixels()];
    for (int y = 0, i = 0; y < frame.height(); y++) {
      double dy = y - frame.center().y() - cy;
      for (int x = 0; x < frame.width(); x++, i++) {
        double dx = x - frame.center().x() - cx;
        double u = Math.abs(dx * cos + dy * sin);
        double v = Math.abs(-dx * sin + dy * cos);
        out[i] = Math.clamp(length / 2 + 0.5 - u, 0, 1) * Math.clamp(width / 2 + 0.5 - v, 0, 1);
      }
    }
    return out;
  }

  /** Standard normal deviates that depend on nothing but the seed and the order of the calls. */
  static double gaussian(SplittableRandom random) {
    double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
    return radius * Math.cos(2 * Math.PI * random.nextDouble());
  }

  /** {@code out += factor · a · b}. */
  static void addProduct(double[] out, double factor, double[] a, double[] b) {
    for (int i = 0; i < out.length; i++) {
      out[i] += factor * a[i] * b[i];
    }
  }

  /** Luminance {@code 0.5 + 0.5 P} of a pattern. */
  static float[] luminance(double[] pattern) {
    float[] out = new float[pattern.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (0.5 + 0.5 * pattern[i]);
    }
    return out;
  }

  private static double squaredDistance(Frame frame, int y, int x) {
    double dy = y - frame.center().y();
    double dx = x - frame.center().x();
    return dx * dx + dy * dy;
  }
}
