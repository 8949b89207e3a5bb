package org.gammanet.nn;

import static org.gammanet.nn.Layers.scoped;

import java.util.List;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.Normalization;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The fGRU cell with one state h.
 *
 * <pre>
 * g1 = sigmoid(n(W_gain * [h; x]) + b)
 * c1 = N1(W_inh * h)
 * s  = relu(x - relu((alpha h + mu) c1))
 * h1 = (1 - g1) h + g1 s
 * g2 = sigmoid(W_mix * n[h1; h] + b)
 * c2 = N2(W_exc * h1)
 * q  = relu((omega h1 + kappa) c2)
 * h' = (1 - g2) h + g2 q
 * </pre>
 *
 * <p>With layer normalization, n and N are over channels and pixels of a sample. The term in q is
 * quadratic in h1 and can diverge with untrained weights.
 */
public final class FgruV1Cell extends FgruCell {
  private final Mechanisms.Circuit circuit;
  private final CellParameters cell;
  private final Layers.Layer attention;
  private final Layers.Layer gateNorm;
  private final Layers.Layer norm1;
  private final Layers.Layer norm2;
  private final Layers.@Nullable Layer inhibitionNet;
  private final Layers.@Nullable Layer excitationNet;
  private final List<Parameter> parameters;

  /**
   * A cell with its parameters.
   *
   * @param name prefix of the parameters' names; empty for none
   * @throws IllegalArgumentException for options that this kind of cell does not have
   */
  public FgruV1Cell(
      Layers layers,
      String name,
      int channels,
      int kernelSize,
      FgruConfig config,
      Mechanisms.Circuit circuit) {
    super(name, channels, kernelSize, config);
    this.circuit = circuit;
    String prefix = name.isEmpty() ? "" : name + ".";
    if (config.normalizationType() == Normalization.GROUP) {
      throw new IllegalArgumentException(
          "a cell with one state has no group normalization: use layer, instance or none");
    }
    if (oneTerm() && !config.useDynamicParameters() && !config.multiplicativeExcitation()) {
      throw new IllegalArgumentException(
          "this ablation scales excitation, so model.fgru.multiplicative_excitation must be true");
    }
    int mark = layers.mark();
    cell = new CellParameters(layers, prefix, channels, kernelSize, 2, config);
    attention =
        layers.attention(
            prefix + "attention", config.attention(), channels, config.attentionLayers());
    // "Layer" is one group here, unlike in the cell with two states.
    Normalization kind =
        config.normalizationType() == Normalization.LAYER
            ? Normalization.GROUP
            : config.normalizationType();
    gateNorm = Layers.plainNorm(kind, 1);
    if (config.useDynamicParameters()) {
      inhibitionNet = dynamicNet(layers, prefix + "dynamic_params.inhibition_net", 3, channels);
      excitationNet = dynamicNet(layers, prefix + "dynamic_params.excitation_net", 2, channels);
    } else {
      inhibitionNet = null;
      excitationNet = null;
    }
    Normalization inputs = config.normalizesCircuitInputs() ? kind : Normalization.NONE;
    norm1 = layers.affineNorm(prefix + "norm_c1", inputs, channels, 1);
    norm2 = layers.affineNorm(prefix + "norm_c2", inputs, channels, 1);
    parameters = layers.trainableSince(mark);
  }

  /** Two 1x1 convolutions with a group normalization and a ReLU between them. */
  private static Layers.Layer dynamicNet(Layers layers, String name, int inputs, int channels) {
    int in = inputs * channels;
    Layers.Conv first =
        layers.conv(
            name + ".0",
            in,
            channels,
            1,
            Initialization.xavier(in, channels, 0.1),
            Initialization.ZERO);
    int groups = Math.min(8, channels);
    while (channels % groups != 0) {
      groups--;
    }
    Layers.Layer norm = layers.affineNorm(name + ".1", Normalization.GROUP, channels, groups);
    Layers.Conv second =
        layers.conv(
            name + ".3",
            channels,
            2 * channels,
            1,
            Initialization.xavier(channels, 2L * channels, 0.1),
            Initialization.ZERO);
    return z -> second.forward(Ops.relu(norm.forward(first.forward(z))));
  }

  /** The same cell, with the same parameters, at another site of a network. */
  private FgruV1Cell(FgruV1Cell original, String name) {
    super(name, original.channels(), original.kernelSize(), original.config());
    circuit = original.circuit;
    cell = original.cell;
    attention = original.attention;
    gateNorm = original.gateNorm;
    norm1 = original.norm1;
    norm2 = original.norm2;
    inhibitionNet = original.inhibitionNet;
    excitationNet = original.excitationNet;
    parameters = original.parameters;
  }

