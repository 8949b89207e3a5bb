package org.gammanet.nn;

import static org.gammanet.nn.Layers.scoped;

import java.util.List;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.GatePosition;
import org.gammanet.config.Normalization;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The fGRU cell with separate excitatory and inhibitory states, after Linsley, Kim, Ashok and
 * Serre, "Recurrent neural circuits for contour detection", ICLR 2020.
 *
 * <p>With drive x, excitatory state e and inhibitory state i; {@code *} is a convolution, N a
 * normalization that may be absent, S the symmetry of the horizontal kernels:
 *
 * <pre>
 * c1 = relu(S(W_inh) * N1(e))              inhibition through horizontal connections
 * s  = relu(x - (alpha i + mu) c1)         inhibited drive
 * g1 = sigmoid(W_gain * N[e; i; x] + b)    input gate
 * i' = (1 - g1) i + g1 s
 * c2 = relu(S(W_exc) * N2(i'))             excitation through horizontal connections
 * q  = omega c2 + kappa                    candidate
 * g2 = sigmoid(W_mix * N[e; q; i'] + b)    mixing gate
 * e' = (1 - g2) e + g2 q
 * </pre>
 *
 * <p>alpha, mu, kappa and omega are vectors of channels, or computed at each pixel: {@code [alpha;
 * mu]} from {@code [i; c1; x]} and {@code [kappa; omega]} from {@code [i'; e]}. The kernels are
 * free in sign unless {@code fgru.dale} constrains them: then |S(W)| stands for S(W), and a unit of
 * either population acts on all others with one sign, which Dale's principle demands.
 */
public final class FgruV2Cell extends FgruCell {
  private final CellParameters cell;
  private final Layers.Layer attention;
  private final Layers.Layer gateNorm;
  private final Layers.Layer norm1;
  private final Layers.Layer norm2;
  private final Layers.@Nullable Conv inhibitionNet;
  private final Layers.@Nullable Conv excitationNet;
  private final List<Parameter> parameters;

  /**
   * A cell with its parameters.
   *
   * @param name prefix of the parameters' names; empty for none
   * @throws IllegalArgumentException for a number of channels that group normalization cannot
   *     divide
   */
  public FgruV2Cell(Layers layers, String name, int channels, int kernelSize, FgruConfig config) {
    super(name, channels, kernelSize, config);
    String prefix = name.isEmpty() ? "" : name + ".";
    boolean grouped = config.normalizationType() == Normalization.GROUP;
    if (grouped && channels > 8 && channels % 8 != 0) {
      throw new IllegalArgumentException(
          "group normalization needs fewer than 8 channels or a multiple of 8, not " + channels);
    }
    int mark = layers.mark();
    cell = new CellParameters(layers, prefix, channels, kernelSize, 3, config);
    attention =
        layers.attention(
            prefix + "attention", config.attention(), channels, config.attentionLayers());
    int groups = Layers.groups(channels);
    gateNorm =
        Layers.plainNorm(
            config.normalizationType(),
            config.gateNormPosition() == GatePosition.PRE ? 3 * groups : groups);
    if (config.useDynamicParameters()) {
      inhibitionNet = dynamicNet(layers, prefix + "dynamic_params.inhibition_net.0", 3, channels);
      excitationNet = dynamicNet(layers, prefix + "dynamic_params.excitation_net.0", 2, channels);
    } else {
      inhibitionNet = null;
      excitationNet = null;
    }
    Normalization circuit =
        config.normalizesCircuitInputs() ? config.normalizationType() : Normalization.NONE;
    norm1 = layers.affineNorm(prefix + "norm_c1", circuit, channels, groups);
    norm2 = layers.affineNorm(prefix + "norm_c2", circuit, channels, groups);
    parameters = layers.trainableSince(mark);
  }

  private static Layers.Conv dynamicNet(Layers layers, String name, int inputs, int channels) {
    int in = inputs * channels;
    return layers.conv(
        name,
        in,
        2 * channels,
        1,
        Initialization.xavier(in, 2L * channels, 0.1),
        Initialization.ZERO);
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public int states() {
    return config().useSeparateEiStates() ? 2 : 1;
  }

  @Override
  CellParameters cell() {
    return cell;
  }

  @Override
  public long macsPerPixel() {
    return macsPerPixel(6, 6 + 4);
  }

  /**
   * One step.
   *
   * @param inputs drive, kernels if there are any, excitatory state, and inhibitory state if the
   *     cell has one
   * @return the new states
   */
  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    Signals signals = context.signals(name());
    Inputs in = new Inputs(inputs);
    Tensor x = in.drive();
    Tensor e = in.state(0);
    Tensor i = states() == 2 ? in.state(1) : e;

    Tensor s;
    if (in.atRest() && !signals.watched() && norm1 == Layers.IDENTITY) {
      s = Ops.relu(x); // no inhibition from a silent population
    } else {
      Tensor n1 = normalized(norm1, e);
      Tensor c1 = scoped(() -> Ops.relu_(in.inhibitory(n1)));
      s = scoped(() -> inhibitedDrive(x, i, c1));
      release(signals, "n1", n1, e);
      signals.release("c1", c1);
    }
    Tensor g1 = scoped(() -> gate(cell.wGain, cell.bGain, attention, e, i, x));
    Tensor newI = mix(i, s, g1);
    signals.release("s", s);
    signals.release("g1", g1);

    Tensor n2 = normalized(norm2, newI);
    Tensor c2 = scoped(() -> Ops.relu_(in.excitatory(n2)));
    release(signals, "n2", n2, newI);
    Tensor q = scoped(() -> candidate(newI, e, c2));
    signals.release("c2", c2);
    Tensor g2 = scoped(() -> gate(cell.wMix, cell.bMix, Layers.IDENTITY, e, q, newI));
    Tensor newE = mix(e, q, g2);

    signals.put("x", x);
    signals.put("inh", newI);
    signals.put("q", q);
    signals.put("g2", g2);
    signals.put("exc", newE);
    signals.report();
    return states() == 2 ? new Tensor[] {newE, newI} : new Tensor[] {newE};
  }

  private static Tensor normalized(Layers.Layer norm, Tensor state) {
    return norm == Layers.IDENTITY ? state : scoped(() -> norm.forward(state));
  }

  /** Frees what is not the state itself. */
  private static void release(Signals signals, String name, Tensor normalized, Tensor state) {
    if (normalized == state) {
      signals.put(name, normalized);
    } else {
      signals.release(name, normalized);
    }
  }

  /** {@code relu(x - (alpha i + mu) c1)}. */
  private Tensor inhibitedDrive(Tensor x, Tensor i, Tensor c1) {
    Tensor[] inhibition =
        inhibitionNet == null
            ? cell.staticInhibition()
            : cell.split(scoped(() -> inhibitionNet.forward(Ops.cat(List.of(i, c1, x), 1))));
    Tensor strength = Ops.add(Ops.mul(inhibition[0], i), inhibition[1]);
    return Ops.relu_(Ops.sub(x, Ops.mul(strength, c1)));
  }

  /** {@code omega c2 + kappa}, or {@code relu(i' + c2)} without multiplicative excitation. */
  private Tensor candidate(Tensor newI, Tensor e, Tensor c2) {
    if (!config().multiplicativeExcitation()) {
      return Ops.relu_(Ops.add(newI, c2));
    }
    Tensor[] excitation =
        excitationNet == null
            ? cell.staticExcitation()
            : cell.split(scoped(() -> excitationNet.forward(Ops.cat(List.of(newI, e), 1))));
    return Ops.add(Ops.mul(excitation[1], c2), excitation[0]);
  }

  /** {@code sigmoid(W * N[z] + b)}, the norm before or after the product. */
  private Tensor gate(Parameter weight, Parameter bias, Layers.Layer attention, Tensor... parts) {
    boolean pre = config().gateNormPosition() == GatePosition.PRE;
    Tensor z = Ops.cat(List.of(parts), 1);
    Tensor y = Ops.conv2d(pre ? gateNorm.forward(z) : z, weight.tensor(), null, 1, 0);
    y = attention.forward(y);
    return Ops.sigmoid_(CellParameters.plusBias(pre ? y : gateNorm.forward(y), bias));
  }
}
