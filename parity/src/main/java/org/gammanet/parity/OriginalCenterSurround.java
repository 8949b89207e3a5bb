package org.gammanet.parity;

import java.util.Map;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Patterns;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.jspecify.annotations.Nullable;

/**
 * The original's center and surround, as a bare pattern about 0 that may reach beyond the image.
 *
 * @param tilt whether it is a stimulus of the tilt illusion
 * @param center orientation of the center, degrees of modulation
 * @param surround orientation of the ring; null for the center alone
 * @param cycles per image height, of both
 * @param contrast of the center
 * @param surroundContrast of the ring
 * @param radius of the center, pixels
 * @param inner radius of the ring, pixels
 * @param outer radius of the ring, pixels
 */
public record OriginalCenterSurround(
    Frame frame,
    boolean tilt,
    double center,
    @Nullable Double surround,
    double cycles,
    double contrast,
    double surroundContrast,
    double radius,
    double inner,
    double outer)
    implements Stimulus {

  @Override
  public float[] draw() {
    double[] out = Patterns.grating(frame, center, cycles, 0, 1);
    double[] disc = Patterns.disc(frame, radius);
    for (int i = 0; i < out.length; i++) {
      out[i] *= contrast * disc[i];
    }
    if (surround != null) {
      double[] grating = Patterns.grating(frame, surround, cycles, 0, 1);
      double[] ring = Patterns.ring(frame, inner, outer);
      for (int i = 0; i < out.length; i++) {
        out[i] += surroundContrast * grating[i] * ring[i];
      }
    }
    return OriginalStimuli.floats(out);
  }

  @Override
  public StimulusMeta meta() {
    Map<String, @Nullable Object> parameters =
        Stimulus.parameters(
            "spatial_frequency",
            cycles,
            "wavelength_px",
            frame.wavelength(cycles),
            "condition",
            surround == null ? "center_only" : "center_surround",
            "center_radius",
            radius);
    if (surround != null) {
      parameters.put("surround_orientation", surround);
      parameters.put("surround_contrast", surroundContrast);
      parameters.put(tilt ? "surround_tilt" : "orientation_difference", surround - center);
      parameters.put("surround_inner_radius", inner);
      parameters.put("surround_outer_radius", outer);
      if (tilt) {
        parameters.put("surround_radius", outer);
      }
    }
    double extent = 2 * (surround == null ? radius : outer);
    return new StimulusMeta(
        tilt
            ? "tilt_illusion"
            : surround == null ? "kinoshita_center_only" : "kinoshita_center_surround",
        Orientation.ofModulation(center),
        contrast,
        cycles,
        0,
        frame.center(),
        extent,
        extent,
        parameters);
  }
}
