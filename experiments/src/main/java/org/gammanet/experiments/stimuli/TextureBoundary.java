package org.gammanet.experiments.stimuli;

import java.util.SplittableRandom;
import org.gammanet.experiments.Mode;

/**
 * Two gratings that meet along a line. Luminance, or in parity the bare pattern in [-1, 1].
 *
 * @param first modulation of the left or top texture, degrees
 * @param second modulation of the right or bottom texture, degrees
 * @param cycles per image height
 * @param contrast Michelson
 * @param boundary direction of the line
 * @param offset the second texture begins where dx (dy) is at least that; pixels
 * @param firstPhase radians
 * @param secondPhase radians
 * @param jitter parity only: the whole patch is turned by one random angle of at most so many
 *     degrees, its corners filled with 0
 * @param seed of that angle
 */
public record TextureBoundary(
    Frame frame,
    double first,
    double second,
    double cycles,
    double contrast,
    Boundary boundary,
    double offset,
    double firstPhase,
    double secondPhase,
    double jitter,
    long seed,
    Mode mode)
    implements Stimulus {

  /** Direction of a boundary. */
  public enum Boundary {
    /** Between left and right. */
    VERTICAL,
    /** Between top and bottom. */
    HORIZONTAL;

    /** Where a pixel is across the boundary, from the frame's center. */
    int across(Frame frame, int y, int x) {
      return this == VERTICAL ? x - frame.center().x() : y - frame.center().y();
    }

    String word() {
      return this == VERTICAL ? "vertical" : "horizontal";
    }
  }

  /** Checks the ranges. */
  public TextureBoundary {
    Checks.contrast(contrast);
    Checks.cycles(cycles);
    Checks.notNegative(jitter, "a jitter");
    if (jitter > 0 && mode == Mode.OWN) {
      throw new IllegalArgumentException(
          "jitter that turns the whole patch exists in the parity mode only; element textures have"
              + " orientation noise");
    }
  }

  @Override
  public float[] draw() {
    double[] out = Patterns.grating(frame, first, cycles, firstPhase, contrast);
    double[] other = Patterns.grating(frame, second, cycles, secondPhase, contrast);
    for (int y = 0, i = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++, i++) {
        if (boundary.across(frame, y, x) >= offset) {
          out[i] = other[i];
        }
      }
    }
    if (jitter > 0) {
      double angle = jitter * (2 * new SplittableRandom(seed).nextDouble() - 1);
      var block = new Patterns.Block(frame.height(), frame.width(), out);
      out = Patterns.turn(block, angle, frame.height(), frame.width());
    }
    return mode == Mode.PARITY ? Patterns.floats(out) : Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "texture_boundary",
        Orientation.ofModulation(first),
        contrast,
        cycles,
        firstPhase,
        frame.center(),
        frame.height(),
        frame.width(),
        Stimulus.parameters(
            "spatial_frequency",
            cycles,
            "wavelength_px",
            frame.wavelength(cycles),
            "orientation_difference",
            second - first,
            "boundary_position",
            boundary.word(),
            "boundary_offset",
            offset,
            "texture_orientation_1",
            first,
            "texture_orientation_2",
            second,
            "phase_2",
            secondPhase,
            "jitter",
            jitter,
            "seed",
            seed));
  }
}
