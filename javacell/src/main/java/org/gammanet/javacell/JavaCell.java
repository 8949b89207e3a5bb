package org.gammanet.javacell;

import java.util.Arrays;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.gammanet.config.Attention;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.GatePosition;
import org.gammanet.config.Normalization;
import org.gammanet.config.ParameterActivation;
import org.gammanet.simd.Simd;
import org.jspecify.annotations.Nullable;

/**
 * One step of the fGRU cell with two states in Java alone: a second, independent computation for
 * tests, and the measure of what Java reaches without native code. The equations are those of
 * {@code org.gammanet.nn.FgruV2Cell}.
 *
 * <p>Maps are channels-last arrays: element {@code ((n * H + y) * W + x) * C + c}. An object serves
 * one thread at a time, and uses several itself.
 */
public final class JavaCell {
  private static final int PANEL = CellKernels.PANEL;

  /** Pixels worked on together: their rows stay in the nearest cache. */
  private static final int TILE = 32;

  private static final float EPSILON = 1e-5f;

  private final CellKernels kernels;
  private final FgruConfig config;
  private final int channels;
  private final int kernelSize;
  private final boolean normalized;
  private final Product inhibitory;
  private final Product excitatory;
  private final Gate gain;
  private final Gate mix;
  private final @Nullable Product inhibitionNet;
  private final @Nullable Product excitationNet;
  private final float[] inhibitionBias;
  private final float[] excitationBias;
  private final float[] alpha;
  private final float[] mu;
  private final float[] kappa;
  private final float[] omega;
  private final @Nullable Affine norm1;
  private final @Nullable Affine norm2;
  private final float[] ones;
  private float[] padded = {};

  private record Affine(float[] weight, float[] bias) {}

  /**
   * A gate's product with its bias.
   *
   * @param sums of the weights of each output: what a constant input gives
   */
  private record Gate(Product product, float[] sums, float[] bias) {}

  /**
   * A cell with given parameters, as a checkpoint holds them.
   *
   * @param parameters values by name within the cell, such as {@code W_inh}, in row-major order
   * @param vector whether to use the Vector API, where {@link Simd} has decided for it; else scalar
   *     code runs
   * @throws IllegalArgumentException when it lacks an option: attention, dale, a single state, and
   *     normalizations over more than one pixel
   */
  public JavaCell(
      FgruConfig config,
      int channels,
      int kernelSize,
      Function<String, float[]> parameters,
      boolean vector) {
    Normalization kind = config.normalizationType();
    if (config.attention() != Attention.NONE
        || !config.useSeparateEiStates()
        || config.dale()
        || (kind != Normalization.LAYER && kind != Normalization.NONE)) {
      throw new IllegalArgumentException(
          "the Java cell has neither attention, nor a single state, nor normalizations over"
              + " several pixels");
    }
    kernels = vector ? CellKernels.best() : CellKernels.scalar();
    this.config = config;
    this.channels = channels;
    this.kernelSize = kernelSize;
    normalized = kind == Normalization.LAYER;
    ones = new float[2 * channels];
    Arrays.fill(ones, 1);
    inhibitory = new Product(symmetric(parameters.apply("W_inh")), channels, channels, 1);
    excitatory = new Product(symmetric(parameters.apply("W_exc")), channels, channels, 1);
    gain = gate(parameters, "gain");
    mix = gate(parameters, "mix");
    boolean dynamic = config.useDynamicParameters();
    String net = "dynamic_params.%s_net.0.%s";
    inhibitionNet =
        dynamic
            ? new Product(
                parameters.apply(net.formatted("inhibition", "weight")), 2 * channels, channels, 3)
            : null;
    inhibitionBias = dynamic ? parameters.apply(net.formatted("inhibition", "bias")) : ones;
    alpha = dynamic ? ones : parameters.apply("alpha").clone();
    mu = dynamic ? ones : parameters.apply("mu");
    if (!dynamic && config.forceAlphaDivisive()) {
      for (int c = 0; c < channels; c++) {
        alpha[c] = ScalarCell.sigmoid(alpha[c]);
      }
    }
    boolean multiplicative = config.multiplicativeExcitation();
    excitationNet =
        dynamic && multiplicative
            ? new Product(
                parameters.apply(net.formatted("excitation", "weight")), 2 * channels, channels, 2)
            : null;
    excitationBias =
        excitationNet == null ? ones : parameters.apply(net.formatted("excitation", "bias"));
    boolean fixed = multiplicative && !dynamic;
    kappa = fixed ? parameters.apply("kappa") : ones;
    omega = fixed ? parameters.apply("omega").clone() : ones;
    if (fixed && config.forceOmegaNonnegative()) {
      ScalarCell.relu(omega, 0, channels, 0);
    }
    boolean norms = config.normalizesCircuitInputs();
    norm1 = norms ? affine(parameters, "norm_c1") : null;
    norm2 = norms ? affine(parameters, "norm_c2") : null;
  }

