package org.gammanet.kernels;

import org.gammanet.torch.gen.GammanetNative;

/** Element type of the factors in native kernels; states, normalization and sums are float32. */
public enum Precision {
  /** In float32. */
  FLOAT32(GammanetNative.GAMMANET_PRECISION_FLOAT32()),
  /** Factors rounded to bfloat16, products summed in float32; needs a processor made for it. */
  BFLOAT16(GammanetNative.GAMMANET_PRECISION_BFLOAT16());

  final int number;

  Precision(int number) {
    this.number = number;
  }
}
