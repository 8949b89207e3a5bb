package org.gammanet.detection;

import java.io.IOException;
import java.nio.file.Path;
import org.gammanet.io.ImageException;
import org.gammanet.io.RgbImage;

/**
 * A moving picture under way. The file appears when {@link #finish} is called, complete; closing
 * before that leaves nothing behind.
 */
public interface FrameWriter extends AutoCloseable {
  /**
   * Adds a frame.
   *
   * @throws IllegalArgumentException if it has another size than the first one
   */
  void add(RgbImage frame) throws IOException;

  /** Puts the file in place; without it, closing leaves nothing behind. */
  void finish() throws IOException;

  @Override
  void close() throws IOException;

  /** The exception for a frame that has not the size of those before it. */
  static IllegalArgumentException otherSize(RgbImage frame, int width, int height) {
    return new IllegalArgumentException(
        "a frame of %s×%s pixels follows frames of %s×%s, and a video has one size"
            .formatted(frame.width(), frame.height(), width, height));
  }

  /**
   * Begins a GIF, which is written here, or another video, which the program ffmpeg writes.
   *
   * @param rate frames per second
   * @throws ImageException if there is no ffmpeg
   */
  static FrameWriter open(Path file, double rate) throws IOException {
    return FrameReader.isGif(file) ? new GifWriter(file, rate) : new FfmpegWriter(file, rate);
  }
}
