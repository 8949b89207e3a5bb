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
 *
 * <p>Where feedback drives it, a cell is called {@code td_fgru_k} instead of {@code fgru_k}; its
 * parameters are the same.
 */
public final class BackboneNetwork extends Network {
  /** Number of levels; level k has {@code floor(H / 2^(k+1))} rows. */
  private static final int LEVELS = 4;

  private static final String CELLS = "fgru_layers.";

  /** A convolution and what follows it: normalisation, activation. */
  private record Projection(Parts.Conv conv, Parts.Layer norm, Parts.Layer activation) {
    static Projection of(
        Parts parts, String name, int in, int out, int kernel, ModelConfig config) {
      return new Projection(
          parts.conv(name + ".0", in, out, kernel),
          parts.affineNorm(name + ".1", config.normalization(), out, 1),
          Parts.activation(config.activation()));
    }

    Tensor forward(ForwardContext context, Tensor x) {
      return activation.forward(norm.forward(context, conv.forward(x)));
    }

    void training(boolean training) {
      if (norm instanceof Parts.BatchNorm batch) {
        batch.training(training);
      }
    }
  }

  /** The way from level k + 1 to level k. */
  private record Feedback(
      String name, Projection projection, List<Parameter> parameters, FgruCell cell) {
    Segment drive(long height, long width) {
      return Segments.unary(
          name,
          parameters,
          (context, x) -> Ops.upsampleBilinear2d(projection.forward(context, x), height, width));
    }
  }

  private final List<List<Parts.Conv>> blocks;
  private final Segment backbone;
  private final List<FgruV1Cell> cells;

  /** Feedback to level k at index k. */
  private final List<Feedback> feedback;

  private final Projection readOut;
  private final Parts.Conv output;
  private final List<Parameter> readOutParameters;

  private BackboneNetwork(
      ModelConfig config,
      Parts parts,
      List<List<Parts.Conv>> blocks,
      List<FgruV1Cell> cells,
      List<Feedback> feedback,
      Projection readOut,
      Parts.Conv output,
      List<Parameter> readOutParameters) {
    super(config, parts.parameters());
    this.blocks = blocks;
    this.cells = cells;
    this.feedback = feedback;
    this.readOut = readOut;
    this.output = output;
    this.readOutParameters = readOutParameters;
    backbone =
        Segments.of(
            "backbone",
            blocks.stream().flatMap(b -> VggBlocks.parameters(b).stream()).toList(),
            (context, x) -> features(context, x[0]));
  }

  /** Registers the parameters in the order of a checkpoint. */
  static BackboneNetwork build(ModelConfig config) {
    Parts parts = new Parts();
    List<List<Parts.Conv>> blocks = new ArrayList<>();
    for (int b = 0; b < VggBlocks.COUNT; b++) {
      blocks.add(VggBlocks.block(parts, "backbone.features.", VggBlocks.BASE, b));
    }
    List<FgruV1Cell> cells = new ArrayList<>();
    for (int k = 0; k < LEVELS; k++) {
      int width = VggBlocks.width(VggBlocks.BASE, k + 1);
      cells.add(new FgruV1Cell(parts, CELLS + "fgru_" + k, width, 3, config.fgru(), null));
    }
    List<Feedback> feedback = new ArrayList<>();
    for (int k = LEVELS - 2; k >= 0; k--) {
      String name = "td_projection.td_" + (k + 1) + "_to_" + k;
      FgruV1Cell cell = cells.get(k);
      int mark = parts.mark();
      Projection projection =
          Projection.of(parts, name, cells.get(k + 1).channels(), cell.channels(), 1, config);
      feedback.addFirst(
          new Feedback(
              name, projection, parts.trainableSince(mark), cell.as(CELLS + "td_fgru_" + k)));
    }
    int mark = parts.mark();
    Projection readOut =
        Projection.of(parts, "output_projection", cells.getFirst().channels(), 64, 3, config);
    Parts.Conv output = parts.conv("output_projection.3", 64, config.outputChannels(), 1);
    return new BackboneNetwork(
        config, parts, blocks, cells, feedback, readOut, output, parts.trainableSince(mark));
  }

  /** After the last ReLU of blocks 2 to 5. */
  private Tensor[] features(ForwardContext context, Tensor image) {
    Tensor[] features = new Tensor[LEVELS];
    Tensor x = image;
    for (int b = 0; b < blocks.size(); b++) {
      x = VggBlocks.run(context, blocks.get(b), b == 0 ? x : Ops.maxPool2d(x, 2, 2));
      if (b > 0) {
        features[b - 1] = x;
      }
    }
    return features;
  }

