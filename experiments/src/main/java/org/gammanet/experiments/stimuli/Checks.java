package org.gammanet.experiments.stimuli;

import java.util.List;

/** Ranges of parameters, with one sentence for each violation. */
final class Checks {
  private Checks() {}

  static void contrast(double c) {
    if (!(c >= 0 && c <= 1)) {
      throw new IllegalArgumentException("a contrast must lie in 0 … 1, not " + c);
    }
  }

  static void signedContrast(double c) {
    if (!(c >= -1 && c <= 1)) {
      throw new IllegalArgumentException("a bar's contrast must lie in -1 … 1, not " + c);
    }
  }

  static void cycles(double f) {
    if (!(f > 0 && f < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "a spatial frequency must be a positive number of cycles per image height, not " + f);
    }
  }

  static void positive(double value, String what) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(what + " must be positive, not " + value);
    }
  }

  static void notNegative(double value, String what) {
    if (!(value >= 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(what + " must not be negative, but is " + value);
    }
  }

  /** The values that the caller of a builder gave, of which there must be one at least. */
  static List<Double> given(double[] values, String what, String method) {
    if (values.length == 0) {
      throw new IllegalArgumentException(
          "no %s is given: call %s with at least one value".formatted(what, method));
    }
    List<Double> list = new java.util.ArrayList<>();
    for (double v : values) {
      if (!Double.isFinite(v)) {
        throw new IllegalArgumentException("the %s %s is not a number".formatted(what, v));
      }
      list.add(v);
    }
    return List.copyOf(list);
  }
}
