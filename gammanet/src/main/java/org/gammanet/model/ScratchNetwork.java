package org.gammanet.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.Ablation;
import org.gammanet.config.AblationConfig;
import org.gammanet.config.LayerConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * γ-net from scratch: encoders with horizontal connections, and decoders that modulate the states
 * of the encoders below the bottleneck. Decoder j acts on the state of encoder {@code encoders - 2
 * - j}. An ablation changes the wiring or the cells and keeps every parameter.
 */
public final class ScratchNetwork extends Network {
  /** A convolution, a normalisation and the activation, repeated. */
  private record Feedforward(List<Parts.Conv> convs, List<Parts.Layer> norms, Parts.Layer f) {
    Tensor forward(ForwardContext context, Tensor x) {
      Tensor y = x;
      for (int r = 0; r < convs.size(); r++) {
        y = f.forward(norms.get(r).forward(context, convs.get(r).forward(y)));
      }
      return y;
    }

    long macsPerPixel() {
      return convs.stream().mapToLong(c -> c.weight.numel()).sum();
    }
  }

  private record Encoder(
      String name, boolean pool, Feedforward feedforward, Segment drive, FgruCell cell) {}

  private record Decoder(
      String name,
      int encoder,
      Parameter kernel,
      Parameter bias,
      Feedforward feedforward,
      List<Parameter> parameters,
      FgruCell cell) {
    /** Upsampled, resized to the encoder's size and convolved. */
    Segment drive(long height, long width) {
      return Segments.unary(
          name,
          parameters,
          (context, x) -> {
            Tensor u = Ops.convTranspose2d(x, kernel.tensor(), bias.tensor(), 2, 2);
            boolean fits = u.size(2) == height && u.size(3) == width;
            return feedforward.forward(
                context, fits ? u : Ops.upsampleBilinear2d(u, height, width));
          });
    }
  }

  private final Segment input;
  private final List<Encoder> encoders;
  private final List<Decoder> decoders;
  private final Segment output;
  private final List<Parts.BatchNorm> batchNorms;

  private ScratchNetwork(
      ModelConfig config,
      Parts parts,
      Segment input,
      List<Encoder> encoders,
      List<Decoder> decoders,
      Segment output,
      List<Parts.BatchNorm> batchNorms) {
    super(config, parts.parameters());
    this.input = input;
    this.encoders = encoders;
    this.decoders = decoders;
    this.output = output;
    this.batchNorms = batchNorms;
  }

  static ScratchNetwork build(ModelConfig config) {
    Parts parts = new Parts();
    List<LayerConfig> layers = config.layers();
    List<Parts.BatchNorm> batchNorms = new ArrayList<>();
    int first = layers.get(0).features();
    Feedforward in =
        feedforward(parts, "input_conv", config, config.inputChannels(), first, 3, 1, batchNorms);
    Segment input = segment(parts, "input_conv", 0, in);

    int count = config.encoderCount();
    List<Encoder> encoders = new ArrayList<>();
    int channels = first;
    for (int k = 0; k < count; k++) {
      LayerConfig layer = layers.get(k);
      String name = "encoder_layers." + k;
      int mark = parts.mark();
      Feedforward ff =
          feedforward(
              parts,
              name + ".feedforward",
              config,
              channels,
              layer.features(),
              layer.feedforwardKernel(),
              layer.feedforwardRepeats(),
              batchNorms);
      Segment drive = segment(parts, name + ".feedforward", mark, ff);
      FgruCell cell =
          new FgruV1Cell(
              parts,
              name + ".h_fgru",
              layer.features(),
              layer.horizontalKernel(),
              config.fgru(),
              config.ablation());
      encoders.add(new Encoder(name, layer.pool(), ff, drive, cell));
      channels = layer.features();
    }
    List<Decoder> decoders = new ArrayList<>();
    for (int k = count; k < layers.size(); k++) {
      LayerConfig layer = layers.get(k);
      int j = k - count;
      String name = "decoder_layers." + j;
      int mark = parts.mark();
      Initialization standard = Initialization.standard(layer.features() * 16L);
      Parameter kernel =
          parts.parameter(name + ".upsample.weight", standard, channels, layer.features(), 4, 4);
      Parameter bias = parts.parameter(name + ".upsample.bias", standard, layer.features());
      Feedforward ff =
          feedforward(
              parts,
              name + ".feedforward",
              config,
              layer.features(),
              layer.features(),
              layer.feedforwardKernel(),
              layer.feedforwardRepeats(),
              batchNorms);
      List<Parameter> own = parts.trainableSince(mark);
      FgruCell cell =
          new FgruV1Cell(
              parts, name + ".td_fgru", layer.features(), 1, config.fgru(), config.ablation());
      decoders.add(new Decoder(name, count - 2 - j, kernel, bias, ff, own, cell));
      channels = layer.features();
    }
    Parts.Conv out = parts.conv("output_conv", first, config.outputChannels(), 1);
    Segment output =
        Segments.unary("output_conv", out.parameters(), (context, x) -> out.forward(x));
    return new ScratchNetwork(config, parts, input, encoders, decoders, output, batchNorms);
  }