  private static String featureName(int level) {
    return "feature" + level;
  }

  private static String stateName(int level) {
    return "h" + level;
  }

  @Override
  void training(boolean training) {
    feedback.forEach(f -> f.projection().training(training));
    readOut.training(training);
  }

  @Override
  boolean isTraining() {
    return readOut.norm() instanceof Parts.BatchNorm batch && batch.isTraining();
  }

  @Override
  void begin(Pass pass) {
    Tensor[] features = pass.run(backbone, pass.image);
    for (int k = 0; k < LEVELS; k++) {
      pass.constants.put(featureName(k), features[k]);
    }
  }

  @Override
  void step(Pass pass) {
    for (int k = 0; k < LEVELS && !pass.done(); k++) {
      Tensor drive = pass.hookBlock(featureName(k), get(pass.constants, featureName(k)));
      pass.update(cells.get(k), drive, List.of(stateName(k)));
    }
    for (int k = LEVELS - 2; k >= 0 && !pass.done(); k--) {
      Feedback down = feedback.get(k);
      Tensor h = pass.state(stateName(k));
      Tensor above = pass.state(stateName(k + 1));
      Tensor drive = pass.one(down.drive(h.size(2), h.size(3)), above);
      pass.update(down.cell(), drive, List.of(stateName(k)));
      if (config().skipConnections()) {
        pass.states.put(stateName(k), pass.one(Segments.ADD, h, pass.state(stateName(k))));
      }
    }
  }

  @Override
  Tensor readOut(Pass pass) {
    long height = pass.image.size(2);
    long width = pass.image.size(3);
    return pass.one(
        Segments.unary(
            "output_projection",
            readOutParameters,
            (context, x) ->
                output.forward(readOut.forward(context, Ops.upsampleBilinear2d(x, height, width)))),
        pass.state(stateName(0)));
  }

  @Override
  public Map<String, long[]> stateShapes(long batch, long height, long width) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int k = 0; k < LEVELS; k++) {
      long[] shape = {batch, cells.get(k).channels(), height >> (k + 1), width >> (k + 1)};
      shapes.put(stateName(k), shape);
    }
    return shapes;
  }

  @Override
  public int minimumSize() {
    return 1 << LEVELS;
  }

  @Override
  public List<CellSite> sites() {
    List<CellSite> places = new ArrayList<>();
    for (int k = 0; k < LEVELS; k++) {
      places.add(new CellSite(cells.get(k), k + 1, featureName(k), List.of(stateName(k))));
    }
    for (int k = LEVELS - 2; k >= 0; k--) {
      places.add(new CellSite(feedback.get(k).cell(), k + 1, null, List.of(stateName(k))));
    }
    return places;
  }

  @Override
  public List<LayerSummary> summary(long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    for (int b = 0; b < blocks.size(); b++) {
      long[] shape = {1, VggBlocks.width(VggBlocks.BASE, b), height >> b, width >> b};
      rows.add(
          LayerSummary.of(
              "backbone block " + (b + 1),
              blocks.get(b).size() + " convolutions 3x3, ReLU",
              shape,
              VggBlocks.parameters(blocks.get(b)),
              VggBlocks.macsPerPixel(blocks.get(b)) * shape[2] * shape[3],
              false));
    }
    Map<String, long[]> shapes = stateShapes(1, height, width);
    for (int k = 0; k < LEVELS; k++) {
      rows.add(LayerSummary.of(cells.get(k), get(shapes, stateName(k))));
    }
    for (int k = LEVELS - 2; k >= 0; k--) {
      Feedback down = feedback.get(k);
      long[] shape = get(shapes, stateName(k));
      long[] above = get(shapes, stateName(k + 1));
      rows.add(
          LayerSummary.of(
              down.name(),
              "projection 1x1, bilinear",
              shape,
              down.parameters(),
              down.projection().conv().weight.numel() * above[2] * above[3],
              true));
      rows.add(
          LayerSummary.of(
              down.cell().name(),
              "the same cell as " + cells.get(k).name(),
              shape,
              List.of(),
              down.cell().macsPerPixel() * shape[2] * shape[3],
              true));
    }
    rows.add(
        LayerSummary.of(
            "output_projection",
            "bilinear, read-out",
            new long[] {1, config().outputChannels(), height, width},
            readOutParameters,
            (readOut.conv().weight.numel() + output.weight.numel()) * height * width,
            false));
    return rows;
  }
}
