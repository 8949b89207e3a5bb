package org.gammanet.config;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * The recurrent cell, as {@code model.fgru} describes it.
 *
 * @param attention attention on the input gate
 * @param attentionLayers depth of GALA attention, at least 1; a file's 0 counts as 1
 * @param symmetricWeights symmetry of the horizontal kernels, if {@code useSymmetricConv}
 * @param useSymmetricConv whether {@code symmetricWeights} is applied at all
 * @param multiplicativeExcitation whether excitation scales and shifts the horizontal term (κ, ω)
 *     instead of being added to the inhibited drive
 * @param forceAlphaDivisive static parameters only: α passes through a sigmoid
 * @param forceOmegaNonnegative static parameters only: ω is rectified
 * @param normalizationType normalization in front of gates and horizontal kernels; {@code BATCH} is
 *     not accepted, {@code GROUP} only by cells with two states
 * @param normalizeC1C2 with {@code normalizeCircuitOutputs}: whether the inputs of the horizontal
 *     kernels are normalized (affine); both must be set
 * @param normalizeCircuitOutputs see {@code normalizeC1C2}
 * @param useDynamicParameters whether α, μ, κ, ω are computed from the activity at each pixel
 *     instead of being learned constants
 * @param dynamicParamActivation what keeps the dynamic parameters positive
 * @param useSeparateEiStates whether the excitatory and inhibitory states are separate
 * @param gateNormPosition where a gate's normalization stands
 * @param partialPadding accepted for compatibility; no effect
 * @param dale whether each population keeps its sign: the horizontal kernels are |S(W)|, so that
 *     only the equations decide that excitation adds and inhibition subtracts
 */
public record FgruConfig(
    @JsonProperty("use_attention") Attention attention,
    int attentionLayers,
    Symmetry symmetricWeights,
    boolean useSymmetricConv,
    boolean multiplicativeExcitation,
    boolean forceAlphaDivisive,
    boolean forceOmegaNonnegative,
    Normalization normalizationType,
    boolean normalizeC1C2,
    boolean normalizeCircuitOutputs,
    boolean useDynamicParameters,
    ParameterActivation dynamicParamActivation,
    boolean useSeparateEiStates,
    GatePosition gateNormPosition,
    boolean partialPadding,
    boolean dale) {

  /** What a cell is when a configuration says nothing about it. */
  public static final FgruConfig CLASS_DEFAULTS =
      new FgruConfig(
          Attention.NONE,
          1,
          Symmetry.CHANNEL,
          true,
          true,
          true,
          true,
          Normalization.LAYER,
          true,
          true,
          false,
          ParameterActivation.SOFTPLUS,
          true,
          GatePosition.PRE,
          false,
          false);

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
  public FgruConfig {
    Check.that(
        attentionLayers >= 0 && attentionLayers <= 100,
        "attention_layers",
        attentionLayers,
        "0 to 100");
    attentionLayers = Math.max(1, attentionLayers);
    Check.oneOf(
        "normalization_type",
        normalizationType,
        Normalization.LAYER,
        Normalization.INSTANCE,
        Normalization.GROUP,
        Normalization.NONE);
  }

  /** The symmetry that the horizontal kernels really get. */
  public Symmetry effectiveSymmetry() {
    return useSymmetricConv ? symmetricWeights : Symmetry.NONE;
  }

  /** Whether the inputs of the horizontal kernels are normalized ({@code norm_c1, norm_c2}). */
  public boolean normalizesCircuitInputs() {
    return normalizeC1C2 && normalizeCircuitOutputs && normalizationType != Normalization.NONE;
  }

  /**
   * This cell with the defaults for everything that has no effect on it.
   *
   * @param twoStates whether the network's cells have an inhibitory state
   */
  FgruConfig effective(boolean twoStates) {
    FgruConfig d = CLASS_DEFAULTS;
    boolean fixed = !useDynamicParameters;
    boolean normalized = normalizationType != Normalization.NONE;
    return new FgruConfig(
        attention,
        attention == Attention.GALA ? attentionLayers : d.attentionLayers,
        effectiveSymmetry(),
        true,
        fixed ? multiplicativeExcitation : d.multiplicativeExcitation,
        fixed ? forceAlphaDivisive : d.forceAlphaDivisive,
        fixed ? forceOmegaNonnegative : d.forceOmegaNonnegative,
        normalizationType,
        normalizesCircuitInputs(),
        normalizesCircuitInputs(),
        useDynamicParameters,
        fixed ? d.dynamicParamActivation : dynamicParamActivation,
        twoStates ? useSeparateEiStates : d.useSeparateEiStates,
        twoStates && normalized ? gateNormPosition : d.gateNormPosition,
        d.partialPadding,
        dale);
  }

  /** A copy with static or dynamic circuit parameters. */
  public FgruConfig withUseDynamicParameters(boolean dynamic) {
    return Copies.with(this, "useDynamicParameters", dynamic);
  }

  /** A copy with other attention. */
  public FgruConfig withAttention(Attention newAttention, int newLayers) {
    return Copies.with(Copies.with(this, "attention", newAttention), "attentionLayers", newLayers);
  }

  /** A copy in which excitation is scaled and shifted, or only added. */
  public FgruConfig withMultiplicativeExcitation(boolean multiplicative) {
    return Copies.with(this, "multiplicativeExcitation", multiplicative);
  }

  /** A copy with or without normalized inputs of the horizontal kernels. */
  public FgruConfig withNormalizedCircuit(boolean normalized) {
    return Copies.with(
        Copies.with(this, "normalizeC1C2", normalized || normalizeC1C2),
        "normalizeCircuitOutputs",
        normalized);
  }

  /**
   * Reads the JSON form of a {@code model.fgru} section; absent keys take {@link #CLASS_DEFAULTS}.
   *
   * @param source name of the file for error messages
   * @throws ConfigException for anything unknown or impossible
   */
  public static FgruConfig parseJson(String json, String source) {
    return ModelConfig.parseJson("{\"fgru\":" + json + "}", source).fgru();
  }
}
