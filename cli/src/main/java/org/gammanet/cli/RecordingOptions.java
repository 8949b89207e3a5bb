package org.gammanet.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.experiments.responses.RecordingPlan;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.Photo;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How images of one's own are shown, and which layers are recorded. */
final class RecordingOptions {
  @Option(
      names = {"-l", "--layer"},
      paramLabel = "NAME",
      split = ",",
      description =
          "Layers that are recorded, with commas between several; default:"
              + " ${bundle:default-layer}.")
  List<String> layers = new ArrayList<>();

  @Option(
      names = "--size",
      paramLabel = "N",
      converter = Converters.Pixels.class,
      description =
          "Scale the square in the center of each image to N x N pixels; default: images are shown"
              + " as they are, and must have one size.")
  @Nullable Integer size;

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      defaultValue = "32",
      converter = Converters.Count.class,
      description = "Images that pass at once, at most; default: ${DEFAULT-VALUE}.")
  int batchSize = 32;

  /** Files as stimuli. */
  List<Photo> photos(List<Path> files) throws IOException {
    List<Photo> out = new ArrayList<>();
    try {
      for (Path file : files) {
        var digest = Sha256.digest();
        digest.update(Files.readAllBytes(file));
        out.add(Photo.of(file, Sha256.hex(digest), size == null ? 0 : size));
      }
    } catch (IllegalArgumentException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
    return out;
  }

  /** Stimuli of one size. */
  static StimulusSet set(List<? extends Stimulus> stimuli) {
    try {
      return StimulusSet.of(List.copyOf(stimuli));
    } catch (IllegalArgumentException e) {
      throw new CommandException(e.getMessage() + ": --size scales them to one size", e);
    }
  }

  /**
   * Records a network's responses.
   *
   * @throws CommandException where the plan does not fit the network or the images, and when it is
   *     interrupted
   */
  Responses record(GammaNet net, StimulusSet set, RecordingPlan plan, Console console)
      throws IOException {
    try (var interrupt = Interrupt.handle(() -> {})) {
      return ResponseExtractor.forModel(net)
          .batchSize(batchSize)
          .progress(
              done -> {
                console.progress("record", done, set.size(), "");
                if (interrupt.happened()) {
                  throw interrupt.exception("interrupted; nothing was written");
                }
              })
          .build()
          .extract(set, plan);
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
  }
}
