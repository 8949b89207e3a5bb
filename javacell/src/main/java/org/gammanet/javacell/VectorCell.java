package org.gammanet.javacell;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.gammanet.simd.Simd;

/** Loops of a cell with the Vector API: lanes run over channels. */
final class VectorCell implements CellKernels {
  private static final VectorSpecies<Float> F =
      VectorSpecies.of(float.class, VectorShape.forBitSize(Simd.bits()));
  private static final int LANES = F.length();

  /** Sixteen sums, four weights and one factor fit into 32 registers, but not into 16. */
  private static final boolean WIDE = Simd.bits() >= 512;

  @Override
  public void addProducts(
      float[] x,
      int xAt,
      int xStride,
      int in,
      float[] w,
      int wAt,
      float[] y,
      int yAt,
      int yStride,
      int pixels) {
    int p = 0;
    for (; p + 4 <= pixels; p += 4) {
      int xp = xAt + p * xStride;
      int yp = yAt + p * yStride;
      if (WIDE) {
        fourByFour(x, xp, xStride, in, w, wAt, y, yp, yStride);
      } else {
        for (int o = 0; o < PANEL; o += 2 * LANES) {
          fourByTwo(x, xp, xStride, in, w, wAt + o, y, yp + o, yStride);
        }
      }
    }
    for (; p < pixels; p++) {
      for (int o = 0; o < PANEL; o += 4 * LANES) {
        oneByFour(x, xAt + p * xStride, in, w, wAt + o, y, yAt + p * yStride + o);
      }
    }
  }

  private static FloatVector load(float[] a, int at) {
    return FloatVector.fromArray(F, a, at);
  }

  /** Four pixels, four vectors of columns. */
  private static void fourByFour(
      float[] x,
      int xAt,
      int xStride,
      int in,
      float[] w,
      int wAt,
      float[] y,
      int yAt,
      int yStride) {
    int x1 = xAt + xStride;
    int x2 = x1 + xStride;
    int x3 = x2 + xStride;
    int y1 = yAt + yStride;
    int y2 = y1 + yStride;
    int y3 = y2 + yStride;
    FloatVector s00 = load(y, yAt);
    FloatVector s01 = load(y, yAt + LANES);
    FloatVector s02 = load(y, yAt + 2 * LANES);
    FloatVector s03 = load(y, yAt + 3 * LANES);
    FloatVector s10 = load(y, y1);
    FloatVector s11 = load(y, y1 + LANES);
    FloatVector s12 = load(y, y1 + 2 * LANES);
    FloatVector s13 = load(y, y1 + 3 * LANES);
    FloatVector s20 = load(y, y2);
    FloatVector s21 = load(y, y2 + LANES);
    FloatVector s22 = load(y, y2 + 2 * LANES);
    FloatVector s23 = load(y, y2 + 3 * LANES);
    FloatVector s30 = load(y, y3);
    FloatVector s31 = load(y, y3 + LANES);
    FloatVector s32 = load(y, y3 + 2 * LANES);
    FloatVector s33 = load(y, y3 + 3 * LANES);
    for (int i = 0; i < in; i++) {
      int at = wAt + i * PANEL;
      FloatVector w0 = load(w, at);
      FloatVector w1 = load(w, at + LANES);
      FloatVector w2 = load(w, at + 2 * LANES);
      FloatVector w3 = load(w, at + 3 * LANES);
      FloatVector v = FloatVector.broadcast(F, x[xAt + i]);
      s00 = v.fma(w0, s00);
      s01 = v.fma(w1, s01);
      s02 = v.fma(w2, s02);
      s03 = v.fma(w3, s03);
      v = FloatVector.broadcast(F, x[x1 + i]);
      s10 = v.fma(w0, s10);
      s11 = v.fma(w1, s11);
      s12 = v.fma(w2, s12);
      s13 = v.fma(w3, s13);
      v = FloatVector.broadcast(F, x[x2 + i]);
      s20 = v.fma(w0, s20);
      s21 = v.fma(w1, s21);
      s22 = v.fma(w2, s22);
      s23 = v.fma(w3, s23);
      v = FloatVector.broadcast(F, x[x3 + i]);
      s30 = v.fma(w0, s30);
      s31 = v.fma(w1, s31);
      s32 = v.fma(w2, s32);
      s33 = v.fma(w3, s33);
    }
    s00.intoArray(y, yAt);
    s01.intoArray(y, yAt + LANES);
    s02.intoArray(y, yAt + 2 * LANES);
    s03.intoArray(y, yAt + 3 * LANES);
    s10.intoArray(y, y1);
    s11.intoArray(y, y1 + LANES);
    s12.intoArray(y, y1 + 2 * LANES);
    s13.intoArray(y, y1 + 3 * LANES);
    s20.intoArray(y, y2);
    s21.intoArray(y, y2 + LANES);
    s22.intoArray(y, y2 + 2 * LANES);
    s23.intoArray(y, y2 + 3 * LANES);
    s30.intoArray(y, y3);
    s31.intoArray(y, y3 + LANES);
    s32.intoArray(y, y3 + 2 * LANES);
    s33.intoArray(y, y3 + 3 * LANES);
  }

