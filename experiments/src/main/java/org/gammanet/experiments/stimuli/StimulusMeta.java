package org.gammanet.experiments.stimuli;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a stimulus is, with all parameters resolved.
 *
 * @param type its family and role, such as {@code oriented_grating}
 * @param orientation of its center; null where it has none
 * @param contrast of its center: Michelson for gratings, signed increment for bars; 0 for a blank
 * @param cyclesPerImage spatial frequency per image height; NaN where it has none
 * @param phase of its center, radians; NaN where it has none
 * @param center the pixel it is centered on
 * @param height of what is drawn, pixels
 * @param width of what is drawn, pixels
 * @param parameters everything else by name: angles in degrees, lengths in pixels
 */
public record StimulusMeta(
    String type,
    @Nullable Orientation orientation,
    double contrast,
    double cyclesPerImage,
    double phase,
    PixelPoint center,
    double height,
    double width,
    Map<String, @Nullable Object> parameters) {

  /** Copies the parameters, in their order. */
  public StimulusMeta {
    parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
  }

  /** Describes a photo: it has a frame, and neither orientation nor phase. */
  static StimulusMeta ofPicture(Frame frame, Map<String, @Nullable Object> parameters) {
    return new StimulusMeta(
        "image",
        null,
        Double.NaN,
        Double.NaN,
        Double.NaN,
        frame.center(),
        frame.height(),
        frame.width(),
        parameters);
  }

  /**
   * A numeric parameter.
   *
   * @throws IllegalArgumentException when there is none of this name
   */
  public double number(String name) {
    if (parameters.get(name) instanceof Number number) {
      return number.doubleValue();
    }
    throw new IllegalArgumentException(
        "the stimulus %s has no number %s; it has %s".formatted(type, name, parameters.keySet()));
  }
}
