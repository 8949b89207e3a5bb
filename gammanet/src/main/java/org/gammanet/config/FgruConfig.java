package org.gammanet.config;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
 * @param normalizationType normalisation in front of gates and horizontal kernels; {@code BATCH} is
 *     not accepted, {@code GROUP} only by cells with two states
 * @param normalizeC1C2 with {@code normalizeCircuitOutputs}: whether the inputs of the horizontal
 *     kernels are normalised (affine); both must be set
 * @param normalizeCircuitOutputs see {@code normalizeC1C2}
 * @param useDynamicParameters whether α, μ, κ, ω are computed from the activity at each pixel
 *     instead of being learnt constants
 * @param dynamicParamActivation what keeps the dynamic parameters positive
 * @param useSeparateEiStates whether the excitatory and inhibitory states are separate
 * @param gateNormPosition where a gate's normalisation stands
 * @param partialPadding accepted for compatibility; no effect
 */
public record FgruConfig(
    Attention attention,
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
    boolean partialPadding) {

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
          false);

  /** Checks every value. */
  public FgruConfig {
    Check.atLeast("attention_layers", attentionLayers, 0);
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

  /** Whether the inputs of the horizontal kernels are normalised ({@code norm_c1, norm_c2}). */
  public boolean normalizesCircuitInputs() {
    return normalizeC1C2 && normalizeCircuitOutputs && normalizationType != Normalization.NONE;
  }

  /** A copy with static or dynamic circuit parameters. */
  public FgruConfig withUseDynamicParameters(boolean dynamic) {
    return new FgruConfig(
        attention,
        attentionLayers,
        symmetricWeights,
        useSymmetricConv,
        multiplicativeExcitation,
        forceAlphaDivisive,
        forceOmegaNonnegative,
        normalizationType,
        normalizeC1C2,
        normalizeCircuitOutputs,
        dynamic,
        dynamicParamActivation,
        useSeparateEiStates,
        gateNormPosition,
        partialPadding);
  }

  /** A copy with other attention. */
  public FgruConfig withAttention(Attention newAttention, int newLayers) {
    return new FgruConfig(
        newAttention,
        newLayers,
        symmetricWeights,
        useSymmetricConv,
        multiplicativeExcitation,
        forceAlphaDivisive,
        forceOmegaNonnegative,
        normalizationType,
        normalizeC1C2,
        normalizeCircuitOutputs,
        useDynamicParameters,
        dynamicParamActivation,
        useSeparateEiStates,
        gateNormPosition,
        partialPadding);
  }

  /** A copy in which excitation is scaled and shifted, or only added. */
  public FgruConfig withMultiplicativeExcitation(boolean multiplicative) {
    return new FgruConfig(
        attention,
        attentionLayers,
        symmetricWeights,
        useSymmetricConv,
        multiplicative,
        forceAlphaDivisive,
        forceOmegaNonnegative,
        normalizationType,
        normalizeC1C2,
        normalizeCircuitOutputs,
        useDynamicParameters,
        dynamicParamActivation,
        useSeparateEiStates,
        gateNormPosition,
        partialPadding);
  }

  /** A copy with or without normalised inputs of the horizontal kernels. */
  public FgruConfig withNormalizedCircuit(boolean normalized) {
    return new FgruConfig(
        attention,
        attentionLayers,
        symmetricWeights,
        useSymmetricConv,
        multiplicativeExcitation,
        forceAlphaDivisive,
        forceOmegaNonnegative,
        normalizationType,
        normalized || normalizeC1C2,
        normalized,
        useDynamicParameters,
        dynamicParamActivation,
        useSeparateEiStates,
        gateNormPosition,
        partialPadding);
  }

  /**
   * Reads the JSON form of a {@code model.fgru} section; absent keys take {@link #CLASS_DEFAULTS}.
   *
   * @param source name of the file for error messages
   * @throws ConfigException for anything unknown or impossible
   */
  public static FgruConfig parseJson(String json, String source) {
    Section root =
        Section.root(
            Documents.parseJson(json, source), new Source(source, null), Map.of(), note -> {});
    FgruConfig config = read(root);
    root.refuseUnknownKeys();
    return config;
  }

  static FgruConfig read(Section section) {
    FgruConfig d = CLASS_DEFAULTS;
    return section.build(
        () ->
            new FgruConfig(
                section.word(
                    "use_attention", d.attention, Attention.NONE, List.of(Attention.values())),
                section.integer("attention_layers", d.attentionLayers),
                section.word(
                    "symmetric_weights",
                    d.symmetricWeights,
                    Symmetry.NONE,
                    List.of(Symmetry.values())),
                section.flag("use_symmetric_conv", d.useSymmetricConv),
                section.flag("multiplicative_excitation", d.multiplicativeExcitation),
                section.flag("force_alpha_divisive", d.forceAlphaDivisive),
                section.flag("force_omega_nonnegative", d.forceOmegaNonnegative),
                section.word(
                    "normalization_type",
                    d.normalizationType,
                    Normalization.NONE,
                    List.of(
                        Normalization.LAYER,
                        Normalization.INSTANCE,
                        Normalization.GROUP,
                        Normalization.NONE)),
                section.flag("normalize_c1_c2", d.normalizeC1C2),
                section.flag("normalize_circuit_outputs", d.normalizeCircuitOutputs),
                section.flag("use_dynamic_parameters", d.useDynamicParameters),
                section.word(
                    "dynamic_param_activation",
                    d.dynamicParamActivation,
                    ParameterActivation.values()),
                section.flag("use_separate_ei_states", d.useSeparateEiStates),
                section.word("gate_norm_position", d.gateNormPosition, GatePosition.values()),
                section.flag("partial_padding", d.partialPadding)));
  }

  /** The section as a file spells it; {@link #read} gives the same record back. */
  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("use_attention", attention == Attention.NONE ? null : attention.word());
    map.put("attention_layers", attentionLayers);
    map.put(
        "symmetric_weights", symmetricWeights == Symmetry.NONE ? null : symmetricWeights.word());
    map.put("use_symmetric_conv", useSymmetricConv);
    map.put("multiplicative_excitation", multiplicativeExcitation);
    map.put("force_alpha_divisive", forceAlphaDivisive);
    map.put("force_omega_nonnegative", forceOmegaNonnegative);
    map.put("normalization_type", normalizationType.word());
    map.put("normalize_c1_c2", normalizeC1C2);
    map.put("normalize_circuit_outputs", normalizeCircuitOutputs);
    map.put("use_dynamic_parameters", useDynamicParameters);
    map.put("dynamic_param_activation", dynamicParamActivation.word());
    map.put("use_separate_ei_states", useSeparateEiStates);
    map.put("gate_norm_position", gateNormPosition.word());
    map.put("partial_padding", partialPadding);
    return map;
  }
}
