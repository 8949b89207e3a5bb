package org.gammanet.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.cli.DetectReader.Loaded;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/** What detect prints and counts: results, as names or as JSON, failures, and how many are done. */
final class DetectReport {
  private final Console console;
  private final boolean json;
  private final DetectStyle style;
  private @Nullable ObjectMapper mapper;
  private final List<String> failures = new ArrayList<>();
  private int written;
  private int total;

  /**
   * Prepares to report.
   *
   * @param json whether results are printed as lines of JSON
   * @param style of the results, which chooses the thresholds
   */
  DetectReport(Console console, boolean json, DetectStyle style) {
    this.console = console;
    this.json = json;
    this.style = style;
  }

  /** Says how many images there are besides those that have failed already. */
  void expect(int images) {
    total = failures.size() + images;
  }

  /** Counts an image or a video as done. */
  void done() {
    written++;
  }

  /** How many are done, of all. */
  String summary() {
    return "%s of %s done".formatted(written, total);
  }

  /** A sentence for each failure. */
  List<String> failures() {
    return failures;
  }

  /** Ends the report; the exit status. */
  int finish() {
    if (!failures.isEmpty() && total > 1) {
      console.error(summary());
    }
    return failures.isEmpty() ? 0 : Failures.FAILED;
  }

  /** Shows that an image is begun. */
  void begin(Job job) {
    console.progress("", written + failures.size(), total, job.name());
  }

  /** Shows how much of an image that passes in tiles is done, from 0 to 1. */
  void tiles(Job job, double done) {
    console.progress(
        "tiles", Math.round(1000 * done), 1000, String.valueOf(job.file().getFileName()));
  }

  /** Shows how many frames are done. */
  void frames(int done, int of, String name) {
    console.progress("frames", done, of, name);
  }

  /** Notes that an image passes through the network smaller than it is, by default. */
  void shrunk(Job job, Images.Shrunk read, RgbImage image, int maxSide) {
    console.note(
        "%s has %s×%s pixels and passes as %s×%s (--max-side %s); --max-side none finds finer detail"
            .formatted(
                job.name(), read.width(), read.height(), image.width(), image.height(), maxSide));
  }

  /**
   * Prints what has been written for an image.
   *
   * @param map its edges before they are styled
   * @param files none for standard output
   */
  void image(Loaded loaded, EdgeMap map, List<Path> files) {
    if (!json) {
      if (!files.isEmpty()) {
        console.print(files.getLast());
      }
      return;
    }
    double sum = 0;
    for (float value : map.values()) {
      sum += value;
    }
    ObjectNode line = line(loaded.job());
    line.put("width", map.width());
    line.put("height", map.height());
    line.put("working_width", loaded.image().width());
    line.put("working_height", loaded.image().height());
    line.put("seconds", seconds(loaded.begun()));
    line.put("mean", sum / map.values().length);
    OptionalDouble threshold = style.thresholdOf(map);
    if (threshold.isPresent()) {
      line.put("threshold", threshold.getAsDouble());
    }
    print(line, files);
  }

  /** The sentence for what has gone wrong. */
  static String sentence(Exception e) {
    String known = Failures.sentence(e);
    return known == null ? String.valueOf(e.getMessage()) : known;
  }

  /** Prints what has been written for a video. */
  void video(Job job, int frames, long begun, Path result) {
    if (json) {
      print(line(job).put("frames", frames).put("seconds", seconds(begun)), List.of(result));
    } else {
      console.print(result);
    }
  }

  private ObjectNode line(Job job) {
    ObjectMapper known = mapper == null ? new ObjectMapper() : mapper;
    mapper = known;
    ObjectNode line = known.createObjectNode();
    line.put("image", job.file().toString());
    return line;
  }

  private void print(ObjectNode line, List<Path> files) {
    ArrayNode names = line.putArray("files");
    files.forEach(file -> names.add(file.toString()));
    console.print(line);
  }

  private static double seconds(long begun) {
    return Math.round((System.nanoTime() - begun) / 1e6) / 1e3;
  }

  /** Reports a failure. */
  void fail(String sentence) {
    failures.add(sentence);
    console.error(sentence);
  }

  /** Reports what is wrong with an image: a predicate to its name, or a sentence. */
  void fail(Job job, String predicate) {
    failWith(job, job.name() + (predicate.startsWith("has ") ? " " : ": ") + predicate);
  }

  /** Reports a failure by a sentence that names the image. */
  void failWith(Job job, String sentence) {
    fail(sentence);
    if (json) {
      console.print(line(job).put("error", sentence));
    }
  }
}
