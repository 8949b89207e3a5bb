package org.gammanet.training;

/**
 * The factor that lifts gradients into the range of float16 (Micikevicius et al., "Mixed precision
 * training", 2018): halved when a gradient overflows, doubled after 2000 updates without.
 */
final class LossScale {
  private static final int GROWTH_INTERVAL = 2000;
  private static final double INITIAL = 65536;

  private double value;
  private int good;

  /** The initial value for float16, or 1 and constant where nothing is scaled. */
  LossScale(boolean scales) {
    value = scales ? INITIAL : 1;
    good = scales ? 0 : Integer.MIN_VALUE;
  }

  private boolean scales() {
    return good >= 0;
  }

  /** The factor on the loss and its gradients. */
  double value() {
    return value;
  }

  /** Updates since the last change. */
  int good() {
    return Math.max(0, good);
  }

  /** Continues from a checkpoint. */
  void restore(double storedValue, int storedGood) {
    if (scales()) {
      value = storedValue > 0 ? storedValue : INITIAL;
      good = Math.max(0, storedGood);
    }
  }

  /** Counts an update without overflow; enough of them in a row double the factor. */
  void succeeded() {
    if (scales() && ++good >= GROWTH_INTERVAL) {
      value *= 2;
      good = 0;
    }
  }

  /**
   * After an overflow.
   *
   * @return whether a smaller factor may help
   */
  boolean overflowed() {
    if (!scales() || value <= 1) {
      return false;
    }
    value /= 2;
    good = 0;
    return true;
  }
}
