package org.gammanet.experiments.responses;

import java.util.Locale;

/** A signal of a layer that can be recorded. */
public enum State {
  /** The excitatory state, or the only state of a cell with one. */
  EXCITATORY,
  /** The inhibitory state. */
  INHIBITORY,
  /** The drive that is left after inhibition, s. */
  INHIBITED_DRIVE,
  /** The rectified term of the excitatory horizontal kernel, c2. */
  EXCITATORY_HORIZONTAL,
  /** The rectified term of the inhibitory horizontal kernel, c1. */
  INHIBITORY_HORIZONTAL,
  /** The gate of the drive, g1. */
  INPUT_GATE,
  /** The gate between old and new excitation, g2. */
  MIXING_GATE,
  /** The drive of a cell, what a block of convolutions delivers, the logits of {@code output}. */
  FEEDFORWARD;

  /** The name in files, such as {@code excitatory}. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Name among the signals inside a cell; empty for states. */
  String signal() {
    return switch (this) {
      case INHIBITED_DRIVE -> "s";
      case EXCITATORY_HORIZONTAL -> "c2";
      case INHIBITORY_HORIZONTAL -> "c1";
      case INPUT_GATE -> "g1";
      case MIXING_GATE -> "g2";
      case FEEDFORWARD -> "x";
      case EXCITATORY, INHIBITORY -> "";
    };
  }
}
