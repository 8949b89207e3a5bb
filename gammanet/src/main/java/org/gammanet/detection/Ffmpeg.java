package org.gammanet.detection;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.io.ImageException;

/** The program ffmpeg, which reads and writes videos. */
final class Ffmpeg {
  private Ffmpeg() {}

  /**
   * Starts ffmpeg or ffprobe with its messages in a file of its own.
   *
   * @param file what the messages are about
   * @throws ImageException if it is not on the path
   */
  static Process start(Path file, Path messages, String program, String... arguments)
      throws ImageException {
    List<String> command = new ArrayList<>(List.of(program, "-hide_banner", "-loglevel", "error"));
    command.addAll(List.of(arguments));
    try {
      return new ProcessBuilder(command).redirectError(messages.toFile()).start();
    } catch (IOException e) {
      throw new ImageException(
          "%s needs the program %s, which is not on the path: install ffmpeg, or use a GIF or a folder of frames"
              .formatted(file, program),
          e);
    }
  }

  /** A file as an argument: a name that begins with a dash, or looks like a protocol, is a path. */
  static String argument(Path file) {
    return "file:" + file.toAbsolutePath();
  }

  /** Waits for the end of a process, whose failure is an exception. */
  static void finish(Process process, Path file, Path messages) throws IOException {
    try {
      if (process.waitFor() != 0) {
        // Names of files in it may have another encoding.
        String said = new String(Files.readAllBytes(messages), StandardCharsets.UTF_8).strip();
        String last = said.lines().reduce((a, b) -> b).orElse("it ended with an error");
        throw new ImageException(file + " cannot be read or written by ffmpeg: " + last);
      }
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
