package org.gammanet.model;

import java.util.List;
import java.util.Map;
import org.gammanet.config.Ablation;
import org.gammanet.config.AblationConfig;
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
 * <p>With layer normalisation, n and N are over channels and pixels of a sample. The term in q is
 * quadratic in h1 and can run away with untrained weights.
 */
public final class FgruV1Cell extends FgruCell {
  private final @Nullable AblationConfig ablation;
  private final CellParts cell;
  private final Parts.Layer attention;
  private final Parts.Layer gateNorm;
  private final Parts.Layer norm1;
  private final Parts.Layer norm2;
  private final Parts.@Nullable Layer inhibitionNet;
  private final Parts.@Nullable Layer excitationNet;
  private final List<Parameter> parameters;

  FgruV1Cell(
      Parts parts,
      String name,
      int channels,
      int kernelSize,
      FgruConfig config,
      @Nullable AblationConfig ablation) {
    super(name, channels, kernelSize, config);
    this.ablation = ablation;
    String prefix = name.isEmpty() ? "" : name + ".";
    if (config.normalizationType() == Normalization.GROUP) {
      throw new IllegalArgumentException(
          "a cell with one state has no group normalisation: use layer, instance or none");
    }
    boolean oneTerm = is(Ablation.ADDITIVE_ONLY) || is(Ablation.MULTIPLICATIVE_ONLY);
    if (oneTerm && !config.useDynamicParameters() && !config.multiplicativeExcitation()) {
      throw new IllegalArgumentException(
          "this ablation scales excitation, so model.fgru.multiplicative_excitation must be true");
    }
    int mark = parts.mark();
    cell = new CellParts(parts, prefix, channels, kernelSize, 2, config);
    attention =
        parts.attention(
            prefix + "attention", config.attention(), channels, config.attentionLayers());
    // "Layer" is one group here, unlike in the cell with two states.
    Normalization kind =
        config.normalizationType() == Normalization.LAYER
            ? Normalization.GROUP
            : config.normalizationType();
    gateNorm = Parts.plainNorm(kind, 1);
    if (config.useDynamicParameters()) {
      inhibitionNet = dynamicNet(parts, prefix + "dynamic_params.inhibition_net", 3, channels);
      excitationNet = dynamicNet(parts, prefix + "dynamic_params.excitation_net", 2, channels);
    } else {
      inhibitionNet = null;
      excitationNet = null;
    }
    Normalization circuit = config.normalizesCircuitInputs() ? kind : Normalization.NONE;
    norm1 = parts.affineNorm(prefix + "norm_c1", circuit, channels, 1);
    norm2 = parts.affineNorm(prefix + "norm_c2", circuit, channels, 1);
    parameters = parts.trainableSince(mark);
  }

