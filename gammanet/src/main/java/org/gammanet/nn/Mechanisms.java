package org.gammanet.nn;

import org.gammanet.config.AblationConfig;
import org.jspecify.annotations.Nullable;

/**
 * The mechanisms of a network and its cells, of which an ablation takes one out. The parameters
 * stay, so that one checkpoint loads into every ablated network.
 *
 * @param horizontal whether the cells of the encoders run; else the drive passes them by
 * @param topDown whether decoders feed back
 * @param carriesFeedback without {@code horizontal}: whether the state that feedback has left is
 *     added to the drive of the next timestep
 * @param feedbackSince first timestep with feedback, from 0
 * @param divisive whether inhibition scales with the state (α)
 * @param additive whether excitation has an additive term (κ)
 * @param multiplicative whether excitation has a multiplicative term (ω)
 * @param gates how gates are computed
 * @param fixedG1 {@link Gates#FIXED}: the input gate
 * @param fixedG2 {@link Gates#FIXED}: the mixing gate
 */
public record Mechanisms(
    boolean horizontal,
    boolean topDown,
    boolean carriesFeedback,
    int feedbackSince,
    boolean divisive,
    boolean additive,
    boolean multiplicative,
    Gates gates,
    double fixedG1,
    double fixedG2) {

  /** How gates are computed. */
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

  /** All of them. */
  public static final Mechanisms ALL =
      new Mechanisms(true, true, false, 0, true, true, true, Gates.SIGMOID, 1, 1);

  /** What an ablation leaves. */
  public static Mechanisms of(@Nullable AblationConfig config) {
    if (config == null) {
      return ALL;
    }
    return switch (config.ablation()) {
      case NO_RECURRENCE -> ALL;
      case FFONLY -> ALL.wiring(false, true, false, 0);
      case TDONLY -> ALL.wiring(false, true, true, 0);
      case BOTTOM_UP_ONLY -> ALL.wiring(false, false, false, 0);
      case HONLY -> ALL.wiring(true, false, false, 0);
      case DELAYED_TD -> ALL.wiring(true, true, false, config.delayTimesteps());
      case NO_DIVISIVE -> ALL.circuit(false, true, true);
      case ADDITIVE_ONLY -> ALL.circuit(true, true, false);
      case MULTIPLICATIVE_ONLY -> ALL.circuit(true, false, true);
      case LINEAR_GATES -> ALL.gates(Gates.LINEAR, 1, 1);
      case SYMMETRIC_GATES -> ALL.gates(Gates.TIED, 1, 1);
      case NO_GATES -> ALL.gates(Gates.FIXED, config.fixedG1(), config.fixedG2());
    };
  }

  private Mechanisms wiring(boolean horizontal, boolean topDown, boolean carries, int since) {
    return new Mechanisms(
        horizontal,
        topDown,
        carries,
        since,
        divisive,
        additive,
        multiplicative,
        gates,
        fixedG1,
        fixedG2);
  }

  private Mechanisms circuit(boolean divisive, boolean additive, boolean multiplicative) {
    return new Mechanisms(
        horizontal,
        topDown,
        carriesFeedback,
        feedbackSince,
        divisive,
        additive,
        multiplicative,
        gates,
        fixedG1,
        fixedG2);
  }

  private Mechanisms gates(Gates gates, double g1, double g2) {
    return new Mechanisms(
        horizontal,
        topDown,
        carriesFeedback,
        feedbackSince,
        divisive,
        additive,
        multiplicative,
        gates,
        g1,
        g2);
  }
}
