package org.gammanet.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.gammanet.data.GroundTruth;
import org.gammanet.evaluation.BoundaryBenchmark.Image;
import org.gammanet.evaluation.BoundaryBenchmark.Listener;
import org.gammanet.evaluation.BoundaryBenchmark.Segmentations;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.io.DataException;
import org.junit.jupiter.api.Test;

class BoundaryBenchmarkTest {
  private static final int H = 50;
  private static final int W = 70;
  private static final Settings NINE = Settings.DEFAULT.withThresholds(9);

  /** Frames of rectangles: one-pixel lines that thinning leaves alone, but for their corners. */
  private static byte[] frames(int... corners) {
    byte[] mask = new byte[H * W];
    for (int i = 0; i < corners.length; i += 4) {
      for (int x = corners[i]; x <= corners[i + 2]; x++) {
        mask[corners[i + 1] * W + x] = 1;
        mask[corners[i + 3] * W + x] = 1;
      }
      for (int y = corners[i + 1]; y <= corners[i + 3]; y++) {
        mask[y * W + corners[i]] = 1;
        mask[y * W + corners[i + 2]] = 1;
      }
    }
    return mask;
  }

  private static Strengths strengths(byte[] mask, double value) {
    double[] values = new double[mask.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = mask[i] * value;
    }
    return new Strengths(H, W, values);
  }

  private static GroundTruth truth(byte[]... masks) {
    return new GroundTruth(H, W, List.of(masks));
  }

  private static long pixels(byte[] mask) {
    long n = 0;
    for (byte b : mask) {
      n += b;
    }
    return n;
  }

  private static BoundaryCounts random(String id, long seed, Settings settings) {
    return BoundaryBenchmark.count(id, randomMap(seed), randomTruth(seed), settings);
  }

