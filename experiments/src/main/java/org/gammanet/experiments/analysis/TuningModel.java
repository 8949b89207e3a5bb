package org.gammanet.experiments.analysis;

/** A curve that is fitted to responses over orientation. */
public enum TuningModel {
  /** Von Mises with κ in [0.05, 100], amplitude not negative, baseline free. */
  VON_MISES,
  /**
   * The original's fit of the same curve: κ at most 10 (no half width below 10.7 degrees), baseline
   * not negative, one start; its half width is that above the baseline, 180 degrees for κ below
   * 0.347. It fails where a response is negative: all values are NaN then.
   */
  PARITY_VON_MISES
}
