package org.gammanet.experiments.stimuli;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A bar with two flankers on its line, after Kapadia, Ito, Gilbert and Westheimer (1995).
 *
 * <p>The target is at the frame's center with its axis φ; flankers at {@code ± distance · (cosφ,
 * sinφ)} plus a lateral displacement of both, with the axis φ + angle. Each element covers a pixel
 * by a weight w; where elements overlap, the one with the largest |c·w| shows; luminance is 0.5 +
 * 0.5 of that.
 *
 * @param axis φ, degrees
 * @param element shape of target and flankers
 * @param target contrast of the target, a signed increment in -1 to 1; null for none
 * @param flankers null for none
 */
public record FlankedBars(
    Frame frame, double axis, Element element, @Nullable Double target, @Nullable Flankers flankers)
    implements Stimulus {

  /**
   * A bar, or a Gabor patch with stripes along its axis.
   *
   * @param length pixels
   * @param width pixels
   * @param gaborCycles cycles per image height of a Gabor patch, whose window has a sigma of a
   *     quarter of the length; null for a bar
   * @param clip whether elements may reach beyond the image
   */
  public record Element(double length, double width, @Nullable Double gaborCycles, boolean clip) {
    /** Checks the ranges. */
    public Element {
      Checks.positive(length, "a bar's length");
      Checks.positive(width, "a bar's width");
      if (gaborCycles != null) {
        Checks.cycles(gaborCycles);
      }
    }

    /** A bar that must lie in the image. */
    public static Element bar(double length, double width) {
      return new Element(length, width, null, false);
    }
  }

  /**
   * The flankers. Methods named like a component return a changed copy.
   *
   * @param contrast signed increment, -1 to 1
   * @param distance from the target's center to a flanker's, pixels
   * @param angle to the target, degrees; 0 is collinear
   * @param lateral displacement across the axis, pixels
   * @param single whether there is only the one in the direction of +φ
   */
  public record Flankers(
      double contrast, double distance, double angle, double lateral, boolean single) {
    /** Checks the ranges. */
    public Flankers {
      Checks.signedContrast(contrast);
      Checks.notNegative(distance, "a flanker's distance");
    }

    /** Two collinear flankers. */
    public static Flankers at(double distance, double contrast) {
      return new Flankers(contrast, distance, 0, 0, false);
    }

    /** Changes the angle to the target, degrees. */
    public Flankers angle(double degrees) {
      return new Flankers(contrast, distance, degrees, lateral, single);
    }

    /** Changes the displacement across the axis, pixels. */
    public Flankers lateral(double pixels) {
      return new Flankers(contrast, distance, angle, pixels, single);
    }

    double x(int side, double axis) {
      return side * distance * Orientation.cos(axis) - lateral * Orientation.sin(axis);
    }

    double y(int side, double axis) {
      return side * distance * Orientation.sin(axis) + lateral * Orientation.cos(axis);
    }

    int[] sides() {
      return single ? new int[] {1} : new int[] {1, -1};
    }
  }

  /** Checks the ranges, and that all elements fit into the image. */
  public FlankedBars {
    if (target == null && flankers == null) {
      throw new IllegalArgumentException("neither a target nor flankers are given");
    }
    if (target != null) {
      Checks.signedContrast(target);
      requireInside(frame, 0, 0, axis, element, "the target");
    }
    if (flankers != null) {
      for (int side : flankers.sides()) {
        requireInside(
            frame,
            flankers.x(side, axis),
            flankers.y(side, axis),
            axis + flankers.angle,
            element,
            "a flanker at a distance of " + Frame.number(flankers.distance) + " px");
      }
    }
  }

  private static void requireInside(
      Frame frame, double cx, double cy, double axis, Element element, String what) {
    boolean gabor = element.gaborCycles != null;
    double cos = Math.abs(Orientation.cos(axis));
    double sin = Math.abs(Orientation.sin(axis));
    double along = gabor ? 0.75 * element.length : element.length / 2 + 0.5;
    double across = gabor ? along : element.width / 2 + 0.5;
    double ex = along * cos + across * sin;
    double ey = along * sin + across * cos;
    double x = frame.center().x() + cx;
    double y = frame.center().y() + cy;
    if (!element.clip
        && (x - ex < -1 || x + ex > frame.width() || y - ey < -1 || y + ey > frame.height())) {
      throw new IllegalArgumentException(
          "%s does not fit wholly into the image of %s x %s pixels; use smaller distances or allow clipping"
              .formatted(what, frame.height(), frame.width()));
    }
  }

  @Override
  public float[] draw() {
    double[] out = new double[frame.pixels()];
    if (target != null) {
      compose(out, target, 0, 0, axis);
    }
    if (flankers != null) {
      for (int side : flankers.sides()) {
        compose(
            out,
            flankers.contrast,
            flankers.x(side, axis),
            flankers.y(side, axis),
            axis + flankers.angle);
      }
    }
    return Patterns.luminance(out);
  }

  private void compose(double[] out, double contrast, double cx, double cy, double angle) {
    double[] weights =
        element.gaborCycles == null
            ? Patterns.bar(frame, cx, cy, element.length, element.width, angle)
            : gaborElement(element.gaborCycles, cx, cy, angle);
    for (int i = 0; i < out.length; i++) {
      double v = contrast * weights[i];
      if (Math.abs(v) > Math.abs(out[i])) {
        out[i] = v;
      }
    }
  }

  /** A Gabor in cosine phase whose stripes run along the angle. */
  private double[] gaborElement(double cycles, double cx, double cy, double angle) {
    double sigma = element.length / 4;
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

  @Override
  public StimulusMeta meta() {
    Flankers f = flankers;
    Map<String, @Nullable Object> parameters =
        Stimulus.parameters(
            "axis",
            axis,
            "flanker_distance",
            f == null ? 0.0 : f.distance,
            "flanker_angle",
            f == null ? 0.0 : f.angle,
            "flanker_contrast",
            f == null ? 0.0 : f.contrast,
            "lateral",
            f == null ? 0.0 : f.lateral,
            "clear_gap",
            f == null ? Double.NaN : f.distance - element.length,
            "flankers",
            f == null ? 0 : f.sides().length,
            "bar_length",
            element.length,
            "bar_width",
            element.width,
            "element",
            element.gaborCycles == null ? "bar" : "gabor");
    return new StimulusMeta(
        f == null ? "target_only" : target == null ? "flankers_only" : "flanked_bars",
        Orientation.ofAxis(axis),
        target == null ? 0 : target,
        element.gaborCycles == null ? Double.NaN : element.gaborCycles,
        Double.NaN,
        frame.center(),
        element.length,
        element.width,
        parameters);
  }
}
