package org.gammanet.evaluation;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import org.gammanet.data.GroundTruth;
import org.gammanet.data.Thinning;
import org.gammanet.io.DataException;
import org.jspecify.annotations.Nullable;

/**
 * The boundary benchmark of the BSDS500 (Arbelaez, Maire, Fowlkes and Malik, PAMI 2011): each map
 * is cut at a number of thresholds, thinned, and matched with each annotator's drawing by {@link
 * BoundaryMatcher}.
 *
 * <p>A run works on as many images at a time as there are threads, and gives the same counts
 * whatever their number. An image that cannot be read is reported and left out; the others are
 * scored.
 */
public final class BoundaryBenchmark {
  /**
   * Everything that moves a score.
   *
   * @param thresholds number n of thresholds k / (n + 1), k = 1 … n; maps made of segmentations
   *     ignore it
   * @param maxDistance largest distance of matching pixels as a fraction of the image's diagonal
   * @param thin whether masks are thinned to one-pixel lines before matching
   * @param nms suppression before cutting; its result is rounded to 8 bits as papers do
   * @param resize whether a map of another size than its ground truth is resized (bilinearly, pixel
   *     centers) instead of refused
   */
  public record Settings(
      int thresholds, double maxDistance, boolean thin, EdgeNms nms, boolean resize)
      implements Serializable {
    /** 99 thresholds, 0.0075 of the diagonal, thinning, no suppression, no resizing. */
    public static final Settings DEFAULT = new Settings(99, 0.0075, true, EdgeNms.NONE, false);

    public Settings {
      if (thresholds < 1 || thresholds > 10_000) {
        throw new IllegalArgumentException(
            "The number of thresholds must be 1 to 10000, found " + thresholds);
      }
      if (!(maxDistance >= 0 && maxDistance <= 0.1)) {
        throw new IllegalArgumentException(
            "The largest distance must be 0 to 0.1 of the diagonal, found " + maxDistance);
      }
    }

    /** The same with n thresholds, 1 to 10000. */
    public Settings withThresholds(int n) {
      return new Settings(n, maxDistance, thin, nms, resize);
    }

    /** With or without thinning. */
    public Settings withThinning(boolean on) {
      return new Settings(thresholds, maxDistance, on, nms, resize);
    }

    /** The same with another suppression before the map is cut. */
    public Settings withNms(EdgeNms kind) {
      return new Settings(thresholds, maxDistance, thin, kind, resize);
    }

    /**
     * The thresholds of maps of strengths, k / (n + 1). They are rounded as MATLAB's linspace does,
     * since gray levels such as 85 of 255 lie on thresholds: level 85 does not pass the second of
     * five, which is one bit above a third.
     */
    double[] values() {
      double first = 1.0 / (thresholds + 1);
      double last = 1 - first;
      double[] values = new double[thresholds];
      for (int k = 0; k < thresholds; k++) {
        values[k] = k == 0 ? first : first + k * (last - first) / (thresholds - 1);
      }
      values[thresholds - 1] = last;
      return values;
    }
  }

  /** What a detector says about an image. */
  public sealed interface Prediction permits Strengths, Segmentations {
    /** Height in pixels. */
    int height();

    /** Width in pixels. */
    int width();
  }

  /**
   * Strength of an edge at each pixel.
   *
   * @param values in [0, 1], row-major; doubles, since a gray level such as 51/255 may lie exactly
   *     on a threshold
   */
  public record Strengths(int height, int width, double[] values) implements Prediction {
    /** Sums in single precision may miss 0 and 1 by this much. */
    private static final double ROUNDING = 1e-5;

