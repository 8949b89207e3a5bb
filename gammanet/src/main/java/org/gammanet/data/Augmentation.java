package org.gammanet.data;

import java.util.Arrays;
import org.gammanet.config.AugmentationConfig;
import org.gammanet.config.DataConfig;
import org.gammanet.config.TargetKind;
import org.gammanet.io.SplitMix;
import org.jspecify.annotations.Nullable;

/**
 * Random geometry and color for training images. Everything random comes from the generator that
 * {@link #apply} is given, in a fixed order of draws, so a sample is a function of that generator's
 * seed and of nothing else.
 *
 * <p>Geometry acts on each annotator's mask, not on their mean: averages of moved lines would fall
 * below the threshold of a positive pixel. Flips and quarter turns without scaling copy pixels.
 * Otherwise a mask is moved as a drawing: neighboring set pixels stay joined by a straight segment,
 * and one-pixel lines are thinned to one pixel again. So lines neither break when enlarged or
 * turned nor swell when shrunk.
 *
 * @param crop side of the square that is cut out, in pixels; 0 takes the whole image
 * @param scales one is drawn per sample
 * @param rotations number of equally spaced angles around the full turn; 1 = upright only
 * @param horizontalFlip probability of mirroring left and right
 * @param verticalFlip probability of mirroring top and bottom
 * @param jitter change of colors, null for none
 * @param occluders probability that a uniform surface covers part of the view, as a foreground
 *     object would: half of them bounded by a line, half by a circle, in white, black, a gray or a
 *     color. Its outline is a contour, and nothing else of it is, not even where it meets the rim.
 *     One in four covers the whole view
 * @param randomAnnotator the target is one annotator's drawing, drawn per sample, instead of the
 *     mean over all
 * @param thin thin the set of pixels that anyone marked
 * @param preprocessing standardization of colors
 */
