package org.gammanet.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.Architecture;
import org.gammanet.config.ModelConfig;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * γ-net on VGG16: at each level, a VGG block drives a recurrent cell; feedback runs from the top
 * through projections and cells with 1x1 kernels. Versions 1 and 2 differ in the cell, in names and
 * in the read-out.
 *
 * <p>Level l, from 0, has {@code floor(H / 2^l)} by {@code floor(W / 2^l)} pixels.
 */
public final class VggNetwork extends Network {
  /** What runs at one level. */
  private static final class Level {
    /** Name of the level inside parameter names: {@code 0}, or {@code block1} in version 1. */
    final String name;

    final List<Parts.Conv> convs;
    final Segment block;
    final FgruCell cell;

    /** Between a VGG block and narrower or wider cells; null when both have the same width. */
    final @Nullable Segment inProjection;

    /** From the cell's output to the next block. Null at the top. */
    @Nullable Upward upward;

    /** Feedback from the state of the level above. Null at the top. */
    @Nullable Projection projection;

    @Nullable FgruCell topDown;
    final List<String> stateNames = new ArrayList<>();
    final List<String> topDownStateNames = new ArrayList<>();

    Level(
        String name,
        List<Parts.Conv> convs,
        Segment block,
        FgruCell cell,
        @Nullable Segment inProjection) {
      this.name = name;
      this.convs = convs;
      this.block = block;
      this.cell = cell;
      this.inProjection = inProjection;
    }
  }

  private final List<Level> levels;
  private final ReadOut readOut;

  private VggNetwork(ModelConfig config, Parts parts, List<Level> levels, ReadOut readOut) {
    super(config, parts.parameters());
    this.levels = levels;
    this.readOut = readOut;
  }

  static VggNetwork build(ModelConfig config) {
    boolean v2 = config.architecture() == Architecture.VGG16_GAMMANET_V2;
    Integer hidden = config.hiddenChannels();
    int count = config.levels();
    Parts parts = new Parts();
    List<List<Parts.Conv>> convs = new ArrayList<>();
    for (int l = 0; l < count; l++) {
      convs.add(VggBlocks.block(parts, blockName(l) + ".layers.", l));
    }
    List<Level> levels = new ArrayList<>();
    List<Parts.@Nullable Conv> outProjections = new ArrayList<>();
    for (int l = 0; l < count; l++) {
      String level = v2 ? "" + l : l == 0 ? "block1" : "" + (l - 1);
      String name = "fgru_" + level;
      int vgg = VggBlocks.WIDTHS[l];
      FgruCell cell = cell(parts, name, hidden == null ? vgg : hidden, config.kernelSize(), config);
      Segment in = null;
      Parts.Conv out = null;
      if (hidden != null) {
        Parts.Conv project = parts.conv(name + ".in_proj", vgg, hidden, 1);
        in =
            Segments.unary(
                name + ".in_proj", project.parameters(), x -> Ops.relu(project.forward(x)));
        out = parts.conv(name + ".out_proj", hidden, vgg, 1);
      }
      outProjections.add(out);
      levels.add(
          new Level(level, convs.get(l), VggBlocks.segment(blockName(l), convs.get(l)), cell, in));
    }
    for (int l = count - 2; l >= 0; l--) {
      Level level = levels.get(l);
      Level above = levels.get(l + 1);
      String name = "td_fgru_" + above.name + "_to_" + level.name;
      Parts.Conv conv = parts.conv(name + ".0", above.cell.channels(), level.cell.channels(), 1);
      level.projection = new Projection(name, conv);
      level.topDown = cell(parts, "td_fgru_" + level.name, level.cell.channels(), 1, config);
    }
    for (int l = 0; l < count; l++) {
      Level level = levels.get(l);
      Parts.Conv align = null;
      if (config.useDistributionAlignment()) {
        int width = VggBlocks.WIDTHS[l];
        align =
            parts.conv(
                "align_" + level.name + ".projection",
                width,
                width,
                1,
                new Initialization.Identity(),
                new Initialization.Constant(0));
      }
      if (l < count - 1) { // the top level's alignment exists in checkpoints but feeds nothing
        level.upward = new Upward("align_" + level.name, outProjections.get(l), align);
      }
      nameStates(level, v2, l);
    }
    ReadOut readOut = ReadOut.of(parts, v2, levels.get(0).cell.channels(), config.outputChannels());
    return new VggNetwork(config, parts, levels, readOut);
  }

  private static String blockName(int level) {
    return "block" + (level + 1) + "_conv";
  }

  private static FgruCell cell(
      Parts parts, String name, int channels, int kernelSize, ModelConfig config) {
    return config.architecture() == Architecture.VGG16_GAMMANET_V2
        ? new FgruV2Cell(parts, name, channels, kernelSize, config.fgru())
        : new FgruV1Cell(parts, name, channels, kernelSize, config.fgru(), null);
  }

