package org.example.experiments;

import java.util.Map;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusMeta;

/** A stimulus from outside the library: a bright cross on gray; lengths in pixels. */
public record Cross(Frame frame, double arm, double width, double contrast) implements Stimulus {
  @Override
  public float[] draw() {
    float[] out = new float[frame.height() * frame.width()];
    for (int y = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++) {
        double dx = Math.abs(x - frame.center().x());
        double dy = Math.abs(y - frame.center().y());
        boolean inside = Math.min(dx, dy) <= width / 2 && Math.max(dx, dy) <= arm;
        out[y * frame.width() + x] = (float) (0.5 + (inside ? contrast / 2 : 0));
      }
    }
    return out;
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "cross",
        null,
        contrast,
        Double.NaN,
        Double.NaN,
        frame.center(),
        2 * arm,
        2 * arm,
        Map.of("width", width));
  }
}