  private static Strengths randomMap(long seed) {
    Random random = new Random(seed);
    double[] values = new double[H * W];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(256) / 255.0;
    }
    return new Strengths(H, W, values);
  }

  private static GroundTruth randomTruth(long seed) {
    Random random = new Random(-seed);
    List<byte[]> masks = new ArrayList<>();
    for (int k = 0; k < 3; k++) {
      int x = random.nextInt(30);
      int y = random.nextInt(20);
      masks.add(frames(x, y, x + 10 + random.nextInt(25), y + 10 + random.nextInt(15)));
    }
    return new GroundTruth(H, W, masks);
  }

  @Test
  void aMapEqualToTheOnlyAnnotatorIsPerfect() {
    byte[] drawn = frames(5, 5, 40, 30);
    BoundaryCounts c =
        BoundaryBenchmark.count(
            "a", strengths(drawn, 0.55), truth(drawn), NINE.withThinning(false));
    for (int k = 0; k < 9; k++) {
      long expected = k < 5 ? pixels(drawn) : 0;
      assertEquals(expected, c.cntR()[k]);
      assertEquals(expected, c.cntP()[k]);
      assertEquals(expected, c.sumP()[k]);
      assertEquals(pixels(drawn), c.sumR()[k]);
    }
    BoundaryScores scores = BoundaryScores.of(List.of(c));
    assertEquals(1, scores.ods().f());
    assertEquals(1, scores.ois().f());
    assertEquals(0.1, scores.ods().threshold(), 1e-12);
  }

  @Test
  void anyAnnotatorConfirmsAndAllMustBeFound() {
    byte[] one = frames(5, 5, 25, 25);
    byte[] other = frames(40, 20, 60, 40);
    BoundaryCounts c =
        BoundaryBenchmark.count(
            "a", strengths(one, 1), truth(one, other, one), NINE.withThinning(false));
    assertEquals(2 * pixels(one), c.cntR()[0]);
    assertEquals(2 * pixels(one) + pixels(other), c.sumR()[0]);
    assertEquals(pixels(one), c.cntP()[0]);
    assertEquals(pixels(one), c.sumP()[0]);
  }

  @Test
  void emptyMapsAndEmptyDrawingsScoreZero() {
    byte[] none = new byte[H * W];
    byte[] drawn = frames(5, 5, 40, 30);
    for (BoundaryCounts c :
        List.of(
            BoundaryBenchmark.count("map", strengths(none, 0), truth(drawn, drawn), NINE),
            BoundaryBenchmark.count("drawing", strengths(drawn, 1), truth(none), NINE),
            BoundaryBenchmark.count("both", strengths(none, 0), truth(none), NINE))) {
      BoundaryScores scores = BoundaryScores.of(List.of(c));
      for (BoundaryScores.Point p : scores.curve()) {
        assertEquals(0, p.recall());
        assertEquals(0, p.precision());
        assertEquals(0, p.f());
      }
      assertEquals(0, scores.ods().f());
      assertEquals(0, scores.ois().f());
      assertEquals(0, scores.ap());
      assertEquals(0, scores.r50());
    }
  }

  @Test
  void aShiftWithinToleranceCostsNothing() {
    byte[] drawn = frames(10, 10, 50, 40);
    // 0.05 of the diagonal are 4.3 pixels.
    Settings settings = new Settings(9, 0.05, false, EdgeNms.NONE, false);
    BoundaryCounts near =
        BoundaryBenchmark.count("a", strengths(frames(13, 12, 53, 42), 1), truth(drawn), settings);
    assertEquals(pixels(drawn), near.cntR()[0]);
    assertEquals(pixels(drawn), near.cntP()[0]);
  }

  /** Counts of recall are unique; ties may confirm other pixels once the image is turned. */
  @Test
  void scoresDoNotDependOnOrientation() {
    Random random = new Random(7);
    byte[] found = new byte[H * W];
    for (int i = 0; i < found.length; i++) {
      found[i] = (byte) (random.nextInt(12) == 0 ? 1 : 0);
    }
    GroundTruth drawn = randomTruth(11);
    Settings settings = new Settings(1, 0.05, false, EdgeNms.NONE, false);
    BoundaryCounts straight = BoundaryBenchmark.count("a", strengths(found, 1), drawn, settings);
    for (int turn = 1; turn < 8; turn++) {
      int h = (turn & 4) != 0 ? W : H;
      int w = (turn & 4) != 0 ? H : W;
      int t = turn;
      List<byte[]> masks =
          drawn.boundaries().stream().map(m -> BoundaryMatcherTest.turned(m, H, W, t)).toList();
      byte[] map = BoundaryMatcherTest.turned(found, H, W, turn);
      double[] values = new double[map.length];
      Arrays.setAll(values, i -> map[i]);
      BoundaryCounts turned =
          BoundaryBenchmark.count(
              "a", new Strengths(h, w, values), new GroundTruth(h, w, masks), settings);
      assertEquals(straight.cntR()[0], turned.cntR()[0]);
      assertEquals(straight.sumP()[0], turned.sumP()[0]);
      assertEquals(straight.cntP()[0], turned.cntP()[0], 0.05 * straight.cntP()[0]);
    }
  }

  @Test
  void neverMoreThanThereIsAndMonotoneDetections() {
    BoundaryCounts c = random("a", 3, Settings.DEFAULT);
    for (int k = 0; k < 99; k++) {
      assertTrue(c.cntR()[k] <= c.sumR()[k]);
      assertTrue(c.cntP()[k] <= c.sumP()[k]);
      // Each confirmed pixel is the partner of somebody's, at most one of each annotator.
      assertTrue(c.cntP()[k] <= c.cntR()[k] && c.cntR()[k] <= 3 * c.cntP()[k]);
    }
  }

  /** Gray levels on a threshold: both sides of the comparison are rounded as MATLAB does. */
  @Test
  void levelsOnThresholds() {
    double[] values = new double[256];
    Arrays.setAll(values, i -> i / 255.0);
    GroundTruth none = new GroundTruth(1, 256, List.of(new byte[256]));
    Settings plain = Settings.DEFAULT.withThinning(false);
    BoundaryCounts c = BoundaryBenchmark.count("a", new Strengths(1, 256, values), none, plain);
    assertEquals(256 - 51, c.sumP()[19], "51/255 passes 0.2");
    assertEquals(256 - 153, c.sumP()[59], "153/255 passes 0.6");
    c = BoundaryBenchmark.count("a", new Strengths(1, 256, values), none, plain.withThresholds(5));
    assertEquals(256 - 86, c.sumP()[1], "85/255 does not pass the second of five");
    assertEquals(256 - 170, c.sumP()[3], "170/255 passes the fourth of five");
  }

  @Test
  void sameCountsOnAnyNumberOfThreads() throws InterruptedException {
    List<Image> images = new ArrayList<>();
    List<BoundaryCounts> expected = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      int seed = i;
      images.add(new Image("image" + i, () -> randomMap(seed), () -> randomTruth(seed)));
      expected.add(random("image" + i, i, NINE));
    }
    for (int threads : new int[] {1, 2, 7}) {
      List<String> heard = new ArrayList<>();
      var result =
          new BoundaryBenchmark(NINE, threads)
              .run(
                  images,
                  new Listener() {
                    @Override
                    public void scored(BoundaryCounts counts, int finished, int total) {
                      heard.add(counts.id() + " " + finished + "/" + total);
                    }
                  });
      assertEquals(expected, result.counts());
      assertEquals(5, heard.size());
      assertTrue(heard.getLast().endsWith("5/5"));
    }
  }

  @Test
  void badImagesAreReportedAndTheOthersScored() throws InterruptedException {
    byte[] drawn = frames(5, 5, 40, 30);
    List<Image> images =
        List.of(
            new Image("good", () -> strengths(drawn, 1), () -> truth(drawn)),
            new Image(
                "missing",
                () -> strengths(drawn, 1),
                () -> {
                  throw new DataException("There is no file missing.mat");
                }),
            new Image(
                "unreadable",
                () -> {
                  throw new IOException("unreadable.png: disk error");
                },
                () -> truth(drawn)),
            new Image("size", () -> new Strengths(2, 3, new double[6]), () -> truth(drawn)),
            new Image("last", () -> strengths(drawn, 1), () -> truth(drawn)));
    var result = new BoundaryBenchmark(NINE, 2).run(images, new Listener() {});
    assertEquals(
        List.of("good", "last"), result.counts().stream().map(BoundaryCounts::id).toList());
    assertEquals(List.of("missing", "unreadable", "size"), List.copyOf(result.failures().keySet()));
    assertEquals(
        "size: the map is 3x2 and its ground truth 70x50; they must have the same size",
        result.failures().get("size"));
  }

  @Test
  void anImageTooLargeForTheDistanceIsReportedAndTheOthersScored() throws InterruptedException {
    byte[] drawn = frames(5, 5, 40, 30);
    List<Image> images =
        List.of(
            new Image(
                "wide",
                () -> new Strengths(1, 2001, new double[2001]),
                () -> new GroundTruth(1, 2001, List.of(new byte[2001]))),
            new Image("good", () -> strengths(drawn, 1), () -> truth(drawn)));
    Settings far = new Settings(1, 0.1, true, EdgeNms.NONE, false);
    var result = new BoundaryBenchmark(far, 1).run(images, new Listener() {});
    assertEquals("good", result.counts().getFirst().id());
    assertEquals(
        "wide: at 2001x1, the largest distance of 0.1 of the diagonal is 200.1 pixels; at most 200"
            + " pixels can be matched",
        result.failures().get("wide"));
  }

  @Test
  void anInterruptedRunEndsAfterItsWorkers() throws InterruptedException {
    CountDownLatch reading = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    AtomicBoolean read = new AtomicBoolean();
    AtomicBoolean readBefore = new AtomicBoolean();
    Image image =
        new Image(
            "a",
            () -> {
              reading.countDown();
              try {
                release.await();
              } catch (InterruptedException e) {
                throw new IOException(e);
              }
              read.set(true);
              return randomMap(1);
            },
            () -> randomTruth(1));
    Thread caller =
        Thread.ofPlatform()
            .start(
                () ->
                    assertThrows(
                        InterruptedException.class,
                        () -> {
                          try {
                            new BoundaryBenchmark(NINE, 2).run(List.of(image), new Listener() {});
                          } finally {
                            readBefore.set(read.get());
                          }
                        }));
    reading.await();
    caller.interrupt();
    caller.join(100); // it would end now if it did not wait
    release.countDown();
    caller.join();
    assertTrue(readBefore.get(), "the worker has ended before the run");
  }

  @Test
  void resizesWhereAsked() {
    Strengths small = new Strengths(25, 35, new double[25 * 35]);
    Arrays.fill(small.values(), 0.5);
    Settings settings = new Settings(9, 0.0075, true, EdgeNms.NONE, true);
    BoundaryCounts c =
        BoundaryBenchmark.count("a", small, truth(new byte[H * W]), settings.withThinning(false));
    assertEquals(H * W, c.sumP()[4]);
    assertEquals(0, c.sumP()[5]);
  }

  @Test
  void segmentationsTakeThePlaceOfThresholds() throws InterruptedException {
    byte[] drawn = frames(5, 5, 40, 30);
    Image two =
        new Image(
            "two",
            () -> new Segmentations(H, W, List.of(drawn, new byte[H * W])),
            () -> truth(drawn));
    Image three =
        new Image(
            "three",
            () -> new Segmentations(H, W, List.of(drawn, drawn, drawn)),
            () -> truth(drawn));
    var result = new BoundaryBenchmark(NINE, 1).run(List.of(two, three), new Listener() {});
    assertArrayEquals(new double[] {1, 2}, result.counts().getFirst().thresholds());
    assertEquals(0, result.counts().getFirst().sumP()[1]);
    assertTrue(result.failures().containsKey("three"));
  }

  @Test
  void strengthsOutsideOfTheRangeAreRefused() {
    for (double bad : new double[] {-1e-3, 1.0001, Double.NaN, Double.POSITIVE_INFINITY}) {
      DataException e =
          assertThrows(DataException.class, () -> new Strengths(1, 3, new double[] {0, bad, 1}));
      assertTrue(String.valueOf(e.getMessage()).contains("column 1, row 0"));
    }
  }

  /** Sums in float32 of values that make 1. */
  @Test
  void roundingBeyondTheRangeIsTakenForItsEnds() {
    Strengths map = new Strengths(1, 3, new double[] {-1e-9, 0.5, 1.0000001});
    assertArrayEquals(new double[] {0, 0.5, 1}, map.values());
  }

  @Test
  void cancelsWithinAMoment() throws InterruptedException {
    CountDownLatch started = new CountDownLatch(1);
    BoundaryBenchmark benchmark = new BoundaryBenchmark(Settings.DEFAULT, 2);
    List<Image> images = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      int seed = i;
      images.add(
          new Image(
              "i" + i,
              () -> {
                started.countDown();
                return randomMap(seed);
              },
              () -> randomTruth(seed)));
    }
    Thread canceler =
        Thread.startVirtualThread(
            () -> {
              try {
                started.await();
              } catch (InterruptedException e) {
                return;
              }
              benchmark.cancel();
            });
    long start = System.nanoTime();
    assertThrows(CancellationException.class, () -> benchmark.run(images, new Listener() {}));
    assertTrue(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start) < 5);
    canceler.join();
  }

  @Test
  void faultsInAListenerEndTheRun() {
    Image image = new Image("a", () -> randomMap(1), () -> randomTruth(1));
    Listener broken =
        new Listener() {
          @Override
          public void scored(BoundaryCounts counts, int finished, int total) {
            throw new IllegalStateException("broken");
          }
        };
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () -> new BoundaryBenchmark(NINE, 3).run(List.of(image, image, image), broken));
    assertEquals("broken", e.getMessage());
  }

  @Test
  void verdictsAgreeWithCounts() {
    Settings nine = Settings.DEFAULT.withThresholds(9);
    Random random = new Random(1);
    double[] values = new double[30 * 40];
    byte[] drawn = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextDouble();
      drawn[i] = (byte) (random.nextInt(9) == 0 ? 1 : 0);
    }
    var map = new Strengths(30, 40, values);
    var truth = new GroundTruth(30, 40, List.of(drawn));
    BoundaryCounts counts = BoundaryBenchmark.count("image", map, truth, nine);
    for (int k = 0; k < 9; k++) {
      BoundaryBenchmark.Verdict verdict = BoundaryBenchmark.verdict(map, truth, nine, k);
      long right = 0;
      long all = 0;
      long missed = 0;
      for (int i = 0; i < verdict.detected().length; i++) {
        right += verdict.detected()[i] == 1 ? 1 : 0;
        all += verdict.detected()[i] != 0 ? 1 : 0;
        missed += verdict.missed()[i];
      }
      assertEquals(counts.cntP()[k], right);
      assertEquals(counts.sumP()[k], all);
      assertEquals(counts.sumR()[k] - counts.cntR()[k], missed);
    }
  }
}
