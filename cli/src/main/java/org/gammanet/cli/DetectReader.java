package org.gammanet.cli;

import java.io.IOException;
import org.gammanet.cli.DetectOutput.Job;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.jspecify.annotations.Nullable;

/** Reads images in the size in which they pass through the network. */
final class DetectReader {
  private final DetectCommand.Resizing resizing;
  private final boolean needsPhoto;
  private final DetectReport report;
  private boolean toldOfSize;

  /** An image that was read while LibTorch was being loaded; null where it could not be read. */
  private @Nullable Loaded ahead;

  private @Nullable Job readAhead;

  /**
   * Prepares to read.
   *
   * @param needsPhoto whether results show the image in its own size
   */
  DetectReader(DetectCommand.Resizing resizing, boolean needsPhoto, DetectReport report) {
    this.resizing = resizing;
    this.needsPhoto = needsPhoto;
    this.report = report;
  }

  /**
   * An image that has been read.
   *
   * @param image as it passes through the network
   * @param photo in its own size where the results show it
   * @param width of the result in pixels
   * @param height of the result in pixels
   * @param begun when reading began, by {@link System#nanoTime}
   */
  record Loaded(
      Job job, RgbImage image, @Nullable RgbImage photo, int width, int height, long begun) {}

  /** Reads an image before it is asked for, as LibTorch is waited for anyway. */
  void readAhead(Job job) {
    if (!job.file().equals(DetectInputs.STDIN) && !job.isVideo()) {
      ahead = load(job);
      readAhead = job;
    }
  }

  /** Reads an image at its working size; null if that fails, which is reported. */
  @Nullable Loaded load(Job job) {
    if (job.equals(readAhead)) {
      Loaded read = ahead;
      ahead = null;
      readAhead = null;
      return read;
    }
    long begun = System.nanoTime();
    try {
      byte[] bytes = job.input().bytes();
      Integer size = resizing.size;
      boolean whole = size != null || needsPhoto;
      Images.Shrunk read = Images.decode(bytes, job.name(), whole ? 0 : resizing.workingSide());
      if (size != null) {
        RgbImage image = read.image().resize(size, size);
        return new Loaded(job, image, image, size, size, begun);
      }
      RgbImage image = read.image().shrink(resizing.workingSide());
      tellOfSize(job, read, image);
      return new Loaded(
          job, image, whole ? read.image() : null, read.width(), read.height(), begun);
    } catch (IOException e) {
      report.failWith(job, DetectReport.sentence(e));
      return null;
    } catch (IllegalArgumentException e) { // such an image has no such size
      report.fail(job, DetectReport.sentence(e));
      return null;
    }
  }

  private void tellOfSize(Job job, Images.Shrunk read, RgbImage image) {
    if (resizing.maxSide == null && image.width() < read.width() && !toldOfSize) {
      toldOfSize = true;
      report.shrunk(job, read, image, resizing.workingSide());
    }
  }
}
