package org.gammanet.experiments.stimuli;

import java.util.SplittableRandom;

/**
 * Two textures of short anti-aliased bars on a jittered grid, which meet along a line.
 *
 * @param first modulation of the left or top texture, degrees; its bars run along first + 90, as
 *     the stripes of a grating would
 * @param second modulation of the right or bottom texture, degrees
 * @param contrast signed increment of the bars
 * @param boundary direction of the line
 * @param offset an element whose grid point has dx (dy) of at least that belongs to the second
 *     texture; pixels
 * @param grid of the elements
 * @param seed of displacements and noise
 */
public record ElementTexture(
    Frame frame,
    double first,
    double second,
    double contrast,
    TextureBoundary.Boundary boundary,
    double offset,
    Grid grid,
    long seed)
    implements Stimulus {

  /**
   * The elements and where they are.
   *
   * @param length of a bar, pixels
   * @param width of a bar, pixels
   * @param spacing of the grid, pixels
   * @param positionJitter largest displacement of an element along each axis, pixels
   * @param orientationNoise standard deviation of the elements' orientations, degrees
   */
  public record Grid(
      double length, double width, double spacing, double positionJitter, double orientationNoise) {
    /** Checks the ranges. */
    public Grid {
      Checks.positive(length, "an element's length");
      Checks.positive(width, "an element's width");
      Checks.positive(spacing, "a grid's spacing");
      Checks.notNegative(positionJitter, "a jitter");
      Checks.notNegative(orientationNoise, "orientation noise");
    }
  }

  /** Checks the ranges. */
  public ElementTexture {
    Checks.signedContrast(contrast);
  }

  @Override
  public float[] draw() {
    var random = new SplittableRandom(seed);
    double[] out = new double[frame.pixels()];
    int rows = (int) Math.ceil(frame.height() / grid.spacing) + 1;
    int columns = (int) Math.ceil(frame.width() / grid.spacing) + 1;
    for (int r = -rows; r <= rows; r++) {
      for (int c = -columns; c <= columns; c++) {
        double gx = c * grid.spacing;
        double gy = r * grid.spacing;
        double cx = gx + grid.positionJitter * (2 * random.nextDouble() - 1);
        double cy = gy + grid.positionJitter * (2 * random.nextDouble() - 1);
        double across = boundary == TextureBoundary.Boundary.VERTICAL ? gx : gy;
        double axis =
            (across < offset ? first : second)
                + 90
                + grid.orientationNoise * Patterns.gaussian(random);
        element(out, cx, cy, axis);
      }
    }
    return Patterns.luminance(out);
  }

  /** Draws into the pixels near the element only: there are thousands of them. */
  private void element(double[] out, double cx, double cy, double axis) {
    double reach = (grid.length + grid.width) / 2 + 1;
    double px = frame.center().x() + cx;
    double py = frame.center().y() + cy;
    int top = Math.max(0, (int) Math.ceil(py - reach));
    int bottom = Math.min(frame.height() - 1, (int) Math.floor(py + reach));
    int left = Math.max(0, (int) Math.ceil(px - reach));
    int right = Math.min(frame.width() - 1, (int) Math.floor(px + reach));
    if (top > bottom || left > right) {
      return;
    }
    int h = bottom - top + 1;
    int w = right - left + 1;
    var patch = new Frame(h, w, new PixelPoint(0, 0));
    double[] weights = Patterns.bar(patch, px - left, py - top, grid.length, grid.width, axis);
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        double v = contrast * weights[y * w + x];
        int i = (top + y) * frame.width() + left + x;
        if (Math.abs(v) > Math.abs(out[i])) {
          out[i] = v;
        }
      }
    }
  }

  @Override
  public StimulusMeta meta() {
    return new StimulusMeta(
        "element_texture",
        Orientation.ofModulation(first),
        contrast,
        Double.NaN,
        Double.NaN,
        frame.center(),
        frame.height(),
        frame.width(),
        Stimulus.parameters(
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
            "element_length",
            grid.length,
            "element_width",
            grid.width,
            "grid_spacing",
            grid.spacing,
            "position_jitter",
            grid.positionJitter,
            "orientation_noise",
            grid.orientationNoise,
            "seed",
            seed));
  }
}