public record Augmentation(
    int crop,
    double[] scales,
    int rotations,
    double horizontalFlip,
    double verticalFlip,
    @Nullable ColorJitter jitter,
    double occluders,
    boolean randomAnnotator,
    boolean thin,
    Preprocessing preprocessing) {

  /** Pixels beyond the crop that take part in thinning, so that its edge looks like its inside. */
  private static final int MARGIN = 8;

  /**
   * Random change of colors, as in torchvision: each of the four in a random order.
   *
   * @param probability how often colors change at all
   * @param brightness factor uniform in 1 ± this
   * @param contrast factor uniform in 1 ± this, about the mean gray value
   * @param saturation factor uniform in 1 ± this, about each pixel's gray value
   * @param hue shift uniform in ± this, in turns of the color circle
   */
  public record ColorJitter(
      double probability, double brightness, double contrast, double saturation, double hue) {
    /** The values of the GammaNet reference implementation. */
    public static final ColorJitter REFERENCE = new ColorJitter(0.3, 0.2, 0.2, 0.2, 0.1);
  }

  public Augmentation {
    if (crop < 0 || rotations < 1 || scales.length == 0) {
      throw new IllegalArgumentException(
          "crop must be at least 0, rotations at least 1 and scales not empty; found %s, %s, %s"
              .formatted(crop, rotations, Arrays.toString(scales)));
    }
    for (double s : scales) {
      if (!(s >= 0.05 && s <= 20)) {
        throw new IllegalArgumentException("A scale must lie in 0.05 ... 20, found " + s);
      }
    }
  }

  /** As configured. */
  public static Augmentation of(DataConfig data) {
    AugmentationConfig c = data.augmentation();
    return new Augmentation(
        c.randomCrop(),
        c.scales().stream().mapToDouble(s -> s).toArray(),
        c.rotations(),
        c.randomFlip() ? 0.5 : 0,
        c.verticalFlip(),
        c.colorJitter() ? ColorJitter.REFERENCE : null,
        c.occluders(),
        data.target() == TargetKind.RANDOM_ANNOTATOR,
        data.thinTargets(),
        Preprocessing.of(data, 1));
  }

  /** Nothing random: the whole image, standardized. */
  public static Augmentation none(Preprocessing preprocessing) {
    return new Augmentation(0, new double[] {1}, 1, 0, 0, null, 0, false, false, preprocessing);
  }

  /** One random view of an image. */
  public Sample apply(Example example, SplitMix random) {
    double scale = scales[random.nextInt(scales.length)];
    int step = random.nextInt(rotations);
    double angle = 2 * Math.PI * step / rotations;
    boolean quarter = 4 * step % rotations == 0;
    View view = View.of(example, scale, angle, quarter, crop, random);
    view.flipX = random.nextDouble() < horizontalFlip;
    view.flipY = random.nextDouble() < verticalFlip;
    double annotator = random.nextDouble();

    int n = view.height * view.width;
    boolean[] valid = new boolean[n];
    view.fillValid(valid);
    float[] target =
        switch (example.annotation()) {
          case Example.Layers layers -> view.layers(layers, randomAnnotator ? annotator : -1);
          case Example.Soft soft -> view.soft(soft, valid);
        };
    for (int i = 0; i < n; i++) {
      if (!valid[i]) {
        target[i] = 0;
      }
    }
    if (thin) {
      byte[] any = new byte[n];
      for (int i = 0; i < n; i++) {
        any[i] = (byte) (target[i] > 0 ? 1 : 0);
      }
      Thinning.thin(any, view.height, view.width);
      for (int i = 0; i < n; i++) {
        target[i] *= any[i];
      }
    }
    float[] image = view.image();
    boolean change = jitter != null && random.nextDouble() < jitter.probability;
    if (change && jitter != null) {
      jitter(image, jitter, random);
    }
    if (occluders > 0 && random.nextDouble() < occluders) {
      view.occlude(image, target, random);
    }
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < n; i++) {
        // Where there is no data the mean color stands in: 0 after standardizing.
        image[c * n + i] = view.inside(i) ? preprocessing.normalize(c, image[c * n + i]) : 0;
      }
    }
    return new Sample(example.id(), view.height, view.width, image, target, valid);
  }

  /** The geometry of one sample: which point of the source each output pixel shows. */
  private static final class View {
    final Example source;
    final double scale;
    final double cos;
    final double sin;
    final boolean exact;
    final int scaledHeight;
    final int scaledWidth;

    /** Largest upright rectangle inside the turned image, in scaled pixels. */
    final int innerHeight;

    final int innerWidth;
    final int height;
    final int width;

    /** Position of the output's corner inside that rectangle; negative where it is too small. */
    final int offsetX;

    final int offsetY;
    boolean flipX;
    boolean flipY;

    private View(
        Example source,
        double scale,
        double angle,
        boolean quarter,
        int[] inner,
        int crop,
        SplitMix random) {
      this.source = source;
      this.scale = scale;
      // Exact values at quarter turns, where sines from the library are off by 1e-16.
      this.cos = quarter ? Math.rint(Math.cos(angle)) : Math.cos(angle);
      this.sin = quarter ? Math.rint(Math.sin(angle)) : Math.sin(angle);
      this.exact = quarter && scale == 1;
      this.scaledHeight = scaled(source.height(), scale);
      this.scaledWidth = scaled(source.width(), scale);
      this.innerHeight = inner[0];
      this.innerWidth = inner[1];
      this.height = crop == 0 ? innerHeight : crop;
      this.width = crop == 0 ? innerWidth : crop;
      this.offsetY = offset(innerHeight - height, random);
      this.offsetX = offset(innerWidth - width, random);
    }

    static View of(
        Example source, double scale, double angle, boolean quarter, int crop, SplitMix random) {
      int h = scaled(source.height(), scale);
      int w = scaled(source.width(), scale);
      return new View(source, scale, angle, quarter, inner(h, w, angle, quarter), crop, random);
    }

    private static int scaled(int length, double scale) {
      return (int) Math.max(1, Math.rint(length * scale));
    }

    /** Uniform between 0 and room, also when room is negative. */
    private static int offset(int room, SplitMix random) {
      int step = random.nextInt(Math.abs(room) + 1);
      return room < 0 ? -step : step;
    }

    /** Height and width of the largest upright rectangle without fill in a turned image. */
    private static int[] inner(int h, int w, double angle, boolean quarter) {
      double s = Math.abs(Math.sin(angle));
      double c = Math.abs(Math.cos(angle));
      if (quarter) {
        return s < 0.5 ? new int[] {h, w} : new int[] {w, h};
      }
      double shortSide = Math.min(h, w);
      double longSide = Math.max(h, w);
      double width;
      double height;
      if (shortSide <= 2 * s * c * longSide || Math.abs(s - c) < 1e-10) {
        // Two corners touch the long sides.
        double x = shortSide / 2;
        width = w >= h ? x / s : x / c;
        height = w >= h ? x / c : x / s;
      } else {
        double q = c * c - s * s;
        width = (w * c - h * s) / q;
        height = (h * c - w * s) / q;
      }
      return new int[] {(int) Math.max(1, height), (int) Math.max(1, width)};
    }

    boolean inside(int pixel) {
      return inside(pixel % width, pixel / width);
    }

    private boolean inside(int x, int y) {
      int rx = (flipX ? width - 1 - x : x) + offsetX;
      int ry = (flipY ? height - 1 - y : y) + offsetY;
      return rx >= 0 && rx < innerWidth && ry >= 0 && ry < innerHeight;
    }

    void fillValid(boolean[] valid) {
      for (int i = 0; i < valid.length; i++) {
        valid[i] = inside(i);
      }
    }

    /** Lays a uniform surface over part of the view. */
    void occlude(float[] image, float[] target, SplitMix random) {
      double angle = random.nextDouble(0, 2 * Math.PI);
      double cos = Math.cos(angle);
      double sin = Math.sin(angle);
      double side = Math.min(height, width);
      boolean whole = random.nextInt(4) == 0;
      // How far the surface's edge lies from the view's center, in the direction of the surface.
      double gap = random.nextDouble(-0.1, 0.35) * side;
      double radius = random.nextInt(2) == 1 ? random.nextDouble(0.3, 1) * side : 0;
      float[] color = new float[3];
      switch (random.nextInt(4)) {
        case 0 -> Arrays.fill(color, 1);
        case 1 -> Arrays.fill(color, 0);
        case 2 -> Arrays.fill(color, (float) random.nextDouble());
        default -> {
          for (int c = 0; c < 3; c++) {
            color[c] = (float) random.nextDouble();
          }
        }
      }
      int n = height * width;
      for (int i = 0; i < n; i++) {
        double x = i % width + 0.5 - width / 2.0;
        double y = i / width + 0.5 - height / 2.0;
        double along = cos * x + sin * y - gap;
        // Pixels from the surface's edge, positive on the surface.
        double depth = whole ? Double.POSITIVE_INFINITY : along;
        if (!whole && radius > 0) {
          depth = radius - Math.hypot(along - radius, cos * y - sin * x);
        }
        double cover = Math.clamp(depth + 0.5, 0, 1);
        if (cover == 0 || !inside(i)) {
          continue;
        }
        for (int c = 0; c < 3; c++) {
          image[c * n + i] += (float) (cover * (color[c] - image[c * n + i]));
        }
        if (depth >= 0) {
          target[i] = depth < 1 ? 1 : 0;
        }
      }
    }

    /** Colors in [0, 1], three planes. Pixels outside the source repeat its border. */
    float[] image() {
      int h = source.height();
      int w = source.width();
      byte[] rgb = source.rgb();
      float[] colors = new float[rgb.length];
      for (int i = 0; i < rgb.length; i++) {
        colors[i] = (rgb[i] & 0xFF) / 255f;
      }
      if (scale < 1) {
        colors = areaAverage(colors, h, w, scaledHeight, scaledWidth, 3);
        h = scaledHeight;
        w = scaledWidth;
      }
      float[] out = new float[3 * height * width];
      sample(colors, h, w, 3, out);
      return out;
    }

    /** Samples an interleaved picture of the (possibly shrunk) source into output planes. */
    private void sample(float[] pixels, int h, int w, int channels, float[] out) {
      int n = height * width;
      double stepX = (double) w / scaledWidth;
      double stepY = (double) h / scaledHeight;
      for (int y = 0; y < height; y++) {
        double v = (flipY ? height - 1 - y : y) + offsetY + 0.5 - innerHeight / 2.0;
        for (int x = 0; x < width; x++) {
          double u = (flipX ? width - 1 - x : x) + offsetX + 0.5 - innerWidth / 2.0;
          double sx = (cos * u + sin * v + scaledWidth / 2.0) * stepX - 0.5;
          double sy = (-sin * u + cos * v + scaledHeight / 2.0) * stepY - 0.5;
          sx = Math.clamp(sx, 0, w - 1.0);
          sy = Math.clamp(sy, 0, h - 1.0);
          int x0 = (int) sx;
          int y0 = (int) sy;
          int right = x0 + 1 < w ? channels : 0;
          int down = y0 + 1 < h ? w * channels : 0;
          float fx = (float) (sx - x0);
          float fy = (float) (sy - y0);
          int p = (y0 * w + x0) * channels;
          for (int c = 0; c < channels; c++) {
            float top = pixels[p + c] + fx * (pixels[p + right + c] - pixels[p + c]);
            float bottom =
                pixels[p + down + c] + fx * (pixels[p + down + right + c] - pixels[p + down + c]);
            out[c * n + y * width + x] = top + fy * (bottom - top);
          }
        }
      }
    }

    /** The consensus of moved masks; {@code annotator} in [0, 1) picks a single one instead. */
    float[] layers(Example.Layers layers, double annotator) {
      float[] weights = layers.weights();
      int only = -1;
      if (annotator >= 0) {
        double sum = 0;
        only = weights.length - 1;
        for (int k = 0; k < weights.length; k++) {
          sum += weights[k];
          if (annotator < sum) {
            only = k;
            break;
          }
        }
      }
      short[] bits = exact ? copied(layers.bits()) : drawn(layers.bits(), layers.lines(), only);
      if (only >= 0) {
        float[] target = new float[bits.length];
        for (int i = 0; i < bits.length; i++) {
          target[i] = bits[i] >> only & 1;
        }
        return target;
      }
      return new Example.Layers(bits, weights, layers.lines(), layers.drawings()).consensus();
    }

    /** Pixel for pixel: flips and quarter turns. */
    private short[] copied(short[] bits) {
      short[] out = new short[height * width];
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          if (inside(x, y)) {
            out[y * width + x] = bits[sourcePixel(x, y)];
          }
        }
      }
      return out;
    }

    /** Index of the source pixel nearest to an output pixel inside the rectangle. */
    private int sourcePixel(int x, int y) {
      double u = (flipX ? width - 1 - x : x) + offsetX + 0.5 - innerWidth / 2.0;
      double v = (flipY ? height - 1 - y : y) + offsetY + 0.5 - innerHeight / 2.0;
      int w = source.width();
      int h = source.height();
      double sx = (cos * u + sin * v + scaledWidth / 2.0) * w / scaledWidth - 0.5;
      double sy = (-sin * u + cos * v + scaledHeight / 2.0) * h / scaledHeight - 0.5;
      int column = Math.clamp(Math.round(sx), 0, w - 1);
      int row = Math.clamp(Math.round(sy), 0, h - 1);
      return row * w + column;
    }

    /** Draws every mask's pixels and the segments between neighbors at their new places. */
    private short[] drawn(short[] bits, boolean lines, int only) {
      int h = source.height();
      int w = source.width();
      int use = only >= 0 ? 1 << only : 0xFFFF;
      int canvasWidth = width + 2 * MARGIN;
      int canvasHeight = height + 2 * MARGIN;
      Canvas canvas = new Canvas(canvasHeight, canvasWidth);
      // Source pixel (x, y) lands at (ox + ax x + bx y, oy + ay x + by y) of the canvas.
      double mx = (double) scaledWidth / w;
      double my = (double) scaledHeight / h;
      double fx = flipX ? -1 : 1;
      double fy = flipY ? -1 : 1;
      double ax = fx * cos * mx;
      double bx = fx * -sin * my;
      double ay = fy * sin * mx;
      double by = fy * cos * my;
      double cx = 0.5 * mx - scaledWidth / 2.0;
      double cy = 0.5 * my - scaledHeight / 2.0;
      double ox = cos * cx - sin * cy + innerWidth / 2.0 - 0.5 - offsetX;
      double oy = sin * cx + cos * cy + innerHeight / 2.0 - 0.5 - offsetY;
      ox = (flipX ? width - 1 - ox : ox) + MARGIN;
      oy = (flipY ? height - 1 - oy : oy) + MARGIN;
      double reach = 2 * Math.max(1, scale);
      int strokes = scale > 1 ? (int) Math.ceil(1.5 * scale) : 0;
      for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
          int here = bits[y * w + x] & use;
          if (here == 0) {
            continue;
          }
          double px = ox + ax * x + bx * y;
          double py = oy + ay * x + by * y;
          if (px < -reach || py < -reach || px > canvasWidth + reach || py > canvasHeight + reach) {
            continue;
          }
          canvas.set((int) Math.rint(px), (int) Math.rint(py), here);
          boolean down = y + 1 < h;
          int east = x + 1 < w ? here & bits[y * w + x + 1] : 0;
          int south = down ? here & bits[(y + 1) * w + x] : 0;
          int southEast = down && x + 1 < w ? here & bits[(y + 1) * w + x + 1] : 0;
          int southWest = down && x > 0 ? here & bits[(y + 1) * w + x - 1] : 0;
          canvas.segment(px, py, px + ax, py + ay, east);
          canvas.segment(px, py, px + bx, py + by, south);
          canvas.segment(px, py, px + ax + bx, py + ay + by, southEast);
          canvas.segment(px, py, px - ax + bx, py - ay + by, southWest);
          int block = east & south & southEast;
          for (int i = 1; i < strokes && block != 0; i++) {
            double t = (double) i / strokes;
            canvas.segment(px + t * bx, py + t * by, px + ax + t * bx, py + ay + t * by, block);
          }
        }
      }
      if (lines) {
        canvas.thin();
      }
      short[] out = new short[height * width];
      for (int y = 0; y < height; y++) {
        System.arraycopy(canvas.bits, (y + MARGIN) * canvasWidth + MARGIN, out, y * width, width);
      }
      return out;
    }

    /** A soft map: copied, or sampled bilinearly (the largest of a cell when shrinking). */
    float[] soft(Example.Soft soft, boolean[] valid) {
      float[] values = soft.values();
      float[] out = new float[height * width];
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          int i = y * width + x;
          if (valid[i]) {
            out[i] = values[sourcePixel(x, y)];
            if (!(out[i] >= 0)) {
              valid[i] = false;
              out[i] = 0;
            }
          }
        }
      }
      if (exact) {
        return out;
      }
      int h = source.height();
      int w = source.width();
      float[] positive = values.clone();
      for (int i = 0; i < positive.length; i++) {
        positive[i] = positive[i] >= 0 ? positive[i] : 0;
      }
      if (scale < 1) {
        positive = cellMaximum(positive, h, w, scaledHeight, scaledWidth);
        h = scaledHeight;
        w = scaledWidth;
      }
      sample(positive, h, w, 1, out);
      return out;
    }
  }

  /** Up to 16 binary pictures at once, one per bit. */
  private static final class Canvas {
    final int height;
    final int width;
    final short[] bits;
    int used;

    Canvas(int height, int width) {
      this.height = height;
      this.width = width;
      this.bits = new short[height * width];
    }

    void set(int x, int y, int mask) {
      if (x >= 0 && x < width && y >= 0 && y < height) {
        bits[y * width + x] |= (short) mask;
        used |= mask;
      }
    }

    /** An 8-connected line between two points, ends included. */
    void segment(double fromX, double fromY, double toX, double toY, int mask) {
      if (mask == 0) {
        return;
      }
      int x0 = (int) Math.rint(fromX);
      int y0 = (int) Math.rint(fromY);
      int x1 = (int) Math.rint(toX);
      int y1 = (int) Math.rint(toY);
      int steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0));
      for (int i = 0; i <= steps; i++) {
        double t = steps == 0 ? 0 : (double) i / steps;
        set((int) Math.rint(x0 + t * (x1 - x0)), (int) Math.rint(y0 + t * (y1 - y0)), mask);
      }
    }

    void thin() {
      byte[] layer = new byte[bits.length];
      for (int k = 0; k < 16; k++) {
        if ((used >> k & 1) == 0) {
          continue;
        }
        for (int i = 0; i < bits.length; i++) {
          layer[i] = (byte) (bits[i] >> k & 1);
        }
        Thinning.thin(layer, height, width);
        for (int i = 0; i < bits.length; i++) {
          if (layer[i] == 0) {
            bits[i] &= (short) ~(1 << k);
          }
        }
      }
    }
  }

  /** Mean over the source area that each smaller pixel covers; interleaved channels. */
  private static float[] areaAverage(
      float[] pixels, int h, int w, int toHeight, int toWidth, int channels) {
    float[] rows = new float[toHeight * w * channels];
    int stride = w * channels;
    for (int y = 0; y < toHeight; y++) {
      double from = (double) y * h / toHeight;
      double to = (double) (y + 1) * h / toHeight;
      for (int sy = (int) from; sy < to && sy < h; sy++) {
        float share = (float) ((Math.min(to, sy + 1) - Math.max(from, sy)) / (to - from));
        for (int i = 0; i < stride; i++) {
          rows[y * stride + i] += share * pixels[sy * stride + i];
        }
      }
    }
    float[] out = new float[toHeight * toWidth * channels];
    for (int x = 0; x < toWidth; x++) {
      double from = (double) x * w / toWidth;
      double to = (double) (x + 1) * w / toWidth;
      for (int sx = (int) from; sx < to && sx < w; sx++) {
        float share = (float) ((Math.min(to, sx + 1) - Math.max(from, sx)) / (to - from));
        for (int y = 0; y < toHeight; y++) {
          for (int c = 0; c < channels; c++) {
            out[(y * toWidth + x) * channels + c] += share * rows[y * stride + sx * channels + c];
          }
        }
      }
    }
    return out;
  }

  private static float[] cellMaximum(float[] values, int h, int w, int toHeight, int toWidth) {
    float[] out = new float[toHeight * toWidth];
    for (int y = 0; y < h; y++) {
      int ty = (int) ((long) y * toHeight / h);
      for (int x = 0; x < w; x++) {
        int t = ty * toWidth + (int) ((long) x * toWidth / w);
        out[t] = Math.max(out[t], values[y * w + x]);
      }
    }
    return out;
  }

  private static void jitter(float[] image, ColorJitter jitter, SplitMix random) {
    int[] order = random.permutation(4);
    float brightness = (float) random.nextDouble(1 - jitter.brightness, 1 + jitter.brightness);
    float contrast = (float) random.nextDouble(1 - jitter.contrast, 1 + jitter.contrast);
    float saturation = (float) random.nextDouble(1 - jitter.saturation, 1 + jitter.saturation);
    float hue = (float) random.nextDouble(-jitter.hue, jitter.hue);
    int n = image.length / 3;
    for (int what : order) {
      switch (what) {
        case 0 -> {
          for (int i = 0; i < image.length; i++) {
            image[i] = clamp(image[i] * brightness);
          }
        }
        case 1 -> {
          double sum = 0;
          for (int i = 0; i < n; i++) {
            sum += gray(image, i, n);
          }
          float mean = (float) (sum / n);
          for (int i = 0; i < image.length; i++) {
            image[i] = clamp(mean + contrast * (image[i] - mean));
          }
        }
        case 2 -> {
          for (int i = 0; i < n; i++) {
            float gray = gray(image, i, n);
            for (int c = 0; c < 3; c++) {
              image[c * n + i] = clamp(gray + saturation * (image[c * n + i] - gray));
            }
          }
        }
        default -> {
          for (int i = 0; i < n; i++) {
            turnHue(image, i, n, hue);
          }
        }
      }
    }
  }

  private static float clamp(float v) {
    return Math.clamp(v, 0f, 1f);
  }

  private static float gray(float[] image, int i, int n) {
    return 0.299f * image[i] + 0.587f * image[n + i] + 0.114f * image[2 * n + i];
  }

  /** Turns one pixel's hue in the hexagonal HSV model, leaving saturation and value. */
  private static void turnHue(float[] image, int i, int n, float turn) {
    float r = image[i];
    float g = image[n + i];
    float b = image[2 * n + i];
    float max = Math.max(r, Math.max(g, b));
    float min = Math.min(r, Math.min(g, b));
    float range = max - min;
    if (range == 0) {
      return;
    }
    float h;
    if (max == r) {
      h = (g - b) / range;
    } else if (max == g) {
      h = 2 + (b - r) / range;
    } else {
      h = 4 + (r - g) / range;
    }
    h += 6 * turn;
    h -= 6 * (float) Math.floor(h / 6);
    for (int c = 0; c < 3; c++) {
      // Red peaks at 0, green at 2, blue at 4 on the circle of 6.
      float k = (h + (c == 0 ? 5 : c == 1 ? 3 : 1)) % 6;
      image[c * n + i] = max - range * Math.clamp(Math.min(k, 4 - k), 0f, 1f);
    }
  }
}
