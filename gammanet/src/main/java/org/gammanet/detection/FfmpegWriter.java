package org.gammanet.detection;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/** Hands frames to ffmpeg, which writes a video in the format of the file's name. */
final class FfmpegWriter implements FrameWriter {
  private final Path file;
  private final Path unfinished;
  private final Path messages;
  private final double rate;
  private @Nullable Process process;
  private @Nullable OutputStream out;
  private int width;
  private int height;

  FfmpegWriter(Path file, double rate) throws IOException {
    this.file = file;
    this.rate = rate;
    // ffmpeg takes the format from the ending.
    unfinished = file.resolveSibling(".unfinished-" + file.getFileName());
    messages = Files.createTempFile("gammanet", ".log");
  }

  @Override
  public void add(RgbImage frame) throws IOException {
    OutputStream pipe = out;
    if (pipe == null) {
      width = frame.width();
      height = frame.height();
      pipe = new BufferedOutputStream(begin().getOutputStream(), 1 << 16);
      out = pipe;
    } else if (frame.width() != width || frame.height() != height) {
      throw FrameWriter.otherSize(frame, width, height);
    }
    try {
      pipe.write(frame.samples());
    } catch (IOException e) { // its messages say why it went away
      Process running = process;
      if (running != null) {
        Ffmpeg.finish(running, file, messages);
      }
      throw e;
    }
  }

  private Process begin() throws IOException {
    Process started =
        Ffmpeg.start(
            file,
            messages,
            "ffmpeg",
            "-nostdin",
            "-y",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-video_size",
            width + "x" + height,
            "-framerate",
            String.format(Locale.ROOT, "%.6f", rate),
            "-i",
            "-",
            // Nearly all players want even sizes and colors of half the resolution.
            "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2",
            "-pix_fmt",
            "yuv420p",
            Ffmpeg.argument(unfinished));
    process = started;
    return started;
  }

  @Override
  public void finish() throws IOException {
    Process running = process;
    OutputStream pipe = out;
    if (running == null || pipe == null) {
      return; // no frame
    }
    pipe.close();
    Ffmpeg.finish(running, file, messages);
    Files.move(unfinished, file, StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  public void close() throws IOException {
    Process running = process;
    if (running != null) {
      running.destroy();
    }
    Files.deleteIfExists(unfinished);
    Files.deleteIfExists(messages);
  }
}
