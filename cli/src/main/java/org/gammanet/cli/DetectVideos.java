package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.detection.Detector;
import org.gammanet.detection.FrameReader;
import org.gammanet.detection.FrameWriter;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;
import org.gammanet.torch.TorchException;
import org.jspecify.annotations.Nullable;

/** Makes videos of edges, or their frames as single images. */
final class DetectVideos {
  private final DetectNetwork network;
  private final DetectWriter writer;
  private final DetectReport report;
  private final DetectCommand.Video video;
  private final @Nullable Integer size;
  private final @Nullable String obstacle;

  /**
   * Prepares for videos.
   *
   * @param video how they are made
   * @param size to which frames are resized, N for N x N pixels; null for the working size
   * @param obstacle why a video's edges cannot be written, in a sentence; null if they can
   */
  DetectVideos(
      DetectNetwork network,
      DetectWriter writer,
      DetectReport report,
      DetectCommand.Video video,
      @Nullable Integer size,
      @Nullable String obstacle) {
    this.network = network;
    this.writer = writer;
    this.report = report;
    this.video = video;
    this.size = size;
    this.obstacle = obstacle;
  }

  /** Makes a video of the edges of a video, or writes its frames; what fails is reported. */
  void each(Job job) throws IOException {
    if (obstacle != null) {
      report.fail(job, obstacle);
      return;
    }
    Path result = job.videoResult(video.frames);
    if (result == null) {
      throw new AssertionError(job);
    }
    long begun = System.nanoTime();
    try {
      Path parent = result.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      int frames = video.frames ? toFrames(job, result) : toVideo(List.of(job), result, false);
      if (network.isStopped()) {
        return;
      }
      report.done();
      report.video(job, frames, begun, result);
    } catch (ImageException | DivergenceException | TorchException | IllegalArgumentException e) {
      report.failWith(job, DetectReport.sentence(e));
    }
  }

  /** Makes one video of the edges of all images and videos, which need one size. */
  void join(List<Job> jobs, Path result) throws IOException {
    long begun = System.nanoTime();
    int frames;
    try {
      frames = toVideo(jobs, result, true);
    } catch (IllegalArgumentException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
    if (!network.isStopped() && frames > 0) {
      report.video(jobs.getFirst(), frames, begun, result);
    }
  }

  private interface FrameSink {
    void accept(RgbImage frame, EdgeMap map) throws IOException;
  }

  private int toVideo(List<Job> jobs, Path result, boolean joined) throws IOException {
    double rate = video.rate != null ? video.rate : rate(jobs.getFirst());
    try (FrameWriter frameWriter = FrameWriter.open(result, rate)) {
      int frames =
          eachFrame(jobs, joined, (frame, map) -> frameWriter.add(writer.frame(map, frame)));
      if (frames > 0 && !network.isStopped()) {
        frameWriter.finish();
      }
      return frames;
    }
  }

  private static double rate(Job job) throws IOException {
    if (!job.isVideo()) {
      return 10;
    }
    try (FrameReader reader = FrameReader.open(job.file())) {
      return reader.rate();
    }
  }

  private int toFrames(Job job, Path folder) throws IOException {
    Files.createDirectories(folder);
    int[] number = {0};
    return eachFrame(
        List.of(job),
        false,
        (frame, map) -> {
          number[0]++;
          writer.writeFrame(folder, number[0], map, frame);
        });
  }

  /**
   * Finds the edges of all frames of videos and images, one after the other.
   *
   * @param joined whether they make one video: each counts as done once its frames are in it
   * @return the number of frames
   */
  private int eachFrame(List<Job> jobs, boolean joined, FrameSink sink) throws IOException {
    int frames = 0;
    try (Detector.Sequence sequence = network.detector.sequence()) {
      for (Job job : jobs) {
        if (network.isStopped()) {
          break;
        }
        if (!job.isVideo()) {
          report.frames(frames, jobs.size(), job.name());
          RgbImage image = Images.decode(job.input().bytes(), job.name(), 0).image();
          frame(job, sequence, image, sink);
          frames++;
          if (joined) {
            report.done();
          }
          continue;
        }
        try (FrameReader reader = FrameReader.open(job.file())) {
          RgbImage frame = reader.next();
          for (int i = 0; frame != null && !network.isStopped(); i++) {
            report.frames(
                i, Math.max(i + 1, reader.count()), String.valueOf(job.file().getFileName()));
            frame(job, sequence, frame, sink);
            frames++;
            frame = reader.next();
          }
        }
        if (joined) {
          report.done();
        }
      }
    }
    return frames;
  }

  /**
   * Finds the edges of a frame and hands them on.
   *
   * @throws IllegalArgumentException naming the job, if the frame differs from those before in
   *     size, or needs more memory than there is
   */
  private void frame(Job job, Detector.Sequence sequence, RgbImage frame, FrameSink sink)
      throws IOException {
    RgbImage image = size == null ? network.detector.shrunk(frame) : frame.resize(size, size);
    int height = image.height();
    int width = image.width();
    boolean whole = !network.detector.isCut(height, width);
    if (whole && network.memory.fitting(height, width) == 0) {
      throw new IllegalArgumentException(job.name() + " " + network.refusal(height, width));
    }
    try {
      List<EdgeMap> maps =
          video.carryStates ? sequence.nextTimesteps(image) : network.detector.atWorkingSize(image);
      sink.accept(frame, maps.getLast().resize(frame.width(), frame.height()));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(job.name() + ": " + e.getMessage(), e);
    }
    if (whole) {
      network.memory.passed(1, height, width);
    }
  }
}
