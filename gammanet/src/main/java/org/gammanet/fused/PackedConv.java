package org.gammanet.fused;

import org.gammanet.kernels.NativeConv;
import org.gammanet.kernels.Precision;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** A convolution with its packed weights. */
final class PackedConv {
  private final Layers.Conv conv;
  private final Packed<NativeConv> packed;

  PackedConv(Layers.Conv conv) {
    this.conv = conv;
    packed = new Packed<>(conv.parameters(), this::pack);
  }

  private NativeConv pack(Precision precision) {
    Parameter bias = conv.bias();
    return NativeConv.pack(
        conv.weight().tensor(),
        bias == null ? null : bias.tensor(),
        NativeConv.Algorithm.AUTO,
        precision);
  }

  Layers.Conv conv() {
    return conv;
  }

  /** The weight's gradient, to be added to; null where it is not wanted. */
  @Nullable Tensor weightGradient() {
    return conv.weight().gradient();
  }

  /** The bias's, likewise. */
  @Nullable Tensor biasGradient() {
    Parameter bias = conv.bias();
    return bias == null ? null : bias.gradient();
  }

  NativeConv kernel(ForwardContext context) {
    // What reads colors or writes logits costs little and is kept exact.
    boolean narrow = Math.min(conv.inputs(), conv.outputs()) < 8;
    return packed.get(narrow ? Precision.FLOAT32 : context.precision(), context);
  }
}
