package org.gammanet.training;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Names and housekeeping of a run's checkpoints.
 *
 * @param path the folder
 */
record CheckpointFolder(Path path) {
  /** Numbered checkpoints that are kept. */
  private static final int KEPT = 5;

  private static final Pattern NUMBERED = Pattern.compile("checkpoint_epoch_(\\d+)\\.safetensors");

  /** The one to resume from. */
  Path last() {
    return path.resolve("last.safetensors");
  }

  /** The weights of the best validation. */
  Path best() {
    return path.resolve("best_model.safetensors");
  }

  /** The state after an epoch, counted from 0. */
  Path numbered(int epoch) {
    return path.resolve("checkpoint_epoch_" + epoch + ".safetensors");
  }

  /** Makes the folder and removes the temporary file of a run that was killed while it saved. */
  void prepare() throws IOException {
    Files.createDirectories(path);
    for (Path file : files()) {
      String name = String.valueOf(file.getFileName());
      if (name.startsWith(".") && name.contains(".safetensors.") && name.endsWith(".tmp")) {
        Files.deleteIfExists(file);
      }
    }
  }

  /** Deletes all but the newest numbered checkpoints. */
  void prune() throws IOException {
    List<Path> numbered =
        files().stream()
            .filter(file -> number(file) >= 0)
            .sorted(Comparator.comparingLong(CheckpointFolder::number).reversed())
            .toList();
    for (Path old : numbered.subList(Math.min(KEPT, numbered.size()), numbered.size())) {
      Files.deleteIfExists(old);
    }
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(path)) {
      return files.toList();
    }
  }

  private static long number(Path file) {
    Matcher matcher = NUMBERED.matcher(String.valueOf(file.getFileName()));
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
  }
}
