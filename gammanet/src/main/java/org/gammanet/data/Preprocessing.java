package org.gammanet.data;

import java.util.List;
import org.gammanet.config.DataConfig;
import org.gammanet.io.RgbImage;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;

/**
 * How an image becomes a network's input, in training, detection and evaluation alike: samples are
 * scaled to [0, 1] and standardized per channel, {@code (v - mean) / std}, and images smaller than
 * the network's minimum are padded at the right and bottom by repeating the last column and row.
 *
 * @param mean per channel (red, green, blue) of samples in [0, 1]
 * @param std standard deviation per channel
 * @param minimumSize smallest width and height that the network accepts
 */
public record Preprocessing(List<Double> mean, List<Double> std, int minimumSize) {
  /** ImageNet's statistics, for networks without a minimum size. */
  public static final Preprocessing IMAGENET =
      new Preprocessing(DataConfig.IMAGENET_MEAN, DataConfig.IMAGENET_STD, 1);

  public Preprocessing {
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    if (mean.size() != 3 || std.size() != 3 || minimumSize < 1) {
      throw new IllegalArgumentException(
          "expected three means, three standard deviations and a size of at least 1, found %s, %s, %s"
              .formatted(mean, std, minimumSize));
    }
  }

  /** The configured statistics, with the minimum size of the network. */
  public static Preprocessing of(DataConfig data, int minimumSize) {
    return new Preprocessing(data.normalizeMean(), data.normalizeStd(), minimumSize);
  }

  /** Standardizes one value in [0, 1] of a channel. */
  public float normalize(int channel, double value) {
    return (float) ((value - mean.get(channel)) / std.get(channel));
  }

  /** The value in [0, 1] of a standardized one; the inverse of {@link #normalize(int, double)}. */
  public double denormalize(int channel, double value) {
    return value * std.get(channel) + mean.get(channel);
  }

  /**
   * Network input of images.
   *
   * @param images at least one, all of one size
   * @return {@code [N, 3, H, W]} on the CPU, padded to the minimum size; the caller closes it
   * @throws IllegalArgumentException when the sizes differ
   */
  public Tensor apply(List<RgbImage> images) {
    int width = images.getFirst().width();
    int height = images.getFirst().height();
    int plane = width * height;
    float[][] table = new float[3][256];
    for (int c = 0; c < 3; c++) {
      for (int v = 0; v < 256; v++) {
        table[c][v] = normalize(c, v / 255.0);
      }
    }
    float[] values = new float[Math.multiplyExact(3 * images.size(), plane)];
    int at = 0;
    for (RgbImage image : images) {
      if (image.width() != width || image.height() != height) {
        throw new IllegalArgumentException(
            "images of one batch must have the same size, found %s and %s"
                .formatted(images.getFirst(), image));
      }
      byte[] samples = image.samples();
      for (int c = 0; c < 3; c++) {
        for (int i = 0; i < plane; i++) {
          values[at++] = table[c][samples[3 * i + c] & 0xFF];
        }
      }
    }
    return padded(values, images.size(), height, width);
  }

  /** Network input {@code [1, 3, H, W]} of a sample, whose colors are standardized already. */
  public Tensor apply(Sample sample) {
    return padded(sample.image(), 1, sample.height(), sample.width());
  }

  private Tensor padded(float[] values, int count, int height, int width) {
    try (var scope = TensorScope.open()) {
      Tensor x = Tensor.of(values, count, 3, height, width);
      int right = Math.max(0, minimumSize - width);
      int bottom = Math.max(0, minimumSize - height);
      return scope.keep(right > 0 || bottom > 0 ? Ops.replicationPad2d(x, 0, right, 0, bottom) : x);
    }
  }

  /**
   * Removes the padding from a network's output.
   *
   * @param output {@code [N, C, H', W']} for an image of {@code height × width}
   * @return a view {@code [N, C, height, width]}
   */
  public static Tensor crop(Tensor output, int height, int width) {
    return Ops.narrow(Ops.narrow(output, 2, 0, height), 3, 0, width);
  }
}