  private static void nameStates(Level level, boolean v2, int l) {
    if (v2) {
      for (String kind : List.of("exc", "inh").subList(0, level.cell.states())) {
        level.stateNames.add("h" + l + "_" + kind);
        level.topDownStateNames.add("td_h" + l + "_" + kind);
      }
    } else {
      level.stateNames.add(l == 0 ? "h_block1" : "h" + level.name + "_e");
      level.topDownStateNames.add(l == 0 ? "td_h_block1" : "td_h" + level.name);
    }
  }

  /** Feedback: 1x1 projection, instance normalisation, ELU, resized to the level below. */
  private static final class Projection {
    final String name;
    final Parts.Conv conv;

    Projection(String name, Parts.Conv conv) {
      this.name = name;
      this.conv = conv;
    }

    Segment to(long height, long width) {
      return Segments.unary(
          name,
          conv.parameters(),
          x -> {
            Tensor y = Ops.elu(Parts.instanceNorm(conv.forward(x)));
            boolean fits = y.size(2) == height && y.size(3) == width;
            return fits ? y : Ops.upsampleBilinear2d(y, height, width);
          });
    }
  }

  /** From a cell's output to the next block: projection, alignment, 2x2 pooling. */
  private static final class Upward implements Segment {
    private final String name;
    private final Parts.@Nullable Conv out;
    private final Parts.@Nullable Conv align;
    private final List<Parameter> parameters = new ArrayList<>();

    Upward(String name, Parts.@Nullable Conv out, Parts.@Nullable Conv align) {
      this.name = name;
      this.out = out;
      this.align = align;
      if (out != null) {
        parameters.addAll(out.parameters());
      }
      if (align != null) {
        parameters.addAll(align.parameters());
      }
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public List<Parameter> parameters() {
      return parameters;
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor y = inputs[0];
      if (out != null) {
        y = out.forward(y);
      }
      if (align != null) {
        y = Ops.relu(align.forward(y));
      } else if (out != null) {
        y = Ops.relu(y);
      }
      return new Tensor[] {Ops.maxPool2d(y, 2, 2)};
    }

    long macsPerPixel() {
      return (out == null ? 0 : out.weight.numel()) + (align == null ? 0 : align.weight.numel());
    }
  }

  private record ReadOut(Segment segment, long macsPerPixel) {
    static ReadOut of(Parts parts, boolean v2, int channels, int outputs) {
      String name = "output_projection";
      if (v2) {
        Parts.Conv conv = parts.conv(name + ".0", channels, outputs, 1);
        return new ReadOut(
            Segments.unary(name, conv.parameters(), conv::forward), conv.weight.numel());
      }
      Parts.Conv first = parts.conv(name + ".0", channels, 32, 3);
      Parts.Conv second = parts.conv(name + ".3", 32, outputs, 1);
      List<Parameter> both = new ArrayList<>(first.parameters());
      both.addAll(second.parameters());
      return new ReadOut(
          Segments.unary(
              name, both, x -> second.forward(Ops.elu(Parts.instanceNorm(first.forward(x))))),
          first.weight.numel() + second.weight.numel());
    }
  }

  @Override
  void begin(Pass pass) {
    pass.constants.put("x0", pass.one(levels.get(0).block, pass.image));
  }

  @Override
  void step(Pass pass, Map<String, Tensor> states, int timestep, boolean logitsOnly) {
    int count = levels.size();
    Tensor signal = pass.image;
    for (int l = 0; l < count; l++) {
      Level level = levels.get(l);
      Tensor drive = l == 0 ? get(pass.constants, "x0") : pass.one(level.block, signal);
      drive = pass.hookBlock(blockName(l), drive);
      if (level.inProjection != null) {
        drive = pass.one(level.inProjection, drive);
      }
      update(pass, level.cell, drive, states, level.stateNames);
      if (level.upward != null) {
        signal = pass.one(level.upward, get(states, level.stateNames.get(0)));
      }
    }
    boolean skip = config().skipConnections();
    for (int l = count - 2; l >= 0; l--) {
      Level level = levels.get(l);
      if (level.projection == null || level.topDown == null) {
        throw new AssertionError("no feedback at " + level.name);
      }
      String below = level.stateNames.get(0);
      Tensor target = get(states, below);
      Tensor above = get(states, levels.get(l + 1).stateNames.get(0));
      Tensor drive = pass.one(level.projection.to(target.size(2), target.size(3)), above);
      update(pass, level.topDown, drive, states, level.topDownStateNames);
      if (l > 0 || !logitsOnly) { // nothing reads the lowest state after the last step
        Tensor feedback = get(states, level.topDownStateNames.get(0));
        states.put(
            below,
            skip ? pass.one(Segments.ADD, target, feedback) : pass.one(Segments.SAME, feedback));
      }
    }
  }

