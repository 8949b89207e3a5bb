package org.gammanet.detection;

import java.io.Serializable;

/**
 * How a {@link Detector} applies its network; immutable, each {@code with} method returns a changed
 * copy.
 *
 * @param maxSide working size: images whose longer side has more pixels are shrunk to it before
 *     they pass through the network, and their maps enlarged; 0 for every image at its own size
 * @param tileSide side in pixels of the tiles that larger images are cut into, with their overlap,
 *     at least 288; 0 to choose it by memory, {@link #WHOLE} never to cut
 * @param everyTimestep whether there is a map after each timestep, not only after the last
 */
public record DetectorOptions(int maxSide, int tileSide, boolean everyTimestep)
    implements Serializable {
  /**
   * The working size by default. Networks learn from the BSDS500, whose images have 481 by 321
   * pixels: contours of a photo of this size look like theirs, while those of 12 megapixels
   * dissolve into texture.
   */
  public static final int DEFAULT_MAX_SIDE = 1024;

  /** A {@code tileSide} of images that pass whole, whatever their size. */
  public static final int WHOLE = Integer.MAX_VALUE;

  /** At the default working size, cut where memory demands it, the last timestep only. */
  public static final DetectorOptions DEFAULTS = new DetectorOptions(DEFAULT_MAX_SIDE, 0, false);

  /** Every image at its own size. */
  public static final DetectorOptions NATIVE_SIZE = DEFAULTS.withMaxSide(0);

  public DetectorOptions {
    if (maxSide < 0 || tileSide < 0) {
      throw new IllegalArgumentException(
          "sizes must not be negative: %s, %s".formatted(maxSide, tileSide));
    }
  }

  /** With another working size in pixels; 0 for none. */
  public DetectorOptions withMaxSide(int pixels) {
    return new DetectorOptions(pixels, tileSide, everyTimestep);
  }

  /** With tiles of another side in pixels; 0 to choose it, {@link #WHOLE} for none. */
  public DetectorOptions withTileSide(int pixels) {
    return new DetectorOptions(maxSide, pixels, everyTimestep);
  }

  /** With a map after each timestep. */
  public DetectorOptions withEveryTimestep() {
    return new DetectorOptions(maxSide, tileSide, true);
  }
}
