package org.gammanet.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.ModelConfig;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;

/**
 * γ-net on VGG16 features that are computed once: four cells on the outputs of blocks 2 to 5, and
 * feedback through the same cells. Nothing feeds back into VGG16.
 */
public final class BackboneNetwork extends Network {
  private static final int FEATURES = 4;

  private record Feedback(String name, Parts.Conv conv, Parts.Layer norm, Parts.Layer f) {
    List<Parameter> parameters(List<Parameter> all) {
      return all.stream().filter(p -> p.name().startsWith(name + ".") && !p.isBuffer()).toList();
    }
  }

  private final List<List<Parts.Conv>> blocks;
  private final List<FgruCell> cells;
  private final List<Feedback> feedback;
  private final Segment backbone;
  private final Parts.Conv outputFirst;
  private final Parts.Layer outputNorm;
  private final Parts.Layer activation;
  private final Parts.Conv outputSecond;

  private BackboneNetwork(
      ModelConfig config,
      Parts parts,
      List<List<Parts.Conv>> blocks,
      List<FgruCell> cells,
      List<Feedback> feedback,
      Parts.Conv outputFirst,
      Parts.Layer outputNorm,
      Parts.Conv outputSecond) {
    super(config, parts.parameters());
    this.blocks = blocks;
    this.cells = cells;
    this.feedback = feedback;
    this.outputFirst = outputFirst;
    this.outputNorm = outputNorm;
    this.outputSecond = outputSecond;
    activation = Parts.activation(config.activation());
    backbone =
        Segments.of(
            "backbone",
            blocks.stream().flatMap(b -> VggBlocks.parameters(b).stream()).toList(),
            (context, x) -> features(x[0]));
  }

  static BackboneNetwork build(ModelConfig config) {
    Parts parts = new Parts();
    List<List<Parts.Conv>> blocks = new ArrayList<>();
    for (int b = 0; b < VggBlocks.WIDTHS.length; b++) {
      blocks.add(VggBlocks.block(parts, "backbone.features.", b));
    }
    List<FgruCell> cells = new ArrayList<>();
    for (int k = 0; k < FEATURES; k++) {
      cells.add(
          new FgruV1Cell(
              parts, "fgru_layers.fgru_" + k, VggBlocks.WIDTHS[k + 1], 3, config.fgru(), null));
    }
    Parts.Layer f = Parts.activation(config.activation());
    List<Feedback> feedback = new ArrayList<>();
    for (int k = FEATURES - 1; k >= 1; k--) {
      String name = "td_projection.td_" + k + "_to_" + (k - 1);
      int width = cells.get(k - 1).channels();
      Parts.Conv conv = parts.conv(name + ".0", cells.get(k).channels(), width, 1);
      Parts.Layer norm = parts.affineNorm(name + ".1", config.normalization(), width, 1);
      feedback.add(new Feedback(name, conv, norm, f));
    }
    Parts.Conv first = parts.conv("output_projection.0", cells.get(0).channels(), 64, 3);
    Parts.Layer norm = parts.affineNorm("output_projection.1", config.normalization(), 64, 1);
    Parts.Conv second = parts.conv("output_projection.3", 64, config.outputChannels(), 1);
    return new BackboneNetwork(config, parts, blocks, cells, feedback, first, norm, second);
  }

  /** After the last ReLU of blocks 2 to 5. */
  private Tensor[] features(Tensor image) {
    Tensor[] features = new Tensor[FEATURES];
    Tensor x = image;
    for (int b = 0; b < blocks.size(); b++) {
      x = VggBlocks.run(blocks.get(b), b == 0 ? x : Ops.maxPool2d(x, 2, 2));
      if (b > 0) {
        features[b - 1] = x;
      }
    }
    return features;
  }

  @Override
  public void training(boolean training) {
    for (Feedback projection : feedback) {
      if (projection.norm() instanceof Parts.BatchNorm norm) {
        norm.training(training);
      }
    }
    if (outputNorm instanceof Parts.BatchNorm norm) {
      norm.training(training);
    }
  }

  @Override
  void begin(Pass pass) {
    Tensor[] features = pass.run(backbone, pass.image);
    for (int k = 0; k < FEATURES; k++) {
      pass.constants.put("feature" + k, features[k]);
    }
  }