  private static void update(
      Pass pass, FgruCell cell, Tensor drive, Map<String, Tensor> states, List<String> names) {
    Tensor[] inputs = new Tensor[1 + names.size()];
    inputs[0] = drive;
    for (int i = 0; i < names.size(); i++) {
      inputs[1 + i] = get(states, names.get(i));
    }
    Tensor[] updated = pass.cell(cell, inputs);
    for (int i = 0; i < names.size(); i++) {
      states.put(names.get(i), updated[i]);
    }
  }

  @Override
  Tensor readOut(Pass pass, Map<String, Tensor> states) {
    Level lowest = levels.get(0);
    List<String> names = levels.size() > 1 ? lowest.topDownStateNames : lowest.stateNames;
    return pass.one(readOut.segment(), get(states, names.get(0)));
  }

  @Override
  public Map<String, long[]> stateShapes(long batch, long height, long width) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int l = 0; l < levels.size(); l++) {
      long[] shape = {batch, levels.get(l).cell.channels(), height >> l, width >> l};
      levels.get(l).stateNames.forEach(name -> shapes.put(name, shape));
    }
    for (int l = 0; l < levels.size() - 1; l++) {
      long[] shape = {batch, levels.get(l).cell.channels(), height >> l, width >> l};
      levels.get(l).topDownStateNames.forEach(name -> shapes.put(name, shape));
    }
    return shapes;
  }

  @Override
  public int minimumSize() {
    return 1 << (levels.size() - 1);
  }

  @Override
  public Map<String, FgruCell> cells() {
    Map<String, FgruCell> cells = new LinkedHashMap<>();
    levels.forEach(level -> cells.put(level.cell.name(), level.cell));
    for (int l = levels.size() - 2; l >= 0; l--) {
      FgruCell cell = levels.get(l).topDown;
      if (cell != null) {
        cells.put(cell.name(), cell);
      }
    }
    return cells;
  }

  @Override
  public Map<String, Wiring> wiring() {
    Map<String, Wiring> wiring = new LinkedHashMap<>();
    for (int l = 0; l < levels.size(); l++) {
      Level level = levels.get(l);
      wiring.put(level.cell.name(), new Wiring(blockName(l), level.stateNames));
    }
    for (int l = levels.size() - 2; l >= 0; l--) {
      FgruCell cell = levels.get(l).topDown;
      if (cell != null) {
        wiring.put(cell.name(), new Wiring(null, levels.get(l).topDownStateNames));
      }
    }
    return wiring;
  }

  @Override
  public List<LayerSummary> summary(long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    for (int l = 0; l < levels.size(); l++) {
      Level level = levels.get(l);
      long h = height >> l;
      long w = width >> l;
      int vgg = VggBlocks.WIDTHS[l];
      int channels = level.cell.channels();
      rows.add(
          new LayerSummary(
              blockName(l),
              level.convs.size() + " convolutions 3x3, ReLU",
              vgg,
              h,
              w,
              count(level.block.parameters()),
              VggBlocks.macsPerPixel(level.convs) * h * w,
              l > 0));
      Segment in = level.inProjection;
      if (in != null) {
        long macs = (long) vgg * channels * h * w;
        rows.add(
            new LayerSummary(
                in.name(),
                "projection 1x1, ReLU",
                channels,
                h,
                w,
                count(in.parameters()),
                macs,
                true));
      }
      rows.add(cellRow(level.cell, h, w));
      Upward upward = level.upward;
      if (upward != null && !upward.parameters().isEmpty()) {
        rows.add(
            new LayerSummary(
                upward.name(),
                "alignment 1x1, ReLU, pooling 2x2",
                vgg,
                h / 2,
                w / 2,
                count(upward.parameters()),
                upward.macsPerPixel() * h * w,
                true));
      }
    }
    for (int l = levels.size() - 2; l >= 0; l--) {
      Level level = levels.get(l);
      if (level.projection == null || level.topDown == null) {
        continue;
      }
      long h = height >> l;
      long w = width >> l;
      Parts.Conv conv = level.projection.conv;
      rows.add(
          new LayerSummary(
              level.projection.name,
              "projection 1x1, instance norm, ELU, bilinear",
              level.cell.channels(),
              h,
              w,
              count(conv.parameters()),
              conv.weight.numel() * (height >> (l + 1)) * (width >> (l + 1)),
              true));
      rows.add(cellRow(level.topDown, h, w));
    }
    rows.add(
        new LayerSummary(
            readOut.segment().name(),
            "read-out",
            config().outputChannels(),
            height,
            width,
            count(readOut.segment().parameters()),
            readOut.macsPerPixel() * height * width,
            false));
    return rows;
  }

  private static LayerSummary cellRow(FgruCell cell, long h, long w) {
    return new LayerSummary(
        cell.name(),
        "fGRU, kernel " + cell.kernelSize() + "x" + cell.kernelSize(),
        cell.channels(),
        h,
        w,
        count(cell.parameters()),
        cell.macsPerPixel() * h * w,
        true);
  }

  private static long count(List<Parameter> parameters) {
    return parameters.stream().mapToLong(Parameter::numel).sum();
  }
}
