package org.gammanet;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.RgbImage;

/**
 * Averages a detector's probabilities over changed copies of an image, each answer turned back
 * before.
 *
 * @param orientations over the image, its two mirror images and its turns by 90, 180 and 270
 *     degrees
 * @param scales over the sizes 0.5, 1 and 1.5, as published results "MS" are; images are resized
 *     without aliasing, answers bilinearly
 */
public record TestTimeAugmentation(boolean orientations, boolean scales) {
  /** The image as it is. */
  public static final TestTimeAugmentation NONE = new TestTimeAugmentation(false, false);

  private static final double[] SCALES = {0.5, 1, 1.5};

  /** How many answers are averaged. */
  public int passes() {
    return (orientations ? Turn.values().length : 1) * (scales ? SCALES.length : 1);
  }

  /** One of the copies: where pixel (x, y) of the turned image lies in the image of w × h. */
  private enum Turn {
    IDENTITY,
    MIRROR_X,
    MIRROR_Y,
    TURN_90,
    TURN_180,
    TURN_270;

    int source(int x, int y, int w, int h) {
      return switch (this) {
        case IDENTITY -> y * w + x;
        case MIRROR_X -> y * w + w - 1 - x;
        case MIRROR_Y -> (h - 1 - y) * w + x;
        case TURN_90 -> (h - 1 - x) * w + y;
        case TURN_180 -> (h - 1 - y) * w + w - 1 - x;
        case TURN_270 -> x * w + w - 1 - y;
      };
    }

    boolean swaps() {
      return this == TURN_90 || this == TURN_270;
    }

    RgbImage apply(RgbImage image) {
      if (this == IDENTITY) {
        return image;
      }
      int w = image.width();
      int h = image.height();
      int width = swaps() ? h : w;
      byte[] from = image.samples();
      byte[] to = new byte[from.length];
      for (int i = 0; i < w * h; i++) {
        System.arraycopy(from, 3 * source(i % width, i / width, w, h), to, 3 * i, 3);
      }
      return new RgbImage(width, swaps() ? w : h, to);
    }

    /** Adds what was found in the turned image to where it belongs. */
    void addBack(EdgeMap found, double[] sum, int w, int h) {
      int width = found.width();
      for (int i = 0; i < sum.length; i++) {
        sum[source(i % width, i / width, w, h)] += found.values()[i];
      }
    }
  }

  /**
   * Runs a detector on the copies.
   *
   * @param detector gives probabilities of an image, of its size
   * @return the average, of the image's size
   */
  public EdgeMap detect(RgbImage image, Function<RgbImage, EdgeMap> detector) {
    return detectAll(image, copy -> List.of(detector.apply(copy))).getFirst();
  }

  /**
   * The same for a detector of several maps, such as one after each timestep.
   *
   * @return the average of each
   */
  public List<EdgeMap> detectAll(RgbImage image, Function<RgbImage, List<EdgeMap>> detector) {
    if (passes() == 1) {
      return detector.apply(image);
    }
    int w = image.width();
    int h = image.height();
    List<double[]> sums = new ArrayList<>();
    List<Turn> turns = orientations ? List.of(Turn.values()) : List.of(Turn.IDENTITY);
    for (double scale : scales ? SCALES : new double[] {1}) {
      RgbImage scaled =
          image.resize(
              Math.max(1, (int) Math.round(scale * w)), Math.max(1, (int) Math.round(scale * h)));
      for (Turn turn : turns) {
        List<EdgeMap> found = detector.apply(turn.apply(scaled));
        for (int k = 0; k < found.size(); k++) {
          if (sums.size() == k) {
            sums.add(new double[w * h]);
          }
          EdgeMap map = found.get(k);
          turn.addBack(turn.swaps() ? map.resize(h, w) : map.resize(w, h), sums.get(k), w, h);
        }
      }
    }
    List<EdgeMap> means = new ArrayList<>();
    for (double[] sum : sums) {
      float[] mean = new float[sum.length];
      for (int i = 0; i < mean.length; i++) {
        mean[i] = (float) Math.clamp(sum[i] / passes(), 0, 1);
      }
      means.add(new EdgeMap(w, h, mean));
    }
    return means;
  }
}