  /** This cell, with its parameters, under its name at another site. */
  public FgruV1Cell as(String name) {
    return new FgruV1Cell(this, name);
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public int states() {
    return 1;
  }

  @Override
  CellParameters cell() {
    return cell;
  }

  @Override
  public long macsPerPixel() {
    return macsPerPixel(4, 3 + 2 + 2 + 2);
  }

  /**
   * One step.
   *
   * @param inputs drive, kernels if there are any, and state
   * @return the new state
   */
  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    Signals signals = context.signals(name());
    Inputs in = new Inputs(inputs);
    Tensor x = in.drive();
    Tensor h = in.state(0);

    Tensor g1 = scoped(() -> inputGate(h, x));
    Tensor s;
    if (in.atRest() && !signals.watched() && norm1 == Layers.IDENTITY) {
      s = Ops.relu(x); // no inhibition from a silent population
    } else {
      Tensor c1 = scoped(() -> norm1.forward(in.inhibitory(h)));
      s = scoped(() -> inhibitedDrive(x, h, c1));
      signals.release("c1", c1);
    }
    Tensor h1 = mix(h, s, g1);
    signals.release("s", s);

    Tensor c2 = scoped(() -> norm2.forward(in.excitatory(h1)));
    Tensor q = scoped(() -> Ops.relu_(excitation(h1, c2)));
    signals.release("c2", c2);
    Tensor g2 = circuit.gates() == Mechanisms.Gates.TIED ? g1 : scoped(() -> mixingGate(h1, h));
    Tensor newH = mix(h, q, g2);

    signals.put("x", x);
    signals.put("n1", h);
    signals.put("g1", g1);
    signals.put("h1", h1);
    signals.put("n2", h1);
    signals.put("q", q);
    signals.put("g2", g2);
    signals.put("h", newH);
    signals.report();
    return new Tensor[] {newH};
  }

  /** {@code relu(x - relu((alpha h + mu) c1))}. */
  private Tensor inhibitedDrive(Tensor x, Tensor h, Tensor c1) {
    Tensor[] inhibition =
        inhibitionNet == null
            ? cell.staticInhibition()
            : cell.split(scoped(() -> inhibitionNet.forward(Ops.cat(List.of(h, c1, x), 1))));
    Tensor strength =
        circuit.divisive() ? Ops.add(Ops.mul(inhibition[0], h), inhibition[1]) : inhibition[1];
    return Ops.relu_(Ops.sub(x, Ops.relu_(Ops.mul(strength, c1))));
  }

  private boolean oneTerm() {
    return !(circuit.additive() && circuit.multiplicative());
  }

  /** The candidate before its rectification. */
  private Tensor excitation(Tensor h1, Tensor c2) {
    if (!config().multiplicativeExcitation() && !oneTerm()) {
      return Ops.add(h1, c2);
    }
    Tensor[] parameters =
        excitationNet == null
            ? cell.staticExcitation()
            : cell.split(scoped(() -> excitationNet.forward(Ops.cat(List.of(h1, c2), 1))));
    Tensor kappa = parameters[0];
    Tensor omega = parameters[1];
    if (!circuit.multiplicative()) {
      return Ops.mul(kappa, Ops.add(h1, c2));
    }
    Tensor scaled = Ops.mul(omega, h1);
    return Ops.mul(circuit.additive() ? Ops.add(scaled, kappa) : scaled, c2);
  }

  private Tensor inputGate(Tensor h, Tensor x) {
    if (circuit.gates() == Mechanisms.Gates.FIXED) {
      return Tensor.full(circuit.fixedG1(), h.dtype(), h.device(), 1, 1, 1, 1);
    }
    Tensor y = Ops.conv2d(Ops.cat(List.of(h, x), 1), cell.wGain.tensor(), null, 1, 0);
    return squash(CellParameters.plusBias(gateNorm.forward(attention.forward(y)), cell.bGain));
  }

  private Tensor mixingGate(Tensor h1, Tensor h) {
    if (circuit.gates() == Mechanisms.Gates.FIXED) {
      return Tensor.full(circuit.fixedG2(), h.dtype(), h.device(), 1, 1, 1, 1);
    }
    Tensor z = gateNorm.forward(Ops.cat(List.of(h1, h), 1));
    return squash(
        CellParameters.plusBias(Ops.conv2d(z, cell.wMix.tensor(), null, 1, 0), cell.bMix));
  }

  private Tensor squash(Tensor z) {
    return circuit.gates() == Mechanisms.Gates.LINEAR ? Ops.clamp(z, 0, 1) : Ops.sigmoid_(z);
  }
}
