package org.gammanet.experiments.stimuli;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A stimulus that is given as it is.
 *
 * @param frame its size
 * @param luminance in [0, 1], rows first
 */
public record Drawn(Frame frame, float[] luminance) implements Stimulus {
  /**
   * The images of an array.
   *
   * @param values images x height x width
   */
  public static List<Drawn> all(float[] values, int height, int width) {
    int pixels = height * width;
    return IntStream.range(0, values.length / pixels)
        .mapToObj(
            i ->
                new Drawn(
                    Frame.of(height, width),
                    Arrays.copyOfRange(values, i * pixels, (i + 1) * pixels)))
        .toList();
  }

  @Override
  public float[] draw() {
    return luminance.clone();
  }

  @Override
  public StimulusMeta meta() {
    return StimulusMeta.ofPicture(frame, Stimulus.parameters());
  }
}
