package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.config.Architecture;
import org.gammanet.config.ModelConfig;
import org.gammanet.model.Stage.Macs;
import org.gammanet.model.Stage.Role;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.FgruV1Cell;
import org.gammanet.nn.FgruV2Cell;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Mechanisms;
import org.gammanet.nn.Segment;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Ops;
import org.jspecify.annotations.Nullable;

/**
 * γ-net on VGG16: at each level, a VGG block drives a recurrent cell; feedback runs from the top
 * through projections and cells with 1x1 kernels. Versions 1 and 2 differ in the cell, in names and
 * in the read-out.
 *
 * <p>Level l, from 0, has {@code floor(H / 2^l)} by {@code floor(W / 2^l)} pixels.
 */
final class VggNetwork {
  private final ModelConfig config;
  private final boolean v2;
  private final Graph graph = new Graph();
  private final Layers layers = graph.layers;

  private VggNetwork(ModelConfig config) {
    this.config = config;
    v2 = config.architecture() == Architecture.VGG16_GAMMANET_V2;
  }

  static Network build(ModelConfig config) {
    return new VggNetwork(config).build();
  }

  /** Registers the parameters in the order of a checkpoint, which optimizers rely on. */
  private Network build() {
    int levels = config.levels();
    Integer hidden = config.hiddenChannels();
    List<Segments.ConvBlock> blocks = new ArrayList<>();
    for (int l = 0; l < levels; l++) {
      String block = blockName(l);
      blocks.add(VggBlocks.block(layers, block, block + ".layers.", config.baseChannels(), l));
    }
    List<FgruCell> cells = new ArrayList<>();
    List<Layers.@Nullable Conv> ins = new ArrayList<>();
    List<Layers.@Nullable Conv> outs = new ArrayList<>();
    for (int l = 0; l < levels; l++) {
      String name = "fgru_" + levelName(l);
      int width = hidden == null ? vggWidth(l) : hidden;
      cells.add(cell(name, width, config.kernelSize()));
      ins.add(hidden == null ? null : layers.conv(name + ".in_proj", vggWidth(l), width, 1));
      outs.add(hidden == null ? null : layers.conv(name + ".out_proj", width, vggWidth(l), 1));
    }
    List<Segments.ProjectUp> projections = new ArrayList<>();
    List<FgruCell> feedbackCells = new ArrayList<>();
    for (int l = levels - 2; l >= 0; l--) {
      String name = "td_fgru_" + levelName(l + 1) + "_to_" + levelName(l);
      int width = cells.get(l).channels();
      Layers.Conv conv = layers.conv(name + ".0", cells.get(l + 1).channels(), width, 1);
      projections.addFirst(new Segments.ProjectUp(name, conv, l));
      feedbackCells.addFirst(cell("td_fgru_" + levelName(l), width, 1));
    }
    List<Segments.AlignPool> upward = new ArrayList<>();
    for (int l = 0; l < levels; l++) {
      String align = "align_" + levelName(l);
      boolean aligns = config.useDistributionAlignment();
      upward.add(
          new Segments.AlignPool(
              aligns ? align : cells.get(l).name() + ".out_proj",
              outs.get(l),
              aligns ? layers.alignment(align, vggWidth(l)) : null));
    }
    Segment readout = readout(cells.getFirst().channels());

    List<List<Signal>> states = new ArrayList<>();
    Signal signal = Signal.IMAGE;
    for (int l = 0; l < levels; l++) {
      states.add(states(l, cells.get(l), false));
      bottomUp(l, signal, blocks.get(l), ins.get(l), cells.get(l), states.get(l));
      Signal pooled = Signal.of("pooled" + l, vggWidth(l), l + 1);
      upward(l, upward.get(l), states.get(l).getFirst(), pooled, l == levels - 1);
      signal = pooled;
    }
    Signal read = states.getFirst().getFirst();
    for (int l = levels - 2; l >= 0; l--) {
      Signal above = states.get(l + 1).getFirst();
      FgruCell cell = feedbackCells.get(l);
      read = topDown(l, projections.get(l), cell, above, states.get(l).getFirst());
    }
    graph.add(
        Stage.of(
            Role.READOUT,
            readout,
            "read-out",
            List.of(read),
            Signal.of(Network.LOGITS, config.outputChannels(), 0),
            Macs.perPixel(
                readout.parameters().stream()
                    .filter(p -> p.shape().length == 4)
                    .mapToLong(p -> p.numel())
                    .sum(),
                0)));
    return new Network(config, graph, 1 << (levels - 1));
  }