  @Override
  void step(Pass pass, Map<String, Tensor> states, int timestep, boolean logitsOnly) {
    for (int k = 0; k < FEATURES; k++) {
      Tensor drive = pass.hookBlock("feature" + k, get(pass.constants, "feature" + k));
      states.put("h" + k, pass.cell(cells.get(k), drive, get(states, "h" + k))[0]);
    }
    for (int k = FEATURES - 1; k >= 1; k--) {
      Feedback projection = feedback.get(FEATURES - 1 - k);
      String below = "h" + (k - 1);
      Tensor h = get(states, below);
      long height = h.size(2);
      long width = h.size(3);
      Segment segment =
          Segments.unary(
              projection.name(),
              projection.parameters(parameters()),
              x ->
                  Ops.upsampleBilinear2d(
                      projection
                          .f()
                          .forward(projection.norm().forward(projection.conv().forward(x))),
                      height,
                      width));
      Tensor u = pass.cell(cells.get(k - 1), pass.one(segment, get(states, "h" + k)), h)[0];
      states.put(below, config().skipConnections() ? pass.one(Segments.ADD, h, u) : u);
    }
  }

  @Override
  Tensor readOut(Pass pass, Map<String, Tensor> states) {
    long height = pass.image.size(2);
    long width = pass.image.size(3);
    List<Parameter> own =
        parameters().stream()
            .filter(p -> p.name().startsWith("output_projection.") && !p.isBuffer())
            .toList();
    return pass.one(
        Segments.unary(
            "output_projection",
            own,
            x -> {
              Tensor y = outputFirst.forward(Ops.upsampleBilinear2d(x, height, width));
              return outputSecond.forward(activation.forward(outputNorm.forward(y)));
            }),
        get(states, "h0"));
  }

  @Override
  public Map<String, long[]> stateShapes(long batch, long height, long width) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int k = 0; k < FEATURES; k++) {
      shapes.put(
          "h" + k,
          new long[] {batch, cells.get(k).channels(), height >> (k + 1), width >> (k + 1)});
    }
    return shapes;
  }

  @Override
  public int minimumSize() {
    return 1 << FEATURES;
  }

  @Override
  public Map<String, FgruCell> cells() {
    Map<String, FgruCell> byName = new LinkedHashMap<>();
    cells.forEach(cell -> byName.put(cell.name(), cell));
    return byName;
  }

  @Override
  public Map<String, Wiring> wiring() {
    Map<String, Wiring> wiring = new LinkedHashMap<>();
    for (int k = 0; k < FEATURES; k++) {
      wiring.put(cells.get(k).name(), new Wiring("feature" + k, List.of("h" + k)));
    }
    return wiring;
  }

  @Override
  public List<LayerSummary> summary(long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    for (int b = 0; b < blocks.size(); b++) {
      long h = height >> b;
      long w = width >> b;
      rows.add(
          new LayerSummary(
              "backbone block " + (b + 1),
              blocks.get(b).size() + " convolutions 3x3, ReLU",
              VggBlocks.WIDTHS[b],
              h,
              w,
              count(VggBlocks.parameters(blocks.get(b))),
              VggBlocks.macsPerPixel(blocks.get(b)) * h * w,
              false));
    }
    Map<String, long[]> shapes = stateShapes(1, height, width);
    for (int k = 0; k < FEATURES; k++) {
      FgruCell cell = cells.get(k);
      long[] shape = get(shapes, "h" + k);
      int steps = k < FEATURES - 1 ? 2 : 1; // bottom-up, and with the feedback as drive
      rows.add(
          new LayerSummary(
              cell.name(),
              "fGRU, kernel 3x3" + (steps == 2 ? ", twice" : ""),
              cell.channels(),
              shape[2],
              shape[3],
              count(cell.parameters()),
              steps * cell.macsPerPixel() * shape[2] * shape[3],
              true));
    }
    for (Feedback projection : feedback) {
      int k = projection.name().charAt("td_projection.td_".length()) - '0';
      long[] from = get(shapes, "h" + k);
      long[] to = get(shapes, "h" + (k - 1));
      rows.add(
          new LayerSummary(
              projection.name(),
              "projection 1x1, bilinear",
              cells.get(k - 1).channels(),
              to[2],
              to[3],
              count(projection.parameters(parameters())),
              projection.conv().weight.numel() * from[2] * from[3],
              true));
    }
    long macs = (outputFirst.weight.numel() + outputSecond.weight.numel()) * height * width;
    long parameters =
        parameters().stream()
            .filter(p -> p.name().startsWith("output_projection.") && !p.isBuffer())
            .mapToLong(Parameter::numel)
            .sum();
    rows.add(
        new LayerSummary(
            "output_projection",
            "bilinear, read-out",
            config().outputChannels(),
            height,
            width,
            parameters,
            macs,
            false));
    return rows;
  }

  private static long count(List<Parameter> parameters) {
    return parameters.stream().mapToLong(Parameter::numel).sum();
  }
}
