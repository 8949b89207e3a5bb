package org.gammanet.nn;

import static org.gammanet.nn.Layers.scoped;

import java.util.HashMap;
import java.util.Map;
import org.gammanet.torch.DType;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * Means and variances over a whole image, by which its tiles are normalized instead of by their
 * own. They are collected while tiles pass, and used from the next sweep over the tiles on. What is
 * normalized first in a pass is exact after one sweep; what depends on it follows, and a few sweeps
 * are enough. Not for several threads.
 */
public final class MapStatistics {
  /** A normalization: where it is and at which timestep. */
  private record Site(String segment, int timestep) {}

  /** Sums over the pixels of each channel, in the cores of the tiles so far. */
  private static final class Sums {
    final double[] sum;
    final double[] squares;
    double count;

    Sums(int channels) {
      sum = new double[channels];
      squares = new double[channels];
    }

    double mean(int channel) {
      return sum[channel] / count;
    }

    double deviation(int channel) {
      double mean = mean(channel);
      return Math.sqrt(Math.max(0, squares[channel] / count - mean * mean) + Layers.EPSILON);
    }
  }

  private Map<Site, Sums> collected = new HashMap<>();
  private Map<Site, Sums> known = Map.of();
  private boolean collecting = true;

  /**
   * Takes what has been collected since the last call as the statistics from now on.
   *
   * @return the largest change of a channel's mean or standard deviation since, in standard
   *     deviations; infinite where there were no statistics
   */
  public double finishSweep() {
    double change = 0;
    for (Map.Entry<Site, Sums> entry : collected.entrySet()) {
      Sums before = known.get(entry.getKey());
      Sums now = entry.getValue();
      for (int c = 0; c < now.sum.length; c++) {
        double deviation = now.deviation(c);
        double moved =
            before == null
                ? Double.POSITIVE_INFINITY
                : Math.max(
                    Math.abs(now.mean(c) - before.mean(c)),
                    Math.abs(deviation - before.deviation(c)));
        change = Math.max(change, moved / deviation);
      }
    }
    known = collected;
    collected = new HashMap<>();
    return change;
  }

  /** Ends collecting: what is known stays. */
  public void freeze() {
    collecting = false;
  }

  /**
   * Normalizes each channel of a tile's map by the statistics of the whole; by the tile's own where
   * none are known yet.
   *
   * @param x {@code [1, C, h, w]}
   * @param level of the map; its pixels are {@code 2^level} pixels of the image wide
   */
  Tensor normalize(String segment, int timestep, int level, Tile tile, Tensor x) {
    if (x.size(0) != 1) {
      throw new IllegalArgumentException("tiles pass one by one, not in a batch as " + x);
    }
    Site site = new Site(segment, timestep);
    if (collecting) {
      add(collected.computeIfAbsent(site, s -> new Sums((int) x.size(1))), level, tile, x);
    }
    Sums sums = known.get(site);
    return sums == null ? Layers.instanceNorm(x) : scoped(() -> normalize(sums, x));
  }

  private static void add(Sums sums, int level, Tile tile, Tensor x) {
    try (var scope = TensorScope.open()) {
      long top = (tile.coreTop() >> level) - (tile.top() >> level);
      long left = (tile.coreLeft() >> level) - (tile.left() >> level);
      long height = (tile.coreBottom() >> level) - (tile.coreTop() >> level);
      long width = (tile.coreRight() >> level) - (tile.coreLeft() >> level);
      if (height == 0 || width == 0) {
        return; // a remainder that pooling drops
      }
      Tensor core = Ops.narrow(Ops.narrow(x, 2, top, height), 3, left, width);
      Tensor exact = Ops.to(core, DType.FLOAT64);
      double[] sum = Ops.sum(exact, 0, 2, 3).toDoubleArray();
      double[] squares = Ops.sum(Ops.square(exact), 0, 2, 3).toDoubleArray();
      for (int c = 0; c < sum.length; c++) {
        sums.sum[c] += sum[c];
        sums.squares[c] += squares[c];
      }
      sums.count += (double) height * width;
    }
  }

  private static Tensor normalize(Sums sums, Tensor x) {
    int channels = sums.sum.length;
    float[] scale = new float[channels];
    float[] shift = new float[channels];
    for (int c = 0; c < channels; c++) {
      scale[c] = (float) (1 / sums.deviation(c));
      shift[c] = (float) (-sums.mean(c) / sums.deviation(c));
    }
    return Ops.add(Ops.mul(x, perChannel(scale, x)), perChannel(shift, x));
  }

  private static Tensor perChannel(float[] values, Tensor like) {
    return Ops.to(Tensor.of(values, 1, values.length, 1, 1), like.device(), like.dtype());
  }

  /**
   * Bilinear resizing of a tile's map to the size of a level, at the positions that resizing the
   * whole has: where a size is odd, the whole is not scaled by 2 exactly.
   *
   * @param from level of the map
   */
  static Tensor resize(Tile tile, Tensor x, int from, int to, long height, long width) {
    long wholeIn = tile.wholeHeight() >> from;
    long wholeOut = tile.wholeHeight() >> to;
    long acrossIn = tile.wholeWidth() >> from;
    long acrossOut = tile.wholeWidth() >> to;
    int ratio = 1 << (from - to);
    if (wholeOut == ratio * wholeIn && acrossOut == ratio * acrossIn) {
      return Ops.upsampleBilinear2d(x, height, width);
    }
    return scoped(
        () -> {
          Tensor down =
              weights(wholeIn, wholeOut, tile.top() >> from, tile.top() >> to, x.size(2), height);
          Tensor across =
              weights(
                  acrossIn, acrossOut, tile.left() >> from, tile.left() >> to, x.size(3), width);
          return Ops.matmul(
              Ops.matmul(Ops.to(down, x.device(), x.dtype()), x),
              Ops.transpose(Ops.to(across, x.device(), x.dtype()), 0, 1));
        });
  }

  /** Weights {@code [out, in]} of linear interpolation between pixel centers along one axis. */
  private static Tensor weights(
      long wholeIn, long wholeOut, long firstIn, long firstOut, long in, long out) {
    float[] weights = new float[Math.toIntExact(in * out)];
    double scale = (double) wholeIn / wholeOut;
    for (int i = 0; i < out; i++) {
      double at = Math.clamp((firstOut + i + 0.5) * scale - 0.5, 0, wholeIn - 1) - firstIn;
      at = Math.clamp(at, 0, in - 1);
      int low = (int) at;
      int high = (int) Math.min(low + 1, in - 1);
      weights[(int) (i * in + low)] += (float) (1 - (at - low));
      weights[(int) (i * in + high)] += (float) (at - low);
    }
    return Tensor.of(weights, out, in);
  }
}
