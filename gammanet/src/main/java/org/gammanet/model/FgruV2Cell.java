package org.gammanet.model;

import java.util.List;
import java.util.Map;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.GatePosition;
import org.gammanet.config.Normalization;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The fGRU cell with separate excitatory and inhibitory states.
 *
 * <p>With drive x, excitatory state e and inhibitory state i; {@code *} is a convolution and N a
 * normalisation that may be absent:
 *
 * <pre>
 * c1 = relu(W_inh * N1(e))                 inhibition through horizontal connections
 * s  = relu(x - (alpha i + mu) c1)         inhibited drive
 * g1 = sigmoid(W_gain * N[e; i; x] + b)    input gate
 * i' = (1 - g1) i + g1 s
 * c2 = relu(W_exc * N2(i'))                excitation through horizontal connections
 * q  = omega c2 + kappa
 * g2 = sigmoid(W_mix * N[e; q; i'] + b)    mixing gate
 * e' = (1 - g2) e + g2 q
 * </pre>
 *
 * <p>alpha, mu, kappa and omega are vectors of channels, or computed at each pixel: {@code [alpha;
 * mu]} from {@code [i; c1; x]} and {@code [kappa; omega]} from {@code [i'; e]}. The kernels are
 * free in sign; that inhibition subtracts and excitation adds is in the equations alone.
 */
public final class FgruV2Cell extends FgruCell {
  private final FgruConfig config;
  private final CellParts cell;
  private final Parts.Layer attention;
  private final Parts.Layer gateNorm;
  private final Parts.Layer norm1;
  private final Parts.Layer norm2;
  private final Parts.@Nullable Conv inhibitionNet;
  private final Parts.@Nullable Conv excitationNet;
  private final List<Parameter> parameters;

  FgruV2Cell(Parts parts, String name, int channels, int kernelSize, FgruConfig config) {
    super(name, channels, kernelSize);
    this.config = config;
    String prefix = name.isEmpty() ? "" : name + ".";
    boolean grouped = config.normalizationType() == Normalization.GROUP;
    if (grouped && channels > 8 && channels % 8 != 0) {
      throw new IllegalArgumentException(
          "group normalisation needs fewer than 8 channels or a multiple of 8, not " + channels);
    }
    int before = parts.parameters().size();
    cell = new CellParts(parts, prefix, channels, kernelSize, 3, config);
    attention =
        parts.attention(
            prefix + "attention", config.attention(), channels, config.attentionLayers());
    int groups = Parts.groups(channels);
    gateNorm =
        Parts.plainNorm(
            config.normalizationType(),
            config.gateNormPosition() == GatePosition.PRE ? 3 * groups : groups);
    if (config.useDynamicParameters()) {
      inhibitionNet = dynamicNet(parts, prefix + "dynamic_params.inhibition_net.0", 3, channels);
      excitationNet = dynamicNet(parts, prefix + "dynamic_params.excitation_net.0", 2, channels);
    } else {
      inhibitionNet = null;
      excitationNet = null;
    }
    Normalization circuit =
        config.normalizesCircuitInputs() ? config.normalizationType() : Normalization.NONE;
    norm1 = parts.affineNorm(prefix + "norm_c1", circuit, channels, groups);
    norm2 = parts.affineNorm(prefix + "norm_c2", circuit, channels, groups);
    List<Parameter> all = parts.parameters();
    parameters = all.subList(before, all.size());
  }

  private static Parts.Conv dynamicNet(Parts parts, String name, int inputs, int channels) {
    int in = inputs * channels;
    return parts.conv(
        name,
        in,
        2 * channels,
        1,
        Initialization.xavier(in, 2L * channels, 0.1),
        new Initialization.Constant(0));
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public int states() {
    return config.useSeparateEiStates() ? 2 : 1;
  }

  @Override
  public Tensor horizontalKernel(boolean excitatory) {
    return cell.kernel(excitatory ? cell.wExc : cell.wInh);
  }

  @Override
  public long macsPerPixel() {
    long c2 = (long) channels() * channels();
    long dynamic = config.useDynamicParameters() ? 10 : 0;
    return (2L * kernelSize() * kernelSize() + 6 + dynamic) * c2;
  }

  FgruConfig config() {
    return config;
  }

  CellParts parts() {
    return cell;
  }

  /**
   * One step.
   *
   * @param inputs drive, excitatory state, and inhibitory state if the cell has one
   * @return the new states
   */
  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    Tensor x = inputs[0];
    Tensor e = inputs[1];
    Tensor i = config.useSeparateEiStates() ? inputs[2] : e;

    Tensor n1 = norm1.forward(e);
    Tensor c1 = Ops.relu(cell.horizontal(context, cell.wInh, n1));
    Tensor[] inhibition =
        inhibitionNet == null
            ? cell.staticInhibition()
            : cell.split(inhibitionNet.forward(Ops.cat(List.of(i, c1, x), 1)));
    Tensor strength = Ops.add(Ops.mul(inhibition[0], i), inhibition[1]);
    Tensor s = Ops.relu(Ops.sub(x, Ops.mul(strength, c1)));
    Tensor g1 = gate(cell.wGain, cell.bGain, Ops.cat(List.of(e, i, x), 1), attention);
    Tensor newI = CellParts.mix(i, s, g1);

    Tensor n2 = norm2.forward(newI);
    Tensor c2 = Ops.relu(cell.horizontal(context, cell.wExc, n2));
    Tensor q;
    if (!config.multiplicativeExcitation()) {
      q = Ops.relu(Ops.add(newI, c2));
    } else {
      Tensor[] excitation =
          excitationNet == null
              ? cell.staticExcitation()
              : cell.split(excitationNet.forward(Ops.cat(List.of(newI, e), 1)));
      q = Ops.add(Ops.mul(excitation[1], c2), excitation[0]);
    }
    Tensor g2 = gate(cell.wMix, cell.bMix, Ops.cat(List.of(e, q, newI), 1), Parts.IDENTITY);
    Tensor newE = CellParts.mix(e, q, g2);

    Map<String, Tensor> signals = context.signals(name());
    if (signals != null) {
      signals.put("x", x);
      signals.put("n1", n1);
      signals.put("c1", c1);
      signals.put("s", s);
      signals.put("g1", g1);
      signals.put("inh", newI);
      signals.put("n2", n2);
      signals.put("c2", c2);
      signals.put("q", q);
      signals.put("g2", g2);
      signals.put("exc", newE);
      context.report(name(), signals);
    }
    return states() == 2 ? new Tensor[] {newE, newI} : new Tensor[] {newE};
  }

  private Tensor gate(Parameter weight, Parameter bias, Tensor z, Parts.Layer attention) {
    boolean pre = config.gateNormPosition() == GatePosition.PRE;
    Tensor y = Ops.conv2d(pre ? gateNorm.forward(z) : z, weight.tensor(), null, 1, 0);
    y = attention.forward(y);
    return Ops.sigmoid(CellParts.plusBias(pre ? y : gateNorm.forward(y), bias));
  }
}
