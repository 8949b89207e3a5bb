package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Supplier;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.cli.DetectReader.Loaded;
import org.gammanet.detection.Detector;
import org.gammanet.io.EdgeMap;
import org.gammanet.model.DivergenceException;
import org.gammanet.model.ForwardOptions;
import org.gammanet.torch.TorchException;
import org.jspecify.annotations.Nullable;

/** Passes images through the network: one by one, in batches, by tiles, or as a sequence. */
final class DetectImages {
  private final DetectNetwork network;
  private final DetectReader reader;
  private final DetectWriter writer;
  private final DetectReport report;
  private final DetectVideos videos;
  private final int batchSize;

  /**
   * Prepares the passes.
   *
   * @param videos what does the videos among the images
   * @param batchSize how many images of equal size pass at once, at most
   */
  DetectImages(
      DetectNetwork network,
      DetectReader reader,
      DetectWriter writer,
      DetectReport report,
      DetectVideos videos,
      int batchSize) {
    this.network = network;
    this.reader = reader;
    this.writer = writer;
    this.report = report;
    this.videos = videos;
    this.batchSize = batchSize;
  }

  /** Finds the edges of images in their order; the states carry over from one to the next. */
  void detectSequence(List<Job> jobs) throws IOException {
    try (Detector.Sequence sequence = network.detector.sequence()) {
      for (Job job : jobs) {
        if (network.isStopped()) {
          return;
        }
        Loaded loaded = next(job);
        if (loaded == null) {
          continue;
        }
        int height = loaded.image().height();
        int width = loaded.image().width();
        if (network.memory.fitting(height, width) == 0) {
          report.fail(job, network.refusal(height, width));
          continue;
        }
        finish(loaded, () -> sequence.nextTimesteps(loaded.image()));
        network.memory.passed(1, height, width);
      }
    }
  }

  /** The image of a job; null where it cannot be read, and for a video, which is done by itself. */
  private @Nullable Loaded next(Job job) throws IOException {
    if (job.isVideo()) {
      videos.each(job);
      return null;
    }
    report.begin(job);
    return reader.load(job);
  }

  /** Finds the edges of images, of which those of equal size pass at once. */
  void detect(List<Job> jobs) throws IOException {
    Waiting<Loaded> waiting = new Waiting<>(4 * batchSize);
    for (Job job : jobs) {
      if (network.isStopped()) {
        return;
      }
      Loaded image = next(job);
      if (image == null) {
        continue;
      }
      int height = image.image().height();
      int width = image.image().width();
      if (network.detector.isCut(height, width)) {
        network.detector.onProgress(
            done -> {
              network.requireNoSignal();
              report.tiles(job, done);
            });
        finish(image, () -> network.detector.atWorkingSize(image.image()));
        continue;
      }
      int most = most(height, width);
      if (most == 0) {
        report.fail(job, network.refusal(height, width));
        continue;
      }
      passInParts(waiting.add(List.of(width, height), image, most));
    }
    for (List<Loaded> group : waiting.rest()) {
      passInParts(group);
    }
  }

  /** How many images of a size can pass at once now; 0 where the memory is too small for one. */
  private int most(int height, int width) {
    return (int) Math.min(batchSize, network.memory.fitting(height, width));
  }

  /** Passes images of one size, as many at once as the memory allows now. */
  private void passInParts(List<Loaded> group) throws IOException {
    if (group.isEmpty()) {
      return;
    }
    int height = group.getFirst().image().height();
    int width = group.getFirst().image().width();
    for (List<Loaded> part : parts(group, most(height, width))) {
      if (network.isStopped()) {
        return;
      }
      pass(part);
      network.memory.passed(part.size(), height, width);
    }
  }

  /** A group in parts of at most this many, or of one where not even one fits anymore. */
  static <T> List<List<T>> parts(List<T> group, int most) {
    int size = Math.max(1, most);
    List<List<T>> parts = new ArrayList<>();
    for (int from = 0; from < group.size(); from += size) {
      parts.add(group.subList(from, Math.min(group.size(), from + size)));
    }
    return parts;
  }

  /** Images that wait for others of their size. */
  static final class Waiting<T> {
    private final SequencedMap<List<Integer>, List<T>> groups = new LinkedHashMap<>();
    private final int limit;
    private int count;

    /** Holds this many images of all sizes, at most. */
    Waiting(int limit) {
      this.limit = limit;
    }

    /**
     * Adds an image and removes the group that is to pass now: its own once it is full, or else the
     * oldest one once there is no more room; empty for none.
     *
     * @param most images that can pass at once now; less memory may be left than before
     */
    List<T> add(List<Integer> size, T image, int most) {
      List<T> group = groups.computeIfAbsent(size, k -> new ArrayList<>());
      group.add(image);
      count++;
      if (group.size() >= most) {
        groups.remove(size);
      } else if (count == limit) {
        group = groups.pollFirstEntry().getValue();
      } else {
        return List.of();
      }
      count -= group.size();
      return group;
    }

    /** The groups that still wait. */
    Collection<List<T>> rest() {
      return groups.values();
    }
  }

  /** Passes images of one size through the network; one that fails takes no other with it. */
  private void pass(List<Loaded> group) throws IOException {
    ForwardOptions forward =
        network.detector.options().everyTimestep()
            ? ForwardOptions.DEFAULTS.withEveryTimestep()
            : ForwardOptions.DEFAULTS;
    if (group.size() == 1) {
      finish(group.getFirst(), () -> network.net.detect(group.getFirst().image(), forward));
      return;
    }
    List<List<EdgeMap>> maps;
    try {
      maps = network.net.detect(group.stream().map(Loaded::image).toList(), forward);
    } catch (DivergenceException | TorchException e) {
      for (Loaded single : group) {
        pass(List.of(single));
      }
      return;
    }
    for (int i = 0; i < group.size(); i++) {
      List<EdgeMap> own = maps.get(i);
      finish(group.get(i), () -> own);
    }
  }

  /** Finds the edges of an image and writes them; what fails is reported. */
  private void finish(Loaded loaded, Supplier<List<EdgeMap>> finder) throws IOException {
    List<EdgeMap> maps;
    try {
      maps = Detector.enlarged(finder.get(), loaded.width(), loaded.height());
    } catch (DivergenceException | TorchException | IllegalArgumentException e) {
      report.fail(loaded.job(), DetectReport.sentence(e));
      return;
    }
    List<Path> files = writer.write(loaded.job(), maps, loaded.photo());
    report.done();
    report.image(loaded, maps.getLast(), files);
  }
}
