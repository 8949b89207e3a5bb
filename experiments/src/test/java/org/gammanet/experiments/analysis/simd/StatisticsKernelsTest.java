package org.gammanet.experiments.analysis.simd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import org.gammanet.simd.Simd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The vector kernels and their scalar twins; also in other virtual machines with other widths. */
class StatisticsKernelsTest {
  private static final StatisticsKernels VECTOR = StatisticsKernels.best();
  private static final StatisticsKernels SCALAR = StatisticsKernels.scalar();

  /** More than twice the lanes of the widest vectors. */
  private static final int MOST = 35;

  private static float[] responses(int units, int orientations, long seed, boolean broken) {
    var random = new Random(seed);
    float[] out = new float[units * orientations];
    for (int i = 0; i < out.length; i++) {
      // Whole steps, so that there are ties, and silent units.
      out[i] = i % units % 7 == 3 ? 0 : Math.round(8 * random.nextGaussian()) / 4f;
      if (broken && random.nextInt(20) == 0) {
        out[i] = random.nextBoolean() ? Float.NaN : Float.POSITIVE_INFINITY;
      }
    }
    return out;
  }

  private static float[] column(float[] table, int units, int k) {
    return java.util.Arrays.copyOfRange(table, k * units, (k + 1) * units);
  }

  @Test
  void everyLengthAndNaN() {
    for (int units = 1; units <= MOST; units++) {
      for (int k : new int[] {2, 3, 4, 7, 12}) {
        for (boolean broken : new boolean[] {false, true}) {
          float[] table = responses(units, k, 31L * units + k, broken);
          float[] blank = units % 2 == 0 ? null : responses(units, 1, units, false);
          sameIndices(table, blank, units, k);
          sameSums(table, blank, units, k);
        }
      }
    }
  }

  private static void sameIndices(float[] table, float[] blank, int units, int k) {
    String what = units + " units, " + k + " orientations";
    var expected = new OrientationIndices(units);
    var actual = new OrientationIndices(units);
    SCALAR.orientationIndices(table, k, blank, expected);
    VECTOR.orientationIndices(table, k, blank, actual);
    assertArrayEquals(expected.globalOsi(), actual.globalOsi(), what);
    assertArrayEquals(expected.osi(), actual.osi(), what);
    assertArrayEquals(expected.modulation(), actual.modulation(), what);
    assertArrayEquals(expected.peak(), actual.peak(), what);
    float[] expectedWidths = new float[units];
    float[] actualWidths = new float[units];
    SCALAR.halfWidths(table, k, blank, 0.5f, expectedWidths);
    VECTOR.halfWidths(table, k, blank, 0.5f, actualWidths);
    assertArrayEquals(expectedWidths, actualWidths, 1e-5f, what);
  }

  private static void sameSums(float[] table, float[] blank, int units, int k) {
    var expected = new OrientationSums(units);
    var actual = new OrientationSums(units);
    for (int i = 0; i < k; i++) {
      float cos = (float) Math.cos(2 * Math.PI * i / k);
      float sin = (float) Math.sin(2 * Math.PI * i / k);
      SCALAR.addOrientation(column(table, units, i), blank, cos, sin, i, expected);
      VECTOR.addOrientation(column(table, units, i), blank, cos, sin, i, actual);
    }
    assertArrayEquals(expected.sum, actual.sum);
    assertArrayEquals(expected.cosine, actual.cosine);
    assertArrayEquals(expected.sine, actual.sine);
    assertArrayEquals(expected.largest, actual.largest);
    assertArrayEquals(expected.peak, actual.peak);
    float[] streamed = new float[units];
    VECTOR.finish(actual, streamed);
    var indices = new OrientationIndices(units);
    SCALAR.orientationIndices(table, k, blank, indices);
    assertArrayEquals(indices.globalOsi(), streamed, 1e-6f);
  }

  @Test
  void indicesOfKnownCurves() {
    // Unit 0 answers 45 degrees of 0, 45, 90, 135 only; unit 1 everything alike; unit 2 nothing.
    float[] table = {0, 1, 0, 2, 1, 0, 0, 1, 0, 0, 1, 0};
    var out = new OrientationIndices(3);
    VECTOR.orientationIndices(table, 4, null, out);
    assertArrayEquals(new float[] {1, 0, Float.NaN}, out.globalOsi(), 1e-6f);
    assertArrayEquals(new float[] {1, 0, Float.NaN}, out.osi());
    assertArrayEquals(new float[] {1, 0, Float.NaN}, out.modulation());
    assertEquals(1, out.peak()[0]);
    float[] widths = new float[3];
    VECTOR.halfWidths(table, 4, null, 0.5f, widths);
    assertArrayEquals(new float[] {22.5f, Float.NaN, Float.NaN}, widths);
    var sums = new OrientationSums(3);
    for (int k = 0; k < 4; k++) {
      float angle = (float) (Math.PI * k / 2);
      VECTOR.addOrientation(
          column(table, 3, k), null, (float) Math.cos(angle), (float) Math.sin(angle), k, sums);
    }
    assertEquals(45, sums.preferred(0), 1e-4);
    assertTrue(Double.isNaN(sums.preferred(1)) && Double.isNaN(sums.preferred(2)));
    assertEquals(2, sums.sum(0));
    assertEquals(2, sums.largest(0));
    assertEquals(1, sums.peak(0));
  }

