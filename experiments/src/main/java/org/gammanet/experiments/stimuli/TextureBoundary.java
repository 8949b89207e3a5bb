package org.gammanet.experiments.stimuli;

/**
 * Two gratings that meet along a line.
 *
 * @param first left or top grating
 * @param second right or bottom grating
 * @param boundary direction of the line
 * @param offset the second grating begins where dx (dy) is at least that; pixels
 */
public record TextureBoundary(
    Frame frame, Sine first, Sine second, Boundary boundary, double offset) implements Stimulus {

  /** Direction of a boundary. */
  public enum Boundary {
    /** Between left and right. */
    VERTICAL,
    /** Between top and bottom. */
    HORIZONTAL;

    /** Distance of a pixel across the boundary from the frame's center. */
    public int across(Frame frame, int y, int x) {
      return this == VERTICAL ? x - frame.center().x() : y - frame.center().y();
    }

    /** The word in metadata. */
    public String word() {
      return this == VERTICAL ? "vertical" : "horizontal";
    }
  }

  @Override
  public float[] draw() {
    double[] out = first.pattern(frame);
    double[] other = second.pattern(frame);
    for (int y = 0, i = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++, i++) {
        if (boundary.across(frame, y, x) >= offset) {
          out[i] = other[i];
        }
      }
    }
    return Patterns.luminance(out);
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "texture_boundary",
        Orientation.ofModulation(first.orientation()),
        first.contrast(),
        first.cycles(),
        first.phase(),
        frame.center(),
        frame.height(),
        frame.width(),
        Stimulus.parameters(
            "spatial_frequency",
            first.cycles(),
            "wavelength_px",
            frame.wavelength(first.cycles()),
            "orientation_difference",
            second.orientation() - first.orientation(),
            "boundary_position",
            boundary.word(),
            "boundary_offset",
            offset,
            "texture_orientation_1",
            first.orientation(),
            "texture_orientation_2",
            second.orientation(),
            "phase_2",
            second.phase()));
  }
}
