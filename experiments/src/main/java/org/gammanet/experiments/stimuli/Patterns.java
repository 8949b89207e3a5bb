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

  /**
   * A small picture.
   *
   * @param values rows x columns, rows first
   */
  record Block(int rows, int columns, double[] values) {}

  /**
   * The original's bar: ones of W x L in the middle of zeros of 3W x 3L, turned with bilinear
   * interpolation and cut at one half.
   *
   * @param axis degrees
   */
  static Block parityBar(int length, int width, double axis) {
    double[] box = new double[9 * width * length];
    for (int y = width; y < 2 * width; y++) {
      for (int x = length; x < 2 * length; x++) {
        box[y * 3 * length + x] = 1;
      }
    }
    double cos = Math.abs(Orientation.cos(axis));
    double sin = Math.abs(Orientation.sin(axis));
    int rows = (int) Math.floor(3 * width * cos + 3 * length * sin + 0.5);
    int columns = (int) Math.floor(3 * width * sin + 3 * length * cos + 0.5);
    double[] turned = turn(new Block(3 * width, 3 * length, box), axis, rows, columns);
    for (int i = 0; i < turned.length; i++) {
      turned[i] = turned[i] > 0.5 ? 1 : 0;
    }
    return new Block(rows, columns, turned);
  }

  /**
   * A picture turned clockwise on the screen about its middle, bilinear; 0 where the source lies
   * outside.
   */
  static double[] turn(Block source, double degrees, int rows, int columns) {
    double cos = Orientation.cos(degrees);
    double sin = Orientation.sin(degrees);
    double[] out = new double[rows * columns];
    for (int y = 0, i = 0; y < rows; y++) {
      double dy = y - (rows - 1) / 2.0;
      for (int x = 0; x < columns; x++, i++) {
        double dx = x - (columns - 1) / 2.0;
        double u = dx * cos + dy * sin + (source.columns() - 1) / 2.0;
        double v = -dx * sin + dy * cos + (source.rows() - 1) / 2.0;
        out[i] = bilinear(source, v, u);
      }
    }
    return out;
  }

  private static double bilinear(Block source, double row, double column) {
    if (!(row >= 0 && row <= source.rows() - 1 && column >= 0 && column <= source.columns() - 1)) {
      return 0;
    }
    int y0 = (int) row;
    int x0 = (int) column;
    int y1 = Math.min(y0 + 1, source.rows() - 1);
    int x1 = Math.min(x0 + 1, source.columns() - 1);
    double fy = row - y0;
    double fx = column - x0;
    double[] v = source.values();
    int w = source.columns();
    double top = v[y0 * w + x0] * (1 - fx) + v[y0 * w + x1] * fx;
    double bottom = v[y1 * w + x0] * (1 - fx) + v[y1 * w + x1] * fx;
    return top * (1 - fy) + bottom * fy;
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

  static float[] floats(double[] pattern) {
    float[] out = new float[pattern.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) pattern[i];
    }
    return out;
  }

  private static double squaredDistance(Frame frame, int y, int x) {
    double dy = y - frame.center().y();
    double dx = x - frame.center().x();
    return dx * dx + dy * dy;
  }
}
