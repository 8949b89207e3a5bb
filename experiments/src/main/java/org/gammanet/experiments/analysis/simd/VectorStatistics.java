package org.gammanet.experiments.analysis.simd;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.gammanet.simd.Simd;
import org.jspecify.annotations.Nullable;

/**
 * Kernels with the Vector API. Lanes run over units or resamples wherever there are many of these;
 * the last ones, too few for a vector, go through {@link ScalarStatistics}.
 */
final class VectorStatistics implements StatisticsKernels {
  // The compiler makes vector instructions only of species that are constants to it.
  private static final VectorShape SHAPE = VectorShape.forBitSize(Simd.bits());
  private static final VectorSpecies<Float> F = VectorSpecies.of(float.class, SHAPE);
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, SHAPE);
  private static final VectorSpecies<Double> D = VectorSpecies.of(double.class, SHAPE);
  private static final VectorSpecies<Long> L = VectorSpecies.of(long.class, SHAPE);
  private static final VectorSpecies<Integer> HALF =
      VectorSpecies.of(int.class, VectorShape.forBitSize(Simd.bits() / 2));

  private static final float EPSILON = ScalarStatistics.EPSILON;

  @Override
  public void addOrientation(
      float[] responses,
      float @Nullable [] blank,
      float cos,
      float sin,
      int index,
      OrientationSums s) {
    int u = 0;
    for (; u < F.loopBound(s.sum.length); u += F.length()) {
      FloatVector r = rectified(responses, u, blank, u);
      FloatVector.fromArray(F, s.sum, u).add(r).intoArray(s.sum, u);
      FloatVector.fromArray(F, s.cosine, u).add(r.mul(cos)).intoArray(s.cosine, u);
      FloatVector.fromArray(F, s.sine, u).add(r.mul(sin)).intoArray(s.sine, u);
      FloatVector largest = FloatVector.fromArray(F, s.largest, u);
      VectorMask<Float> larger = r.compare(VectorOperators.GT, largest);
      if (larger.anyTrue()) {
        largest.blend(r, larger).intoArray(s.largest, u);
        IntVector.fromArray(I, s.peak, u).blend(index, larger.cast(I)).intoArray(s.peak, u);
      }
    }
    ScalarStatistics.addOrientation(responses, blank, cos, sin, index, s, u);
  }

  private static FloatVector rectified(
      float[] responses, int at, float @Nullable [] blank, int unit) {
    FloatVector r = FloatVector.fromArray(F, responses, at);
    return (blank == null ? r : r.sub(FloatVector.fromArray(F, blank, unit))).max(0);
  }

  @Override
  public void finish(OrientationSums sums, float[] globalOsi) {
    ScalarStatistics.INSTANCE.finish(sums, globalOsi);
  }

  @Override
  public void orientationIndices(
      float[] responses, int k, float @Nullable [] blank, OrientationIndices out) {
    int units = out.units();
    float[] table = ScalarStatistics.harmonics(k);
    FloatVector zero = FloatVector.zero(F);
    int u = 0;
    for (; u < F.loopBound(units); u += F.length()) {
      FloatVector base = blank == null ? zero : FloatVector.fromArray(F, blank, u);
      FloatVector sum = zero;
      FloatVector cosine = zero;
      FloatVector sine = zero;
      FloatVector largest = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
      FloatVector smallest = FloatVector.broadcast(F, Float.POSITIVE_INFINITY);
      FloatVector orthogonal = zero;
      FloatVector peak = zero;
      // Where the maximum moves, what is orthogonal to it moves along: no second pass.
      int low = k / 2;
      int high = (k + 1) / 2 % k;
      for (int i = 0; i < k; i++) {
        FloatVector r = FloatVector.fromArray(F, responses, i * units + u).sub(base).max(0);
        sum = sum.add(r);
        cosine = cosine.add(r.mul(table[i]));
        sine = sine.add(r.mul(table[k + i]));
        smallest = smallest.min(r);
        VectorMask<Float> larger = r.compare(VectorOperators.GT, largest);
        FloatVector across = FloatVector.fromArray(F, responses, low * units + u).sub(base).max(0);
        if (high != low) {
          across =
              across
                  .add(FloatVector.fromArray(F, responses, high * units + u).sub(base).max(0))
                  .mul(0.5f);
        }
        largest = largest.blend(r, larger);
        orthogonal = orthogonal.blend(across, larger);
        peak = peak.blend((float) i, larger);
        low = low + 1 == k ? 0 : low + 1;
        high = high + 1 == k ? 0 : high + 1;
      }
      FloatVector length = cosine.mul(cosine).add(sine.mul(sine)).sqrt();
      ratio(length, sum).intoArray(out.globalOsi(), u);
      ratio(largest.sub(orthogonal), largest.add(orthogonal)).intoArray(out.osi(), u);
      ratio(largest.sub(smallest), largest.add(smallest)).intoArray(out.modulation(), u);
      ((IntVector) peak.convert(VectorOperators.F2I, 0)).intoArray(out.peak(), u);
    }
    ScalarStatistics.orientationIndices(responses, k, blank, out, u);
  }

  private static FloatVector ratio(FloatVector over, FloatVector under) {
    return FloatVector.broadcast(F, Float.NaN)
        .blend(over.div(under), under.compare(VectorOperators.GT, EPSILON));
  }

  @Override
  public void halfWidths(
      float[] responses, int k, float @Nullable [] blank, float fraction, float[] halfWidths) {
    int units = halfWidths.length;
    FloatVector zero = FloatVector.zero(F);
    FloatVector nan = FloatVector.broadcast(F, Float.NaN);
    float[] row = new float[k * F.length()];
    int u = 0;
    for (; u < F.loopBound(units); u += F.length()) {
      FloatVector base = blank == null ? zero : FloatVector.fromArray(F, blank, u);
      FloatVector largest = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
      FloatVector smallest = FloatVector.broadcast(F, Float.POSITIVE_INFINITY);
      FloatVector peak = zero;
      FloatVector total = zero;
      for (int i = 0; i < k; i++) {
        FloatVector r = FloatVector.fromArray(F, responses, i * units + u).sub(base).max(0);
        r.intoArray(row, i * F.length());
        VectorMask<Float> larger = r.compare(VectorOperators.GT, largest);
        largest = largest.blend(r, larger);
        peak = peak.blend((float) i, larger);
        smallest = smallest.min(r);
        total = total.add(r);
      }
      FloatVector height = largest.sub(smallest);
      FloatVector level = smallest.add(height.mul(fraction));
      FloatVector up = walk(row, k, peak, largest, level, 1);
      FloatVector down = walk(row, k, peak, largest, level, -1);
      VectorMask<Float> defined =
          height.compare(VectorOperators.GT, EPSILON).andNot(total.test(VectorOperators.IS_NAN));
      nan.blend(up.add(down).mul(90f / k), defined).intoArray(halfWidths, u);
    }
    ScalarStatistics.halfWidths(responses, k, blank, fraction, halfWidths, u);
  }

  /**
   * Steps to where curves fall to their level. All lanes go around the same circle; each starts to
   * count at its own maximum, so that no lane needs a gather.
   */
  private static FloatVector walk(
      float[] row, int k, FloatVector peak, FloatVector largest, FloatVector level, int side) {
    FloatVector steps = FloatVector.zero(F);
    FloatVector previous = largest;
    FloatVector found = FloatVector.broadcast(F, Float.NaN);
    VectorMask<Float> walking = F.maskAll(false);
    // One cycle to meet every maximum, and half a cycle more.
    for (int n = 0; n < k + k / 2; n++) {
      int at = side > 0 ? n % k : (2 * k - 1 - n) % k;
      FloatVector r = FloatVector.fromArray(F, row, at * F.length());
      steps = steps.add(1f, walking);
      VectorMask<Float> below = r.compare(VectorOperators.LE, level).and(walking);
      FloatVector fraction = previous.sub(level).div(previous.sub(r));
      found = found.blend(steps.sub(1f).add(fraction), below);
      walking = walking.andNot(below);
      walking = walking.andNot(steps.compare(VectorOperators.GE, (float) (k / 2)));
      previous = previous.blend(r, walking);
      if (n < k) {
        walking = walking.or(peak.compare(VectorOperators.EQ, (float) at));
      } else if (!walking.anyTrue()) {
        break;
      }
    }
    return found;
  }

  @Override
  public void addGram(double[] x, int rows, int columns, double[] gram) {
    for (int block = 0; block < rows; block += ScalarStatistics.BLOCK) {
      int end = Math.min(rows, block + ScalarStatistics.BLOCK);
      for (int i = 0; i < end; i += 4) {
        // From an even row on, so that tiles of two begin where the block does.
        for (int j = Math.max(block, i); j < end; j += 2) {
          if (i + 4 <= rows && j + 2 <= end) {
            addTile(x, i, j, rows, columns, gram);
          } else {
            addSingles(x, i, j, rows, columns, gram);
          }
        }
      }
    }
  }

  /**
   * Four rows with two: eight sums that fraction six loads. More would not fit into 16 registers.
   */
  private static void addTile(double[] x, int i, int j, int rows, int columns, double[] gram) {
    DoubleVector s00 = DoubleVector.zero(D);
    DoubleVector s01 = s00;
    DoubleVector s10 = s00;
    DoubleVector s11 = s00;
    DoubleVector s20 = s00;
    DoubleVector s21 = s00;
    DoubleVector s30 = s00;
    DoubleVector s31 = s00;
    int a0 = i * columns;
    int a1 = a0 + columns;
    int a2 = a1 + columns;
    int a3 = a2 + columns;
    int b0 = j * columns;
    int b1 = b0 + columns;
    int bound = D.loopBound(columns);
    for (int f = 0; f < bound; f += D.length()) {
      DoubleVector y0 = DoubleVector.fromArray(D, x, b0 + f);
      DoubleVector y1 = DoubleVector.fromArray(D, x, b1 + f);
      DoubleVector v = DoubleVector.fromArray(D, x, a0 + f);
      s00 = v.fma(y0, s00);
      s01 = v.fma(y1, s01);
      v = DoubleVector.fromArray(D, x, a1 + f);
      s10 = v.fma(y0, s10);
      s11 = v.fma(y1, s11);
      v = DoubleVector.fromArray(D, x, a2 + f);
      s20 = v.fma(y0, s20);
      s21 = v.fma(y1, s21);
      v = DoubleVector.fromArray(D, x, a3 + f);
      s30 = v.fma(y0, s30);
      s31 = v.fma(y1, s31);
    }
    add(gram, rows, i, j, sum(s00) + tail(x, a0, b0, bound, columns));
    add(gram, rows, i, j + 1, sum(s01) + tail(x, a0, b1, bound, columns));
    add(gram, rows, i + 1, j, sum(s10) + tail(x, a1, b0, bound, columns));
    add(gram, rows, i + 1, j + 1, sum(s11) + tail(x, a1, b1, bound, columns));
    add(gram, rows, i + 2, j, sum(s20) + tail(x, a2, b0, bound, columns));
    add(gram, rows, i + 2, j + 1, sum(s21) + tail(x, a2, b1, bound, columns));
    add(gram, rows, i + 3, j, sum(s30) + tail(x, a3, b0, bound, columns));
    add(gram, rows, i + 3, j + 1, sum(s31) + tail(x, a3, b1, bound, columns));
  }

  /** What of a tile does not fill four rows and two. */
  private static void addSingles(double[] x, int i, int j, int rows, int columns, double[] gram) {
    int bound = D.loopBound(columns);
    for (int a = i; a < Math.min(rows, i + 4); a++) {
      for (int b = j; b < Math.min(rows, j + 2); b++) {
        DoubleVector s = DoubleVector.zero(D);
        for (int f = 0; f < bound; f += D.length()) {
          s =
              DoubleVector.fromArray(D, x, a * columns + f)
                  .fma(DoubleVector.fromArray(D, x, b * columns + f), s);
        }
        add(gram, rows, a, b, sum(s) + tail(x, a * columns, b * columns, bound, columns));
      }
    }
  }

  private static void add(double[] gram, int rows, int i, int j, double value) {
    if (j >= i) {
      gram[i * rows + j] += value;
    }
  }

  private static double sum(DoubleVector v) {
    return v.reduceLanes(VectorOperators.ADD);
  }

  private static double tail(double[] x, int a, int b, int from, int to) {
    double s = 0;
    for (int f = from; f < to; f++) {
      s += x[a + f] * x[b + f];
    }
    return s;
  }

  @Override
  public void bootstrapMeans(double[] values, long seed, double[] means) {
    int n = values.length;
    int[] index = new int[HALF.length()];
    int r = 0;
    for (; r < D.loopBound(means.length); r += D.length()) {
      LongVector counter =
          LongVector.zero(L).addIndex(1).add(r).mul(n * ScalarStatistics.GOLDEN).add(seed);
      DoubleVector sum = DoubleVector.zero(D);
      for (int i = 0; i < n; i++) {
        counter = counter.add(ScalarStatistics.GOLDEN);
        mix(counter)
            .lanewise(VectorOperators.LSHR, 32)
            .mul(n)
            .lanewise(VectorOperators.LSHR, 32)
            .convertShape(VectorOperators.L2I, HALF, 0)
            .reinterpretAsInts()
            .intoArray(index, 0);
        sum = sum.add(DoubleVector.fromArray(D, values, 0, index, 0));
      }
      sum.div(n).intoArray(means, r);
    }
    ScalarStatistics.bootstrapMeans(values, seed, means, r);
  }

  @Override
  public void signFlipMeans(double[] values, long seed, double[] means) {
    int n = values.length;
    int words = (n + 63) / 64;
    int r = 0;
    for (; r < D.loopBound(means.length); r += D.length()) {
      LongVector counter =
          LongVector.zero(L).addIndex(1).add(r).mul(words * ScalarStatistics.GOLDEN).add(seed);
      DoubleVector sum = DoubleVector.zero(D);
      for (int w = 0; w < words; w++) {
        counter = counter.add(ScalarStatistics.GOLDEN);
        LongVector bits = mix(counter);
        for (int i = 64 * w; i < Math.min(n, 64 * w + 64); i++) {
          LongVector sign = bits.lanewise(VectorOperators.LSHL, 63);
          sum =
              sum.add(
                  sign.lanewise(VectorOperators.XOR, Double.doubleToRawLongBits(values[i]))
                      .reinterpretAsDoubles());
          bits = bits.lanewise(VectorOperators.LSHR, 1);
        }
      }
      sum.div(n).intoArray(means, r);
    }
    ScalarStatistics.signFlipMeans(values, seed, means, r);
  }

  private static LongVector mix(LongVector z) {
    z =
        z.lanewise(VectorOperators.XOR, z.lanewise(VectorOperators.LSHR, 30))
            .mul(0xBF58476D1CE4E5B9L);
    z =
        z.lanewise(VectorOperators.XOR, z.lanewise(VectorOperators.LSHR, 27))
            .mul(0x94D049BB133111EBL);
    return z.lanewise(VectorOperators.XOR, z.lanewise(VectorOperators.LSHR, 31));
  }
}
