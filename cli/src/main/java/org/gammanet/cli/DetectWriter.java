package org.gammanet.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.gammanet.cli.DetectOutput.Format;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.detection.Contours;
import org.gammanet.detection.EdgePictures;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/** Encodes edge maps in the formats that were asked for, and writes them. */
final class DetectWriter {
  private final DetectStyle style;
  private final List<Format> formats;
  private final boolean allTimesteps;

  /**
   * Prepares to write.
   *
   * @param formats the one that counts as the result last
   * @param allTimesteps whether each timestep's map is written, too, as PNG
   */
  DetectWriter(DetectStyle style, List<Format> formats, boolean allTimesteps) {
    this.style = style;
    this.formats = formats;
    this.allTimesteps = allTimesteps;
  }

  /**
   * Writes the results of an image.
   *
   * @param maps of the image's size: the last one, or one of each timestep
   * @param photo in the same size where the style shows it
   * @return the files; empty if the result went to standard output
   */
  List<Path> write(Job job, List<EdgeMap> maps, @Nullable RgbImage photo) throws IOException {
    List<Path> files = new ArrayList<>();
    if (allTimesteps) {
      for (int t = 0; t < maps.size(); t++) {
        Path file = job.result("-t" + (t + 1) + ".png");
        if (file != null) {
          write(file, Images.png8(style.gray(style.apply(maps.get(t)))));
          files.add(file);
        }
      }
    }
    EdgeMap map = maps.getLast();
    EdgeMap styled = style.apply(map);
    // The last format comes last: with it, an image counts as done.
    for (Format format : formats) {
      Path file = job.result(format);
      ByteBuffer bytes = encode(format, map, styled, photo);
      if (file == null) {
        writeOut(bytes);
      } else {
        write(file, bytes);
        files.add(file);
      }
    }
    return files;
  }

  /** Writes a frame of a video as single images; the first frame has the number 1. */
  void writeFrame(Path folder, int number, EdgeMap map, RgbImage frame) throws IOException {
    EdgeMap styled = style.apply(map);
    for (Format format : formats) {
      String name = String.format(Locale.ROOT, "%06d%s", number, format.suffix);
      write(folder.resolve(name), encode(format, map, styled, frame));
    }
  }

  /** The frame of a video of edges. */
  RgbImage frame(EdgeMap map, RgbImage frame) {
    return style.color(style.apply(map), frame);
  }

  private ByteBuffer encode(Format format, EdgeMap map, EdgeMap styled, @Nullable RgbImage photo)
      throws IOException {
    return switch (format) {
      case png -> picture(styled, photo);
      case png16 -> Images.png16(style.gray(styled));
      case npy -> Npy.result(styled.values(), styled.height(), styled.width());
      case svg -> utf8(contours(map).svg(style.lineColor()));
      case geojson -> utf8(contours(map).geoJson());
    };
  }

  private Contours contours(EdgeMap map) {
    return Contours.of(map, style.contourThreshold(map));
  }

  private static ByteBuffer utf8(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private ByteBuffer picture(EdgeMap styled, @Nullable RgbImage photo) throws IOException {
    if (style.picture.transparent) {
      return Images.result(EdgePictures.transparent(styled, style.lineColor(), style.alpha));
    }
    return style.isPicture()
        ? Images.result(style.color(styled, photo).toBufferedImage())
        : Images.png8(style.gray(styled));
  }

  private static void write(Path file, ByteBuffer bytes) throws IOException {
    Path parent = file.toAbsolutePath().getParent();
    if (parent != null) {
      Files.createDirectories(parent);
    }
    Images.write(file, bytes);
  }

  private static void writeOut(ByteBuffer bytes) {
    try {
      WritableByteChannel out = Channels.newChannel(System.out);
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      System.out.flush();
    } catch (IOException e) {
      throw new CommandException(Failures.OUTPUT_LOST, e);
    }
    if (System.out.checkError()) {
      throw new CommandException(Failures.OUTPUT_LOST);
    }
  }
}
