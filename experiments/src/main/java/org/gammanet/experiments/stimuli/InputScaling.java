package org.gammanet.experiments.stimuli;

import org.gammanet.data.Preprocessing;

/** How a gray image becomes the three channels that the network sees. */
public enum InputScaling {
  /**
   * {@code (v - mean) / std} per channel with the values of ImageNet, as in training. Mid gray is
   * (0.066, 0.196, 0.418), not 0.
   */
  IMAGENET,
  /** The numbers as they are, in each channel. The original does so in most experiments. */
  RAW,
  /**
   * Per image {@code (v - mean) / (sd + 1e-8)}, population sd, clipped to ±3, divided by 3. This
   * removes contrast.
   */
  ZSCORE;

  /**
   * Writes the three planes of an image in color.
   *
   * @param colors 3n values, red first
   * @param out receives 3n values
   * @param at index of the first in {@code out}
   * @throws IllegalArgumentException for {@link #ZSCORE}, which is that of gray images
   */
  void applyToColors(float[] colors, float[] out, int at) {
    if (this == ZSCORE) {
      throw new IllegalArgumentException("images in color are not scaled by their own mean");
    }
    int n = colors.length / 3;
    for (int i = 0; i < colors.length; i++) {
      out[at + i] = this == RAW ? colors[i] : Preprocessing.IMAGENET.normalize(i / n, colors[i]);
    }
  }

  /**
   * Writes the three planes of an image.
   *
   * @param image n values
   * @param out receives 3n values
   * @param at index of the first in {@code out}
   */
  void apply(float[] image, float[] out, int at) {
    int n = image.length;
    switch (this) {
      case IMAGENET -> {
        for (int c = 0; c < 3; c++) {
          for (int i = 0; i < n; i++) {
            out[at + c * n + i] = Preprocessing.IMAGENET.normalize(c, image[i]);
          }
        }
      }
      case RAW -> {
        for (int c = 0; c < 3; c++) {
          System.arraycopy(image, 0, out, at + c * n, n);
        }
      }
      case ZSCORE -> {
        double mean = 0;
        for (float v : image) {
          mean += v;
        }
        mean /= n;
        double variance = 0;
        for (float v : image) {
          variance += (v - mean) * (v - mean);
        }
        double sd = Math.sqrt(variance / n) + 1e-8;
        for (int i = 0; i < n; i++) {
          float z = (float) (Math.clamp((image[i] - mean) / sd, -3, 3) / 3);
          for (int c = 0; c < 3; c++) {
            out[at + c * n + i] = z;
          }
        }
      }
    }
  }
}