    /**
     * Checks the values; what rounding has carried beyond 0 or 1 is set to it.
     *
     * @throws DataException if one is not in [0, 1] or their number is wrong
     */
    public Strengths {
      if (height < 1 || width < 1 || values.length != (long) height * width) {
        throw new DataException(
            "%s values are not a map of %sx%s".formatted(values.length, width, height));
      }
      for (int i = 0; i < values.length; i++) {
        double value = values[i];
        if (value >= 0 && value <= 1) {
          continue;
        }
        if (!(value >= -ROUNDING && value <= 1 + ROUNDING)) {
          throw new DataException(
              "the value at column %s, row %s is %s, but strengths must lie in [0, 1]"
                  .formatted(i % width, i / width, value));
        }
        values[i] = Math.clamp(value, 0, 1);
      }
    }

    /** From single precision, each value as it is. */
    public static Strengths of(float[] values, int height, int width) {
      double[] doubles = new double[values.length];
      for (int i = 0; i < doubles.length; i++) {
        doubles[i] = values[i];
      }
      return new Strengths(height, width, doubles);
    }
  }

  /**
   * Several segmentations of an image, fine or coarse, each as the boundaries of its regions. They
   * take the place of thresholds, which are then called 1, 2, ….
   *
   * @param masks row-major, 1 on a boundary
   */
  public record Segmentations(int height, int width, List<byte[]> masks) implements Prediction {
    public Segmentations {
      masks = List.copyOf(masks);
      if (masks.isEmpty()) {
        throw new DataException("there is no segmentation");
      }
    }
  }

  /** Reads something when its turn comes. */
  @FunctionalInterface
  public interface Source<T> {
    /**
     * Reads it.
     *
     * @throws IOException or {@link DataException} if that is not possible; the message names the
     *     file
     */
    T read() throws IOException;
  }

  /**
   * An image to score.
   *
   * @param id its name
   * @param map the detector's answer
   * @param truth the annotators' drawings
   */
  public record Image(String id, Source<? extends Prediction> map, Source<GroundTruth> truth) {}

  /** Receives progress; called from any of the run's threads, one at a time. */
  public interface Listener {
    /** An image is done; {@code finished} of {@code total} are done or have failed. */
    default void scored(BoundaryCounts counts, int finished, int total) {}

    /** An image is left out for this reason. */
    default void failed(String id, String reason, int finished, int total) {}
  }

  /**
   * What a run gives.
   *
   * @param counts of the images that could be read, in the order given
   * @param failures reasons by image, in the order given
   */
  public record Result(List<BoundaryCounts> counts, Map<String, String> failures) {
    /**
     * Pools images that were scored in several runs. One whose number of segmentations or
     * thresholds differs from the first one's cannot be pooled and counts as failed.
     *
     * @param ids the images in order
     */
    public static Result of(
        List<String> ids, Map<String, BoundaryCounts> scored, Map<String, String> reasons) {
      List<BoundaryCounts> counts = new ArrayList<>();
      Map<String, String> failures = new LinkedHashMap<>();
      for (String id : ids) {
        BoundaryCounts c = scored.get(id);
        if (c == null) {
          failures.put(id, String.valueOf(reasons.get(id)));
          continue;
        }
        BoundaryCounts first = counts.isEmpty() ? c : counts.getFirst();
        if (first.thresholds().length == c.thresholds().length) {
          counts.add(c);
        } else {
          failures.put(
              id,
              "%s has %s segmentations or thresholds where %s has %s"
                  .formatted(id, c.thresholds().length, first.id(), first.thresholds().length));
        }
      }
      return new Result(List.copyOf(counts), failures);
    }
  }

  private final Settings settings;
  private final int threads;
  private volatile boolean canceled;

