package org.gammanet.experiments.stimuli;

/**
 * The image that a stimulus is drawn in, and where its center is.
 *
 * @param height of the image, pixels
 * @param width of the image, pixels
 * @param center pixel on which the stimulus is centered
 */
public record Frame(int height, int width, PixelPoint center) {
  /** Checks that the image is not empty and that the center lies in it. */
  public Frame {
    if (height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "an image cannot be %s x %s pixels large".formatted(height, width));
    }
    if (center.y() < 0 || center.y() >= height || center.x() < 0 || center.x() >= width) {
      throw new IllegalArgumentException(
          "the center (y %s, x %s) lies outside of the image of %s x %s pixels (height x width)"
              .formatted(center.y(), center.x(), height, width));
    }
  }

  /** An image with stimuli at its center pixel, (floor(H/2), floor(W/2)). */
  public static Frame of(int height, int width) {
    return new Frame(height, width, new PixelPoint(height / 2, width / 2));
  }

  /** Wavelength in pixels of a frequency in cycles per image height. */
  public double wavelength(double cycles) {
    return height / cycles;
  }

  int pixels() {
    return height * width;
  }

  /** Largest radius about the center that {@link #requireFits} accepts. */
  public double largestRadius() {
    int vertical = Math.min(center.y() + 1, height - center.y());
    return Math.min(vertical, Math.min(center.x() + 1, width - center.x()));
  }

  /**
   * Requires that a disc about the center lies in the image; half a pixel may be missing at the
   * edge, since an even-sized image is not symmetric about its center pixel.
   */
  void requireFits(double radius, String what) {
    if (radius > largestRadius()) {
      throw new IllegalArgumentException(
          "%s of %s px about (y %s, x %s) does not fit into an image of %s x %s pixels; the largest radius is %s px"
              .formatted(
                  what,
                  number(radius),
                  center.y(),
                  center.x(),
                  height,
                  width,
                  number(largestRadius())));
    }
  }

  static String number(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }
}
