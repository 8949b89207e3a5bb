package org.gammanet.experiments.stimuli;

import java.util.Map;
import org.gammanet.experiments.Mode;
import org.jspecify.annotations.Nullable;

/**
 * A bar with two flankers on its line, after Kapadia, Ito, Gilbert and Westheimer (1995).
 *
 * <p>The target is at the frame's center with its axis φ; flankers at {@code ± distance · (cosφ,
 * sinφ)} plus a sideways displacement of both, with the axis φ + relative angle. Each element
 * covers a pixel by a weight w; where elements overlap, the one with the largest |c·w| shows;
 * luminance is 0.5 + 0.5 of that.
 *
 * <p>With {@link Mode#PARITY}: bars that are turned and cut, on background 0, each block written
 * over what is there, zeros included, and left out silently where it does not fit.
 *
 * @param axis φ, degrees
 * @param length of a bar, pixels
 * @param width of a bar, pixels
 * @param distance from the target's middle to a flanker's, pixels
 * @param relativeAngle of the flankers to the target, degrees; 0 is collinear
 * @param lateral displacement of the flankers across the axis, pixels
 * @param targetContrast signed increment, -1 to 1
 * @param flankerContrast signed increment; the opposite sign makes flankers of opposite polarity
 * @param shown which elements are drawn
 * @param oneFlanker whether there is only the flanker in the direction of +φ
 * @param gaborCycles cycles per image height of Gabor elements in place of bars, whose window has a
 *     sigma of a quarter of the length; null for bars
 * @param clip whether elements may reach beyond the image
 */
