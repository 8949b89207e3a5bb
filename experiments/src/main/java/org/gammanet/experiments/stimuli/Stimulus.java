package org.gammanet.experiments.stimuli;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One stimulus: its parameters, from which it is drawn whenever it is needed, always the same. Sets
 * of thousands of stimuli thus cost no memory.
 */
public interface Stimulus {
  /** The image that it is drawn in. */
  Frame frame();

  /** H x W values, rows first. */
  float[] draw();

  /** Three planes of H x W values, red first, of a stimulus in color; null for a gray one. */
  default float @Nullable [] colors() {
    return null;
  }

  /** Its description, with all parameters resolved. */
  StimulusMeta meta();

  /** Parameters by name, in the order given: name, value, name, value, … */
  static Map<String, @Nullable Object> parameters(@Nullable Object... namesAndValues) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      map.put(String.valueOf(namesAndValues[i]), namesAndValues[i + 1]);
    }
    return map;
  }
}
