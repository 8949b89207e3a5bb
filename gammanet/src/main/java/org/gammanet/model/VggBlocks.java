package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;

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
    return Segments.unary(name, parameters(convs), (context, x) -> run(convs, x));
  }

  static Tensor run(List<Parts.Conv> convs, Tensor x) {
    Tensor y = x;
    for (Parts.Conv conv : convs) {
      Tensor next = Ops.relu_(conv.forward(y));
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
