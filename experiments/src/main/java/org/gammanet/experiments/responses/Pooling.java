package org.gammanet.experiments.responses;

import java.util.List;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.jspecify.annotations.Nullable;

/**
 * Which units of a layer's map are recorded. Image point (y, x) is seen by the unit at {@code
 * (floor(y h / H), floor(x w / W))} of a map of h x w pixels, whose receptive field is centered
 * there.
 */
public sealed interface Pooling {
  /** The unit at the stimuli's center, or at a point of the image. */
  static Pooling unit() {
    return new Unit(null);
  }

  /** The unit that looks at a point of the image. */
  static Pooling unit(PixelPoint at) {
    return new Unit(at);
  }

  /** The units that look at several points of the image. */
  static Pooling units(List<PixelPoint> at) {
    return new Units(at);
  }

  /** Mean over n x n units about the center. */
  static Pooling patch(int n) {
    return new Patch(n, null);
  }

  /** Mean over the whole map. */
  static Pooling mean() {
    return new Mean();
  }

  /** Maximum over the whole map. */
  static Pooling max() {
    return new Max();
  }

  /** Every unit: to be streamed. */
  static Pooling full() {
    return new Full();
  }

  /**
   * One unit.
   *
   * @param at point of the image; null for the center pixel (floor(H/2), floor(W/2))
   */
  record Unit(@Nullable PixelPoint at) implements Pooling {}

  /**
   * Several units.
   *
   * @param at points of the image
   */
  record Units(List<PixelPoint> at) implements Pooling {
    /** Checks that there is one at least. */
    public Units {
      if (at.isEmpty()) {
        throw new IllegalArgumentException("no point is given at which units are to be recorded");
      }
      at = List.copyOf(at);
    }
  }

  /**
   * Mean over a window of n x n units, rows {@code c - floor(n/2) … c - floor(n/2) + n - 1}.
   *
   * @param n side
   * @param at point of the image; null for the center pixel
   */
  record Patch(int n, @Nullable PixelPoint at) implements Pooling {
    /** Checks the side. */
    public Patch {
      if (n < 1) {
        throw new IllegalArgumentException("a window of units must be at least 1 wide, not " + n);
      }
    }
  }

  /** Mean over the whole map. */
  record Mean() implements Pooling {}

  /** Maximum over the whole map. */
  record Max() implements Pooling {}

  /** All units. */
  record Full() implements Pooling {}

  /**
   * Mean over a quarter of the map in each direction: rows and columns {@code c - floor(n/2) … c +
   * floor(n/2) - 1} with {@code n = floor(min(h, w) / 4)}.
   */
  record CentralWindow() implements Pooling {}
}