  private void bottomUp(
      int l,
      Signal from,
      Segments.ConvBlock block,
      Layers.@Nullable Conv in,
      FgruCell cell,
      List<Signal> states) {
    Signal features = Signal.of("features" + l, vggWidth(l), l);
    graph.add(VggBlocks.stage(l == 0 ? Role.ONCE : Role.EVERY_TIMESTEP, block, from, features));
    Signal drive = Signal.of("x" + l, vggWidth(l), l);
    graph.add(Stage.blockOutput(block.name(), features, drive));
    if (in != null) {
      var projection = new Segments.ConvBlock(cell.name() + ".in_proj", List.of(in), true);
      Signal projected = Signal.of("projected" + l, cell.channels(), l);
      graph.add(
          Stage.of(
              Role.EVERY_TIMESTEP,
              projection,
              "projection 1x1, ReLU",
              List.of(drive),
              projected,
              Macs.perPixel(projection.macsPerPixel(), l)));
      drive = projected;
    }
    graph.add(graph.cell(cell, drive, states));
  }

  private void upward(int l, Segments.AlignPool pool, Signal state, Signal pooled, boolean top) {
    boolean listed = !pool.parameters().isEmpty();
    graph.add(
        Stage.of(
                Role.EVERY_TIMESTEP,
                pool,
                listed ? "projection 1x1, ReLU, pooling 2x2" : null,
                List.of(state),
                pooled,
                Macs.perPixel(pool.macsPerPixel(), l))
            .idleIf(top, "unused: nothing is above"));
  }

  /** Feedback to level l; its excitatory state. */
  private Signal topDown(
      int l, Segments.ProjectUp projection, FgruCell cell, Signal above, Signal state) {
    Signal drive = Signal.of("feedback" + l, cell.channels(), l);
    graph.add(
        Stage.of(
            Role.EVERY_TIMESTEP,
            projection,
            "projection 1x1, instance norm, ELU, bilinear",
            List.of(above),
            drive,
            Macs.perPixel(projection.conv().weight().numel(), l + 1)));
    List<Signal> states = states(l, cell, true);
    graph.add(graph.cell(cell, drive, states));
    Signal modulation = states.getFirst();
    graph.add(
        config.skipConnections()
            ? Stage.of(Segments.ADD, List.of(state, modulation), state)
            : Stage.of(Segments.IDENTITY, List.of(modulation), state));
    return modulation;
  }

  /** A 1x1 convolution; in version 1, a 3x3 one with instance normalization and ELU before. */
  private Segment readout(int width) {
    String name = "output_projection";
    if (v2) {
      Layers.Conv conv = layers.conv(name + ".0", width, config.outputChannels(), 1);
      return new Segments.ConvBlock(name, List.of(conv), false);
    }
    Layers.Conv first = layers.conv(name + ".0", width, 32, 3);
    Layers.Conv last = layers.conv(name + ".3", 32, config.outputChannels(), 1);
    var both = new Segments.ConvBlock(name, List.of(first, last), false);
    return Segments.unary(
        name,
        both.parameters(),
        (context, x) ->
            last.forward(Ops.elu(Layers.instanceNorm(context, name, 0, first.forward(x)))));
  }

  private int vggWidth(int level) {
    return VggBlocks.width(config.baseChannels(), level);
  }

  private static String blockName(int level) {
    return "block" + (level + 1) + "_conv";
  }

  /** Version 1 counts from the second level. */
  private String levelName(int level) {
    return v2 ? "" + level : level == 0 ? "block1" : "" + (level - 1);
  }

  private List<Signal> states(int level, FgruCell cell, boolean topDown) {
    String prefix = topDown ? "td_h" : "h";
    List<String> names =
        v2
            ? List.of(prefix + level + "_exc", prefix + level + "_inh").subList(0, cell.states())
            : List.of(
                level == 0
                    ? prefix + "_block1"
                    : prefix + levelName(level) + (topDown ? "" : "_e"));
    return names.stream().map(name -> Signal.state(name, cell.channels(), level)).toList();
  }

  private FgruCell cell(String name, int channels, int kernelSize) {
    return v2
        ? new FgruV2Cell(layers, name, channels, kernelSize, config.fgru())
        : new FgruV1Cell(
            layers, name, channels, kernelSize, config.fgru(), Mechanisms.ALL.circuit());
  }
}
