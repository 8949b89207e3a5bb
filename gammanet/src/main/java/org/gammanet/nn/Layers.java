package org.gammanet.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.gammanet.config.Activation;
import org.gammanet.config.Attention;
import org.gammanet.config.Normalization;
import org.gammanet.config.Symmetry;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * The layers of a network. Each registers its parameters here, in the order of a checkpoint.
 * Signals are {@code [N, C, H, W]}.
 */
public final class Layers {
  /** In every normalization: added to the biased variance, inside the square root. */
  public static final double EPSILON = 1e-5;

  private final List<Parameter> parameters = new ArrayList<>();
  private boolean batchNorms;
  private boolean training;

  /** Parameters and buffers in registration order. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  /** Whether batch normalization uses the statistics of the batch and updates the running ones. */
  public void train(boolean on) {
    training = on;
  }

  /** Whether a result depends on the other images of the batch. */
  public boolean usesBatchStatistics() {
    return training && batchNorms;
  }

  /** Where {@link #trainableSince} starts from. */
  public int mark() {
    return parameters.size();
  }

  /** The parameters registered since, without buffers. */
  public List<Parameter> trainableSince(int mark) {
    return parameters.stream().skip(mark).filter(p -> !p.isBuffer()).toList();
  }

  /** Registers a trainable parameter. */
  public Parameter parameter(String name, Initialization initialization, long... shape) {
    Parameter parameter = new Parameter(name, shape, false, initialization);
    parameters.add(parameter);
    return parameter;
  }

  private Parameter buffer(String name, Initialization initialization, long... shape) {
    Parameter parameter = new Parameter(name, shape, true, initialization);
    parameters.add(parameter);
    return parameter;
  }

  /** A function of one signal, with or without parameters. */
  public interface Layer {
    /** Outside a pass. */
    Tensor forward(Tensor x);

    /** As part of a forward pass; differs where a layer keeps running statistics. */
    default Tensor forward(ForwardContext context, Tensor x) {
      return forward(x);
    }
  }

  /** Runs in a scope of its own: only the result survives. */
  public static Tensor scoped(Supplier<Tensor> body) {
    try (var scope = TensorScope.open()) {
      return scope.keep(body.get());
    }
  }

  /** Returns its argument. */
  public static final Layer IDENTITY = x -> x;

  /**
   * Convolution with "same" padding for odd kernels, stride 1.
   *
   * @param weight {@code [O, I, k, k]}
   * @param bias {@code [O]}; null for none
   */
  public record Conv(Parameter weight, @Nullable Parameter bias) implements Layer {
    /** Weight and bias. */
    public List<Parameter> parameters() {
      return bias == null ? List.of(weight) : List.of(weight, bias);
    }

    /** I, the channels of its input. */
    public int inputs() {
      return (int) weight.shape()[1];
    }

    /** O, the channels of its output. */
    public int outputs() {
      return (int) weight.shape()[0];
    }

    @Override
    public Tensor forward(Tensor x) {
      int padding = (int) weight.shape()[2] / 2;
      return Ops.conv2d(x, weight.tensor(), bias == null ? null : bias.tensor(), 1, padding);
    }
  }

  /** A convolution with PyTorch's default initialization. */
  public Conv conv(String name, int in, int out, int kernel) {
    Initialization standard = Initialization.standard((long) in * kernel * kernel);
    return conv(name, in, out, kernel, standard, standard);
  }

  /** A convolution with the given initialization; {@code bias} null for none. */
  public Conv conv(
      String name,
      int in,
      int out,
      int kernel,
      Initialization weight,
      @Nullable Initialization bias) {
    Parameter w = parameter(name + ".weight", weight, out, in, kernel, kernel);
    Parameter b = bias == null ? null : parameter(name + ".bias", bias, out);
    return new Conv(w, b);
  }

  /** Distribution alignment up to its ReLU: a 1x1 projection that starts as the identity. */
  public Conv alignment(String name, int channels) {
    return conv(
        name + ".projection",
        channels,
        channels,
        1,
        new Initialization.Delta(0),
        Initialization.ZERO);
  }

