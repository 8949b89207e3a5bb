package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.kernels.NativeConv;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** The convolutions of VGG16 (Simonyan and Zisserman 2015), configuration D, in five blocks. */
final class VggBlocks {
  /** Width of VGG16's first block. */
  static final int BASE = 64;

  static final int COUNT = 5;

  /** Position of each convolution in torchvision's {@code features}, by block. */
  private static final int[][] POSITIONS = {
    {0, 2}, {5, 7}, {10, 12, 14}, {17, 19, 21}, {24, 26, 28}
  };

  private VggBlocks() {}

  /** Initialisation without pretrained weights: He et al. 2015, fan-out. */
  private static Parts.Conv conv(Parts parts, String name, int in, int out) {
    return parts.conv(
        name,
        in,
        out,
        3,
        new Initialization.Normal(Math.sqrt(2.0 / (out * 9))),
        Initialization.ZERO);
  }

  /**
   * Width of block {@code b}, counted from 0, when the first has {@code base}: it doubles thrice.
   */
  static int width(int base, int b) {
    return base << Math.min(b, 3);
  }

  /** Convolutions of block {@code b}, counted from 0, named {@code prefix + position}. */
  static List<Parts.Conv> block(Parts parts, String prefix, int base, int b) {
    List<Parts.Conv> convs = new ArrayList<>();
    int in = b == 0 ? 3 : width(base, b - 1);
    int out = width(base, b);
    for (int position : POSITIONS[b]) {
      convs.add(conv(parts, prefix + position, in, out));
      in = out;
    }
    return convs;
  }

  /** Convolutions with a ReLU after each. */
  static Segment segment(String name, List<Parts.Conv> convs) {
    return new Block(name, convs, parameters(convs));
  }

  private record Block(String name, List<Parts.Conv> convs, List<Parameter> parameters)
      implements Segment {
    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      return new Tensor[] {run(context, convs, inputs[0])};
    }

    @Override
    public boolean hasBackward(ForwardContext context, Tensor... inputs) {
      return kernels(context, inputs[0]) != null;
    }

    private @Nullable List<NativeConv> kernels(ForwardContext context, Tensor x) {
      List<NativeConv> kernels = new ArrayList<>();
      for (Parts.Conv conv : convs) {
        NativeConv kernel = conv.packedForBackward(context, x);
        if (kernel == null) {
          return null;
        }
        kernels.add(kernel);
      }
      return kernels;
    }

    @Override
    public @Nullable Tensor @Nullable [] backward(
        ForwardContext context, Tensor[] inputs, @Nullable Tensor[] gradients, boolean[] wanted) {
      Tensor last = gradients[0];
      List<NativeConv> kernels = kernels(context, inputs[0]);
      if (last == null || kernels == null) {
        return null;
      }
      List<Tensor> maps = new ArrayList<>();
      maps.add(Ops.channelsLast(inputs[0]));
      for (int k = 0; k < convs.size(); k++) {
        Tensor x = maps.get(k);
        Tensor y = Parts.map(x, convs.get(k).outputs(), x.size(2), x.size(3));
        kernels.get(k).forward(x, true, y);
        maps.add(y);
      }
      Tensor gradient = Ops.channelsLast(last);
      for (int k = convs.size() - 1; k >= 0; k--) {
        Parts.Conv conv = convs.get(k);
        Tensor x = maps.get(k);
        Tensor ofX = k > 0 || wanted[0] ? Parts.map(x, x.size(1), x.size(2), x.size(3)) : null;
        try {
          kernels
              .get(k)
              .backward(
                  x,
                  maps.get(k + 1),
                  gradient,
                  ofX,
                  conv.weight.gradient(),
                  conv.bias == null ? null : conv.bias.gradient());
        } catch (UnsupportedOperationException e) {
          return null; // this build has the forward kernel only, so that this was the first call
        }
        gradient.close();
        maps.get(k + 1).close();
        if (ofX == null) {
          return new @Nullable Tensor[] {null};
        }
        gradient = ofX;
      }
      return new Tensor[] {gradient};
    }
  }

  static Tensor run(ForwardContext context, List<Parts.Conv> convs, Tensor x) {
    Tensor y = x;
    for (Parts.Conv conv : convs) {
      Tensor next = conv.forward(context, y, true);
      if (y != x) {
        y.close();
      }
      y = next;
    }
    return y;
  }

  static List<Parameter> parameters(List<Parts.Conv> convs) {
    List<Parameter> parameters = new ArrayList<>();
    for (Parts.Conv conv : convs) {
      parameters.addAll(conv.parameters());
    }
    return parameters;
  }

  /** Multiply-accumulates per pixel of a block. */
  static long macsPerPixel(List<Parts.Conv> convs) {
    return convs.stream().mapToLong(c -> c.weight.numel()).sum();
  }
}
