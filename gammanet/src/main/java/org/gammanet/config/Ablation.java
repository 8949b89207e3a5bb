package org.gammanet.config;

import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The ways in which one mechanism is taken out of the network that is built from scratch. All keep
 * its parameters, so that one checkpoint loads into every one of them.
 */
public enum Ablation implements Word {
  /** Encoder cells are bypassed; feedback stays. */
  FFONLY("FFOnly", false, true, true, true, true, true),
  /** Horizontal connections only: no decoder pass. */
  HONLY("HOnly", true, false, true, true, true, true),
  /** Encoder cells are bypassed but carry the feedback of the previous step. */
  TDONLY("TDOnly", false, true, true, true, true, true),
  /** One timestep. */
  NO_RECURRENCE("NoRecurrence", true, true, true, true, true, true),
  /** One timestep, no horizontal connections, no feedback. */
  BOTTOM_UP_ONLY("BottomUpOnly", false, false, true, true, true, true),
  /** Feedback only from a later step on. */
  DELAYED_TD("DelayedTD", true, true, true, true, true, true),
  /** Excitation without ω. */
  ADDITIVE_ONLY("AdditiveOnly", true, true, false, true, true, true),
  /** Excitation without κ. */
  MULTIPLICATIVE_ONLY("MultiplicativeOnly", true, true, true, false, true, true),
  /** Both gates are constants. */
  NO_GATES("NoGates", true, true, true, true, true, false),
  /** α = 0. */
  NO_DIVISIVE("NoDivisive", true, true, true, true, false, true),
  /** Gates clamp instead of squashing. */
  LINEAR_GATES("LinearGates", true, true, true, true, true, true),
  /** The mixing gate equals the input gate. */
  SYMMETRIC_GATES("SymmetricGates", true, true, true, true, true, true);

  private final String suffix;
  private final boolean horizontal;
  private final boolean topDown;
  private final boolean multiplicative;
  private final boolean additive;
  private final boolean divisive;
  private final boolean gates;

  Ablation(
      String suffix,
      boolean horizontal,
      boolean topDown,
      boolean multiplicative,
      boolean additive,
      boolean divisive,
      boolean gates) {
    this.suffix = suffix;
    this.horizontal = horizontal;
    this.topDown = topDown;
    this.multiplicative = multiplicative;
    this.additive = additive;
    this.divisive = divisive;
    this.gates = gates;
  }

  /** The model's name, such as {@code GammaNetNoGates}. */
  public String modelName() {
    return "GammaNet" + suffix;
  }

  /** Whether the ablated network runs a single timestep whatever the configuration says. */
  public boolean singleTimestep() {
    return this == NO_RECURRENCE || this == BOTTOM_UP_ONLY;
  }

  /**
   * The ablation of {@code GammaNetNoGates}, {@code NoGates} or {@code no_gates}; null for others.
   */
  public static @Nullable Ablation ofName(String name) {
    String plain = name.toLowerCase(Locale.ROOT).replace("_", "").replace("-", "");
    for (Ablation ablation : values()) {
      String suffix = ablation.suffix.toLowerCase(Locale.ROOT);
      if (plain.equals(suffix) || plain.equals("gammanet" + suffix)) {
        return ablation;
      }
    }
    return null;
  }

  /** The mechanisms that the original's {@code ablation} section lists, and whether they stay. */
  Map<String, Boolean> switches() {
    return Map.of(
        "horizontal_connections", horizontal,
        "topdown_connections", topDown,
        "multiplicative_excitation", multiplicative,
        "additive_excitation", additive,
        "divisive_normalization", divisive,
        "gates", gates);
  }
}