  @Test
  void productsOfEveryShape() {
    var random = new Random(5);
    for (int rows : new int[] {1, 2, 3, 4, 5, 6, 9, 66, 131}) {
      for (int columns = 1; columns <= MOST; columns += rows > 60 ? 11 : 1) {
        double[] x = random.doubles((long) rows * columns, -1, 1).toArray();
        double[] expected = new double[rows * rows];
        double[] actual = new double[rows * rows];
        SCALAR.addGram(x, rows, columns, expected);
        VECTOR.addGram(x, rows, columns, actual);
        assertArrayEquals(expected, actual, 1e-12, rows + " x " + columns);
      }
    }
    double[] x = {1, Double.NaN, 2, 3};
    double[] gram = new double[4];
    VECTOR.addGram(x, 2, 2, gram);
    assertTrue(Double.isNaN(gram[0]) && Double.isNaN(gram[1]));
    assertEquals(13, gram[3]);
  }

  @Test
  void correlationsOfRowsInBlocks() {
    var random = new Random(6);
    float[][] x = new float[13][700];
    for (int i = 0; i < x.length; i++) {
      for (int f = 0; f < 700; f++) {
        x[i][f] = i == 4 ? 0.1f : (float) (50 + random.nextGaussian() + 0.3 * i * Math.sin(f));
      }
    }
    double[][] whole = RowProducts.of(x).correlations();
    var blocks = new RowProducts(13);
    for (int from = 0; from < 700; from += 300) {
      float[][] block = new float[13][];
      for (int i = 0; i < 13; i++) {
        block[i] = java.util.Arrays.copyOfRange(x[i], from, Math.min(700, from + 300));
      }
      blocks.add(block, SCALAR);
    }
    assertEquals(700, blocks.columns());
    for (int i = 0; i < 13; i++) {
      assertArrayEquals(whole[i], blocks.correlations()[i], 1e-11);
      for (int j = 0; j < 13; j++) {
        assertEquals(correlation(x[i], x[j]), whole[i][j], i == 4 || j == 4 ? 0 : 1e-10);
      }
    }
  }

  private static double correlation(float[] a, float[] b) {
    double ma = 0;
    double mb = 0;
    for (int i = 0; i < a.length; i++) {
      ma += (double) a[i] / a.length;
      mb += (double) b[i] / a.length;
    }
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (a[i] - ma) * (b[i] - mb);
      aa += (a[i] - ma) * (a[i] - ma);
      bb += (b[i] - mb) * (b[i] - mb);
    }
    return aa > 1e-12 && bb > 1e-12 ? ab / Math.sqrt(aa * bb) : Double.NaN;
  }

  @Test
  void resamplesAreTheSameInEveryLane() {
    var random = new Random(7);
    for (int resamples = 1; resamples <= 19; resamples++) {
      for (int n : new int[] {1, 2, 63, 64, 65, 130}) {
        double[] values = random.doubles(n, -1, 1).toArray();
        double[] expected = new double[resamples];
        double[] actual = new double[resamples];
        SCALAR.bootstrapMeans(values, 11, expected);
        VECTOR.bootstrapMeans(values, 11, actual);
        assertArrayEquals(expected, actual);
        SCALAR.signFlipMeans(values, 12, expected);
        VECTOR.signFlipMeans(values, 12, actual);
        assertArrayEquals(expected, actual);
      }
    }
  }

  @Test
  void resamplesHaveTheRightSpread() {
    double[] values = new Random(8).doubles(100, -1, 1).toArray();
    double mean = java.util.Arrays.stream(values).average().orElseThrow();
    double variance = java.util.Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum() / 100;
    double square = java.util.Arrays.stream(values).map(v -> v * v).sum() / 100;
    double[] means = new double[20_000];
    VECTOR.bootstrapMeans(values, 3, means);
    spread(means, mean, variance / 100);
    VECTOR.signFlipMeans(values, 3, means);
    spread(means, 0, square / 100);
  }

  private static void spread(double[] means, double mean, double variance) {
    double m = java.util.Arrays.stream(means).average().orElseThrow();
    double v = java.util.Arrays.stream(means).map(x -> (x - m) * (x - m)).sum() / means.length;
    assertEquals(mean, m, 4 * Math.sqrt(variance / means.length));
    assertEquals(1, v / variance, 0.05);
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "128", "256", "512"})
  void everyWidth(String width) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-Xmx256m",
                "-D" + Simd.WIDTH + "=" + width,
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                StatisticsKernelsTest.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    String expected = width.equals("off") ? "scalar code" : "vectors of " + width + " bits";
    assertTrue(output.contains(expected), output);
  }

  /** What {@link #everyWidth} starts. */
  public static void main(String[] args) {
    var test = new StatisticsKernelsTest();
    test.everyLengthAndNaN();
    test.indicesOfKnownCurves();
    test.productsOfEveryShape();
    test.correlationsOfRowsInBlocks();
    test.resamplesAreTheSameInEveryLane();
    System.out.println(Simd.describe());
  }
}
