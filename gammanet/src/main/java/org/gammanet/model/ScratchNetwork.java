package org.gammanet.model;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.config.LayerConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.model.Stage.Macs;
import org.gammanet.model.Stage.Role;
import org.gammanet.nn.FgruV1Cell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Initialization;
import org.gammanet.nn.Layers;
import org.gammanet.nn.Mechanisms;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Segments;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;

/**
 * γ-net from scratch: encoders with horizontal connections, and decoders that modulate the states
 * of the encoders below the bottleneck. Decoder j acts on the state of encoder {@code encoders - 2
 * - j}. An ablation changes the list of stages or the cells and keeps every parameter.
 */
final class ScratchNetwork {
  /** A convolution, a normalization and the activation, repeated. */
  private record Feedforward(List<Layers.Conv> convs, List<Layers.Layer> norms, Layers.Layer f) {
    Tensor forward(ForwardContext context, Tensor x) {
      Tensor y = x;
      for (int r = 0; r < convs.size(); r++) {
        y = f.forward(norms.get(r).forward(context, convs.get(r).forward(y)));
      }
      return y;
    }

    long macsPerPixel() {
      return convs.stream().mapToLong(c -> c.weight().numel()).sum();
    }
  }

  private final ModelConfig config;
  private final Mechanisms mechanisms;
  private final Mechanisms.Wiring wiring;
  private final Graph graph = new Graph();
  private final Layers layers = graph.layers;
  private final List<Signal> states = new ArrayList<>();

  private ScratchNetwork(ModelConfig config) {
    this.config = config;
    mechanisms = Mechanisms.of(config.ablation());
    wiring = mechanisms.wiring();
  }

  static Network build(ModelConfig config) {
    return new ScratchNetwork(config).build();
  }

  private Network build() {
    List<LayerConfig> configs = config.layers();
    int first = configs.getFirst().features();
    Feedforward in = feedforward("input_conv", config.inputChannels(), first, 3, 1);
    Signal signal = Signal.of("input", first, 0);
    graph.add(
        Stage.of(
            Role.ONCE,
            Segments.unary("input_conv", layers.trainableSince(0), in::forward),
            "convolution",
            List.of(Signal.IMAGE),
            signal,
            Macs.perPixel(in.macsPerPixel(), 0)));
    int encoders = config.encoderCount();
    for (int k = 0; k < encoders; k++) {
      signal = encoder(k, configs.get(k), signal, k == encoders - 1);
    }
    int pools = signal.level();
    for (int k = encoders; k < configs.size(); k++) {
      signal = decoder(k - encoders, configs.get(k), signal);
    }
    Layers.Conv out = layers.conv("output_conv", first, config.outputChannels(), 1);
    graph.add(
        Stage.of(
            Role.READOUT,
            new Segments.ConvBlock("output_conv", List.of(out), false),
            "read-out",
            List.of(states.getFirst()),
            Signal.of(Network.LOGITS, config.outputChannels(), 0),
            Macs.perPixel(out.weight().numel(), 0)));
    // The transposed convolution maps one pixel to none, so the bottleneck needs two.
    return new Network(config, graph, (configs.size() > encoders ? 2 : 1) << pools);
  }

  /** Encoder k; the signal for the next one. */
  private Signal encoder(int k, LayerConfig layer, Signal from, boolean last) {
    String name = "encoder_layers." + k;
    String block = name + ".feedforward";
    int features = layer.features();
    int mark = layers.mark();
    Feedforward ff =
        feedforward(
            block,
            from.channels(),
            features,
            layer.feedforwardKernel(),
            layer.feedforwardRepeats());
    Signal convolved = Signal.of("features" + k, features, from.level());
    graph.add(
        Stage.of(
            Role.EVERY_TIMESTEP,
            Segments.unary(block, layers.trainableSince(mark), ff::forward),
            "convolution",
            List.of(from),
            convolved,
            Macs.perPixel(ff.macsPerPixel(), from.level())));
    Signal drive = Signal.of("x" + k, features, from.level());
    graph.add(Stage.blockOutput(block, convolved, drive));
    Signal state = Signal.state("h" + k, features, from.level());
    states.add(state);
    FgruV1Cell cell = cell(name + ".h_fgru", features, layer.horizontalKernel());
    graph.add(graph.cell(cell, drive, List.of(state)).idleIf(!wiring.horizontal(), "bypassed"));
    if (!wiring.horizontal()) {
      boolean carries = wiring.carriesFeedback() && !last;
      graph.add(
          carries
              ? Stage.of(Segments.ADD, List.of(drive, state), state)
              : Stage.of(Segments.IDENTITY, List.of(drive), state));
    } else if (config.residualConnections()) {
      graph.add(Stage.of(Segments.ADD, List.of(state, drive), state));
    }
    if (!layer.pool()) {
      return state;
    }
    Signal pooled = Signal.of("pooled" + k, features, from.level() + 1);
    graph.add(Stage.of(Segments.POOL, List.of(state), pooled));
    return pooled;
  }

  /** Decoder j: upsampled, resized to the encoder's size and convolved; the state it modulates. */
  private Signal decoder(int j, LayerConfig layer, Signal from) {
    String name = "decoder_layers." + j;
    int features = layer.features();
    int mark = layers.mark();
    Initialization standard = Initialization.standard(features * 16L);
    Parameter kernel =
        layers.parameter(name + ".upsample.weight", standard, from.channels(), features, 4, 4);
    Parameter bias = layers.parameter(name + ".upsample.bias", standard, features);
    Feedforward ff =
        feedforward(
            name + ".feedforward",
            features,
            features,
            layer.feedforwardKernel(),
            layer.feedforwardRepeats());
    int encoder = config.encoderCount() - 2 - j;
    Signal state = states.get(encoder);
    Signal drive = Signal.of("feedback" + encoder, features, state.level());
    Stage upsampled =
        Stage.of(
            Role.EVERY_TIMESTEP,
            Segments.unary(
                name,
                layers.trainableSince(mark),
                (context, x) -> {
                  Tensor u = Ops.convTranspose2d(x, kernel.tensor(), bias.tensor(), 2, 2);
                  return ff.forward(context, Segments.resize(context, u, state.level()));
                }),
            "transposed convolution, convolution",
            List.of(from),
            drive,
            Macs.perPixel(kernel.numel(), states.get(encoder + 1).level())
                .plus(Macs.perPixel(ff.macsPerPixel(), state.level())));
    FgruV1Cell cell = cell(name + ".td_fgru", features, 1);
    for (Stage stage : List.of(upsampled, graph.cell(cell, drive, List.of(state)))) {
      graph.add(
          stage.since(wiring.feedbackSince()).idleIf(!wiring.topDown(), "unused: no feedback"));
    }
    return state;
  }

  private FgruV1Cell cell(String name, int features, int kernelSize) {
    return new FgruV1Cell(layers, name, features, kernelSize, config.fgru(), mechanisms.circuit());
  }

  private Feedforward feedforward(String name, int in, int features, int kernel, int repeats) {
    List<Layers.Conv> convs = new ArrayList<>();
    List<Layers.Layer> norms = new ArrayList<>();
    int channels = in;
    // Indices in the sequence of modules: convolution, normalization, activation.
    for (int r = 0; r < repeats; r++) {
      convs.add(layers.conv(name + "." + 3 * r, channels, features, kernel));
      norms.add(layers.affineNorm(name + "." + (3 * r + 1), config.normalization(), features, 1));
      channels = features;
    }
    return new Feedforward(convs, norms, Layers.activation(config.activation()));
  }
}
