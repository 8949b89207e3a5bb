package org.gammanet.parity;

import java.util.SplittableRandom;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Patterns;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.gammanet.experiments.stimuli.TextureBoundary.Boundary;

/**
 * The original's texture boundary, as a bare pattern in [-1, 1].
 *
 * @param first modulation of the left or top texture, degrees
 * @param second modulation of the right or bottom texture, degrees
 * @param cycles per image height
 * @param boundary direction of the line through the center
 * @param jitter the whole patch is rotated by one random angle of at most this size, degrees, with
 *     zeros in the corners
 * @param seed of that angle
 */
public record OriginalTexture(
    Frame frame,
    double first,
    double second,
    double cycles,
    Boundary boundary,
    double jitter,
    long seed)
    implements Stimulus {

  @Override
  public float[] draw() {
    int height = frame.height();
    int width = frame.width();
    double[] out = Patterns.grating(frame, first, cycles, 0, 1);
    double[] other = Patterns.grating(frame, second, cycles, 0, 1);
    for (int i = 0; i < out.length; i++) {
      if (boundary.across(frame, i / width, i % width) >= 0) {
        out[i] = other[i];
      }
    }
    if (jitter > 0) {
      double angle = jitter * (2 * new SplittableRandom(seed).nextDouble() - 1);
      out = OriginalBars.rotate(new OriginalBars.Block(height, width, out), angle, height, width);
    }
    return OriginalStimuli.floats(out);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "texture_boundary",
        Orientation.ofModulation(first),
        1,
        cycles,
        0,
        frame.center(),
        frame.height(),
        frame.width(),
        Stimulus.parameters(
            "spatial_frequency",
            cycles,
            "orientation_difference",
            second - first,
            "boundary_position",
            boundary.word(),
            "texture_orientation_1",
            first,
            "texture_orientation_2",
            second,
            "jitter",
            jitter,
            "seed",
            seed));
  }
}