  /**
   * Prepares a benchmark.
   *
   * @param threads how many threads work, at least 1
   */
  public BoundaryBenchmark(Settings settings, int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("At least one thread is needed, found " + threads);
    }
    this.settings = settings;
    this.threads = threads;
  }

  /** Makes {@link #run} end with a {@link CancellationException} soon; for any thread. */
  public void cancel() {
    canceled = true;
  }

  /** The counts of one image, on this thread. */
  public static BoundaryCounts count(
      String id, Prediction map, GroundTruth truth, Settings settings) {
    return new Worker(settings, () -> false).count(new Prepared(map, truth, id, settings), id);
  }

  /**
   * Per-pixel verdict on a map that is cut at one threshold.
   *
   * @param detected row-major: 0 nothing was detected, 1 an annotator confirms it, 2 none does
   * @param missed how many annotators have a pixel here that was not found
   */
  public record Verdict(int height, int width, byte[] detected, byte[] missed) {}

  /**
   * Per-pixel verdict at one threshold.
   *
   * @param threshold index of the threshold, from 0
   */
  public static Verdict verdict(
      Prediction map, GroundTruth truth, Settings settings, int threshold) {
    Prepared image = new Prepared(map, truth, "the image", settings);
    byte[] mask = image.mask(threshold);
    if (settings.thin) {
      Thinning.thin(mask, image.height, image.width);
    }
    byte[] detected = new byte[mask.length];
    byte[] missed = new byte[mask.length];
    for (int i = 0; i < mask.length; i++) {
      detected[i] = (byte) (mask[i] != 0 ? 2 : 0);
    }
    var matcher = new BoundaryMatcher(image.radius);
    for (byte[] drawn : truth.boundaries()) {
      BoundaryMatcher.Match match = matcher.match(mask, drawn, image.height, image.width);
      match.left().stream().forEach(i -> detected[i] = 1);
      for (int i = 0; i < drawn.length; i++) {
        if (drawn[i] != 0 && !match.right().get(i)) {
          missed[i]++;
        }
      }
    }
    return new Verdict(image.height, image.width, detected, missed);
  }

  /**
   * Scores images. The listener may be called in another order than that of the images.
   *
   * @throws CancellationException after {@link #cancel}
   * @throws InterruptedException if this thread was interrupted; the work has stopped then
   */
  public Result run(List<Image> images, Listener listener) throws InterruptedException {
    Run run = new Run(images, listener);
    List<Thread> workers = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      workers.add(Thread.ofPlatform().daemon().name("gammanet-benchmark-" + i).start(run));
    }
    try {
      for (Thread worker : workers) {
        worker.join();
      }
    } catch (InterruptedException e) {
      run.stop(null);
      workers.forEach(BoundaryBenchmark::joinAnyway);
      throw e;
    }
    switch (run.fault()) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      case Throwable e -> throw new IllegalStateException(e);
    }
    if (canceled) {
      throw new CancellationException("the benchmark was canceled");
    }
    return result(run.jobs);
  }

  /** Waits for the end of a thread, whatever interrupts the wait. */
  private static void joinAnyway(Thread thread) {
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        // The caller reports the first interruption.
      }
    }
  }

  private static Result result(List<Job> jobs) {
    Map<String, BoundaryCounts> counts = new HashMap<>();
    Map<String, String> failures = new HashMap<>();
    for (Job job : jobs) {
      if (job.counts != null) {
        counts.put(job.image.id, job.counts);
      } else {
        failures.put(job.image.id, String.valueOf(job.failure));
      }
    }
    return Result.of(jobs.stream().map(job -> job.image.id).toList(), counts, failures);
  }

  /** An image and what became of it; fields change under the lock of the run. */
  private static final class Job {
    final Image image;
    @Nullable BoundaryCounts counts;
    @Nullable String failure;

    Job(Image image) {
      this.image = image;
    }
  }

  /** An image as it is cut. */
  private static final class Prepared {
    final int height;
    final int width;

    /** Largest distance of a pair, pixels. */
    final double radius;

    final double[] thresholds;
    final double @Nullable [] values;
    final List<byte[]> masks;
    final List<PixelMask> annotators = new ArrayList<>();

    /** For each threshold, the first one that leaves the same mask. */
    final int[] same;

    /** Pixels that the annotators drew, together. */
    final long drawn;

    Prepared(Prediction map, GroundTruth truth, String id, Settings settings) {
      height = truth.height();
      width = truth.width();
      if (map.height() != height || map.width() != width) {
        if (!settings.resize || !(map instanceof Strengths)) {
          throw new DataException(
              "%s: the map is %sx%s and its ground truth %sx%s; they must have the same size"
                  .formatted(id, map.width(), map.height(), width, height));
        }
      }
      radius = BoundaryMatcher.radius(settings.maxDistance, height, width);
      if (radius > BoundaryMatcher.MAX_RADIUS) {
        throw new DataException(
            String.format(
                Locale.ROOT,
                "%s: at %sx%s, the largest distance of %s of the diagonal is %.1f pixels; at most"
                    + " %s pixels can be matched",
                id,
                width,
                height,
                settings.maxDistance,
                radius,
                BoundaryMatcher.MAX_RADIUS));
      }
      long pixels = 0;
      for (byte[] mask : truth.boundaries()) {
        PixelMask annotator = new PixelMask(mask, height, width);
        annotators.add(annotator);
        pixels += annotator.count();
      }
      drawn = pixels;
      switch (map) {
        case Strengths s -> {
          thresholds = settings.values();
          values = strengths(s, height, width, settings.nms);
          masks = List.of();
          same = sameMasks(values, thresholds);
        }
        case Segmentations s -> {
          thresholds = new double[s.masks.size()];
          same = new int[thresholds.length];
          for (int k = 0; k < thresholds.length; k++) {
            thresholds[k] = k + 1;
            same[k] = k;
          }
          values = null;
          masks = s.masks;
        }
      }
    }

    /** Masks are nested, so those with as many pixels are equal. */
    private static int[] sameMasks(double[] values, double[] thresholds) {
      int n = thresholds.length;
      int[] passed = new int[n + 1];
      for (double v : values) {
        int k = Math.min(n, (int) (v * (n + 1)));
        while (k > 0 && v < thresholds[k - 1]) {
          k--;
        }
        while (k < n && v >= thresholds[k]) {
          k++;
        }
        passed[k]++;
      }
      // passed[k] values pass k thresholds exactly: without any, threshold k cuts as k - 1 does.
      int[] same = new int[n];
      for (int k = 0; k < n; k++) {
        same[k] = k > 0 && passed[k] == 0 ? same[k - 1] : k;
      }
      return same;
    }

    byte[] mask(int k) {
      if (values == null) {
        return masks.get(k).clone();
      }
      byte[] mask = new byte[values.length];
      for (int i = 0; i < mask.length; i++) {
        mask[i] = (byte) (values[i] >= thresholds[k] ? 1 : 0);
      }
      return mask;
    }
  }

  /** A map as it is cut: resized and suppressed as the settings say. */
  static double[] strengths(Strengths map, int height, int width, EdgeNms nms) {
    double[] values =
        map.height == height && map.width == width ? map.values : resized(map, height, width);
    if (nms == EdgeNms.NONE) {
      return values;
    }
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    floats = nms.apply(floats, height, width);
    double[] levels = new double[values.length];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = Math.round(255 * floats[i]) / 255.0;
    }
    return levels;
  }

  private static double[] resized(Strengths map, int height, int width) {
    double[] out = new double[height * width];
    for (int y = 0; y < height; y++) {
      double sy = Math.clamp((y + 0.5) * map.height / height - 0.5, 0, map.height - 1);
      int y0 = (int) sy;
      int y1 = Math.min(y0 + 1, map.height - 1);
      for (int x = 0; x < width; x++) {
        double sx = Math.clamp((x + 0.5) * map.width / width - 0.5, 0, map.width - 1);
        int x0 = (int) sx;
        int x1 = Math.min(x0 + 1, map.width - 1);
        double fx = sx - x0;
        double top =
            map.values[y0 * map.width + x0] * (1 - fx) + map.values[y0 * map.width + x1] * fx;
        double bottom =
            map.values[y1 * map.width + x0] * (1 - fx) + map.values[y1 * map.width + x1] * fx;
        out[y * width + x] = top + (bottom - top) * (sy - y0);
      }
    }
    return out;
  }

  /** What a thread needs for matching, kept from one image to the next. */
  private static final class Worker {
    private final Settings settings;
    private final BooleanSupplier stopped;
    private final List<BoundaryMatcher> matchers = new ArrayList<>();

    Worker(Settings settings, BooleanSupplier stopped) {
      this.settings = settings;
      this.stopped = stopped;
    }

    /** One matcher for each annotator, all with an empty mask on the left. */
    private List<BoundaryMatcher> matchers(Prepared image) {
      if (!matchers.isEmpty() && matchers.getFirst().radius() != image.radius) {
        matchers.clear();
      }
      for (int i = 0; i < image.annotators.size(); i++) {
        if (i == matchers.size()) {
          BoundaryMatcher matcher = new BoundaryMatcher(image.radius);
          matcher.cancelWhen(stopped);
          matchers.add(matcher);
        }
        matchers.get(i).begin(image.annotators.get(i));
      }
      return matchers.subList(0, image.annotators.size());
    }

    BoundaryCounts count(Prepared image, String id) {
      int n = image.thresholds.length;
      long[] cntR = new long[n];
      long[] sumR = new long[n];
      long[] cntP = new long[n];
      long[] sumP = new long[n];
      Arrays.fill(sumR, image.drawn);
      List<BoundaryMatcher> annotators = matchers(image);
      // From the highest threshold downward, masks grow.
      for (int k = n - 1; k >= 0; k--) {
        if (image.same[k] != k) {
          continue;
        }
        byte[] mask = image.mask(k);
        if (settings.thin) {
          Thinning.thin(mask, image.height, image.width);
        }
        PixelMask detected = new PixelMask(mask, image.height, image.width);
        PixelMask confirmed = new PixelMask(image.height, image.width);
        for (BoundaryMatcher annotator : annotators) {
          annotator.change(detected);
          cntR[k] += annotator.pairs();
          annotator.addMatched(confirmed);
        }
        cntP[k] = confirmed.count();
        sumP[k] = detected.count();
      }
      for (int k = 0; k < n; k++) {
        cntR[k] = cntR[image.same[k]];
        cntP[k] = cntP[image.same[k]];
        sumP[k] = sumP[image.same[k]];
      }
      return new BoundaryCounts(id, image.thresholds, cntR, sumR, cntP, sumP);
    }
  }

  /** Hands out the images in their order. */
  private final class Run implements Runnable {
    final List<Job> jobs;
    private final Listener listener;
    private int next;
    private int finished;
    private @Nullable Throwable fault;
    private volatile boolean stop;

    Run(List<Image> images, Listener listener) {
      this.jobs = images.stream().map(Job::new).toList();
      this.listener = listener;
    }

    private synchronized @Nullable Job next() {
      return stopped() || next == jobs.size() ? null : jobs.get(next++);
    }

    synchronized void stop(@Nullable Throwable reason) {
      if (fault == null) {
        fault = reason;
      }
      stop = true;
    }

    synchronized @Nullable Throwable fault() {
      return fault;
    }

    private boolean stopped() {
      return canceled || stop;
    }

    @Override
    public void run() {
      Worker worker = new Worker(settings, this::stopped);
      try {
        for (Job job = next(); job != null; job = next()) {
          Image image = job.image;
          try {
            Prepared prepared =
                new Prepared(image.map.read(), image.truth.read(), image.id, settings);
            finish(job, worker.count(prepared, image.id), null);
          } catch (IOException | DataException e) {
            finish(job, null, String.valueOf(e.getMessage()));
          }
        }
      } catch (CancellationException e) {
        // Canceled by the caller.
      } catch (Throwable e) {
        stop(e);
      }
    }

    private synchronized void finish(
        Job job, @Nullable BoundaryCounts counts, @Nullable String failure) {
      job.counts = counts;
      job.failure = failure;
      finished++;
      if (counts != null) {
        listener.scored(counts, finished, jobs.size());
      } else {
        listener.failed(job.image.id, String.valueOf(failure), finished, jobs.size());
      }
    }
  }
}