  /** Two 1x1 convolutions with a group normalisation and a ReLU between them. */
  private static Parts.Layer dynamicNet(Parts parts, String name, int inputs, int channels) {
    int in = inputs * channels;
    Parts.Conv first =
        parts.conv(
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
    Parts.Layer norm = parts.affineNorm(name + ".1", Normalization.GROUP, channels, groups);
    Parts.Conv second =
        parts.conv(
            name + ".3",
            channels,
            2 * channels,
            1,
            Initialization.xavier(channels, 2L * channels, 0.1),
            Initialization.ZERO);
    return z -> second.forward(Ops.relu(norm.forward(first.forward(z))));
  }

  /** The same cell, with the same parameters, at another place of a network. */
  private FgruV1Cell(FgruV1Cell original, String name) {
    super(name, original.channels(), original.kernelSize(), original.config());
    ablation = original.ablation;
    cell = original.cell;
    attention = original.attention;
    gateNorm = original.gateNorm;
    norm1 = original.norm1;
    norm2 = original.norm2;
    inhibitionNet = original.inhibitionNet;
    excitationNet = original.excitationNet;
    parameters = original.parameters;
  }

  /** This cell, with its parameters, under the name that it has at another place. */
  FgruV1Cell as(String name) {
    return new FgruV1Cell(this, name);
  }

  private boolean is(Ablation which) {
    return ablation != null && ablation.ablation() == which;
  }

  @Override
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  String fallbackReason() {
    return "cells with a single state as in version 1 have no native kernels";
  }

  @Override
  public int states() {
    return 1;
  }

  @Override
  public Tensor horizontalKernel(boolean excitatory) {
    return cell.kernel(excitatory ? cell.wExc : cell.wInh);
  }

  @Override
  public long macsPerPixel() {
    FgruConfig config = config();
    long c2 = (long) channels() * channels();
    long dynamic = config.useDynamicParameters() ? 3 + 2 + 2 + 2 : 0;
    return (2L * kernelSize() * kernelSize() + 4 + dynamic) * c2
        + Parts.attentionMacs(config.attention(), channels(), config.attentionLayers());
  }

  /**
   * One step.
   *
   * @param inputs drive and state, or the drive alone
   * @return the new state
   */
  @Override
  public Tensor[] forward(ForwardContext context, Tensor... inputs) {
    Map<String, Tensor> signals = context.signals(name());
    Tensor x = inputs[0];
    Tensor h = stateOf(inputs, 0);

    Tensor g1 = Parts.scoped(() -> inputGate(h, x));
    Tensor s;
    if (inputs.length == 1 && signals == null && norm1 == Parts.IDENTITY) {
      s = Ops.relu(x); // no inhibition comes from a silent population
    } else {
      Tensor c1 = Parts.scoped(() -> norm1.forward(cell.horizontal(context, cell.wInh, h)));
      s = Parts.scoped(() -> inhibitedDrive(x, h, c1));
      release(signals, "c1", c1);
    }
    Tensor h1 = CellParts.mix(h, s, g1);
    release(signals, "s", s);

    Tensor c2 = Parts.scoped(() -> norm2.forward(cell.horizontal(context, cell.wExc, h1)));
    Tensor q = Parts.scoped(() -> Ops.relu_(excitation(h1, c2)));
    release(signals, "c2", c2);
    Tensor g2 = is(Ablation.SYMMETRIC_GATES) ? g1 : Parts.scoped(() -> mixingGate(h1, h));
    Tensor newH = CellParts.mix(h, q, g2);

    if (signals != null) {
      signals.put("x", x);
      signals.put("n1", h);
      signals.put("g1", g1);
      signals.put("h1", h1);
      signals.put("n2", h1);
      signals.put("q", q);
      signals.put("g2", g2);
      signals.put("h", newH);
      context.report(name(), signals);
    }
    return new Tensor[] {newH};
  }

  /** {@code relu(x - relu((alpha h + mu) c1))}. */
  private Tensor inhibitedDrive(Tensor x, Tensor h, Tensor c1) {
    Tensor[] inhibition =
        inhibitionNet == null
            ? cell.staticInhibition()
            : cell.split(Parts.scoped(() -> inhibitionNet.forward(Ops.cat(List.of(h, c1, x), 1))));
    Tensor strength =
        is(Ablation.NO_DIVISIVE)
            ? inhibition[1]
            : Ops.add(Ops.mul(inhibition[0], h), inhibition[1]);
    return Ops.relu_(Ops.sub(x, Ops.relu_(Ops.mul(strength, c1))));
  }

  /** What is rectified to the candidate state. */
  private Tensor excitation(Tensor h1, Tensor c2) {
    boolean oneTerm = is(Ablation.ADDITIVE_ONLY) || is(Ablation.MULTIPLICATIVE_ONLY);
    if (!config().multiplicativeExcitation() && !oneTerm) {
      return Ops.add(h1, c2);
    }
    Tensor[] parameters =
        excitationNet == null
            ? cell.staticExcitation()
            : cell.split(Parts.scoped(() -> excitationNet.forward(Ops.cat(List.of(h1, c2), 1))));
    Tensor kappa = parameters[0];
    Tensor omega = parameters[1];
    if (is(Ablation.ADDITIVE_ONLY)) {
      return Ops.mul(kappa, Ops.add(h1, c2));
    }
    if (is(Ablation.MULTIPLICATIVE_ONLY)) {
      return Ops.mul(Ops.mul(omega, h1), c2);
    }
    return Ops.mul(Ops.add(Ops.mul(omega, h1), kappa), c2);
  }

  private Tensor inputGate(Tensor h, Tensor x) {
    if (ablation != null && is(Ablation.NO_GATES)) {
      return Tensor.full(ablation.fixedG1(), h.dtype(), h.device(), 1, 1, 1, 1);
    }
    Tensor y = Ops.conv2d(Ops.cat(List.of(h, x), 1), cell.wGain.tensor(), null, 1, 0);
    return squash(CellParts.plusBias(gateNorm.forward(attention.forward(y)), cell.bGain));
  }

  private Tensor mixingGate(Tensor h1, Tensor h) {
    if (ablation != null && is(Ablation.NO_GATES)) {
      return Tensor.full(ablation.fixedG2(), h.dtype(), h.device(), 1, 1, 1, 1);
    }
    Tensor z = gateNorm.forward(Ops.cat(List.of(h1, h), 1));
    return squash(CellParts.plusBias(Ops.conv2d(z, cell.wMix.tensor(), null, 1, 0), cell.bMix));
  }

  private Tensor squash(Tensor z) {
    return is(Ablation.LINEAR_GATES) ? Ops.clamp(z, 0, 1) : Ops.sigmoid_(z);
  }
}
