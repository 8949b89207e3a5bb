package org.gammanet.experiments.stimuli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Locale;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/**
 * An image file as a stimulus: a photo in color, or an array of luminance in [0, 1] in NumPy's
 * format, of shape (height, width) or (height, width, 3). It is read whenever it is drawn.
 *
 * @param file what is shown
 * @param sha256 of the file, so that a changed file is another stimulus
 * @param frame size of the stimulus
 * @param size 0 to show the image as it is; otherwise the square in its center is scaled to this
 *     side, pixels
 */
public record Photo(Path file, String sha256, Frame frame, int size) implements Stimulus {

  /**
   * Describes a file.
   *
   * @param size 0 to show it as it is, or the side of the square that it becomes, pixels
   * @throws IllegalArgumentException for an array that is no image
   */
  public static Photo of(Path file, String sha256, int size) {
    if (size > 0) {
      return new Photo(file, sha256, Frame.of(size, size), size);
    }
    if (isArray(file)) {
      int[] shape = array(file).shape();
      return new Photo(file, sha256, Frame.of(shape[0], shape[1]), 0);
    }
    RgbImage image = image(file);
    return new Photo(file, sha256, Frame.of(image.height(), image.width()), 0);
  }

  /** Whether a file is an array in NumPy's format by its name. */
  public static boolean isArray(Path file) {
    return file.toString().toLowerCase(Locale.ROOT).endsWith(".npy");
  }

  private static RgbImage image(Path file) {
    try {
      return Images.read(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Npy array(Path file) {
    Npy array = Npy.read(file);
    int[] shape = array.shape();
    boolean image = shape.length == 2 || shape.length == 3 && shape[2] == 3;
    if (!image) {
      throw new IllegalArgumentException(
          "%s is no image: an array of shape (height, width) or (height, width, 3) is needed"
              .formatted(file));
    }
    for (float v : array.floats()) {
      if (!(v >= 0 && v <= 1)) {
        throw new IllegalArgumentException(
            "%s is no image: it contains %s, but luminance lies between 0 and 1"
                .formatted(file, v));
      }
    }
    return array;
  }

  /** Three planes in [0, 1], red first. */
  @Override
  public float[] colors() {
    float[] out = new float[3 * frame.pixels()];
    if (isArray(file)) {
      Npy array = array(file);
      requireSize(array.shape()[0], array.shape()[1]);
      float[] values = array.floats();
      int channels = array.shape().length == 3 ? 3 : 1;
      for (int i = 0; i < frame.pixels(); i++) {
        for (int c = 0; c < 3; c++) {
          out[c * frame.pixels() + i] = values[i * channels + (channels == 3 ? c : 0)];
        }
      }
      return out;
    }
    RgbImage image = image(file);
    if (size > 0) {
      int side = Math.min(image.width(), image.height());
      var square =
          image
              .toBufferedImage()
              .getSubimage((image.width() - side) / 2, (image.height() - side) / 2, side, side);
      image = RgbImage.of(square).resize(size, size);
    }
    requireSize(image.height(), image.width());
    for (int y = 0, i = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++, i++) {
        for (int c = 0; c < 3; c++) {
          out[c * frame.pixels() + i] = image.sample(x, y, c) / 255f;
        }
      }
    }
    return out;
  }

  private void requireSize(int height, int width) {
    if (height != frame.height() || width != frame.width()) {
      throw new IllegalArgumentException(
          "%s has %s x %s pixels (height x width), not %s x %s"
              .formatted(file, height, width, frame.height(), frame.width()));
    }
  }

  /** The mean of the three colors. */
  @Override
  public float[] draw() {
    float[] colors = colors();
    int n = frame.pixels();
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (colors[i] + colors[n + i] + colors[2 * n + i]) / 3;
    }
    return out;
  }

  @Override
  public StimulusMeta meta() {
    @Nullable Path name = file.getFileName();
    return StimulusMeta.ofPicture(
        frame, Stimulus.parameters("file", String.valueOf(name), "sha256", sha256));
  }
}
