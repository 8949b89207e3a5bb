package org.gammanet.fused;

import java.util.List;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@link Segments.ProjectUp}, forward and backward. */
final class FusedProjectUp extends FusedSegment {
  private final PackedConv conv;
  private final int level;

  FusedProjectUp(Segments.ProjectUp up) {
    super(up);
    conv = new PackedConv(up.conv());
    level = up.level();
  }

  /** The kernel takes the statistics of its own map, so that tiles are composed of operators. */
  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    return context.tile() == null ? super.forward(context, inputs) : composed(context, inputs);
  }

  @Override
  Tensor[] fused(ForwardContext context, Tensor... inputs) {
    long height = context.height() >> level;
    long width = context.width() >> level;
    Tensor out = emptyFeatureMap(inputs[0], conv.conv().outputs(), height, width);
    conv.kernel(context).projectUp(Ops.channelsLast(inputs[0]), out);
    return new Tensor[] {out};
  }

  @Override
  public boolean hasBackward(ForwardContext context, Tensor... inputs) {
    return context.tile() == null && Kernels.takeOnCpu(context, inputs);
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
    Tensor x = Ops.channelsLast(inputs[0]);
    Tensor gradX = wanted[0] ? emptyLike(x) : null;
    conv.kernel(context)
        .projectUpBackward(
            x, Ops.channelsLast(gradients[0]), gradX, conv.weightGradient(), conv.biasGradient());
    return new @Nullable Tensor[] {gradX};
  }
}