  private static Affine affine(Function<String, float[]> parameters, String name) {
    return new Affine(parameters.apply(name + ".weight"), parameters.apply(name + ".bias"));
  }

  private Gate gate(Function<String, float[]> parameters, String name) {
    float[] weight = parameters.apply("W_" + name);
    float[] sums = ones;
    if (config.gateNormPosition() == GatePosition.PRE) {
      sums = new float[channels];
      for (int o = 0; o < channels; o++) {
        double sum = 0;
        for (int i = 0; i < 3 * channels; i++) {
          sum += weight[o * 3 * channels + i];
        }
        sums[o] = (float) sum;
      }
    }
    return new Gate(
        new Product(weight, channels, channels, 3), sums, parameters.apply("b_" + name));
  }

  /** S(W) of {@code [output][input][row][column]}. */
  private float[] symmetric(float[] w) {
    int k = kernelSize;
    float[] s = new float[w.length];
    for (int o = 0; o < channels; o++) {
      for (int i = 0; i < channels; i++) {
        for (int y = 0; y < k; y++) {
          for (int x = 0; x < k; x++) {
            s[at(o, i, y, x)] =
                switch (config.effectiveSymmetry()) {
                  case NONE -> w[at(o, i, y, x)];
                  case CHANNEL -> (w[at(o, i, y, x)] + w[at(i, o, y, x)]) / 2;
                  case SPATIAL -> (w[at(o, i, y, x)] + w[at(o, i, x, y)]) / 2;
                  case SPATIAL_CHANNEL ->
                      (w[at(o, i, y, x)]
                              + w[at(i, o, y, x)]
                              + w[at(o, i, x, y)]
                              + w[at(i, o, x, y)])
                          / 4;
                };
          }
        }
      }
    }
    return s;
  }

  private int at(int o, int i, int y, int x) {
    return ((o * channels + i) * kernelSize + y) * kernelSize + x;
  }

  /**
   * Packed weights of a product with several sources of {@code in} channels each, for panels of
   * outputs: {@code [panel][source][tap][input][column]}.
   */
  private static final class Product {
    final int in;
    final int taps;
    final int sources;
    final int stride;
    final float[] packed;

    /** Packs weights {@code [out][sources * in][taps]}. */
    Product(float[] w, int out, int in, int sources) {
      this.in = in;
      this.sources = sources;
      taps = w.length / (out * in * sources);
      stride = (out + PANEL - 1) / PANEL * PANEL;
      packed = new float[Math.multiplyExact(stride, sources * taps * in)];
      for (int o = 0; o < out; o++) {
        for (int s = 0; s < sources; s++) {
          for (int t = 0; t < taps; t++) {
            int row = at(o / PANEL * PANEL, s, t) + o % PANEL;
            for (int i = 0; i < in; i++) {
              packed[row + i * PANEL] = w[((o * sources + s) * in + i) * taps + t];
            }
          }
        }
      }
    }

    /** Where a panel's weights of a source and tap begin. */
    int at(int column, int source, int tap) {
      return (column * sources + source * PANEL) * taps * in + tap * in * PANEL;
    }
  }

  /** Rows of a tile's pixels, each as long as the padded number of outputs. */
  private final class Scratch {
    final float[] horizontal = new float[TILE * inhibitory.stride];
    final float[] gate = new float[TILE * inhibitory.stride];
    final float[] circuit = new float[inhibitionNet == null ? 0 : TILE * inhibitionNet.stride];
  }

