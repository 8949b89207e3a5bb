package org.gammanet.experiments.opto;

import org.gammanet.experiments.stimuli.StimulusSet;

/**
 * The grid of grating parameters that is searched for those that are decoded best. Methods named
 * like a component return a changed copy.
 *
 * @param decoder trained for each cell of the grid
 * @param frequencies cycles per image height
 * @param contrasts Michelson
 */
public record SweepOptions(DecoderOptions decoder, double[] frequencies, double[] contrasts) {

  /** Makes the gratings of a cell of the grid. */
  @FunctionalInterface
  public interface Gratings {
    /** Gratings of several orientations with one frequency (cycles per image height). */
    StimulusSet of(double frequency, double contrast);
  }

  /** Checks that there is something to search. */
  public SweepOptions {
    if (frequencies.length == 0 || contrasts.length == 0) {
      throw new IllegalArgumentException(
          "a sweep needs at least one spatial frequency and one contrast");
    }
    frequencies = frequencies.clone();
    contrasts = contrasts.clone();
  }

  /**
   * Frequencies 10, 20, 30, 40, 50 and contrasts 0.1, 0.25, 0.5, 0.75, 1, as for images of 256
   * pixels; 20 epochs per decoder.
   */
  public static SweepOptions layer(String name) {
    return new SweepOptions(
        DecoderOptions.layer(name).epochs(20),
        new double[] {10, 20, 30, 40, 50},
        new double[] {0.1, 0.25, 0.5, 0.75, 1});
  }
}