  /** Normalizes each pixel over its channels. */
  public static Tensor channelNorm(Tensor x) {
    return scoped(
        () -> {
          Tensor centered = Ops.sub(x, Ops.mean(x, new long[] {1}, true));
          Tensor variance = scoped(() -> Ops.mean(Ops.square(centered), new long[] {1}, true));
          Tensor scale = Ops.rsqrt(Ops.add(variance, EPSILON));
          // In place would change what the square's derivative needs.
          return Autograd.isEnabled() ? Ops.mul(centered, scale) : Ops.mul_(centered, scale);
        });
  }

  /** Normalizes each sample and channel over its pixels; of one pixel, gives 0. */
  public static Tensor instanceNorm(Tensor x) {
    // LibTorch's own operator refuses planes of one pixel, where the formula gives 0.
    return x.size(2) * x.size(3) == 1 ? Ops.sub(x, x) : Ops.instanceNorm(x, null, null, EPSILON);
  }

  /**
   * The same in a pass; a tile is normalized by the statistics of the whole image.
   *
   * @param segment which normalization it is
   * @param level of the map
   */
  public static Tensor instanceNorm(ForwardContext context, String segment, int level, Tensor x) {
    Tile tile = context.tile();
    return tile == null
        ? instanceNorm(x)
        : tile.statistics().normalize(segment, context.timestep(), level, tile, x);
  }

  /** Number of groups of a group normalization over {@code channels} of a cell. */
  public static int groups(int channels) {
    return Math.min(8, channels);
  }

  /**
   * The normalization in front of a gate, without parameters.
   *
   * @param groups for {@code GROUP}: number of groups
   */
  public static Layer plainNorm(Normalization kind, int groups) {
    return switch (kind) {
      case LAYER -> Layers::channelNorm;
      case INSTANCE -> Layers::instanceNorm;
      case GROUP -> x -> Ops.groupNorm(x, groups, null, null, EPSILON);
      case NONE -> IDENTITY;
      case BATCH -> throw new IllegalArgumentException("gates have no batch normalization");
    };
  }

  /** A normalization with weight and bias per channel. */
  public Layer affineNorm(String name, Normalization kind, int channels, int groups) {
    if (kind == Normalization.NONE) {
      return IDENTITY;
    }
    Parameter weight = parameter(name + ".weight", Initialization.ONE, channels);
    Parameter bias = parameter(name + ".bias", Initialization.ZERO, channels);
    if (kind == Normalization.GROUP) {
      return x -> Ops.groupNorm(x, groups, weight.tensor(), bias.tensor(), EPSILON);
    }
    if (kind == Normalization.BATCH) {
      return batchNorm(name, channels, weight, bias);
    }
    Layer plain = plainNorm(kind, 1);
    return x -> affine(plain.forward(x), weight.tensor(), bias.tensor());
  }

  private Layer batchNorm(String name, int channels, Parameter weight, Parameter bias) {
    batchNorms = true;
    Parameter mean = buffer(name + ".running_mean", Initialization.ZERO, channels);
    Parameter variance = buffer(name + ".running_var", Initialization.ONE, channels);
    Parameter batches = buffer(name + ".num_batches_tracked", new Initialization.Counter());
    return new BatchNorm(weight, bias, mean, variance, batches);
  }

  /** Batch statistics while training, running ones otherwise. */
  private final class BatchNorm implements Layer {
    private final Parameter weight;
    private final Parameter bias;
    private final Parameter mean;
    private final Parameter variance;
    private final Parameter batches;

    private BatchNorm(
        Parameter weight, Parameter bias, Parameter mean, Parameter variance, Parameter batches) {
      this.weight = weight;
      this.bias = bias;
      this.mean = mean;
      this.variance = variance;
      this.batches = batches;
    }

    @Override
    public Tensor forward(Tensor x) {
      return forward(x, training);
    }

    /** A replayed segment has been counted already. */
    @Override
    public Tensor forward(ForwardContext context, Tensor x) {
      return forward(x, training && !context.replaying());
    }

    private Tensor forward(Tensor x, boolean update) {
      if (update) {
        batches.tensor().copy_(Ops.add(batches.tensor(), 1));
      }
      boolean stored = update || !training;
      return Ops.batchNorm(
          x,
          weight.tensor(),
          bias.tensor(),
          stored ? mean.tensor() : null,
          stored ? variance.tensor() : null,
          training,
          0.1,
          EPSILON);
    }
  }

