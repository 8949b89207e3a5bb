package org.gammanet.figures;

import java.util.List;
import java.util.stream.DoubleStream;

/**
 * One axis of a {@link Plot}: label with its unit, scale, limits, ticks.
 *
 * @param label text beside the axis, with the unit in brackets; may be empty
 * @param scale linear, logarithmic or names
 * @param min lower limit, NaN to take it from the data
 * @param max upper limit, NaN to take it from the data
 * @param ticks where to put ticks; empty to choose them
 * @param tickLabels text at each of {@code ticks}; empty to print the numbers
 * @param reversed whether values grow to the left or downwards, as the rows of a picture do
 * @param shown whether line, ticks and numbers are drawn
 */
public record Axis(
    String label,
    Scale scale,
    double min,
    double max,
    List<Double> ticks,
    List<String> tickLabels,
    boolean reversed,
    boolean shown) {

  /** How values become positions. */
  public enum Scale {
    LINEAR,
    /** By the logarithm; values of zero and below are not drawn. */
    LOG,
    /** Names at 0, 1, 2, …, half a step of room at each end. */
    NAMES
  }

  public Axis {
    ticks = List.copyOf(ticks);
    tickLabels = List.copyOf(tickLabels);
    if (!tickLabels.isEmpty() && tickLabels.size() != ticks.size()) {
      throw new IllegalArgumentException(
          "the axis '%s' has %s ticks but %s labels"
              .formatted(label, ticks.size(), tickLabels.size()));
    }
    if (min >= max) {
      throw new IllegalArgumentException(
          "the axis '%s' runs from %s to %s; the first limit must be the smaller"
              .formatted(label, min, max));
    }
    if (scale == Scale.LOG && min <= 0) {
      throw new IllegalArgumentException(
          "the logarithmic axis '%s' begins at %s; it must begin above 0".formatted(label, min));
    }
  }

  /** A linear axis with limits and ticks taken from the data. */
  public static Axis linear(String label) {
    return new Axis(label, Scale.LINEAR, Double.NaN, Double.NaN, List.of(), List.of(), false, true);
  }

  /** A logarithmic axis with limits and ticks taken from the data. */
  public static Axis log(String label) {
    return linear(label).scale(Scale.LOG);
  }

  /** Names at 0, 1, 2, … */
  public static Axis names(String label, List<String> names) {
    return linear(label)
        .scale(Scale.NAMES)
        .range(-0.5, names.size() - 0.5)
        .ticks(DoubleStream.iterate(0, i -> i + 1).limit(names.size()).toArray())
        .tickLabels(names);
  }

  /** No line, no ticks, no label: the frame of a picture. */
  public static Axis hidden() {
    return new Axis("", Scale.LINEAR, Double.NaN, Double.NaN, List.of(), List.of(), false, false);
  }

  private Axis scale(Scale value) {
    return new Axis(label, value, min, max, ticks, tickLabels, reversed, shown);
  }

  /** Fixed limits; NaN leaves one to the data. */
  public Axis range(double from, double to) {
    return new Axis(label, scale, from, to, ticks, tickLabels, reversed, shown);
  }

  /** Ticks at these values. */
  public Axis ticks(double... values) {
    return new Axis(
        label,
        scale,
        min,
        max,
        DoubleStream.of(values).boxed().toList(),
        List.of(),
        reversed,
        shown);
  }

  /** Text in place of the numbers, one for each of the {@link #ticks}. */
  public Axis tickLabels(List<String> labels) {
    return new Axis(label, scale, min, max, ticks, labels, reversed, shown);
  }

  /** Growing in the other direction. */
  public Axis reverse() {
    return new Axis(label, scale, min, max, ticks, tickLabels, !reversed, shown);
  }

  /** The same axis with its limits known and the room of a tick known. */
  Ticks ticksBetween(double lo, double hi, int most) {
    if (!ticks.isEmpty()) {
      return Ticks.given(ticks, tickLabels, lo, hi, scale == Scale.LOG);
    }
    return scale == Scale.LOG ? Ticks.log(lo, hi, most) : Ticks.linear(lo, hi, most);
  }
}