public record FlankedBars(
    Frame frame,
    double axis,
    double length,
    double width,
    double distance,
    double relativeAngle,
    double lateral,
    double targetContrast,
    double flankerContrast,
    Elements shown,
    boolean oneFlanker,
    @Nullable Double gaborCycles,
    boolean clip,
    Mode mode)
    implements Stimulus {

  /** Which elements are drawn. */
  public enum Elements {
    BOTH,
    TARGET,
    FLANKERS
  }

  /** Checks the ranges, and that all elements fit into the image. */
  public FlankedBars {
    Checks.signedContrast(targetContrast);
    Checks.signedContrast(flankerContrast);
    Checks.positive(length, "a bar's length");
    Checks.positive(width, "a bar's width");
    Checks.notNegative(distance, "a flanker's distance");
    if (mode == Mode.PARITY && (length % 1 != 0 || width % 1 != 0)) {
      throw new IllegalArgumentException(
          "bars of the parity mode have lengths and widths of whole pixels, not %s x %s"
              .formatted(length, width));
    }
    if (mode == Mode.OWN && !clip) {
      double reach = gaborCycles == null ? 0 : 0.25 * length;
      if (shown != Elements.FLANKERS) {
        requireInside(frame, 0, 0, axis, length, width, reach, "the target");
      }
      if (shown != Elements.TARGET) {
        for (int side = 1; side >= (oneFlanker ? 1 : -1); side -= 2) {
          requireInside(
              frame,
              x(side, axis, distance, lateral),
              y(side, axis, distance, lateral),
              axis + relativeAngle,
              length,
              width,
              reach,
              "a flanker at a distance of " + Frame.number(distance) + " px");
        }
      }
    }
  }

  private static double x(int side, double axis, double distance, double lateral) {
    return side * distance * Orientation.cos(axis) - lateral * Orientation.sin(axis);
  }

  private static double y(int side, double axis, double distance, double lateral) {
    return side * distance * Orientation.sin(axis) + lateral * Orientation.cos(axis);
  }

  private static void requireInside(
      Frame frame,
      double cx,
      double cy,
      double axis,
      double length,
      double width,
      double sigma,
      String what) {
    double cos = Math.abs(Orientation.cos(axis));
    double sin = Math.abs(Orientation.sin(axis));
    double along = sigma > 0 ? 3 * sigma : length / 2 + 0.5;
    double across = sigma > 0 ? 3 * sigma : width / 2 + 0.5;
    double ex = along * cos + across * sin;
    double ey = along * sin + across * cos;
    double x = frame.center().x() + cx;
    double y = frame.center().y() + cy;
    if (x - ex < -1 || x + ex > frame.width() || y - ey < -1 || y + ey > frame.height()) {
      throw new IllegalArgumentException(
          "%s does not fit wholly into the image of %d x %d pixels; use smaller distances or allow clipping"
              .formatted(what, frame.height(), frame.width()));
    }
  }

  @Override
  public float[] draw() {
    return mode == Mode.PARITY ? drawParity() : drawOwn();
  }

  private float[] drawOwn() {
    double[] out = new double[frame.pixels()];
    if (shown != Elements.FLANKERS) {
      compose(out, targetContrast, 0, 0, axis);
    }
    if (shown != Elements.TARGET) {
      for (int side = 1; side >= (oneFlanker ? 1 : -1); side -= 2) {
        compose(
            out,
            flankerContrast,
            x(side, axis, distance, lateral),
            y(side, axis, distance, lateral),
            axis + relativeAngle);
      }
    }
    return Patterns.luminance(out);
  }

  private void compose(double[] out, double contrast, double cx, double cy, double angle) {
    double[] weights =
        gaborCycles == null
            ? Patterns.bar(frame, cx, cy, length, width, angle)
            : gaborElement(gaborCycles, cx, cy, angle);
    for (int i = 0; i < out.length; i++) {
      double v = contrast * weights[i];
      if (Math.abs(v) > Math.abs(out[i])) {
        out[i] = v;
      }
    }
  }

  /** A Gabor in cosine phase whose stripes run along the angle. */
  private double[] gaborElement(double cycles, double cx, double cy, double angle) {
    double sigma = length / 4;
    double k = 2 * Math.PI * cycles / frame.height();
    double[] out = new double[frame.pixels()];
    for (int y = 0, i = 0; y < frame.height(); y++) {
      double dy = y - frame.center().y() - cy;
      for (int x = 0; x < frame.width(); x++, i++) {
        double dx = x - frame.center().x() - cx;
        double across = -dx * Orientation.sin(angle) + dy * Orientation.cos(angle);
        out[i] = Math.cos(k * across) * Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
      }
    }
    return out;
  }

  private float[] drawParity() {
    double[] out = new double[frame.pixels()];
    int cy = frame.height() / 2;
    int cx = frame.width() / 2;
    if (shown != Elements.FLANKERS) {
      Patterns.Block bar = Patterns.parityBar((int) length, (int) width, axis);
      write(out, bar, cy - bar.rows() / 2, cx - bar.columns() / 2, targetContrast, false);
    }
    if (shown != Elements.TARGET) {
      Patterns.Block bar = Patterns.parityBar((int) length, (int) width, axis + relativeAngle);
      for (int side = oneFlanker ? 1 : -1; side <= 1; side += 2) { // the second covers the first
        int top = (int) (cy + y(side, axis, distance, lateral) - bar.rows() / 2);
        int left = (int) (cx + x(side, axis, distance, lateral) - bar.columns() / 2);
        write(out, bar, top, left, flankerContrast, true);
      }
    }
    return Patterns.floats(out);
  }

  private void write(
      double[] out, Patterns.Block bar, int top, int left, double contrast, boolean checked) {
    boolean fits =
        top >= 0
            && left >= 0
            && top < frame.height() - bar.rows()
            && left < frame.width() - bar.columns();
    if (!fits && checked) {
      return;
    }
    if (top < 0
        || left < 0
        || top + bar.rows() > frame.height()
        || left + bar.columns() > frame.width()) {
      throw new IllegalArgumentException(
          "the target's block of %d x %d pixels does not fit into the image of %d x %d"
              .formatted(bar.rows(), bar.columns(), frame.height(), frame.width()));
    }
    for (int y = 0; y < bar.rows(); y++) {
      for (int x = 0; x < bar.columns(); x++) {
        out[(top + y) * frame.width() + left + x] = contrast * bar.values()[y * bar.columns() + x];
      }
    }
  }

  @Override
  public StimulusMeta meta() {
    String type =
        switch (shown) {
          case BOTH -> "kapadia_collinear";
          case TARGET -> "kapadia_center_only";
          case FLANKERS -> "kapadia_flankers_only";
        };
    boolean flanked = shown != Elements.TARGET;
    Map<String, @Nullable Object> parameters =
        Stimulus.parameters(
            "axis",
            axis,
            "flanker_distance",
            flanked ? distance : 0.0,
            "flanker_angle",
            flanked ? relativeAngle : 0.0,
            "flanker_contrast",
            flanked ? flankerContrast : 0.0,
            "bar_length",
            length,
            "bar_width",
            width);
    if (mode == Mode.OWN) {
      parameters.put("target_contrast", targetContrast);
      parameters.put("lateral", flanked ? lateral : 0.0);
      parameters.put("clear_gap", flanked ? distance - length : Double.NaN);
      parameters.put("flankers", flanked ? (oneFlanker ? 1 : 2) : 0);
      parameters.put("element", gaborCycles == null ? "bar" : "gabor");
    }
    return new StimulusMeta(
        type,
        Orientation.ofAxis(axis),
        shown == Elements.FLANKERS ? 0 : targetContrast,
        gaborCycles == null ? Double.NaN : gaborCycles,
        Double.NaN,
        frame.center(),
        length,
        width,
        parameters);
  }
}
