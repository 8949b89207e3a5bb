package org.gammanet.benchmarks;

import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.gammanet.experiments.analysis.simd.OrientationIndices;
import org.gammanet.experiments.analysis.simd.OrientationSums;
import org.gammanet.experiments.analysis.simd.StatisticsKernels;
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
 * Statistics of populations, in vectors and in scalar code: indices of orientation tuning of a
 * whole map, and the products behind a correlation matrix. One thread.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 3,
    jvmArgsAppend = {"-Xms2g", "-Xmx2g", "-XX:+AlwaysPreTouch"})
@State(Scope.Thread)
public class StatisticsBenchmark {
  private static final int UNITS = 64 * 128 * 128;
  private static final int ORIENTATIONS = 12;
  private static final int ROWS = 1000;
  private static final int COLUMNS = 1000;
  private static final int PANEL = 250;

  /** Which implementation. */
  @Param({"vector", "scalar"})
  public String code;

  private StatisticsKernels kernels;
  private float[] responses;
  private float[][] byOrientation;
  private float[] blank;
  private OrientationIndices indices;
  private float[] selectivity;
  private double[][] panels;

  @Setup
  public void setUp() {
    kernels = code.equals("vector") ? StatisticsKernels.best() : StatisticsKernels.scalar();
    if (code.equals("vector") && kernels == StatisticsKernels.scalar()) {
      throw new IllegalStateException("no vectors here: " + org.gammanet.simd.Simd.describe());
    }
    var random = new SplittableRandom(1);
    responses = new float[ORIENTATIONS * UNITS];
    for (int i = 0; i < responses.length; i++) {
      responses[i] = (float) random.nextDouble();
    }
    byOrientation = new float[ORIENTATIONS][];
    for (int k = 0; k < ORIENTATIONS; k++) {
      byOrientation[k] = java.util.Arrays.copyOfRange(responses, k * UNITS, (k + 1) * UNITS);
    }
    blank = new float[UNITS];
    java.util.Arrays.fill(blank, 0.1f);
    indices = new OrientationIndices(UNITS);
    selectivity = new float[UNITS];
    // RowProducts works on some columns at a time, which stay in the cache.
    panels = new double[COLUMNS / PANEL][];
    for (int p = 0; p < panels.length; p++) {
      panels[p] = random.doubles((long) ROWS * PANEL).toArray();
    }
  }

  /** Circular variance, OSI, modulation and peak of 64 x 128 x 128 units over 12 orientations. */
  @Benchmark
  public OrientationIndices orientationIndices() {
    kernels.orientationIndices(responses, ORIENTATIONS, blank, indices);
    return indices;
  }

  /** Circular variance of the same units, orientation after orientation, as recordings come. */
  @Benchmark
  public float[] streamedCircularVariance() {
    var sums = new OrientationSums(UNITS);
    for (int k = 0; k < ORIENTATIONS; k++) {
      double angle = 2 * Math.PI * k / ORIENTATIONS;
      kernels.addOrientation(
          byOrientation[k], blank, (float) Math.cos(angle), (float) Math.sin(angle), k, sums);
    }
    kernels.finish(sums, selectivity);
    return selectivity;
  }

  /** Products of all pairs of 1000 rows of 1000 numbers, in double precision. */
  @Benchmark
  public double[] correlationProducts() {
    double[] gram = new double[ROWS * ROWS];
    for (double[] panel : panels) {
      kernels.addGram(panel, ROWS, PANEL, gram);
    }
    return gram;
  }
}
