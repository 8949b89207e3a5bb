package org.gammanet.fused;

import org.gammanet.kernels.NativeConv;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@link Segments.AlignPool}, forward: the last convolution and the pooling are one kernel. */
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
      Tensor projected = emptyFeatureMap(y, first.conv().outputs(), y.size(2), y.size(3));
      first.kernel(context).forward(y, false, projected);
      y = projected;
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
}
