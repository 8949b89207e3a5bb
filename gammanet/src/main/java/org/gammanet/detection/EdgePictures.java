package org.gammanet.detection;

import java.awt.image.BufferedImage;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;

/** Pictures of edge maps: over the photo, transparent, inverted. */
public final class EdgePictures {
  private EdgePictures() {}

  /**
   * Edges in a color over the photo.
   *
   * @param rgb color of the edges, 0xRRGGBB
   * @param alpha opacity of an edge of probability 1; that of others is in proportion
   * @throws IllegalArgumentException if the sizes differ
   */
  public static RgbImage overlay(RgbImage photo, EdgeMap map, int rgb, double alpha) {
    if (photo.width() != map.width() || photo.height() != map.height()) {
      throw new IllegalArgumentException("%s does not fit %s".formatted(map, photo));
    }
    byte[] samples = photo.samples().clone();
    for (int i = 0; i < map.values().length; i++) {
      double opacity = map.values()[i] * alpha;
      for (int c = 0; c < 3; c++) {
        int value = samples[3 * i + c] & 0xFF;
        int color = rgb >> (16 - 8 * c) & 0xFF;
        samples[3 * i + c] = (byte) Math.round(value + (color - value) * opacity);
      }
    }
    return new RgbImage(map.width(), map.height(), samples);
  }

  /**
   * Edges in a color on nothing: opacity is probability.
   *
   * @param alpha opacity of an edge of probability 1
   */
  public static BufferedImage transparent(EdgeMap map, int rgb, double alpha) {
    var image = new BufferedImage(map.width(), map.height(), BufferedImage.TYPE_INT_ARGB);
    int[] row = new int[map.width()];
    for (int y = 0; y < map.height(); y++) {
      for (int x = 0; x < row.length; x++) {
        row[x] = (int) Math.round(255 * alpha * map.value(x, y)) << 24 | rgb;
      }
      image.setRGB(0, y, row.length, 1, row, 0, row.length);
    }
    return image;
  }

  /** The map from white to black: 1 - p. */
  public static EdgeMap invert(EdgeMap map) {
    float[] values = new float[map.values().length];
    for (int i = 0; i < values.length; i++) {
      values[i] = 1 - map.values()[i];
    }
    return new EdgeMap(map.width(), map.height(), values);
  }
}
