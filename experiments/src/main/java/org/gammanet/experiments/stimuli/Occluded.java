package org.gammanet.experiments.stimuli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Another stimulus with a square of mid gray over a part of it.
 *
 * @param behind the stimulus
 * @param square its middle pixel: it covers rows {@code y - floor(side / 2)} to that + side - 1,
 *     and columns likewise, as far as they lie in the image
 * @param side pixels
 */
public record Occluded(Stimulus behind, PixelPoint square, int side) implements Stimulus {
  /** Checks that the square's middle lies in the image. */
  public Occluded {
    Frame frame = behind.frame();
    if (side < 1) {
      throw new IllegalArgumentException("a square needs a side of 1 px or more, not " + side);
    }
    if (square.y() < 0
        || square.x() < 0
        || square.y() >= frame.height()
        || square.x() >= frame.width()) {
      throw new IllegalArgumentException(
          "the square's middle (y %s, x %s) lies outside of the image of %s x %s pixels"
              .formatted(square.y(), square.x(), frame.height(), frame.width()));
    }
  }

  /**
   * A stimulus, a blank, and the stimulus under squares on a grid, row by row.
   *
   * @param reach how far squares' middles lie from the stimulus' center at most, pixels; less near
   *     the image's edge
   * @param step distance of neighboring ones, pixels
   */
  public static StimulusSet grid(Stimulus behind, int side, int reach, int step) {
    Frame frame = behind.frame();
    PixelPoint center = frame.center();
    int room =
        Math.min(
            Math.min(center.y(), frame.height() - 1 - center.y()),
            Math.min(center.x(), frame.width() - 1 - center.x()));
    if (step < 1 || reach < 0) {
      throw new IllegalArgumentException(
          "squares every %s px up to %s px away are no grid".formatted(step, reach));
    }
    int steps = Math.min(reach, room) / step;
    List<Stimulus> all = new ArrayList<>();
    all.add(behind);
    all.add(new Blank(frame, 0.5));
    for (int row = -steps; row <= steps; row++) {
      for (int column = -steps; column <= steps; column++) {
        all.add(
            new Occluded(
                behind, new PixelPoint(center.y() + row * step, center.x() + column * step), side));
      }
    }
    return StimulusSet.of(all);
  }

  @Override
  public Frame frame() {
    return behind.frame();
  }

  @Override
  public float[] draw() {
    float[] out = behind.draw();
    Frame frame = behind.frame();
    int top = square.y() - side / 2;
    int left = square.x() - side / 2;
    for (int y = Math.max(0, top); y < Math.min(frame.height(), top + side); y++) {
      for (int x = Math.max(0, left); x < Math.min(frame.width(), left + side); x++) {
        out[y * frame.width() + x] = 0.5f;
      }
    }
    return out;
  }

  @Override
  public StimulusMeta meta() {
    StimulusMeta meta = behind.meta();
    Map<String, @Nullable Object> parameters = new LinkedHashMap<>(meta.parameters());
    parameters.put("square_y", square.y());
    parameters.put("square_x", square.x());
    parameters.put("square_side", side);
    return new StimulusMeta(
        "occluded",
        meta.orientation(),
        meta.contrast(),
        meta.cyclesPerImage(),
        meta.phase(),
        meta.center(),
        meta.height(),
        meta.width(),
        parameters);
  }
}
