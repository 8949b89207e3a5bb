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
    Tensor forward(Tensor x) {
      Tensor y = x;
      for (int r = 0; r < convs.size(); r++) {
        y = f.forward(norms.get(r).forward(convs.get(r).forward(y)));
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
          x -> {
            Tensor u = Ops.convTranspose2d(x, kernel.tensor(), bias.tensor(), 2, 2);
            boolean fits = u.size(2) == height && u.size(3) == width;
            return feedforward.forward(fits ? u : Ops.upsampleBilinear2d(u, height, width));
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
      int before = parts.parameters().size();
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
      Segment drive = segment(parts, name + ".feedforward", before, ff);
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
      int before = parts.parameters().size();
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
      List<Parameter> all = parts.parameters();
      List<Parameter> own = trainable(all.subList(before, all.size()));
      FgruCell cell =
          new FgruV1Cell(
              parts, name + ".td_fgru", layer.features(), 1, config.fgru(), config.ablation());
      decoders.add(new Decoder(name, count - 2 - j, kernel, bias, ff, own, cell));
      channels = layer.features();
    }
    Parts.Conv out = parts.conv("output_conv", first, config.outputChannels(), 1);
    Segment output = Segments.unary("output_conv", out.parameters(), out::forward);
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

  private static Segment segment(Parts parts, String name, int before, Feedforward feedforward) {
    List<Parameter> all = parts.parameters();
    return Segments.unary(name, trainable(all.subList(before, all.size())), feedforward::forward);
  }

  private static List<Parameter> trainable(List<Parameter> parameters) {
    return parameters.stream().filter(p -> !p.isBuffer()).toList();
  }

  private @Nullable Ablation ablation() {
    AblationConfig ablation = config().ablation();
    return ablation == null ? null : ablation.ablation();
  }

  @Override
  public void training(boolean training) {
    batchNorms.forEach(norm -> norm.training(training));
  }

  @Override
  void begin(Pass pass) {
    pass.constants.put("z", pass.one(input, pass.image));
  }

  @Override
  void step(Pass pass, Map<String, Tensor> states, int timestep, boolean logitsOnly) {
    Ablation ablation = ablation();
    boolean bypass =
        ablation == Ablation.FFONLY
            || ablation == Ablation.TDONLY
            || ablation == Ablation.BOTTOM_UP_ONLY;
    Tensor signal = get(pass.constants, "z");
    for (int k = 0; k < encoders.size(); k++) {
      Encoder encoder = encoders.get(k);
      Tensor drive = pass.hookBlock(encoder.drive().name(), pass.one(encoder.drive(), signal));
      Tensor before = get(states, "h" + k);
      Tensor h;
      if (bypass) {
        boolean carries = ablation == Ablation.TDONLY && k < encoders.size() - 1;
        h = carries ? pass.one(Segments.ADD, drive, before) : drive;
      } else {
        h = pass.cell(encoder.cell(), drive, before)[0];
        h = config().residualConnections() ? pass.one(Segments.ADD, h, drive) : h;
      }
      states.put("h" + k, h);
      signal = encoder.pool() ? pass.one(POOL, h) : h;
    }
    if (!feedsBack(timestep)) {
      return;
    }
    for (Decoder decoder : decoders) {
      String name = "h" + decoder.encoder();
      Tensor h = get(states, name);
      Tensor drive = pass.one(decoder.drive(h.size(2), h.size(3)), signal);
      signal = pass.cell(decoder.cell(), drive, h)[0];
      states.put(name, signal);
    }
  }

  private static final Segment POOL =
      Segments.unary("pool", List.of(), x -> Ops.maxPool2d(x, 2, 2));

  private boolean feedsBack(int timestep) {
    AblationConfig ablation = config().ablation();
    if (ablation == null) {
      return true;
    }
    return switch (ablation.ablation()) {
      case HONLY, BOTTOM_UP_ONLY -> false;
      case DELAYED_TD -> timestep >= ablation.delayTimesteps();
      default -> true;
    };
  }

  @Override
  Tensor readOut(Pass pass, Map<String, Tensor> states) {
    return pass.one(output, get(states, "h0"));
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
  public Map<String, FgruCell> cells() {
    Map<String, FgruCell> cells = new LinkedHashMap<>();
    encoders.forEach(e -> cells.put(e.cell().name(), e.cell()));
    decoders.forEach(d -> cells.put(d.cell().name(), d.cell()));
    return cells;
  }

  @Override
  public Map<String, Wiring> wiring() {
    Map<String, Wiring> wiring = new LinkedHashMap<>();
    for (int k = 0; k < encoders.size(); k++) {
      Encoder e = encoders.get(k);
      wiring.put(e.cell().name(), new Wiring(e.drive().name(), List.of("h" + k)));
    }
    decoders.forEach(
        d -> wiring.put(d.cell().name(), new Wiring(null, List.of("h" + d.encoder()))));
    return wiring;
  }

  @Override
  public List<LayerSummary> summary(long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    Map<String, long[]> shapes = stateShapes(1, height, width);
    int first = encoders.get(0).cell().channels();
    rows.add(
        row(
            "input_conv",
            "convolution",
            first,
            height,
            width,
            input.parameters(),
            9L * config().inputChannels() * first * height * width,
            false));
    for (int k = 0; k < encoders.size(); k++) {
      Encoder encoder = encoders.get(k);
      long[] shape = get(shapes, "h" + k);
      long pixels = shape[2] * shape[3];
      int channels = encoder.cell().channels();
      rows.add(
          row(
              encoder.drive().name(),
              "convolution",
              channels,
              shape[2],
              shape[3],
              encoder.drive().parameters(),
              encoder.feedforward().macsPerPixel() * pixels,
              true));
      rows.add(cellRow(encoder.cell(), shape));
    }
    for (Decoder decoder : decoders) {
      long[] shape = get(shapes, "h" + decoder.encoder());
      long[] above = get(shapes, "h" + (decoder.encoder() + 1));
      long macs =
          decoder.kernel().numel() * above[2] * above[3]
              + decoder.feedforward().macsPerPixel() * shape[2] * shape[3];
      rows.add(
          row(
              decoder.name(),
              "transposed convolution, convolution",
              decoder.cell().channels(),
              shape[2],
              shape[3],
              decoder.parameters(),
              macs,
              true));
      rows.add(cellRow(decoder.cell(), shape));
    }
    rows.add(
        row(
            "output_conv",
            "read-out",
            config().outputChannels(),
            height,
            width,
            output.parameters(),
            (long) first * config().outputChannels() * height * width,
            false));
    return rows;
  }

  private static LayerSummary cellRow(FgruCell cell, long[] shape) {
    return row(
        cell.name(),
        "fGRU, kernel " + cell.kernelSize() + "x" + cell.kernelSize(),
        cell.channels(),
        shape[2],
        shape[3],
        cell.parameters(),
        cell.macsPerPixel() * shape[2] * shape[3],
        true);
  }

  private static LayerSummary row(
      String name,
      String kind,
      int channels,
      long height,
      long width,
      List<Parameter> parameters,
      long macs,
      boolean everyTimestep) {
    long count = parameters.stream().mapToLong(Parameter::numel).sum();
    return new LayerSummary(name, kind, channels, height, width, count, macs, everyTimestep);
  }
}
