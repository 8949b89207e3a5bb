package org.gammanet.kernels;

import org.gammanet.torch.gen.GammanetNative;

/** How the native kernels multiply. States, normalizations and sums are float32 in any case. */
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
