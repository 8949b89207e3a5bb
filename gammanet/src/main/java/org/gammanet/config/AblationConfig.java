package org.gammanet.config;

import java.util.LinkedHashMap;
import java.util.Map;

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

  /** Checks every value. */
  public AblationConfig {
    Check.that(fixedG1 >= 0 && fixedG1 <= 1, "fixed_g1", fixedG1, "from 0 to 1");
    Check.that(fixedG2 >= 0 && fixedG2 <= 1, "fixed_g2", fixedG2, "from 0 to 1");
    Check.atLeast("delay_timesteps", delayTimesteps, 0);
  }

  /** The ablation with its usual constants: gates 1 and ½, feedback from step 3 on. */
  public static AblationConfig of(Ablation ablation) {
    return new AblationConfig(ablation, 1.0, 0.5, 3);
  }

  static AblationConfig read(Section section, Ablation ablation) {
    section.text("type");
    section.text("description");
    ablation.checkSwitches(section);
    return section.build(
        () ->
            new AblationConfig(
                ablation,
                section.number("fixed_g1", 1.0),
                section.number("fixed_g2", 0.5),
                section.integer("delay_timesteps", 3)));
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("fixed_g1", fixedG1);
    map.put("fixed_g2", fixedG2);
    map.put("delay_timesteps", delayTimesteps);
    return map;
  }
}
