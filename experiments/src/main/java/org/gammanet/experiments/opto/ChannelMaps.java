package org.gammanet.experiments.opto;

import java.util.List;

/**
 * A map for each channel, in a window of a layer about the perturbed site.
 *
 * @param channels C
 * @param height of the window, pixels of the layer's map
 * @param width of the window, pixels
 * @param centerY row of the perturbed site in the window
 * @param centerX column of the perturbed site in the window
 * @param values [C][height][width]
 */
public record ChannelMaps(
    int channels, int height, int width, double centerY, double centerX, float[] values) {

  /** Checks the size. */
  public ChannelMaps {
    if (values.length != channels * height * width) {
      throw new IllegalArgumentException(
          "%s values are not %s maps of %s x %s".formatted(values.length, channels, height, width));
    }
  }

  /**
   * The maps rotated counterclockwise on the screen about the perturbed site, bilinear, zero
   * outside: the surround of a grating at {@code degrees} comes to lie as that of one at 0. The
   * output at offset (dx, dy) is the input at {@code (dx cosθ - dy sinθ, dx sinθ + dy cosθ)}.
   */
  public ChannelMaps rotated(double degrees) {
    return rotated(degrees, centerY, centerX);
  }

  /** As {@link #rotated(double)}, about another point of the window. */
  public ChannelMaps rotated(double degrees, double aboutY, double aboutX) {
    double radians = Math.toRadians(degrees);
    // Exact at multiples of 90 degrees, where the last bit would otherwise blur the map.
    boolean quarter = degrees % 90 == 0;
    double cos = quarter ? Math.rint(Math.cos(radians)) : Math.cos(radians);
    double sin = quarter ? Math.rint(Math.sin(radians)) : Math.sin(radians);
    int plane = height * width;
    float[] out = new float[values.length];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        double dx = x - aboutX;
        double dy = y - aboutY;
        double sourceX = dx * cos - dy * sin + aboutX;
        double sourceY = dx * sin + dy * cos + aboutY;
        int x0 = (int) Math.floor(sourceX);
        int y0 = (int) Math.floor(sourceY);
        double fx = sourceX - x0;
        double fy = sourceY - y0;
        for (int corner = 0; corner < 4; corner++) {
          int xx = x0 + (corner & 1);
          int yy = y0 + (corner >> 1);
          double weight = ((corner & 1) == 1 ? fx : 1 - fx) * (corner >> 1 == 1 ? fy : 1 - fy);
          if (weight == 0 || xx < 0 || yy < 0 || xx >= width || yy >= height) {
            continue;
          }
          int from = yy * width + xx;
          int to = y * width + x;
          for (int c = 0; c < channels; c++) {
            out[c * plane + to] += (float) (weight * values[c * plane + from]);
          }
        }
      }
    }
    return new ChannelMaps(channels, height, width, centerY, centerX, out);
  }

  /** The mean with the maps rotated by 180 degrees, the period of an orientation. */
  public ChannelMaps symmetric() {
    return mean(List.of(this, rotated(180)));
  }

  /** The mean of maps of one size, channel by channel. */
  public static ChannelMaps mean(List<ChannelMaps> maps) {
    ChannelMaps first = maps.getFirst();
    float[] out = new float[first.values.length];
    for (ChannelMaps map : maps) {
      if (map.values.length != out.length || map.width != first.width) {
        throw new IllegalArgumentException("maps of different sizes have no mean");
      }
    }
    for (int i = 0; i < out.length; i++) {
      double sum = 0;
      for (ChannelMaps map : maps) {
        sum += map.values[i];
      }
      out[i] = (float) (sum / maps.size());
    }
    return new ChannelMaps(
        first.channels, first.height, first.width, first.centerY, first.centerX, out);
  }

  /** One map from those of all channels. */
  public SurroundMap aggregate(Aggregation how) {
    int plane = height * width;
    double[] out = new double[plane];
    for (int i = 0; i < plane; i++) {
      double sum = 0;
      double most = Double.NEGATIVE_INFINITY;
      for (int c = 0; c < channels; c++) {
        double v = values[c * plane + i];
        sum += v;
        most = Math.max(most, v);
      }
      out[i] = how == Aggregation.MEAN ? sum / channels : most;
    }
    return new SurroundMap(out, height, width, centerY, centerX);
  }
}
