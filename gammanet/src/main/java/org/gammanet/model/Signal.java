package org.gammanet.model;

/**
 * A named tensor that passes between the stages of a network: a map {@code [N, channels, H >>
 * level, W >> level]} for images of H by W pixels, or a kernel.
 *
 * @param name unique in a network; for a state as in {@link Network#stateShapes}
 * @param level how often the size of the image is halved
 * @param state whether it lasts from one timestep to the next
 */
public record Signal(String name, int channels, int level, boolean state) {
  /** The input of every network. */
  static final Signal IMAGE = new Signal("image", 3, 0, false);

  static Signal of(String name, int channels, int level) {
    return new Signal(name, channels, level, false);
  }

  static Signal state(String name, int channels, int level) {
    return new Signal(name, channels, level, true);
  }

  long[] shape(long batch, long height, long width) {
    return new long[] {batch, channels, height >> level, width >> level};
  }
}
