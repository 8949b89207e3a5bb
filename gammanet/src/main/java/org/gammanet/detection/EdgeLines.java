package org.gammanet.detection;

import org.gammanet.data.Thinning;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.io.EdgeMap;

/** What can be made of an edge map: thin lines and binary maps. */
public final class EdgeLines {
  private EdgeLines() {}

  /**
   * Lines of one pixel with the probability of each: non-maximum suppression as published results
   * are evaluated with it ({@link EdgeNms#SMOOTH}), then thinning. Values that an 8-bit picture
   * would not show are 0.
   */
  public static EdgeMap thin(EdgeMap map) {
    float[] values = EdgeNms.SMOOTH.apply(map.values(), map.height(), map.width());
    byte[] mask = mask(values, 0.5f / 255);
    Thinning.thin(mask, map.height(), map.width());
    for (int i = 0; i < values.length; i++) {
      values[i] = mask[i] == 0 ? 0 : Math.min(1, values[i]);
    }
    return new EdgeMap(map.width(), map.height(), values);
  }

  /** The map cut at a threshold: 1 where the probability is at least that, 0 elsewhere. */
  public static EdgeMap cut(EdgeMap map, double threshold) {
    float[] cut = new float[map.values().length];
    for (int i = 0; i < cut.length; i++) {
      cut[i] = map.values()[i] >= threshold ? 1 : 0;
    }
    return new EdgeMap(map.width(), map.height(), cut);
  }

  private static byte[] mask(float[] values, float threshold) {
    byte[] mask = new byte[values.length];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = (byte) (values[i] >= threshold ? 1 : 0);
    }
    return mask;
  }

  /**
   * The threshold that separates a map's values best into two classes (Otsu, "A threshold selection
   * method from gray-level histograms", IEEE SMC 1979), a multiple of 1/256 between 0 and 1; 0.5
   * for a map of one value.
   */
  public static double otsu(EdgeMap map) {
    int bins = 256;
    long[] counts = new long[bins];
    for (float value : map.values()) {
      counts[Math.min(bins - 1, (int) (value * bins))]++;
    }
    double total = map.values().length;
    double mean = 0;
    for (int k = 0; k < bins; k++) {
      mean += k * (counts[k] / total);
    }
    double below = 0;
    double sum = 0;
    double most = 0;
    int best = bins / 2;
    for (int k = 0; k < bins - 1; k++) {
      below += counts[k] / total;
      sum += k * (counts[k] / total);
      double between = (mean * below - sum) * (mean * below - sum) / (below * (1 - below));
      if (between > most * (1 + 1e-9)) { // NaN while one class is empty
        most = between;
        best = k + 1;
      }
    }
    return best / (double) bins;
  }
}
