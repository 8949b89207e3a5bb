package org.gammanet.nn;

import org.gammanet.config.AblationConfig;
import org.jspecify.annotations.Nullable;

/**
 * The mechanisms of a network, of which an ablation takes one out. The parameters stay, so that one
 * checkpoint loads into every ablated network.
 *
 * @param wiring which cells run
 * @param circuit what cells compute
 */
public record Mechanisms(Wiring wiring, Circuit circuit) {
  /** How a gate is computed. */
  public enum Gates {
    /** By the logistic function. */
    SIGMOID,
    /** Clamped to 0 … 1. */
    LINEAR,
    /** The mixing gate is the input gate. */
    TIED,
    /** Constants. */
    FIXED
  }

  /**
   * Which cells run.
   *
   * @param horizontal whether the cells of the encoders do; else the drive bypasses them
   * @param topDown whether decoders feed back
   * @param carriesFeedback without {@code horizontal}: whether the state left by feedback is added
   *     to the drive of the next timestep
   * @param feedbackSince first timestep with feedback, from 0
   */
  public record Wiring(
      boolean horizontal, boolean topDown, boolean carriesFeedback, int feedbackSince) {}

  /**
   * What a cell computes.
   *
   * @param divisive whether inhibition scales with the state (α)
   * @param additive whether excitation has an additive term (κ)
   * @param multiplicative whether excitation has a multiplicative term (ω)
   * @param fixedG1 {@link Gates#FIXED}: the input gate
   * @param fixedG2 {@link Gates#FIXED}: the mixing gate
   */
  public record Circuit(
      boolean divisive,
      boolean additive,
      boolean multiplicative,
      Gates gates,
      double fixedG1,
      double fixedG2) {
    /** Both terms of excitation and inhibition, with this kind of gates. */
    static Circuit with(Gates gates) {
      return new Circuit(true, true, true, gates, 1, 1);
    }

    static Circuit with(boolean divisive, boolean additive, boolean multiplicative) {
      return new Circuit(divisive, additive, multiplicative, Gates.SIGMOID, 1, 1);
    }
  }

  private static final Wiring WIRED = new Wiring(true, true, false, 0);

  /** All of them. */
  public static final Mechanisms ALL = new Mechanisms(WIRED, Circuit.with(Gates.SIGMOID));

  /** What an ablation leaves. */
  public static Mechanisms of(@Nullable AblationConfig config) {
    if (config == null) {
      return ALL;
    }
    return switch (config.ablation()) {
      case NO_RECURRENCE -> ALL;
      case FFONLY -> new Mechanisms(new Wiring(false, true, false, 0), ALL.circuit);
      case TDONLY -> new Mechanisms(new Wiring(false, true, true, 0), ALL.circuit);
      case BOTTOM_UP_ONLY -> new Mechanisms(new Wiring(false, false, false, 0), ALL.circuit);
      case HONLY -> new Mechanisms(new Wiring(true, false, false, 0), ALL.circuit);
      case DELAYED_TD ->
          new Mechanisms(new Wiring(true, true, false, config.delayTimesteps()), ALL.circuit);
      case NO_DIVISIVE -> new Mechanisms(WIRED, Circuit.with(false, true, true));
      case ADDITIVE_ONLY -> new Mechanisms(WIRED, Circuit.with(true, true, false));
      case MULTIPLICATIVE_ONLY -> new Mechanisms(WIRED, Circuit.with(true, false, true));
      case LINEAR_GATES -> new Mechanisms(WIRED, Circuit.with(Gates.LINEAR));
      case SYMMETRIC_GATES -> new Mechanisms(WIRED, Circuit.with(Gates.TIED));
      case NO_GATES ->
          new Mechanisms(
              WIRED,
              new Circuit(true, true, true, Gates.FIXED, config.fixedG1(), config.fixedG2()));
    };
  }
}
