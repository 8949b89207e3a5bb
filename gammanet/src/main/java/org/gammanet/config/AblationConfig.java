package org.gammanet.config;

/**
 * Which mechanism is taken out, and the constants that replace it.
 *
 * @param ablation what is taken out
 * @param fixedG1 {@link Ablation#NO_GATES}: the input gate, 0 to 1
 * @param fixedG2 {@link Ablation#NO_GATES}: the mixing gate, 0 to 1
 * @param delayTimesteps {@link Ablation#DELAYED_TD}: first timestep (from 0) with feedback
 */
public record AblationConfig(
    Ablation ablation, double fixedG1, double fixedG2, int delayTimesteps) {

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public AblationConfig {
    Check.that(fixedG1 >= 0 && fixedG1 <= 1, "fixed_g1", fixedG1, "from 0 to 1");
    Check.that(fixedG2 >= 0 && fixedG2 <= 1, "fixed_g2", fixedG2, "from 0 to 1");
    Check.atLeast("delay_timesteps", delayTimesteps, 0);
  }

  /** The ablation with its usual constants: gates 1 and ½, feedback from step 3 on. */
  public static AblationConfig of(Ablation ablation) {
    return new AblationConfig(ablation, 1.0, 0.5, 3);
  }
}
