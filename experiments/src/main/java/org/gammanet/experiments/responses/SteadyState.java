package org.gammanet.experiments.responses;

import java.util.Locale;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;

/**
 * Whether a network comes to rest under a constant stimulus.
 *
 * @param behavior of its states
 * @param timesteps that it was run for
 * @param change of the states in the last timestep, relative to their norm
 * @param changeOverTwo change in the last two timesteps
 */
public record SteadyState(Behavior behavior, int timesteps, double change, double changeOverTwo) {
  /** Relative change in a timestep below which states rest. */
  private static final double RESTS = 1e-3;

  /** Growth of the norm over the second half of the timesteps that counts as divergence. */
  private static final double GROWS = 1.5;

  /** Fraction of its size after half of the time above which the change does not decay. */
  private static final double DECAYS = 0.9;

  /** How states behave after many timesteps. */
  public enum Behavior {
    /** They change by less than a thousandth in a timestep. */
    STEADY,
    /** They alternate between two values. */
    ALTERNATES,
    /** They grow, or are not finite. */
    DIVERGES,
    /** They change without growing. */
    MOVES
  }

  /** Whether there is a steady state. */
  public boolean steady() {
    return behavior == Behavior.STEADY;
  }

  /** A sentence about it. */
  public String sentence() {
    return switch (behavior) {
      case STEADY ->
          String.format(
              Locale.ROOT,
              "The network has a steady state: after %d timesteps its states change by %.2g %% a"
                  + " timestep.",
              timesteps,
              100 * change);
      case ALTERNATES ->
          "The network has no steady state: after %s timesteps its states alternate."
              .formatted(timesteps);
      case DIVERGES ->
          "The network has no steady state: its states diverge within %s timesteps."
              .formatted(timesteps);
      case MOVES ->
          String.format(
              Locale.ROOT,
              "The network has no steady state: after %d timesteps its states still change by %.2g"
                  + " %% a timestep.",
              timesteps,
              100 * change);
    };
  }

  /** Runs a network that is at rest at first under a stimulus. */
  public static SteadyState of(
      Network network, ForwardOptions options, Stimulus stimulus, int timesteps) {
    try (var dynamics = new NetworkDynamics(network, options, stimulus)) {
      NetworkDynamics.Step half = dynamics.step();
      NetworkDynamics.Step last = half;
      while (last.number() < timesteps && Double.isFinite(last.norm())) {
        half = last.number() <= timesteps / 2 ? last : half;
        last = dynamics.step();
      }
      return of(last, half, timesteps);
    }
  }

  /**
   * Judges the last timestep.
   *
   * @param half the timestep after half of the time
   */
  public static SteadyState of(
      NetworkDynamics.Step last, NetworkDynamics.Step half, int timesteps) {
    boolean finite = Double.isFinite(last.norm());
    boolean grows = last.norm() > GROWS * half.norm() && last.change() > DECAYS * half.change();
    Behavior behavior =
        !finite || grows
            ? Behavior.DIVERGES
            : last.change() < RESTS
                ? Behavior.STEADY
                : last.changeOverTwo() < RESTS ? Behavior.ALTERNATES : Behavior.MOVES;
    return new SteadyState(behavior, timesteps, last.change(), last.changeOverTwo());
  }
}
