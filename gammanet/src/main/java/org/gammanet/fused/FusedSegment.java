package org.gammanet.fused;

import java.util.List;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Segment;
import org.gammanet.torch.Tensor;

/** A segment computed by a native kernel where that applies, else composed of operators. */
abstract class FusedSegment implements Segment {
  private final Segment composed;

  FusedSegment(Segment composed) {
    this.composed = composed;
  }

  @Override
  public final String name() {
    return composed.name();
  }

  @Override
  public final List<Parameter> parameters() {
    return composed.parameters();
  }

  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    return Kernels.compute(context, parameters(), inputs)
        ? fused(context, inputs)
        : composed.forward(context, inputs);
  }

  /** By LibTorch's operators. */
  final Tensor[] composed(ForwardContext context, Tensor... inputs) {
    return composed.forward(context, inputs);
  }

  /** By native kernels. */
  abstract Tensor[] fused(ForwardContext context, Tensor... inputs);

  /** Uninitialized memory for a map of another width and size, on the device of {@code x}. */
  static Tensor emptyFeatureMap(Tensor x, long channels, long height, long width) {
    return NativeKernels.emptyChannelsLast(x.device(), x.size(0), channels, height, width);
  }

  static Tensor emptyLike(Tensor x) {
    return emptyFeatureMap(x, x.size(1), x.size(2), x.size(3));
  }
}
