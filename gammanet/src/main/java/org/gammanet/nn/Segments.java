package org.gammanet.nn;

import java.util.ArrayList;
import java.util.List;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/** Segments that are not cells. Those with a class of their own have native kernels. */
public final class Segments {
  private Segments() {}

  /** Several inputs and outputs. */
  public interface Body {
    /** As {@link Segment#forward}. */
    Tensor[] forward(ForwardContext context, Tensor[] inputs);
  }

  /** One input and output. */
  public interface Unary {
    /** As {@link Segment#forward}. */
    Tensor forward(ForwardContext context, Tensor x);
  }

  private record Simple(String name, List<Parameter> parameters, Body body) implements Segment {
    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      return body.forward(context, inputs);
    }
  }

  /** A function of several signals. */
  public static Segment of(String name, List<Parameter> parameters, Body body) {
    return new Simple(name, parameters, body);
  }

  /** A function of one signal. */
  public static Segment unary(String name, List<Parameter> parameters, Unary body) {
    return of(name, parameters, (context, x) -> new Tensor[] {body.forward(context, x[0])});
  }

  /** The first signal plus the others, where there are any. */
  public static final Segment ADD =
      of("add", List.of(), (c, x) -> new Tensor[] {x.length == 1 ? x[0] : Ops.add(x[0], x[1])});

  /** The same signal under another name. */
  public static final Segment IDENTITY = of("identity", List.of(), (context, x) -> x);

  /** 2x2 max pooling. */
  public static final Segment POOL = new AlignPool("pool", null, null);

  private static List<Parameter> parameters(List<Layers.Conv> convs) {
    return convs.stream().flatMap(c -> c.parameters().stream()).toList();
  }

  private static long macs(List<Layers.Conv> convs) {
    return convs.stream().mapToLong(c -> c.weight().numel()).sum();
  }

  /**
   * Convolutions one after the other.
   *
   * @param relu whether a ReLU follows each
   */
  public record ConvBlock(
      String name, List<Layers.Conv> convs, boolean relu, List<Parameter> parameters)
      implements Segment {
    /** Its parameters are those of the convolutions. */
    public ConvBlock(String name, List<Layers.Conv> convs, boolean relu) {
      this(name, convs, relu, Segments.parameters(convs));
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor y = inputs[0];
      for (Layers.Conv conv : convs) {
        Tensor next = relu ? Ops.relu_(conv.forward(y)) : conv.forward(y);
        if (y != inputs[0]) {
          y.close();
        }
        y = next;
      }
      return new Tensor[] {y};
    }

    /** Multiply-accumulates per pixel. */
    public long macsPerPixel() {
      return macs(convs);
    }
  }

  /**
   * From a cell's output to the next block: 2x2 max pooling of the rectified projection and
   * alignment; of the signal itself where there are neither.
   *
   * @param out projection to the width of the block
   * @param align distribution alignment, up to its ReLU
   */
  public record AlignPool(
      String name,
      Layers.@Nullable Conv out,
      Layers.@Nullable Conv align,
      List<Parameter> parameters)
      implements Segment {
    /** Its parameters are those of the convolutions. */
    public AlignPool(String name, Layers.@Nullable Conv out, Layers.@Nullable Conv align) {
      this(name, out, align, Segments.parameters(present(out, align)));
    }

    private static List<Layers.Conv> present(
        Layers.@Nullable Conv out, Layers.@Nullable Conv align) {
      List<Layers.Conv> convs = new ArrayList<>();
      if (out != null) {
        convs.add(out);
      }
      if (align != null) {
        convs.add(align);
      }
      return convs;
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor y = inputs[0];
      for (Layers.Conv conv : present(out, align)) {
        y = conv.forward(y);
      }
      return new Tensor[] {Ops.maxPool2d(parameters.isEmpty() ? y : Ops.relu_(y), 2, 2)};
    }

    /** Multiply-accumulates per pixel of the input. */
    public long macsPerPixel() {
      return macs(present(out, align));
    }
  }

  /**
   * Feedback to a lower level: 1x1 projection, instance normalization and ELU, resized.
   *
   * @param level the level below; its maps have {@code height >> level} rows
   */
  public record ProjectUp(String name, Layers.Conv conv, int level) implements Segment {
    @Override
    public List<Parameter> parameters() {
      return conv.parameters();
    }

    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      Tensor projected = conv.forward(inputs[0]);
      Tensor y = Ops.elu(Layers.instanceNorm(context, name, level + 1, projected));
      Tile tile = context.tile();
      return new Tensor[] {
        tile == null
            ? resize(context, y, level)
            : MapStatistics.resize(
                tile, y, level + 1, level, context.height() >> level, context.width() >> level)
      };
    }
  }

  /** Bilinear resizing to the size of a level. */
  public static Tensor resize(ForwardContext context, Tensor x, int level) {
    long height = context.height() >> level;
    long width = context.width() >> level;
    boolean fits = x.size(2) == height && x.size(3) == width;
    return fits ? x : Ops.upsampleBilinear2d(x, height, width);
  }
}
