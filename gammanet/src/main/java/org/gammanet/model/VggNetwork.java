package org.gammanet.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.config.Architecture;
import org.gammanet.config.ModelConfig;
import org.gammanet.kernels.NativeConv;
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
  /**
   * The way up at one level.
   *
   * @param name as parameter names have it: {@code 0}, or {@code block1} in version 1
   * @param in from the block's width to the cell's; null where both are equal
   * @param upward from the cell's output to the next block
   * @param states that the cell updates
   */
  private record Level(
      String name,
      List<Parts.Conv> convs,
      Segment block,
      Parts.@Nullable Conv in,
      FgruCell cell,
      Upward upward,
      List<String> states) {}

  /** The way down to a level: a projection of the state above, and the cell that it drives. */
  private record Feedback(String name, Parts.Conv conv, FgruCell cell, List<String> states) {
    /** 1x1 projection, instance normalisation and ELU, resized. */
    Segment drive(long height, long width) {
      return Segments.unary(
          name,
          conv.parameters(),
          (context, x) -> {
            NativeConv kernel = conv.packed(context, x);
            if (kernel != null) {
              Tensor out = Parts.map(x, conv.outputs(), height, width);
              kernel.projectUp(Ops.channelsLast(x), out);
              return out;
            }
            Tensor y = Ops.elu(Parts.instanceNorm(conv.forward(x)));
            boolean fits = y.size(2) == height && y.size(3) == width;
            return fits ? y : Ops.upsampleBilinear2d(y, height, width);
          });
    }
  }

  /** From a cell's output to the next block: projection and alignment if there are any, pooling. */
  private record Upward(
      String name, Parts.@Nullable Conv out, Parts.@Nullable Conv align, List<Parameter> parameters)
      implements Segment {
    static Upward of(String name, Parts.@Nullable Conv out, Parts.@Nullable Conv align) {
      List<Parameter> parameters = new ArrayList<>(out == null ? List.of() : out.parameters());
      parameters.addAll(align == null ? List.of() : align.parameters());
      return new Upward(name, out, align, parameters);
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor y = inputs[0];
      if (context.fuses(parameters, y)) {
        return new Tensor[] {fused(context, Ops.channelsLast(y))};
      }
      if (out != null) {
        y = out.forward(y);
      }
      if (align != null) {
        y = align.forward(y);
      }
      return new Tensor[] {Ops.maxPool2d(parameters.isEmpty() ? y : Ops.relu_(y), 2, 2)};
    }

    private Tensor fused(ForwardContext context, Tensor x) {
      Tensor y = out != null && align != null ? out.forward(context, x, false) : x;
      Parts.Conv last = align != null ? align : out;
      long width = last == null ? y.size(1) : last.outputs();
      Tensor pooled = Parts.map(y, width, y.size(2) / 2, y.size(3) / 2);
      NativeConv kernel = last == null ? null : last.packed(context, y);
      if (kernel != null) {
        kernel.alignPool(y, pooled);
      } else {
        NativeConv.pool(last == null ? y : Ops.relu_(last.forward(y)), pooled);
      }
      return pooled;
    }

    long macsPerPixel() {
      return (out == null ? 0 : out.weight.numel()) + (align == null ? 0 : align.weight.numel());
    }
  }

  private final List<Level> levels;

  /** Feedback to level l at index l; none to the top. */
  private final List<Feedback> feedback;

  private final List<Parts.Conv> readOutConvs;
  private final Segment readOut;

  private VggNetwork(
      ModelConfig config,
      Parts parts,
      List<Level> levels,
      List<Feedback> feedback,
      List<Parts.Conv> readOut) {
    super(config, parts.parameters());
    this.levels = levels;
    this.feedback = feedback;
    this.readOutConvs = readOut;
    this.readOut = readOut(readOut);
  }

  /** Registers the parameters in the order of a checkpoint, which optimisers count on. */
  static VggNetwork build(ModelConfig config) {
    boolean v2 = isV2(config);
    int count = config.levels();
    Integer hidden = config.hiddenChannels();
    Parts parts = new Parts();
    List<List<Parts.Conv>> convs = new ArrayList<>();
    for (int l = 0; l < count; l++) {
      convs.add(VggBlocks.block(parts, blockName(l) + ".layers.", config.baseChannels(), l));
    }
    List<FgruCell> cells = new ArrayList<>();
    List<Parts.@Nullable Conv> ins = new ArrayList<>();
    List<Parts.@Nullable Conv> outs = new ArrayList<>();
    for (int l = 0; l < count; l++) {
      String name = "fgru_" + levelName(l, v2);
      int vgg = VggBlocks.width(config.baseChannels(), l);
      int width = hidden == null ? vgg : hidden;
      cells.add(cell(parts, name, width, config.kernelSize(), config));
      ins.add(hidden == null ? null : parts.conv(name + ".in_proj", vgg, width, 1));
      outs.add(hidden == null ? null : parts.conv(name + ".out_proj", width, vgg, 1));
    }
    List<Feedback> feedback = new ArrayList<>();
    for (int l = count - 2; l >= 0; l--) {
      String to = levelName(l, v2);
      String name = "td_fgru_" + levelName(l + 1, v2) + "_to_" + to;
      int width = cells.get(l).channels();
      Parts.Conv conv = parts.conv(name + ".0", cells.get(l + 1).channels(), width, 1);
      FgruCell cell = cell(parts, "td_fgru_" + to, width, 1, config);
      feedback.addFirst(new Feedback(name, conv, cell, stateNames(l, cell, true)));
    }
    List<Level> levels = new ArrayList<>();
    for (int l = 0; l < count; l++) {
      String name = levelName(l, v2);
      String align = "align_" + name;
      Parts.Conv alignment =
          config.useDistributionAlignment()
              ? parts.alignment(align, VggBlocks.width(config.baseChannels(), l))
              : null;
      levels.add(
          new Level(
              name,
              convs.get(l),
              VggBlocks.segment(blockName(l), convs.get(l)),
              ins.get(l),
              cells.get(l),
              Upward.of(
                  alignment != null ? align : cells.get(l).name() + ".out_proj",
                  outs.get(l),
                  alignment),
              stateNames(l, cells.get(l), false)));
    }
    int width = cells.getFirst().channels();
    String readOut = "output_projection";
    List<Parts.Conv> readOutConvs =
        v2
            ? List.of(parts.conv(readOut + ".0", width, config.outputChannels(), 1))
            : List.of(
                parts.conv(readOut + ".0", width, 32, 3),
                parts.conv(readOut + ".3", 32, config.outputChannels(), 1));
    return new VggNetwork(config, parts, levels, feedback, readOutConvs);
  }

  private static boolean isV2(ModelConfig config) {
    return config.architecture() == Architecture.VGG16_GAMMANET_V2;
  }

  private static String blockName(int level) {
    return "block" + (level + 1) + "_conv";
  }

  /** Version 1 counts from the second level. */
  private static String levelName(int level, boolean v2) {
    return v2 ? "" + level : level == 0 ? "block1" : "" + (level - 1);
  }

  private static List<String> stateNames(int level, FgruCell cell, boolean topDown) {
    String prefix = topDown ? "td_h" : "h";
    if (cell instanceof FgruV2Cell) {
      return List.of(prefix + level + "_exc", prefix + level + "_inh").subList(0, cell.states());
    }
    String name = levelName(level, false);
    return List.of(level == 0 ? prefix + "_block1" : prefix + name + (topDown ? "" : "_e"));
  }

  private static FgruCell cell(
      Parts parts, String name, int channels, int kernelSize, ModelConfig config) {
    return isV2(config)
        ? new FgruV2Cell(parts, name, channels, kernelSize, config.fgru())
        : new FgruV1Cell(parts, name, channels, kernelSize, config.fgru(), null);
  }

  /** A 1x1 convolution; in version 1, a 3x3 one with instance normalisation and ELU before. */
  private static Segment readOut(List<Parts.Conv> convs) {
    List<Parameter> parameters = convs.stream().flatMap(c -> c.parameters().stream()).toList();
    return Segments.unary(
        "output_projection",
        parameters,
        (context, x) -> {
          Tensor y = convs.getFirst().forward(context, x, false);
          return convs.size() == 1 ? y : convs.getLast().forward(Ops.elu(Parts.instanceNorm(y)));
        });
  }

  private int width(int level) {
    return VggBlocks.width(config().baseChannels(), level);
  }

  @Override
  void begin(Pass pass) {
    pass.constants.put("x0", pass.one(levels.getFirst().block, pass.image));
  }

  @Override
  void step(Pass pass) {
    Tensor signal = pass.image;
    for (int l = 0; l < levels.size() && !pass.done(); l++) {
      Level level = levels.get(l);
      Tensor drive = l == 0 ? get(pass.constants, "x0") : pass.one(level.block, signal);
      drive = pass.hookBlock(blockName(l), drive);
      if (level.in != null) {
        drive = pass.one(inProjection(level.cell.name(), level.in), drive);
      }
      if (!pass.advance(level.cell, drive, level.states, null)) {
        pass.update(level.cell, drive, level.states);
      }
      if (l < levels.size() - 1) {
        signal = pass.one(level.upward, pass.state(level.states.getFirst()));
      }
    }
    for (int l = feedback.size() - 1; l >= 0 && !pass.done(); l--) {
      Feedback down = feedback.get(l);
      String name = levels.get(l).states.getFirst();
      Tensor state = pass.state(name);
      Tensor above = pass.state(levels.get(l + 1).states.getFirst());
      Tensor drive = pass.one(down.drive(state.size(2), state.size(3)), above);
      // The read-out takes the cell's own state.
      boolean needed = l > 0 || !pass.statesEndHere();
      boolean adds = needed && config().skipConnections();
      if (pass.advance(down.cell, drive, down.states, adds ? name : null)) {
        needed &= !adds;
      } else {
        pass.update(down.cell, drive, down.states);
      }
      if (needed) {
        Tensor modulation = pass.state(down.states.getFirst());
        if (adds) {
          pass.putOwn(name, pass.one(Segments.ADD, state, modulation));
        } else {
          pass.states.put(name, pass.one(Segments.SAME, modulation));
        }
      }
    }
  }

  private static Segment inProjection(String cell, Parts.Conv conv) {
    return Segments.unary(
        cell + ".in_proj", conv.parameters(), (context, x) -> conv.forward(context, x, true));
  }

  @Override
  Tensor readOut(Pass pass) {
    List<String> states =
        feedback.isEmpty() ? levels.getFirst().states : feedback.getFirst().states;
    return pass.one(readOut, pass.state(states.getFirst()));
  }

  @Override
  public Map<String, long[]> stateShapes(long batch, long height, long width) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int l = 0; l < levels.size(); l++) {
      long[] shape = {batch, levels.get(l).cell.channels(), height >> l, width >> l};
      levels.get(l).states.forEach(name -> shapes.put(name, shape));
    }
    for (int l = 0; l < feedback.size(); l++) {
      long[] shape = {batch, feedback.get(l).cell.channels(), height >> l, width >> l};
      feedback.get(l).states.forEach(name -> shapes.put(name, shape));
    }
    return shapes;
  }

  @Override
  public int minimumSize() {
    return 1 << (levels.size() - 1);
  }

  @Override
  public List<CellSite> sites() {
    List<CellSite> places = new ArrayList<>();
    for (int l = 0; l < levels.size(); l++) {
      Level level = levels.get(l);
      places.add(new CellSite(level.cell, l, blockName(l), level.states));
    }
    for (int l = feedback.size() - 1; l >= 0; l--) {
      places.add(new CellSite(feedback.get(l).cell, l, null, feedback.get(l).states));
    }
    return places;
  }

  @Override
  public List<LayerSummary> summary(long height, long width) {
    List<LayerSummary> rows = new ArrayList<>();
    for (int l = 0; l < levels.size(); l++) {
      Level level = levels.get(l);
      long h = height >> l;
      long w = width >> l;
      long[] vgg = {1, width(l), h, w};
      long[] hidden = {1, level.cell.channels(), h, w};
      rows.add(
          LayerSummary.of(
              blockName(l),
              level.convs.size() + " convolutions 3x3, ReLU",
              vgg,
              level.block.parameters(),
              VggBlocks.macsPerPixel(level.convs) * h * w,
              l > 0));
      if (level.in != null) {
        rows.add(
            LayerSummary.of(
                level.cell.name() + ".in_proj",
                "projection 1x1, ReLU",
                hidden,
                level.in.parameters(),
                level.in.weight.numel() * h * w,
                true));
      }
      rows.add(LayerSummary.of(level.cell, hidden));
      boolean top = l == levels.size() - 1;
      if (!level.upward.parameters.isEmpty()) {
        rows.add(
            LayerSummary.of(
                level.upward.name,
                top ? "unused: nothing is above" : "projection 1x1, ReLU, pooling 2x2",
                new long[] {1, width(l), h / 2, w / 2},
                level.upward.parameters,
                top ? 0 : level.upward.macsPerPixel() * h * w,
                !top));
      }
    }
    for (int l = feedback.size() - 1; l >= 0; l--) {
      Feedback down = feedback.get(l);
      long[] shape = {1, down.cell.channels(), height >> l, width >> l};
      rows.add(
          LayerSummary.of(
              down.name,
              "projection 1x1, instance norm, ELU, bilinear",
              shape,
              down.conv.parameters(),
              down.conv.weight.numel() * (height >> (l + 1)) * (width >> (l + 1)),
              true));
      rows.add(LayerSummary.of(down.cell, shape));
    }
    rows.add(
        LayerSummary.of(
            readOut.name(),
            "read-out",
            new long[] {1, config().outputChannels(), height, width},
            readOut.parameters(),
            VggBlocks.macsPerPixel(readOutConvs) * height * width,
            false));
    return rows;
  }
}
