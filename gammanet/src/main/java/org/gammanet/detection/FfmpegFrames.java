package org.gammanet.detection;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/** The frames of a video as ffmpeg decodes them, turned upright; they come through a pipe. */
final class FfmpegFrames implements FrameReader {
  private final Path file;
  private final Path messages;
  private final Process process;
  private final InputStream in;
  private final double rate;
  private final int count;
  private int read;

  FfmpegFrames(Path file) throws IOException {
    this.file = file;
    if (!Files.exists(file)) {
      throw new ImageException("there is no file " + file);
    }
    messages = Files.createTempFile("gammanet", ".log");
    try {
      String[] facts = probe();
      rate = fraction(facts[0]);
      count = facts.length > 1 && facts[1].matches("[0-9]{1,9}") ? Integer.parseInt(facts[1]) : -1;
      process =
          Ffmpeg.start(
              file,
              messages,
              "ffmpeg",
              "-nostdin",
              "-i",
              Ffmpeg.argument(file),
              "-map",
              "0:v:0",
              "-f",
              "image2pipe",
              "-c:v",
              "ppm",
              "-");
    } catch (IOException e) {
      Files.deleteIfExists(messages);
      throw e;
    }
    in = new BufferedInputStream(process.getInputStream(), 1 << 16);
  }

  /** Frame rate as a fraction, and number of frames if the container says it. */
  private String[] probe() throws IOException {
    Process probe =
        Ffmpeg.start(
            file,
            messages,
            "ffprobe",
            "-select_streams",
            "v:0",
            "-show_entries",
            "stream=avg_frame_rate,nb_frames",
            "-of",
            "csv=p=0",
            Ffmpeg.argument(file));
    String line =
        new String(probe.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .findFirst()
            .orElse("");
    Ffmpeg.finish(probe, file, messages);
    if (line.isEmpty()) {
      throw new ImageException(file + " has no pictures in it: it is no video");
    }
    return line.split(",");
  }

  private static double fraction(String text) {
    try {
      String[] parts = text.split("/");
      double value = Double.parseDouble(parts[0]);
      value = parts.length > 1 ? value / Double.parseDouble(parts[1]) : value;
      return value > 0 && Double.isFinite(value) ? value : 25;
    } catch (NumberFormatException e) {
      return 25; // a stream that does not say it
    }
  }

  @Override
  public @Nullable RgbImage next() throws IOException {
    int first = in.read();
    if (first < 0) {
      Ffmpeg.finish(process, file, messages);
      if (read == 0) {
        throw new ImageException(file + " has no pictures in it: it is no video");
      }
      return null;
    }
    if (first != 'P' || in.read() != '6') {
      throw new ImageException(file + ": ffmpeg sends no pictures");
    }
    int width = number();
    int height = number();
    int most = number();
    if (width < 1 || height < 1 || most < 1) {
      throw brokenOff();
    }
    if (most != 255 || (long) width * height > Images.MAX_PIXELS) {
      throw new ImageException(
          "%s has %s×%s pixels, more than the limit of 160 million".formatted(file, width, height));
    }
    byte[] samples = in.readNBytes(Math.multiplyExact(3 * width, height));
    if (samples.length < 3 * width * height) {
      throw brokenOff();
    }
    read++;
    return new RgbImage(width, height, samples);
  }

  /** The error of a video that ends inside a frame, with the reason of ffmpeg if it gives one. */
  private ImageException brokenOff() throws IOException {
    Ffmpeg.finish(process, file, messages);
    return new ImageException(file + " ends inside a frame");
  }

  /** A number of the header, and the white space around it. */
  private int number() throws IOException {
    int c = in.read();
    while (Character.isWhitespace(c)) {
      c = in.read();
    }
    int value = 0;
    while (c >= '0' && c <= '9' && value < 1_000_000) {
      value = 10 * value + c - '0';
      c = in.read();
    }
    return value;
  }

  @Override
  public double rate() {
    return rate;
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    in.close();
    Files.deleteIfExists(messages);
  }
}
