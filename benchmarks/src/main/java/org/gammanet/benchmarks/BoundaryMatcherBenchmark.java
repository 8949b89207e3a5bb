package org.gammanet.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.gammanet.data.GroundTruth;
import org.gammanet.data.Thinning;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryBenchmark.Settings;
import org.gammanet.evaluation.BoundaryBenchmark.Strengths;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryMatcher;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Matching of boundary masks on one thread: one pair of masks, and a whole image with five
 * annotators at all thresholds. The contours are random smooth curves, as many pixels as people
 * draw (2 % of the image) and as a detector reports at a low threshold (6 %).
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(3)
@State(Scope.Thread)
public class BoundaryMatcherBenchmark {
  /** Side of the image. */
  @Param({"400", "1000", "2000"})
  public int size;

  private byte[] drawn;
  private byte[] detected;
  private Strengths map;
  private GroundTruth truth;
  private BoundaryMatcher matcher;

  @Setup
  public void setUp() {
    Random random = new Random(1);
    List<double[]> curves = new ArrayList<>();
    int pixels = 0;
    while (pixels < 0.05 * size * size) {
      curves.add(curve(random));
      pixels += curves.getLast().length / 2;
    }
    int people = 2 * curves.size() / 5;
    List<byte[]> masks = new ArrayList<>();
    for (int k = 0; k < 5; k++) {
      masks.add(draw(curves.subList(0, people), random));
    }
    truth = new GroundTruth(size, size, masks);
    drawn = masks.getFirst();
    double[] values = new double[size * size];
    for (double[] curve : curves) {
      byte[] one = draw(List.of(curve), random);
      double strength = random.nextDouble();
      for (int i = 0; i < values.length; i++) {
        values[i] = Math.max(values[i], one[i] * strength);
      }
    }
    map = new Strengths(size, size, values);
    detected = new byte[values.length];
    for (int i = 0; i < detected.length; i++) {
      detected[i] = (byte) (values[i] > 0 ? 1 : 0);
    }
    Thinning.thin(detected, size, size);
    matcher = new BoundaryMatcher(BoundaryMatcher.radius(0.0075, size, size));
  }

  /** Points of a line that turns slowly, a tenth of a pixel of noise in its direction. */
  private double[] curve(Random random) {
    int length = 40 + random.nextInt(size / 2);
    double[] points = new double[2 * length];
    double x = random.nextDouble() * size;
    double y = random.nextDouble() * size;
    double angle = random.nextDouble() * 2 * Math.PI;
    double turn = 0;
    for (int i = 0; i < length; i++) {
      points[2 * i] = x;
      points[2 * i + 1] = y;
      turn = 0.9 * turn + 0.02 * random.nextGaussian();
      angle += turn;
      x += Math.cos(angle);
      y += Math.sin(angle);
    }
    return points;
  }

  /** Draws curves as different hands do: each one off by up to two pixels. */
  private byte[] draw(List<double[]> curves, Random random) {
    byte[] mask = new byte[size * size];
    for (double[] curve : curves) {
      double dx = 4 * random.nextDouble() - 2;
      double dy = 4 * random.nextDouble() - 2;
      for (int i = 0; i < curve.length; i += 2) {
        int x = (int) Math.floor(curve[i] + dx);
        int y = (int) Math.floor(curve[i + 1] + dy);
        if (x >= 0 && y >= 0 && x < size && y < size) {
          mask[y * size + x] = 1;
        }
      }
    }
    return mask;
  }

  /** One detector's mask against one person's. */
  @Benchmark
  public BoundaryMatcher.Match pair() {
    return matcher.match(detected, drawn, size, size);
  }

  /** Thinning of the same mask, for comparison. */
  @Benchmark
  public byte[] thinning() {
    byte[] mask = detected.clone();
    Thinning.thin(mask, size, size);
    return mask;
  }

  /** 99 thresholds, each thinned and matched with five people's masks. */
  @Benchmark
  public BoundaryCounts image() {
    return BoundaryBenchmark.count("image", map, truth, Settings.DEFAULT);
  }
}
