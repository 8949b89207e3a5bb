package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.config.Vgg16;
import org.gammanet.nn.Initialization;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Segments;

/** The blocks of {@link Vgg16}, of any width. */
final class VggBlocks {
  private VggBlocks() {}

  /** Width of block {@code b}, from 0, when the first has {@code base}: it doubles three times. */
  static int width(int base, int b) {
    return base << Math.min(b, 3);
  }

  /**
   * Block {@code b}, from 0: convolutions 3x3 with a ReLU after each.
   *
   * @param prefix of the parameters' names, followed by the index
   */
  static Segments.ConvBlock block(Layers layers, String name, String prefix, int base, int b) {
    List<Layers.Conv> convs = new ArrayList<>();
    int in = b == 0 ? 3 : width(base, b - 1);
    int out = width(base, b);
    for (int index : Vgg16.CONVOLUTIONS.get(b)) {
      // Without pretrained weights: He et al. 2015, fan-out.
      var he = new Initialization.Normal(Math.sqrt(2.0 / (out * 9)));
      convs.add(layers.conv(prefix + index, in, out, 3, he, Initialization.ZERO));
      in = out;
    }
    return new Segments.ConvBlock(name, convs, true);
  }

  /** The stage of a block. */
  static Stage stage(Stage.Role role, Segments.ConvBlock block, Signal from, Signal to) {
    return Stage.of(
        role,
        block,
        block.convs().size() + " convolutions 3x3, ReLU",
        List.of(from),
        to,
        Stage.Macs.perPixel(block.macsPerPixel(), to.level()));
  }
}