  private static Tensor affine(Tensor x, Tensor weight, Tensor bias) {
    return Ops.add(Ops.mul(x, Ops.reshape(weight, 1, -1, 1, 1)), Ops.reshape(bias, 1, -1, 1, 1));
  }

  /** The non-linearity of the networks that are not plain VGG16. */
  public static Layer activation(Activation kind) {
    return switch (kind) {
      case RELU -> Ops::relu;
      case ELU -> Ops::elu;
      case GELU -> Ops::gelu;
    };
  }

  /** Attention on the input gate: scales its argument; identity for {@code NONE}. */
  public Layer attention(String name, Attention kind, int channels, int layers) {
    return switch (kind) {
      case NONE -> IDENTITY;
      case SE -> squeezeExcite(name, channels);
      case GALA -> gala(name, channels, layers);
    };
  }

  /** Multiply-accumulates per pixel of that attention. */
  public static long attentionMacs(Attention kind, int channels, int layers) {
    return kind == Attention.GALA ? (long) layers * 25 * channels * channels : 0;
  }

  /** Squeeze-and-excitation (Hu, Shen and Sun 2018), reduction 16, at least one hidden unit. */
  private Layer squeezeExcite(String name, int channels) {
    int hidden = Math.max(1, channels / 16);
    Parameter squeeze =
        parameter(name + ".fc.0.weight", Initialization.standard(channels), hidden, channels);
    Parameter excite =
        parameter(name + ".fc.2.weight", Initialization.standard(hidden), channels, hidden);
    return x -> {
      Tensor mean = Ops.mean(x, 2, 3);
      Tensor scale =
          Ops.sigmoid(
              Ops.linear(
                  Ops.relu(Ops.linear(mean, squeeze.tensor(), null)), excite.tensor(), null));
      return Ops.mul(x, Ops.reshape(scale, x.size(0), x.size(1), 1, 1));
    };
  }

  /** Global-and-local attention (Linsley et al. 2019): a global path times a spatial path. */
  private Layer gala(String name, int channels, int layers) {
    List<Layer> global = galaPath(name + ".global_layers", channels, layers, 1);
    List<Layer> spatial = galaPath(name + ".spatial_layers", channels, layers, 5);
    return x -> {
      Tensor g = Ops.amax(x, new long[] {2, 3}, true);
      Tensor s = x;
      for (int k = 0; k < layers; k++) {
        g = global.get(k).forward(g);
        s = spatial.get(k).forward(s);
        if (k < layers - 1) {
          g = Ops.relu(g);
          s = Ops.relu(s);
        }
      }
      return Ops.mul(x, Ops.sigmoid(Ops.mul(g, s)));
    };
  }

  private List<Layer> galaPath(String name, int channels, int layers, int kernel) {
    List<Layer> path = new ArrayList<>();
    for (int k = 0; k < layers; k++) {
      Conv conv = conv(name + "." + k + ".0", channels, channels, kernel);
      if (layers == 1) {
        path.add(conv);
      } else {
        String norm = name + "." + k + ".1";
        Parameter weight = parameter(norm + ".weight", Initialization.ONE, channels, 1, 1);
        Parameter bias = parameter(norm + ".bias", Initialization.ZERO, channels, 1, 1);
        path.add(x -> affine(channelNorm(conv.forward(x)), weight.tensor(), bias.tensor()));
      }
    }
    return path;
  }

  /**
   * The kernel that a symmetric convolution uses: its stored weight (O, I, k, k) averaged over the
   * exchange of channels, of rows and columns, or of both.
   */
  public static Tensor symmetric(Tensor weight, Symmetry symmetry) {
    return switch (symmetry) {
      case NONE -> weight;
      case CHANNEL -> average(weight, Ops.transpose(weight, 0, 1));
      case SPATIAL -> average(weight, Ops.transpose(weight, 2, 3));
      case SPATIAL_CHANNEL ->
          Ops.mul(
              Ops.add(
                  Ops.add(weight, Ops.transpose(weight, 0, 1)),
                  Ops.add(
                      Ops.transpose(weight, 2, 3),
                      Ops.transpose(Ops.transpose(weight, 0, 1), 2, 3))),
              0.25);
    };
  }

  private static Tensor average(Tensor a, Tensor b) {
    return Ops.mul(Ops.add(a, b), 0.5);
  }
}
