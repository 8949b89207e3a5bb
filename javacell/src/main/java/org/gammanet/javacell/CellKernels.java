package org.gammanet.javacell;

import org.gammanet.simd.Simd;

/**
 * The loops of a cell in Java, over rows of channels: a row holds the channels of one pixel, rows
 * of neighboring pixels follow each other. Both implementations use the same approximations of exp
 * and log; sums are in another order in each.
 *
 * <p>Arguments are not checked beyond what arrays check themselves.
 */
sealed interface CellKernels permits ScalarCell, VectorCell {
  /** Columns of a panel of packed weights; a multiple of four vectors of any width. */
  int PANEL = 64;

  /** The implementation that {@link Simd} decides on. */
  static CellKernels best() {
    return Best.KERNELS;
  }

  /** The scalar twin. */
  static CellKernels scalar() {
    return ScalarCell.INSTANCE;
  }

  /** {@link VectorCell} is loaded only where it can be. */
  final class Best {
    private static final CellKernels KERNELS =
        Simd.bits() > 0 ? new VectorCell() : ScalarCell.INSTANCE;

    private Best() {}
  }

  /**
   * Adds products with one panel of weights: {@code y[p, o] += Σ_i x[p, i] w[i, o]} for {@link
   * #PANEL} columns o.
   *
   * @param x rows of {@code in} elements, {@code xStride} apart, from {@code xAt} on
   * @param w in x PANEL, from {@code wAt} on
   * @param y rows of PANEL elements, {@code yStride} apart, from {@code yAt} on
   */
  void addProducts(
      float[] x,
      int xAt,
      int xStride,
      int in,
      float[] w,
      int wAt,
      float[] y,
      int yAt,
      int yStride,
      int pixels);

  /** {@code y = max(y, 0)}. */
  void relu(float[] y, int at, int n);

  /** {@code y = log(1 + exp(y + bias))}. */
  void softplus(float[] y, int at, float[] bias, int n);

  /** {@code y = 1 / (1 + exp(-(scale (y - mean sums) + bias)))}. */
  void sigmoid(float[] y, int at, float scale, float mean, float[] sums, float[] bias, int n);

  /** {@code c1 = max(x - (alpha i + mu) c1, 0)}. */
  void inhibit(
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
      int n);

  /** {@code c2 = omega c2 + kappa}. */
  void excite(float[] kappa, int kappaAt, float[] omega, int omegaAt, float[] c2, int c2At, int n);

  /** {@code out = state + gate (candidate - state)}; out may be the state. */
  void mix(
      float[] state,
      int stateAt,
      float[] candidate,
      int candidateAt,
      float[] gate,
      int gateAt,
      float[] out,
      int outAt,
      int n);

  /** {@code Σ x}. */
  float sum(float[] x, int at, int n);

  /** {@code Σ (x - mean)²}. */
  float squares(float[] x, int at, float mean, int n);

  /** {@code out = (x - mean) scale weight + bias}. */
  void normalize(
      float[] x,
      int at,
      float mean,
      float scale,
      float[] weight,
      float[] bias,
      float[] out,
      int outAt,
      int n);
}
