package org.gammanet.parity;

import org.gammanet.experiments.stimuli.FlankedBars.Flankers;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.jspecify.annotations.Nullable;

/**
 * The original's flanked bars: rotated and thresholded bars on background 0. Each flanker's block
 * is written over what is there, zeros included, and silently left out where it does not fit.
 *
 * @param axis of the target, degrees
 * @param length of a bar, pixels
 * @param width of a bar, pixels
 * @param contrast of the target
 * @param flankers null for the target alone
 */
public record OriginalBars(
    Frame frame, double axis, int length, int width, double contrast, @Nullable Flankers flankers)
    implements Stimulus {

  @Override
  public float[] draw() {
    double[] out = new double[frame.height() * frame.width()];
    int cy = frame.height() / 2;
    int cx = frame.width() / 2;
    Block target = bar(length, width, axis);
    write(out, target, cy - target.rows / 2, cx - target.columns / 2, contrast, false);
    if (flankers != null) {
      Block bar = bar(length, width, axis + flankers.angle());
      for (int side = -1; side <= 1; side += 2) { // the second covers the first
        double dx = side * flankers.distance() * Orientation.cos(axis);
        double dy = side * flankers.distance() * Orientation.sin(axis);
        int top = (int) (cy + dy - bar.rows / 2);
        int left = (int) (cx + dx - bar.columns / 2);
        write(out, bar, top, left, flankers.contrast(), true);
      }
    }
    return OriginalStimuli.floats(out);
  }

  private void write(
      double[] out, Block bar, int top, int left, double value, boolean leftOutWhereItDoesNotFit) {
    if (leftOutWhereItDoesNotFit
        && (top < 0
            || left < 0
            || top >= frame.height() - bar.rows
            || left >= frame.width() - bar.columns)) {
      return;
    }
    if (top < 0
        || left < 0
        || top + bar.rows > frame.height()
        || left + bar.columns > frame.width()) {
      throw new IllegalArgumentException(
          "the target's block of %s x %s pixels does not fit into the image of %s x %s"
              .formatted(bar.rows, bar.columns, frame.height(), frame.width()));
    }
    for (int y = 0; y < bar.rows; y++) {
      for (int x = 0; x < bar.columns; x++) {
        out[(top + y) * frame.width() + left + x] = value * bar.values[y * bar.columns + x];
      }
    }
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        flankers == null ? "kapadia_center_only" : "kapadia_collinear",
        Orientation.ofAxis(axis),
        contrast,
        Double.NaN,
        Double.NaN,
        frame.center(),
        length,
        width,
        Stimulus.parameters(
            "axis",
            axis,
            "flanker_distance",
            flankers == null ? 0.0 : flankers.distance(),
            "flanker_angle",
            flankers == null ? 0.0 : flankers.angle(),
            "flanker_contrast",
            flankers == null ? 0.0 : flankers.contrast(),
            "bar_length",
            (double) length,
            "bar_width",
            (double) width));
  }

  /** A small image, rows first. */
  record Block(int rows, int columns, double[] values) {}

  /**
   * Ones of W x L in the middle of zeros of 3W x 3L, rotated with bilinear interpolation and
   * thresholded at one half.
   */
  static Block bar(int length, int width, double axis) {
    double[] box = new double[9 * width * length];
    for (int y = width; y < 2 * width; y++) {
      for (int x = length; x < 2 * length; x++) {
        box[y * 3 * length + x] = 1;
      }
    }
    double cos = Math.abs(Orientation.cos(axis));
    double sin = Math.abs(Orientation.sin(axis));
    int rows = (int) Math.floor(3 * width * cos + 3 * length * sin + 0.5);
    int columns = (int) Math.floor(3 * width * sin + 3 * length * cos + 0.5);
    double[] rotated = rotate(new Block(3 * width, 3 * length, box), axis, rows, columns);
    for (int i = 0; i < rotated.length; i++) {
      rotated[i] = rotated[i] > 0.5 ? 1 : 0;
    }
    return new Block(rows, columns, rotated);
  }

  /** An image rotated clockwise on the screen about its middle, bilinear; 0 outside the source. */
  static double[] rotate(Block source, double degrees, int rows, int columns) {
    double cos = Orientation.cos(degrees);
    double sin = Orientation.sin(degrees);
    double[] out = new double[rows * columns];
    for (int y = 0, i = 0; y < rows; y++) {
      double dy = y - (rows - 1) / 2.0;
      for (int x = 0; x < columns; x++, i++) {
        double dx = x - (columns - 1) / 2.0;
        double u = dx * cos + dy * sin + (source.columns - 1) / 2.0;
        double v = -dx * sin + dy * cos + (source.rows - 1) / 2.0;
        out[i] = bilinear(source, v, u);
      }
    }
    return out;
  }

  private static double bilinear(Block source, double row, double column) {
    if (!(row >= 0 && row <= source.rows - 1 && column >= 0 && column <= source.columns - 1)) {
      return 0;
    }
    int y0 = (int) row;
    int x0 = (int) column;
    int y1 = Math.min(y0 + 1, source.rows - 1);
    int x1 = Math.min(x0 + 1, source.columns - 1);
    double fy = row - y0;
    double fx = column - x0;
    double[] v = source.values;
    int w = source.columns;
    double top = v[y0 * w + x0] * (1 - fx) + v[y0 * w + x1] * fx;
    double bottom = v[y1 * w + x0] * (1 - fx) + v[y1 * w + x1] * fx;
    return top * (1 - fy) + bottom * fy;
  }
}
