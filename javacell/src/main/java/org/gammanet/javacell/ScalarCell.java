package org.gammanet.javacell;

/** Loops of a cell in plain Java. */
final class ScalarCell implements CellKernels {
  static final ScalarCell INSTANCE = new ScalarCell();

  // exp(x) = 2^n exp(r), r = x - n log(2) in two parts; minimax polynomial of Cephes (Moshier).
  static final float LOG2_E = 1.44269504088896341f;
  static final float LN2_HIGH = 0.693359375f;
  static final float LN2_LOW = -2.12194440e-4f;
  static final float EXP_2 = 5.0000001201e-1f;
  static final float EXP_3 = 1.6666665459e-1f;
  static final float EXP_4 = 4.1665795894e-2f;
  static final float EXP_5 = 8.3334519073e-3f;
  static final float EXP_6 = 1.3981999507e-3f;
  static final float EXP_7 = 1.9875691500e-4f;

  /** Beyond, exp leaves the normal numbers; what is lost there is below every rounding error. */
  static final float EXP_LIMIT = 87f;

  /** Adding and subtracting it rounds to a whole number; its last bits then hold that number. */
  static final float ROUND = 0x1.8p23f;

  static float exp(float x) {
    x = Math.min(Math.max(x, -EXP_LIMIT), EXP_LIMIT);
    float shifted = x * LOG2_E + ROUND;
    float n = shifted - ROUND;
    float r = x - n * LN2_HIGH - n * LN2_LOW;
    float p = EXP_7;
    p = p * r + EXP_6;
    p = p * r + EXP_5;
    p = p * r + EXP_4;
    p = p * r + EXP_3;
    p = p * r + EXP_2;
    p = p * (r * r) + r + 1;
    return Float.intBitsToFloat(
        Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(shifted) << 23));
  }

  /** log(1 + u) for 0 ≤ u ≤ 1: 2 atanh(u / (2 + u)), whose series converges fast there. */
  static float log1p(float u) {
    float s = u / (2 + u);
    float z = s * s;
    float p = 2f / 15;
    p = p * z + 2f / 13;
    p = p * z + 2f / 11;
    p = p * z + 2f / 9;
    p = p * z + 2f / 7;
    p = p * z + 2f / 5;
    p = p * z + 2f / 3;
    return s * (p * z + 2);
  }

  static float softplus(float x) {
    return Math.max(x, 0) + log1p(exp(-Math.abs(x)));
  }

  static float sigmoid(float x) {
    return 1 / (1 + exp(-x));
  }

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
    for (int p = 0; p < pixels; p++) {
      int row = yAt + p * yStride;
      for (int i = 0; i < in; i++) {
        float v = x[xAt + p * xStride + i];
        int column = wAt + i * PANEL;
        for (int o = 0; o < PANEL; o++) {
          y[row + o] += v * w[column + o];
        }
      }
    }
  }

  @Override
  public void relu(float[] y, int at, int n) {
    relu(y, at, n, 0);
  }

  static void relu(float[] y, int at, int n, int from) {
    for (int c = from; c < n; c++) {
      y[at + c] = Math.max(y[at + c], 0);
    }
  }

  @Override
  public void softplus(float[] y, int at, float[] bias, int n) {
    softplus(y, at, bias, n, 0);
  }

  static void softplus(float[] y, int at, float[] bias, int n, int from) {
    for (int c = from; c < n; c++) {
      y[at + c] = softplus(y[at + c] + bias[c]);
    }
  }

  @Override
  public void sigmoid(
      float[] y, int at, float scale, float mean, float[] sums, float[] bias, int n) {
    sigmoid(y, at, scale, mean, sums, bias, n, 0);
  }

  static void sigmoid(
      float[] y, int at, float scale, float mean, float[] sums, float[] bias, int n, int from) {
    for (int c = from; c < n; c++) {
      y[at + c] = sigmoid(scale * (y[at + c] - mean * sums[c]) + bias[c]);
    }
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
    inhibit(x, xAt, i, iAt, alpha, alphaAt, mu, muAt, c1, c1At, n, 0);
  }

  static void inhibit(
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
      int n,
      int from) {
    for (int c = from; c < n; c++) {
      float strength = alpha[alphaAt + c] * i[iAt + c] + mu[muAt + c];
      c1[c1At + c] = Math.max(x[xAt + c] - strength * c1[c1At + c], 0);
    }
  }

  @Override
  public void excite(
      float[] kappa, int kappaAt, float[] omega, int omegaAt, float[] c2, int c2At, int n) {
    excite(kappa, kappaAt, omega, omegaAt, c2, c2At, n, 0);
  }

  static void excite(
      float[] kappa,
      int kappaAt,
      float[] omega,
      int omegaAt,
      float[] c2,
      int c2At,
      int n,
      int from) {
    for (int c = from; c < n; c++) {
      c2[c2At + c] = omega[omegaAt + c] * c2[c2At + c] + kappa[kappaAt + c];
    }
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
    mix(state, stateAt, candidate, candidateAt, gate, gateAt, out, outAt, n, 0);
  }

  static void mix(
      float[] state,
      int stateAt,
      float[] candidate,
      int candidateAt,
      float[] gate,
      int gateAt,
      float[] out,
      int outAt,
      int n,
      int from) {
    for (int c = from; c < n; c++) {
      float s = state[stateAt + c];
      out[outAt + c] = s + gate[gateAt + c] * (candidate[candidateAt + c] - s);
    }
  }

  @Override
  public float sum(float[] x, int at, int n) {
    return sum(x, at, n, 0);
  }

  static float sum(float[] x, int at, int n, int from) {
    float sum = 0;
    for (int c = from; c < n; c++) {
      sum += x[at + c];
    }
    return sum;
  }

  @Override
  public float squares(float[] x, int at, float mean, int n) {
    return squares(x, at, mean, n, 0);
  }

  static float squares(float[] x, int at, float mean, int n, int from) {
    float sum = 0;
    for (int c = from; c < n; c++) {
      float d = x[at + c] - mean;
      sum += d * d;
    }
    return sum;
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
    normalize(x, at, mean, scale, weight, bias, out, outAt, n, 0);
  }

  static void normalize(
      float[] x,
      int at,
      float mean,
      float scale,
      float[] weight,
      float[] bias,
      float[] out,
      int outAt,
      int n,
      int from) {
    for (int c = from; c < n; c++) {
      out[outAt + c] = (x[at + c] - mean) * scale * weight[c] + bias[c];
    }
  }
}