  /** Four pixels, two vectors of columns. */
  private static void fourByTwo(
      float[] x,
      int xAt,
      int xStride,
      int in,
      float[] w,
      int wAt,
      float[] y,
      int yAt,
      int yStride) {
    int x1 = xAt + xStride;
    int x2 = x1 + xStride;
    int x3 = x2 + xStride;
    int y1 = yAt + yStride;
    int y2 = y1 + yStride;
    int y3 = y2 + yStride;
    FloatVector s00 = load(y, yAt);
    FloatVector s01 = load(y, yAt + LANES);
    FloatVector s10 = load(y, y1);
    FloatVector s11 = load(y, y1 + LANES);
    FloatVector s20 = load(y, y2);
    FloatVector s21 = load(y, y2 + LANES);
    FloatVector s30 = load(y, y3);
    FloatVector s31 = load(y, y3 + LANES);
    for (int i = 0; i < in; i++) {
      FloatVector w0 = load(w, wAt + i * PANEL);
      FloatVector w1 = load(w, wAt + i * PANEL + LANES);
      FloatVector v = FloatVector.broadcast(F, x[xAt + i]);
      s00 = v.fma(w0, s00);
      s01 = v.fma(w1, s01);
      v = FloatVector.broadcast(F, x[x1 + i]);
      s10 = v.fma(w0, s10);
      s11 = v.fma(w1, s11);
      v = FloatVector.broadcast(F, x[x2 + i]);
      s20 = v.fma(w0, s20);
      s21 = v.fma(w1, s21);
      v = FloatVector.broadcast(F, x[x3 + i]);
      s30 = v.fma(w0, s30);
      s31 = v.fma(w1, s31);
    }
    s00.intoArray(y, yAt);
    s01.intoArray(y, yAt + LANES);
    s10.intoArray(y, y1);
    s11.intoArray(y, y1 + LANES);
    s20.intoArray(y, y2);
    s21.intoArray(y, y2 + LANES);
    s30.intoArray(y, y3);
    s31.intoArray(y, y3 + LANES);
  }

  /** What is left of the pixels. */
  private static void oneByFour(
      float[] x, int xAt, int in, float[] w, int wAt, float[] y, int yAt) {
    FloatVector s0 = load(y, yAt);
    FloatVector s1 = load(y, yAt + LANES);
    FloatVector s2 = load(y, yAt + 2 * LANES);
    FloatVector s3 = load(y, yAt + 3 * LANES);
    for (int i = 0; i < in; i++) {
      int at = wAt + i * PANEL;
      FloatVector v = FloatVector.broadcast(F, x[xAt + i]);
      s0 = v.fma(load(w, at), s0);
      s1 = v.fma(load(w, at + LANES), s1);
      s2 = v.fma(load(w, at + 2 * LANES), s2);
      s3 = v.fma(load(w, at + 3 * LANES), s3);
    }
    s0.intoArray(y, yAt);
    s1.intoArray(y, yAt + LANES);
    s2.intoArray(y, yAt + 2 * LANES);
    s3.intoArray(y, yAt + 3 * LANES);
  }

  private static FloatVector constant(float value) {
    return FloatVector.broadcast(F, value);
  }

