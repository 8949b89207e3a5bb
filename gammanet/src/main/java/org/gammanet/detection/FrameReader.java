package org.gammanet.detection;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.gammanet.io.ImageException;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/** The frames of a moving picture, one after the other. */
public interface FrameReader extends AutoCloseable {
  /**
   * The next frame; null after the last one.
   *
   * @throws IOException if the file is damaged; the message names it
   */
  @Nullable RgbImage next() throws IOException;

  /** Frames per second. */
  double rate();

  /** How many frames there are; -1 if that is known at the end only. */
  int count();

  @Override
  void close() throws IOException;

  /**
   * Opens an animated GIF, which is read here, or any other video, which the program ffmpeg reads.
   *
   * @throws ImageException with one sentence, if the file is missing, damaged or no video, or if
   *     there is no ffmpeg
   */
  static FrameReader open(Path file) throws IOException {
    return isGif(file) ? new GifFrames(file) : new FfmpegFrames(file);
  }

  /** Whether a file's name is that of a GIF, animated or not. */
  static boolean isGif(Path file) {
    return String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT).endsWith(".gif");
  }

  /** Whether a file's name ends as a video's, other than a GIF's. */
  static boolean hasVideoName(Path file) {
    return String.valueOf(file.getFileName())
        .toLowerCase(Locale.ROOT)
        .matches("[^.].*\\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|ogv|wmv|flv|3gp|ts|mts)");
  }
}