  /**
   * One step.
   *
   * @param x drive, N x H x W x C
   * @param e excitatory state
   * @param i inhibitory state
   * @param newE gets the new excitatory state; may be {@code e}
   * @param newI gets the new inhibitory state; may be {@code i}
   * @param threads how many work on it; more than the common pool has are of no use
   */
  public void step(
      float[] x,
      float[] e,
      float[] i,
      float[] newE,
      float[] newI,
      int batch,
      int height,
      int width,
      int threads) {
    int size = Math.multiplyExact(Math.multiplyExact(height, width), channels);
    for (float[] map : new float[][] {x, e, i, newE, newI}) {
      if (map.length != Math.multiplyExact(batch, size)) {
        throw new IllegalArgumentException(
            "a map of %s x %s x %s x %s has %s elements, not %s"
                .formatted(batch, height, width, channels, (long) batch * size, map.length));
      }
    }
    for (int n = 0; n < batch; n++) {
      int from = n * size;
      pad(e, from, norm1, height, width);
      rows(height, threads, (row, s) -> inhibit(x, e, i, newI, from, row, width, s));
      pad(newI, from, norm2, height, width);
      rows(height, threads, (row, s) -> excite(e, newI, newE, from, row, width, s));
    }
  }

  private interface Row {
    void run(int row, Scratch scratch);
  }

  private void rows(int height, int threads, Row body) {
    int tasks = threads == 1 ? 1 : Math.min(height, 4 * threads);
    IntStream indices = IntStream.range(0, tasks);
    (tasks == 1 ? indices : indices.parallel())
        .forEach(
            task -> {
              Scratch scratch = new Scratch();
              int end = (int) ((long) height * (task + 1) / tasks);
              for (int row = (int) ((long) height * task / tasks); row < end; row++) {
                body.run(row, scratch);
              }
            });
  }

  /** Copies a sample between borders of zeros, normalized if the kernel wants that. */
  private void pad(float[] map, int from, @Nullable Affine norm, int height, int width) {
    int border = kernelSize / 2;
    int row = (width + 2 * border) * channels;
    int length = Math.multiplyExact(height + 2 * border, row);
    if (padded.length != length) {
      padded = new float[length]; // the borders stay zero
    }
    for (int y = 0; y < height; y++) {
      int target = (y + border) * row + border * channels;
      int source = from + y * width * channels;
      if (norm == null) {
        System.arraycopy(map, source, padded, target, width * channels);
        continue;
      }
      for (int x = 0; x < width; x++) {
        int at = source + x * channels;
        float mean = kernels.sum(map, at, channels) / channels;
        float variance = kernels.squares(map, at, mean, channels) / channels;
        float scale = (float) (1 / Math.sqrt(variance + EPSILON));
        kernels.normalize(
            map, at, mean, scale, norm.weight, norm.bias, padded, target + x * channels, channels);
      }
    }
  }

  /** {@code c = relu(W * padded)} for a tile. */
  private void horizontal(Product product, int row, int x, int width, int pixels, float[] c) {
    int step = product.stride;
    int line = width + 2 * (kernelSize / 2);
    Arrays.fill(c, 0, pixels * step, 0);
    for (int column = 0; column < step; column += PANEL) {
      for (int tap = 0; tap < product.taps; tap++) {
        int pixel = (row + tap / kernelSize) * line + x + tap % kernelSize;
        kernels.addProducts(
            padded,
            pixel * channels,
            channels,
            channels,
            product.packed,
            product.at(column, 0, tap),
            c,
            column,
            step,
            pixels);
      }
    }
    kernels.relu(c, 0, pixels * step);
  }

  /** Overwrites {@code y} with the first of several sources' products. */
  private static void begin(Product product, int pixels, float[] y) {
    Arrays.fill(y, 0, pixels * product.stride, 0);
  }

  private void add(
      Product product, int source, float[] x, int at, int stride, int pixels, float[] y) {
    for (int column = 0; column < product.stride; column += PANEL) {
      kernels.addProducts(
          x,
          at,
          stride,
          product.in,
          product.packed,
          product.at(column, source, 0),
          y,
          column,
          product.stride,
          pixels);
    }
  }

  /** Alpha and mu, or kappa and omega, from their pre-activation. */
  private void activate(float[] y, int at, float[] bias) {
    if (config.dynamicParamActivation() == ParameterActivation.SOFTPLUS) {
      kernels.softplus(y, at, bias, 2 * channels);
    } else {
      kernels.sigmoid(y, at, 1, 0, ones, bias, 2 * channels);
    }
  }