  private static Feedforward feedforward(
      Parts parts,
      String name,
      ModelConfig config,
      int in,
      int features,
      int kernel,
      int repeats,
      List<Parts.BatchNorm> batchNorms) {
    List<Parts.Conv> convs = new ArrayList<>();
    List<Parts.Layer> norms = new ArrayList<>();
    Parts.Layer activation = Parts.activation(config.activation());
    int channels = in;
    // Positions in the sequence of modules: convolution, normalisation, activation.
    for (int r = 0; r < repeats; r++) {
      convs.add(parts.conv(name + "." + 3 * r, channels, features, kernel));
      Parts.Layer norm =
          parts.affineNorm(name + "." + (3 * r + 1), config.normalization(), features, 1);
      if (norm instanceof Parts.BatchNorm batch) {
        batchNorms.add(batch);
      }
      norms.add(norm);
      channels = features;
    }
    return new Feedforward(convs, norms, activation);
  }

  private static Segment segment(Parts parts, String name, int mark, Feedforward feedforward) {
    return Segments.unary(name, parts.trainableSince(mark), feedforward::forward);
  }

  private @Nullable Ablation ablation() {
    AblationConfig ablation = config().ablation();
    return ablation == null ? null : ablation.ablation();
  }

  @Override
  void training(boolean training) {
    batchNorms.forEach(norm -> norm.training(training));
  }

  @Override
  boolean isTraining() {
    return batchNorms.stream().anyMatch(Parts.BatchNorm::isTraining);
  }

  @Override
  void begin(Pass pass) {
    pass.constants.put("z", pass.one(input, pass.image));
  }

  @Override
  void step(Pass pass) {
    Ablation ablation = ablation();
    Tensor signal = get(pass.constants, "z");
    for (int k = 0; k < encoders.size() && !pass.done(); k++) {
      Encoder encoder = encoders.get(k);
      String name = "h" + k;
      Tensor drive = pass.hookBlock(encoder.drive().name(), pass.one(encoder.drive(), signal));
      if (bypassesEncoders()) {
        Tensor carried = pass.states.get(name);
        boolean carries = ablation == Ablation.TDONLY && k < encoders.size() - 1;
        pass.states.put(
            name, carries && carried != null ? pass.one(Segments.ADD, drive, carried) : drive);
      } else {
        pass.update(encoder.cell(), drive, List.of(name));
        if (config().residualConnections()) {
          pass.states.put(name, pass.one(Segments.ADD, pass.state(name), drive));
        }
      }
      signal = encoder.pool() ? pass.one(Segments.POOL, pass.state(name)) : pass.state(name);
    }
    if (!feedsBack(pass.context.timestep())) {
      return;
    }
    for (int j = 0; j < decoders.size() && !pass.done(); j++) {
      Decoder decoder = decoders.get(j);
      String name = "h" + decoder.encoder();
      Tensor h = pass.state(name);
      Tensor drive = pass.one(decoder.drive(h.size(2), h.size(3)), signal);
      pass.update(decoder.cell(), drive, List.of(name));
      signal = pass.state(name);
    }
  }

