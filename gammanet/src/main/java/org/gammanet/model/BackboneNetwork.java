package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.config.ModelConfig;
import org.gammanet.config.Vgg16;
import org.gammanet.model.Stage.Macs;
import org.gammanet.model.Stage.Role;
import org.gammanet.nn.FgruV1Cell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Mechanisms;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Tensor;

/**
 * γ-net on VGG16 features that are computed once: four cells on the outputs of blocks 2 to 5, and
 * feedback through the same cells. Nothing feeds back into VGG16.
 *
 * <p>Where feedback drives it, a cell is called {@code td_fgru_k} instead of {@code fgru_k}; its
 * parameters are the same.
 */
final class BackboneNetwork {
  /** Number of cells; cell k has {@code floor(H / 2^(k+1))} rows. */
  private static final int CELLS = 4;

  private static final String PREFIX = "fgru_layers.";

  /** A convolution and what follows it: normalization, activation. */
  private record Projection(Layers.Conv conv, Layers.Layer norm, Layers.Layer activation) {
    static Projection of(
        Layers layers, String name, int in, int out, int kernel, ModelConfig config) {
      return new Projection(
          layers.conv(name + ".0", in, out, kernel),
          layers.affineNorm(name + ".1", config.normalization(), out, 1),
          Layers.activation(config.activation()));
    }

    Tensor forward(ForwardContext context, Tensor x) {
      return activation.forward(norm.forward(context, conv.forward(x)));
    }
  }

  private BackboneNetwork() {}

  /** Registers the parameters in the order of a checkpoint. */
  static Network build(ModelConfig config) {
    Graph graph = new Graph();
    Layers layers = graph.layers;
    List<Signal> features = features(graph);
    List<FgruV1Cell> cells = new ArrayList<>();
    List<Signal> states = new ArrayList<>();
    for (int k = 0; k < CELLS; k++) {
      int width = features.get(k).channels();
      cells.add(
          new FgruV1Cell(
              layers, PREFIX + "fgru_" + k, width, 3, config.fgru(), Mechanisms.ALL.circuit()));
      states.add(Signal.state("h" + k, width, k + 1));
      Signal drive = Signal.of("x" + k, width, k + 1);
      graph.add(Stage.blockOutput("feature" + k, features.get(k), drive));
      graph.add(graph.cell(cells.get(k), drive, List.of(states.get(k))));
    }
    for (int k = CELLS - 2; k >= 0; k--) {
      FgruV1Cell cell = cells.get(k);
      feedback(graph, config, k, cell, states.get(k), states.get(k + 1));
    }
    int mark = layers.mark();
    Projection first =
        Projection.of(layers, "output_projection", states.getFirst().channels(), 64, 3, config);
    Layers.Conv last = layers.conv("output_projection.3", 64, config.outputChannels(), 1);
    graph.add(
        Stage.of(
            Role.READOUT,
            Segments.unary(
                "output_projection",
                layers.trainableSince(mark),
                (context, x) ->
                    last.forward(first.forward(context, Segments.resize(context, x, 0)))),
            "bilinear, read-out",
            List.of(states.getFirst()),
            Signal.of(Network.LOGITS, config.outputChannels(), 0),
            Macs.perPixel(first.conv().weight().numel() + last.weight().numel(), 0)));
    return new Network(config, graph, 1 << CELLS);
  }

  /** VGG16; the outputs of blocks 2 to 5. */
  private static List<Signal> features(Graph graph) {
    List<Signal> features = new ArrayList<>();
    Signal signal = Signal.IMAGE;
    for (int b = 0; b < Vgg16.CONVOLUTIONS.size(); b++) {
      if (b > 0) {
        Signal pooled = Signal.of("pooled" + b, signal.channels(), b);
        graph.add(Stage.of(Role.ONCE, Segments.POOL, null, List.of(signal), pooled, Macs.NONE));
        signal = pooled;
      }
      Signal out = Signal.of("block" + (b + 1), VggBlocks.width(Vgg16.WIDTH, b), b);
      Segments.ConvBlock block =
          VggBlocks.block(
              graph.layers, "backbone block " + (b + 1), "backbone.features.", Vgg16.WIDTH, b);
      graph.add(VggBlocks.stage(Role.ONCE, block, signal, out));
      features.add(out);
      signal = out;
    }
    return features.subList(1, Vgg16.CONVOLUTIONS.size());
  }

  /** The way from cell k + 1 to cell k. */
  private static void feedback(
      Graph graph, ModelConfig config, int k, FgruV1Cell cell, Signal state, Signal above) {
    String name = "td_projection.td_" + (k + 1) + "_to_" + k;
    int mark = graph.layers.mark();
    Projection projection =
        Projection.of(graph.layers, name, above.channels(), state.channels(), 1, config);
    Signal drive = Signal.of("feedback" + k, state.channels(), state.level());
    graph.add(
        Stage.of(
            Role.EVERY_TIMESTEP,
            Segments.unary(
                name,
                graph.layers.trainableSince(mark),
                (context, x) ->
                    Segments.resize(context, projection.forward(context, x), state.level())),
            "projection 1x1, bilinear",
            List.of(above),
            drive,
            Macs.perPixel(projection.conv().weight().numel(), above.level())));
    Signal before = Signal.of("before" + k, state.channels(), state.level());
    if (config.skipConnections()) {
      graph.add(Stage.of(Segments.IDENTITY, List.of(state), before));
    }
    FgruV1Cell same = cell.as(PREFIX + "td_fgru_" + k);
    Stage stage = graph.cell(same, drive, List.of(state));
    graph.add(stage.listedAs("the same cell as " + cell.name()));
    if (config.skipConnections()) {
      graph.add(Stage.of(Segments.ADD, List.of(before, state), state));
    }
  }
}
