package org.gammanet.experiments.opto;

import java.nio.file.Path;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.jspecify.annotations.Nullable;

/**
 * How the grating parameters that are read best are searched for.
 *
 * @param decoder trained anew in each cell
 * @param frequencies cycles per image height
 * @param contrasts Michelson
 * @param folder keeps the cells that are done; null for none
 */
public record SweepOptions(
    DecoderOptions decoder, double[] frequencies, double[] contrasts, @Nullable Path folder) {

  /** Makes the gratings of a cell. */
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
        new double[] {0.1, 0.25, 0.5, 0.75, 1},
        null);
  }

  /** With another decoder. */
  public SweepOptions decoder(DecoderOptions value) {
    return new SweepOptions(value, frequencies, contrasts, folder);
  }

  /** With other frequencies, cycles per image height. */
  public SweepOptions frequencies(double... cycles) {
    return new SweepOptions(decoder, cycles, contrasts, folder);
  }

  /** With other contrasts. */
  public SweepOptions contrasts(double... michelson) {
    return new SweepOptions(decoder, frequencies, michelson, folder);
  }

  /** Keeps the cells that are done in a folder, and goes on with what is there. */
  public SweepOptions folder(Path path) {
    return new SweepOptions(decoder, frequencies, contrasts, path);
  }
}