  /** The gate of one pixel from its product. */
  private void open(
      Gate gate, float[] y, int at, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt) {
    float mean = 0;
    float scale = 1;
    int n = channels;
    if (normalized && config.gateNormPosition() == GatePosition.POST) {
      mean = kernels.sum(y, at, n) / n;
      scale = (float) (1 / Math.sqrt(kernels.squares(y, at, mean, n) / n + EPSILON));
    } else if (normalized) {
      // W ((z - m) r) = r (W z - m ΣW): the input itself need not be normalized.
      float sum = kernels.sum(a, aAt, n) + kernels.sum(b, bAt, n) + kernels.sum(c, cAt, n);
      mean = sum / (3 * n);
      float squares =
          kernels.squares(a, aAt, mean, n)
              + kernels.squares(b, bAt, mean, n)
              + kernels.squares(c, cAt, mean, n);
      scale = (float) (1 / Math.sqrt(squares / (3 * n) + EPSILON));
    }
    kernels.sigmoid(y, at, scale, mean, gate.sums, gate.bias, n);
  }

  /** First half of a step for a row of pixels: the new inhibitory state. */
  private void inhibit(
      float[] x, float[] e, float[] i, float[] newI, int from, int row, int width, Scratch s) {
    int step = inhibitory.stride;
    for (int column = 0; column < width; column += TILE) {
      int pixels = Math.min(TILE, width - column);
      int at = from + (row * width + column) * channels;
      horizontal(inhibitory, row, column, width, pixels, s.horizontal);
      if (inhibitionNet != null) {
        begin(inhibitionNet, pixels, s.circuit);
        add(inhibitionNet, 0, i, at, channels, pixels, s.circuit);
        add(inhibitionNet, 1, s.horizontal, 0, step, pixels, s.circuit);
        add(inhibitionNet, 2, x, at, channels, pixels, s.circuit);
      }
      begin(gain.product, pixels, s.gate);
      add(gain.product, 0, e, at, channels, pixels, s.gate);
      add(gain.product, 1, i, at, channels, pixels, s.gate);
      add(gain.product, 2, x, at, channels, pixels, s.gate);
      for (int p = 0; p < pixels; p++) {
        int pixel = at + p * channels;
        int own = p * step;
        open(gain, s.gate, own, e, pixel, i, pixel, x, pixel);
        float[] a = alpha;
        float[] m = mu;
        int aAt = 0;
        int mAt = 0;
        if (inhibitionNet != null) {
          a = s.circuit;
          m = s.circuit;
          aAt = p * inhibitionNet.stride;
          mAt = aAt + channels;
          activate(a, aAt, inhibitionBias);
        }
        kernels.inhibit(x, pixel, i, pixel, a, aAt, m, mAt, s.horizontal, own, channels);
        kernels.mix(i, pixel, s.horizontal, own, s.gate, own, newI, pixel, channels);
      }
    }
  }

  /** Second half of a step for a row of pixels: the new excitatory state. */
  private void excite(float[] e, float[] i, float[] newE, int from, int row, int width, Scratch s) {
    int step = excitatory.stride;
    for (int column = 0; column < width; column += TILE) {
      int pixels = Math.min(TILE, width - column);
      int at = from + (row * width + column) * channels;
      horizontal(excitatory, row, column, width, pixels, s.horizontal);
      if (excitationNet != null) {
        begin(excitationNet, pixels, s.circuit);
        add(excitationNet, 0, i, at, channels, pixels, s.circuit);
        add(excitationNet, 1, e, at, channels, pixels, s.circuit);
      }
      for (int p = 0; p < pixels; p++) {
        int pixel = at + p * channels;
        int own = p * step;
        if (excitationNet != null) {
          int k = p * excitationNet.stride;
          activate(s.circuit, k, excitationBias);
          kernels.excite(s.circuit, k, s.circuit, k + channels, s.horizontal, own, channels);
        } else if (config.multiplicativeExcitation()) {
          kernels.excite(kappa, 0, omega, 0, s.horizontal, own, channels);
        } else {
          kernels.excite(i, pixel, ones, 0, s.horizontal, own, channels);
          kernels.relu(s.horizontal, own, channels);
        }
      }
      begin(mix.product, pixels, s.gate);
      add(mix.product, 0, e, at, channels, pixels, s.gate);
      add(mix.product, 1, s.horizontal, 0, step, pixels, s.gate);
      add(mix.product, 2, i, at, channels, pixels, s.gate);
      for (int p = 0; p < pixels; p++) {
        int pixel = at + p * channels;
        int own = p * step;
        open(mix, s.gate, own, e, pixel, s.horizontal, own, i, pixel);
        kernels.mix(e, pixel, s.horizontal, own, s.gate, own, newE, pixel, channels);
      }
    }
  }
}