  private boolean bypassesEncoders() {
    Ablation ablation = ablation();
    return ablation == Ablation.FFONLY
        || ablation == Ablation.TDONLY
        || ablation == Ablation.BOTTOM_UP_ONLY;
  }

  private boolean hasDecoderPass() {
    Ablation ablation = ablation();
    return ablation != Ablation.HONLY && ablation != Ablation.BOTTOM_UP_ONLY;
  }

  private boolean feedsBack(int timestep) {
    AblationConfig ablation = config().ablation();
    boolean delayed =
        ablation != null
            && ablation.ablation() == Ablation.DELAYED_TD
            && timestep < ablation.delayTimesteps();
    return hasDecoderPass() && !delayed;
  }

  @Override
  Tensor readOut(Pass pass) {
    return pass.one(output, pass.state("h0"));
  }

  @Override
  public Map<String, long[]> stateShapes(long batch, long height, long width) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    long h = height;
    long w = width;
    for (int k = 0; k < encoders.size(); k++) {
      shapes.put("h" + k, new long[] {batch, encoders.get(k).cell().channels(), h, w});
      if (encoders.get(k).pool()) {
        h /= 2;
        w /= 2;
      }
    }
    return shapes;
  }

  @Override
  public int minimumSize() {
    // The transposed convolution makes nothing of one pixel, so the bottleneck needs two.
    int pools = (int) encoders.stream().filter(Encoder::pool).count();
    return (decoders.isEmpty() ? 1 : 2) << pools;
  }

  @Override
  public List<CellSite> sites() {
    List<CellSite> places = new ArrayList<>();
    int level = 0;
    for (int k = 0; k < encoders.size(); k++) {
      Encoder encoder = encoders.get(k);
      if (!bypassesEncoders()) {
        places.add(new CellSite(encoder.cell(), level, encoder.drive().name(), List.of("h" + k)));
      }
      level += encoder.pool() ? 1 : 0;
    }
    if (hasDecoderPass()) {
      for (Decoder decoder : decoders) {
        long pools = encoders.stream().limit(decoder.encoder()).filter(Encoder::pool).count();
        places.add(
            new CellSite(decoder.cell(), (int) pools, null, List.of("h" + decoder.encoder())));
      }
    }
    return places;
  }

  @Override
  public List<LayerSummary> summary(long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    Map<String, long[]> shapes = stateShapes(1, height, width);
    int first = encoders.getFirst().cell().channels();
    rows.add(
        LayerSummary.of(
            "input_conv",
            "convolution",
            new long[] {1, first, height, width},
            input.parameters(),
            9L * config().inputChannels() * first * height * width,
            false));
    for (int k = 0; k < encoders.size(); k++) {
      Encoder encoder = encoders.get(k);
      long[] shape = get(shapes, "h" + k);
      rows.add(
          LayerSummary.of(
              encoder.drive().name(),
              "convolution",
              shape,
              encoder.drive().parameters(),
              encoder.feedforward().macsPerPixel() * shape[2] * shape[3],
              true));
      rows.add(LayerSummary.of(encoder.cell(), shape).unless(bypassesEncoders(), "bypassed"));
    }
    for (Decoder decoder : decoders) {
      long[] shape = get(shapes, "h" + decoder.encoder());
      long[] above = get(shapes, "h" + (decoder.encoder() + 1));
      rows.add(
          LayerSummary.of(
                  decoder.name(),
                  "transposed convolution, convolution",
                  shape,
                  decoder.parameters(),
                  decoder.kernel().numel() * above[2] * above[3]
                      + decoder.feedforward().macsPerPixel() * shape[2] * shape[3],
                  true)
              .unless(!hasDecoderPass(), "unused: no feedback"));
      rows.add(
          LayerSummary.of(decoder.cell(), shape).unless(!hasDecoderPass(), "unused: no feedback"));
    }
    rows.add(
        LayerSummary.of(
            "output_conv",
            "read-out",
            new long[] {1, config().outputChannels(), height, width},
            output.parameters(),
            (long) first * config().outputChannels() * height * width,
            false));
    return rows;
  }
}
