package org.gammanet.experiments.stimuli;

import java.util.Arrays;

/**
 * An empty image.
 *
 * @param value its luminance: 0.5 is mid gray
 */
public record Blank(Frame frame, double value) implements Stimulus {
  @Override
  public float[] draw() {
    float[] out = new float[frame.pixels()];
    Arrays.fill(out, (float) value);
    return out;
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "blank",
        null,
        0,
        Double.NaN,
        Double.NaN,
        frame.center(),
        0,
        0,
        Stimulus.parameters("luminance", value));
  }
}
