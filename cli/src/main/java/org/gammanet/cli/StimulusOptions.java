package org.gammanet.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What is shown to a network, and where it is recorded. */
final class StimulusOptions {
  static final String HEADING = "%nStimuli:%n";

  @Option(
      names = {"-l", "--layer"},
      paramLabel = "NAME",
      description =
          "Layer that is recorded and perturbed; default: the first level's cell,"
              + " fgru_0${bundle:default-layer}.")
  @Nullable String layer;

  @Option(
      names = "--size",
      paramLabel = "N",
      converter = Converters.Pixels.class,
      description = "Height and width of the stimuli in pixels; default: ${bundle:default-size}.")
  @Nullable Integer size;

  @Option(
      names = "--parity",
      description = "The original's definitions with their defects, to reproduce its numbers.")
  boolean parity;

  int size(int usual) {
    return size == null ? usual : size;
  }
}