  private static FloatVector exp(FloatVector x) {
    x = x.max(-ScalarCell.EXP_LIMIT).min(ScalarCell.EXP_LIMIT);
    FloatVector shifted = x.fma(constant(ScalarCell.LOG2_E), constant(ScalarCell.ROUND));
    FloatVector n = shifted.sub(ScalarCell.ROUND);
    FloatVector r = n.fma(constant(-ScalarCell.LN2_HIGH), x);
    r = n.fma(constant(-ScalarCell.LN2_LOW), r);
    FloatVector p = constant(ScalarCell.EXP_7);
    p = p.fma(r, constant(ScalarCell.EXP_6));
    p = p.fma(r, constant(ScalarCell.EXP_5));
    p = p.fma(r, constant(ScalarCell.EXP_4));
    p = p.fma(r, constant(ScalarCell.EXP_3));
    p = p.fma(r, constant(ScalarCell.EXP_2));
    p = p.fma(r.mul(r), r).add(1);
    return p.viewAsIntegralLanes()
        .add(shifted.viewAsIntegralLanes().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }

  private static FloatVector log1p(FloatVector u) {
    FloatVector s = u.div(u.add(2));
    FloatVector z = s.mul(s);
    FloatVector p = constant(2f / 15);
    p = p.fma(z, constant(2f / 13));
    p = p.fma(z, constant(2f / 11));
    p = p.fma(z, constant(2f / 9));
    p = p.fma(z, constant(2f / 7));
    p = p.fma(z, constant(2f / 5));
    p = p.fma(z, constant(2f / 3));
    return s.mul(p.fma(z, constant(2)));
  }

  @Override
  public void relu(float[] y, int at, int n) {
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      load(y, at + c).max(0).intoArray(y, at + c);
    }
    ScalarCell.relu(y, at, n, c);
  }

  @Override
  public void softplus(float[] y, int at, float[] bias, int n) {
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      FloatVector v = load(y, at + c).add(load(bias, c));
      v.max(0).add(log1p(exp(v.abs().neg()))).intoArray(y, at + c);
    }
    ScalarCell.softplus(y, at, bias, n, c);
  }

  @Override
  public void sigmoid(
      float[] y, int at, float scale, float mean, float[] sums, float[] bias, int n) {
    FloatVector one = constant(1);
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      FloatVector v = load(sums, c).fma(constant(-mean), load(y, at + c));
      v = v.fma(constant(scale), load(bias, c));
      one.div(exp(v.neg()).add(1)).intoArray(y, at + c);
    }
    ScalarCell.sigmoid(y, at, scale, mean, sums, bias, n, c);
  }

  @Override
  public void inhibit(
      float[] x,
      int xAt,
      float[] i,
      int iAt,
      float[] alpha,
      int alphaAt,
      float[] mu,
      int muAt,
      float[] c1,
      int c1At,
      int n) {
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      FloatVector strength = load(alpha, alphaAt + c).fma(load(i, iAt + c), load(mu, muAt + c));
      FloatVector s = load(x, xAt + c).sub(strength.mul(load(c1, c1At + c)));
      s.max(0).intoArray(c1, c1At + c);
    }
    ScalarCell.inhibit(x, xAt, i, iAt, alpha, alphaAt, mu, muAt, c1, c1At, n, c);
  }

  @Override
  public void excite(
      float[] kappa, int kappaAt, float[] omega, int omegaAt, float[] c2, int c2At, int n) {
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      load(omega, omegaAt + c)
          .fma(load(c2, c2At + c), load(kappa, kappaAt + c))
          .intoArray(c2, c2At + c);
    }
    ScalarCell.excite(kappa, kappaAt, omega, omegaAt, c2, c2At, n, c);
  }

  @Override
  public void mix(
      float[] state,
      int stateAt,
      float[] candidate,
      int candidateAt,
      float[] gate,
      int gateAt,
      float[] out,
      int outAt,
      int n) {
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      FloatVector s = load(state, stateAt + c);
      load(candidate, candidateAt + c)
          .sub(s)
          .fma(load(gate, gateAt + c), s)
          .intoArray(out, outAt + c);
    }
    ScalarCell.mix(state, stateAt, candidate, candidateAt, gate, gateAt, out, outAt, n, c);
  }

  @Override
  public float sum(float[] x, int at, int n) {
    FloatVector sum = FloatVector.zero(F);
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      sum = sum.add(load(x, at + c));
    }
    return sum.reduceLanes(VectorOperators.ADD) + ScalarCell.sum(x, at, n, c);
  }

  @Override
  public float squares(float[] x, int at, float mean, int n) {
    FloatVector sum = FloatVector.zero(F);
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      FloatVector d = load(x, at + c).sub(mean);
      sum = d.fma(d, sum);
    }
    return sum.reduceLanes(VectorOperators.ADD) + ScalarCell.squares(x, at, mean, n, c);
  }

  @Override
  public void normalize(
      float[] x,
      int at,
      float mean,
      float scale,
      float[] weight,
      float[] bias,
      float[] out,
      int outAt,
      int n) {
    int c = 0;
    for (; c < F.loopBound(n); c += LANES) {
      load(x, at + c)
          .sub(mean)
          .mul(scale)
          .fma(load(weight, c), load(bias, c))
          .intoArray(out, outAt + c);
    }
    ScalarCell.normalize(x, at, mean, scale, weight, bias, out, outAt, n, c);
  }
}
