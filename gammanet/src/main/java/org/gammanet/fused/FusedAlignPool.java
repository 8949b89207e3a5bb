package org.gammanet.fused;

import java.util.List;
import org.gammanet.kernels.NativeConv;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@link Segments.AlignPool}: the last convolution and the pooling are one kernel. */
final class FusedAlignPool extends FusedSegment {
  private final @Nullable PackedConv first;
  private final @Nullable PackedConv last;

  FusedAlignPool(Segments.AlignPool pool) {
    super(pool);
    Layers.Conv out = pool.out();
    Layers.Conv align = pool.align();
    first = out != null && align != null ? new PackedConv(out) : null;
    Layers.Conv pooled = align != null ? align : out;
    last = pooled == null ? null : new PackedConv(pooled);
  }

  @Override
  Tensor[] fused(ForwardContext context, Tensor... inputs) {
    Tensor y = Ops.channelsLast(inputs[0]);
    if (first != null) {
      y = projected(context, first, y);
    }
    long width = last == null ? y.size(1) : last.conv().outputs();
    Tensor pooled = emptyFeatureMap(y, width, y.size(2) / 2, y.size(3) / 2);
    if (last == null) {
      NativeConv.pool(y, pooled);
    } else {
      last.kernel(context).alignPool(y, pooled);
    }
    return new Tensor[] {pooled};
  }

  private static Tensor projected(ForwardContext context, PackedConv conv, Tensor x) {
    Tensor y = emptyFeatureMap(x, conv.conv().outputs(), x.size(2), x.size(3));
    conv.kernel(context).forward(x, false, y);
    return y;
  }

  @Override
  public boolean hasBackward(ForwardContext context, Tensor... inputs) {
    return Kernels.takeOnCpu(context, inputs);
  }

  @Override
  public @Nullable Tensor[] backward(
      ForwardContext context,
      Tensor[] inputs,
      @Nullable Tensor[] gradients,
      boolean[] wanted,
      List<Tensor> kept) {
    if (gradients[0] == null) {
      return new @Nullable Tensor[] {null};
    }
    Tensor gradient = Ops.channelsLast(gradients[0]);
    Tensor x = Ops.channelsLast(inputs[0]);
    if (last == null) {
      Tensor gradX = emptyLike(x);
      NativeConv.poolBackward(x, gradient, gradX);
      return new @Nullable Tensor[] {gradX};
    }
    Tensor pooled = first == null ? x : projected(context, first, x);
    Tensor gradPooled = first != null || wanted[0] ? emptyLike(pooled) : null;
    last.kernel(context)
        .alignPoolBackward(
            pooled, gradient, gradPooled, last.weightGradient(), last.biasGradient());
    if (first == null || gradPooled == null) {
      return new @Nullable Tensor[] {gradPooled};
    }
    Tensor gradX = wanted[0] ? emptyLike(x) : null;
    first
        .kernel(context)
        .backward(x, null, gradPooled, gradX, first.weightGradient(), first.biasGradient());
    return new @Nullable Tensor[] {gradX};
  }
}
