package org.gammanet.io;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DirectColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.SinglePixelPackedSampleModel;
import java.awt.image.WritableRaster;
import org.jspecify.annotations.Nullable;

/**
 * Decoded samples with their meaning. Samples are taken as the file holds them, without color
 * management; AWT's own conversions would treat gray as linear light, which no file means.
 *
 * @param raster samples; bands beyond those of {@code layout} are ignored
 * @param layout what the bands mean
 * @param white the sample of full intensity
 * @param premultiplied whether colors are multiplied by opacity
 * @param palette colors (ARGB) of the samples when the layout is {@link Layout#PALETTE}
 * @param orientation where Exif puts the first row and column, 1 (upright) to 8
 */
record Pixels(
    Raster raster,
    Layout layout,
    double white,
    boolean premultiplied,
    int @Nullable [] palette,
    int orientation) {

  /** The meaning of bands. */
  enum Layout {
    GRAY(1, false),
    GRAY_ALPHA(1, true),
    RGB(3, false),
    RGB_ALPHA(3, true),
    /** Amounts of ink: 0 is paper. */
    CMYK(4, false),
    PALETTE(1, false);

    final int colors;
    final boolean alpha;

    Layout(int colors, boolean alpha) {
      this.colors = colors;
      this.alpha = alpha;
    }
  }

  /** The samples of an image in memory, by its own color model. */
  static Pixels of(BufferedImage image, int orientation) {
    ColorModel model = image.getColorModel();
    Raster raster = image.getRaster();
    if (model instanceof IndexColorModel index) {
      int[] palette = new int[index.getMapSize()];
      index.getRGBs(palette);
      return new Pixels(raster, Layout.PALETTE, 255, false, palette, orientation);
    }
    int type = model.getTransferType();
    int space = model.getColorSpace().getType();
    boolean gray = space == ColorSpace.TYPE_GRAY;
    int bits = model.getComponentSize(0);
    if (model instanceof ComponentColorModel
        && (gray || space == ColorSpace.TYPE_RGB)
        && (type == DataBuffer.TYPE_BYTE
            || type == DataBuffer.TYPE_USHORT
            || type == DataBuffer.TYPE_FLOAT
            || type == DataBuffer.TYPE_DOUBLE)) {
      boolean real = type == DataBuffer.TYPE_FLOAT || type == DataBuffer.TYPE_DOUBLE;
      Layout layout =
          gray
              ? model.hasAlpha() ? Layout.GRAY_ALPHA : Layout.GRAY
              : model.hasAlpha() ? Layout.RGB_ALPHA : Layout.RGB;
      return new Pixels(
          raster,
          layout,
          real ? 1 : (1 << bits) - 1,
          model.isAlphaPremultiplied(),
          null,
          orientation);
    }
    if (model instanceof DirectColorModel
        && bits == 8
        && raster.getSampleModel() instanceof SinglePixelPackedSampleModel
        && model.getComponentSize(1) == 8
        && model.getComponentSize(2) == 8) { // bands in order, whatever their place in the word
      Layout layout = raster.getNumBands() == 4 ? Layout.RGB_ALPHA : Layout.RGB;
      return new Pixels(raster, layout, 255, model.isAlphaPremultiplied(), null, orientation);
    }
    // Other packed pixels have fewer bits; AWT scales them, and takes them as sRGB.
    int w = image.getWidth();
    int bands = model.hasAlpha() ? 4 : 3;
    WritableRaster bytes =
        Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, w, image.getHeight(), bands, null);
    int[] row = new int[w];
    byte[] samples = new byte[bands * w];
    for (int y = 0; y < image.getHeight(); y++) {
      image.getRGB(0, y, w, 1, row, 0, w);
      for (int x = 0; x < w; x++) {
        for (int c = 0; c < bands; c++) {
          samples[bands * x + c] = (byte) (row[x] >>> (c == 3 ? 24 : 16 - 8 * c));
        }
      }
      bytes.setDataElements(0, y, w, 1, samples);
    }
    Layout layout = bands == 4 ? Layout.RGB_ALPHA : Layout.RGB;
    return new Pixels(bytes, layout, 255, false, null, orientation);
  }

  /** The upright image in 8 bits per channel, over white where it is transparent. */
  RgbImage toRgb() {
    return toRgb(0);
  }

  /**
   * The same, shrunk as {@link RgbImage#shrink} does, row by row: the image in its own size is
   * never in memory in 8 bits per channel.
   *
   * @param maxSide 0 for any number of pixels
   */
  RgbImage toRgb(int maxSide) {
    int w = raster.getWidth();
    int h = raster.getHeight();
    int longer = Math.max(w, h);
    Rows rows = new Rows();
    if (maxSide > 0 && longer > maxSide) {
      int width = RgbImage.scaled(w, longer, maxSide);
      int height = RgbImage.scaled(h, longer, maxSide);
      RgbImage small = RgbImage.resize(w, h, rows::read, width, height);
      return upright(width, height, (y, row) -> small.copyRow(y, row));
    }
    return upright(w, h, rows::read);
  }

  /** Turns an image as its orientation says. */
  private RgbImage upright(int w, int h, RgbImage.RowSource source) {
    boolean turned = orientation >= 5;
    byte[] out = new byte[Math.multiplyExact(3 * w, h)];
    byte[] row = new byte[3 * w];
    for (int y = 0; y < h; y++) {
      source.read(y, row);
      if (orientation <= 1 || orientation > 8) {
        System.arraycopy(row, 0, out, 3 * y * w, row.length);
        continue;
      }
      for (int x = 0; x < w; x++) {
        System.arraycopy(row, 3 * x, out, 3 * position(x, y, w, h, turned ? h : w), 3);
      }
    }
    return new RgbImage(turned ? h : w, turned ? w : h, out);
  }

  /** Reads rows in 8 bits per channel. */
  private final class Rows {
    private final int bands = raster.getNumBands();
    private final double[] row = new double[Math.multiplyExact(bands, raster.getWidth())];
    private final int[] whole = isReal() ? new int[0] : new int[row.length];
    private final double[] rgb = new double[3];

    void read(int y, byte[] out) {
      boolean plain = white == 255 && !isReal() && !layout.alpha;
      if (plain && (layout == Layout.RGB || layout == Layout.GRAY)) {
        raster.getPixels(raster.getMinX(), raster.getMinY() + y, raster.getWidth(), 1, whole);
        int green = layout == Layout.RGB ? 1 : 0;
        for (int x = 0, at = 0; x < out.length; x += 3, at += bands) {
          out[x] = (byte) whole[at];
          out[x + 1] = (byte) whole[at + green];
          out[x + 2] = (byte) whole[at + 2 * green];
        }
        return;
      }
      readRow(y, row, whole);
      for (int x = 0; x < out.length; x += 3) {
        color(row, x / 3 * bands, rgb);
        for (int c = 0; c < 3; c++) {
          out[x + c] = (byte) Math.clamp(Math.round(rgb[c] * 255), 0, 255);
        }
      }
    }
  }

  /**
   * The upright image as values in [0, 1] at the file's own precision; null when its channels
   * differ somewhere, that is, when it has colors.
   */
  @Nullable EdgeMap toMap() {
    int w = raster.getWidth();
    int h = raster.getHeight();
    boolean turned = orientation >= 5;
    float[] out = new float[Math.multiplyExact(w, h)];
    int bands = raster.getNumBands();
    double[] row = new double[Math.multiplyExact(bands, w)];
    int[] whole = isReal() ? new int[0] : new int[row.length];
    double[] rgb = new double[3];
    for (int y = 0; y < h; y++) {
      readRow(y, row, whole);
      for (int x = 0; x < w; x++) {
        color(row, x * bands, rgb);
        if (rgb[0] != rgb[1] || rgb[0] != rgb[2]) {
          return null;
        }
        out[position(x, y, w, h, turned ? h : w)] = (float) Math.clamp(rgb[0], 0, 1);
      }
    }
    return new EdgeMap(turned ? h : w, turned ? w : h, out);
  }

  private boolean isReal() {
    int type = raster.getTransferType();
    return type == DataBuffer.TYPE_FLOAT || type == DataBuffer.TYPE_DOUBLE;
  }

  private void readRow(int y, double[] row, int[] whole) {
    int x0 = raster.getMinX();
    int y0 = raster.getMinY() + y;
    if (isReal()) {
      raster.getPixels(x0, y0, raster.getWidth(), 1, row);
      return;
    }
    raster.getPixels(x0, y0, raster.getWidth(), 1, whole);
    for (int i = 0; i < row.length; i++) {
      row[i] = whole[i];
    }
  }

  /** Red, green and blue in [0, 1] of the pixel whose bands begin at {@code at}. */
  private void color(double[] row, int at, double[] rgb) {
    double opacity = 1;
    switch (layout) {
      case GRAY, GRAY_ALPHA -> rgb[0] = rgb[1] = rgb[2] = row[at] / white;
      case PALETTE -> {
        int[] colors = palette == null ? new int[0] : palette;
        int index = (int) row[at];
        // A pixel beyond the palette is black, as in other readers.
        int argb = index >= 0 && index < colors.length ? colors[index] : 0xFF000000;
        for (int c = 0; c < 3; c++) {
          rgb[c] = (argb >> (16 - 8 * c) & 0xFF) / 255.0;
        }
        opacity = (argb >>> 24) / 255.0;
      }
      case CMYK -> {
        // No profile: the naive conversion, as the class comment of Images says.
        double light = white - row[at + 3];
        for (int c = 0; c < 3; c++) {
          rgb[c] = (white - row[at + c]) * light / (white * white);
        }
      }
      default -> {
        for (int c = 0; c < 3; c++) {
          rgb[c] = row[at + c] / white;
        }
      }
    }
    if (layout.alpha) {
      opacity = row[at + layout.colors] / white;
    }
    if (opacity != 1) {
      for (int c = 0; c < 3; c++) {
        rgb[c] = (premultiplied ? rgb[c] : rgb[c] * opacity) + 1 - opacity;
      }
    }
  }

  /** Index in the upright image of pixel (x, y) of the stored one, which is {@code w × h}. */
  private int position(int x, int y, int w, int h, int width) {
    int column =
        switch (orientation) {
          case 2, 3 -> w - 1 - x;
          case 5, 8 -> y;
          case 6, 7 -> h - 1 - y;
          default -> x;
        };
    int row =
        switch (orientation) {
          case 3, 4 -> h - 1 - y;
          case 5, 6 -> x;
          case 7, 8 -> w - 1 - x;
          default -> y;
        };
    return row * width + column;
  }
}
