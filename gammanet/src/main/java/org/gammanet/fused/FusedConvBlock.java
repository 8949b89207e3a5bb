package org.gammanet.fused;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@link Segments.ConvBlock}, forward and backward. */
final class FusedConvBlock extends FusedSegment {
  private final boolean relu;
  private final List<PackedConv> convs;

  FusedConvBlock(Segments.ConvBlock block) {
    super(block);
    relu = block.relu();
    convs = block.convs().stream().map(PackedConv::new).toList();
  }

  @Override
  Tensor[] fused(ForwardContext context, Tensor... inputs) {
    Tensor y = Ops.channelsLast(inputs[0]);
    for (PackedConv conv : convs) {
      Tensor next = step(context, conv, y);
      y.close();
      y = next;
    }
    return new Tensor[] {y};
  }

  @Override
  public Tensor[] forwardKeeping(ForwardContext context, List<Tensor> kept, Tensor... inputs) {
    if (!relu || !Kernels.compute(context, parameters(), inputs)) {
      return forward(context, inputs);
    }
    Tensor y = Ops.channelsLast(inputs[0]);
    for (PackedConv conv : convs) {
      y = step(context, conv, y);
      kept.add(y.alias());
    }
    return new Tensor[] {y};
  }

  private Tensor step(ForwardContext context, PackedConv conv, Tensor x) {
    Tensor out = emptyFeatureMap(x, conv.conv().outputs(), x.size(2), x.size(3));
    conv.kernel(context).forward(x, relu, out);
    return out;
  }

  @Override
  public boolean hasBackward(ForwardContext context, Tensor... inputs) {
    return Kernels.take(context, inputs);
  }

  @Override
  public @Nullable Tensor[] backward(
      ForwardContext context,
      Tensor[] inputs,
      @Nullable Tensor[] gradients,
      boolean[] wanted,
      List<Tensor> kept) {
    Tensor last = gradients[0];
    if (last == null) {
      return new @Nullable Tensor[] {null};
    }
    List<Tensor> maps = new ArrayList<>();
    maps.add(Ops.channelsLast(inputs[0]));
    // Where nothing is rectified, the last output is not needed.
    for (PackedConv conv : convs.subList(0, relu ? convs.size() : convs.size() - 1)) {
      maps.add(kept.isEmpty() ? step(context, conv, maps.getLast()) : kept.get(maps.size() - 1));
    }
    Tensor gradient = Ops.channelsLast(last);
    for (int k = convs.size() - 1; k >= 0; k--) {
      PackedConv conv = convs.get(k);
      Tensor x = maps.get(k);
      Tensor gradX = k > 0 || wanted[0] ? emptyLike(x) : null;
      Tensor out = relu ? maps.removeLast() : null;
      conv.kernel(context)
          .backward(x, out, gradient, gradX, conv.weightGradient(), conv.biasGradient());
      gradient.close();
      if (out != null) {
        out.close();
      }
      if (gradX == null) {
        return new @Nullable Tensor[] {null};
      }
      gradient = gradX;
    }
    return new Tensor[] {gradient};
  }
}
