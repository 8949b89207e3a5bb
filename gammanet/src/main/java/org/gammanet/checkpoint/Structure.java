package org.gammanet.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.gammanet.config.Architecture;
import org.gammanet.config.Attention;
import org.gammanet.config.FgruConfig;
import org.gammanet.config.ModelConfig;
import org.jspecify.annotations.Nullable;

/**
 * What names and shapes of weights say about a network, against what a configuration says. The
 * weights win: files exist whose configuration was ignored by the program that trained them.
 *
 * @param config the configuration, changed to fit the weights
 * @param differences what was changed, such as {@code kernel_size 3 instead of 5}
 */
record Structure(ModelConfig config, List<String> differences) {

  /**
   * Looks for the traces that a structure leaves: the network itself, levels, width and kernels,
   * alignment, kind of circuit parameters, norms of the circuit, attention, output channels.
   * Anything else (timesteps, symmetry, kind and place of normalization, forced signs, skip
   * connections) stays as configured.
   *
   * @throws IllegalArgumentException if the configuration does not allow the structure
   */
  static Structure of(ModelConfig config, Map<String, StoredTensor> weights) {
    Finder finder = new Finder(config, weights);
    finder.find();
    return new Structure(finder.config, List.copyOf(finder.differences));
  }

  private static final class Finder {
    ModelConfig config;
    final List<String> differences = new ArrayList<>();
    private final Map<String, StoredTensor> weights;

    Finder(ModelConfig config, Map<String, StoredTensor> weights) {
      this.config = config;
      this.weights = weights;
    }

    void find() {
      Architecture found = architecture();
      if (found == null) {
        return;
      }
      if (found != config.architecture()) {
        change("model", found.word(), config.name(), c -> c.withArchitecture(found));
      }
      String cell =
          switch (found) {
            case VGG16_GAMMANET_V2 -> "fgru_0";
            case VGG16_GAMMANET -> "fgru_block1";
            case GAMMANET_BACKBONE -> "fgru_layers.fgru_0";
            case GAMMANET -> "encoder_layers.0.h_fgru";
          };
      StoredTensor kernel = weights.get(cell + ".W_exc");
      if (kernel == null || kernel.shape().length != 4) {
        return; // loading says what is missing
      }
      boolean layered =
          found == Architecture.VGG16_GAMMANET_V2 || found == Architecture.VGG16_GAMMANET;
      if (layered) {
        levels(found == Architecture.VGG16_GAMMANET_V2 ? 0 : 1);
        baseChannels();
        widthAndKernel(cell, kernel.shape());
        String lowest = cell.replace("fgru", "align");
        boolean aligned = weights.containsKey(lowest + ".projection.weight");
        differ(
            "use_distribution_alignment",
            aligned,
            config.useDistributionAlignment(),
            c -> c.withUseDistributionAlignment(aligned));
      }
      circuit(cell);
      outputChannels(found);
    }

    private @Nullable Architecture architecture() {
      if (hasPrefix("backbone.features.")) {
        return Architecture.GAMMANET_BACKBONE;
      }
      if (hasPrefix("input_conv.")) {
        return Architecture.GAMMANET;
      }
      if (hasPrefix("fgru_block1.")) {
        return Architecture.VGG16_GAMMANET;
      }
      return hasPrefix("fgru_0.") ? Architecture.VGG16_GAMMANET_V2 : null;
    }

    private boolean hasPrefix(String prefix) {
      return weights.keySet().stream().anyMatch(name -> name.startsWith(prefix));
    }

    /** Version 1 calls its levels block1, 0, 1, 2, 3. */
    private void levels(int before) {
      int numbered = 0;
      while (weights.containsKey("fgru_" + numbered + ".W_exc")) {
        numbered++;
      }
      int levels = before + numbered;
      differ("layers", levels, config.levels(), c -> c.withLevels(levels));
    }

    private void baseChannels() {
      StoredTensor first = weights.get("block1_conv.layers.0.weight");
      if (first != null && first.shape().length == 4 && first.shape()[0] <= Integer.MAX_VALUE) {
        int base = (int) first.shape()[0];
        differ("base_channels", base, config.baseChannels(), c -> c.withBaseChannels(base));
      }
    }

    private void widthAndKernel(String cell, long[] shape) {
      boolean projected = weights.containsKey(cell + ".in_proj.weight");
      Integer width = projected ? Integer.valueOf((int) shape[0]) : null;
      differ("hidden_channels", width, config.hiddenChannels(), c -> c.withHiddenChannels(width));
      differ(
          "kernel_size",
          (int) shape[2],
          config.kernelSize(),
          c -> c.withKernelSize((int) shape[2]));
    }

    private void circuit(String cell) {
      FgruConfig fgru = config.fgru();
      boolean dynamic = weights.containsKey(cell + ".dynamic_params.inhibition_net.0.weight");
      if (dynamic || weights.containsKey(cell + ".alpha")) {
        differ(
            "fgru.use_dynamic_parameters",
            dynamic,
            fgru.useDynamicParameters(),
            c -> c.withFgru(c.fgru().withUseDynamicParameters(dynamic)));
      }
      boolean multiplicative = weights.containsKey(cell + ".kappa");
      if (weights.containsKey(cell + ".alpha")) {
        differ(
            "fgru.multiplicative_excitation",
            multiplicative,
            fgru.multiplicativeExcitation(),
            c -> c.withFgru(c.fgru().withMultiplicativeExcitation(multiplicative)));
      }
      boolean norms = weights.containsKey(cell + ".norm_c1.weight");
      differ(
          "fgru.normalize_circuit_outputs",
          norms,
          fgru.normalizesCircuitInputs(),
          c -> c.withFgru(c.fgru().withNormalizedCircuit(norms)));
      int gala = 0;
      while (weights.containsKey(cell + ".attention.global_layers." + gala + ".0.weight")) {
        gala++;
      }
      Attention attention =
          gala > 0
              ? Attention.GALA
              : weights.containsKey(cell + ".attention.fc.0.weight")
                  ? Attention.SE
                  : Attention.NONE;
      int layers = gala > 0 ? gala : fgru.attentionLayers();
      if (attention != fgru.attention() || layers != fgru.attentionLayers()) {
        change(
            "fgru.use_attention",
            describe(attention, layers),
            describe(fgru.attention(), fgru.attentionLayers()),
            c -> c.withFgru(c.fgru().withAttention(attention, layers)));
      }
    }

    private static String describe(Attention attention, int layers) {
      return attention == Attention.GALA
          ? attention.word() + " with " + layers + (layers == 1 ? " layer" : " layers")
          : attention.word();
    }

    private void outputChannels(Architecture found) {
      String readOut =
          switch (found) {
            case VGG16_GAMMANET_V2 -> "output_projection.0.bias";
            case VGG16_GAMMANET, GAMMANET_BACKBONE -> "output_projection.3.bias";
            case GAMMANET -> "output_conv.bias";
          };
      StoredTensor bias = weights.get(readOut);
      if (bias != null && bias.shape().length == 1 && bias.numel() <= Integer.MAX_VALUE) {
        int channels = (int) bias.numel();
        differ(
            "output_channels",
            channels,
            config.outputChannels(),
            c -> c.withOutputChannels(channels));
      }
    }

    private void differ(
        String key,
        @Nullable Object found,
        @Nullable Object configured,
        UnaryOperator<ModelConfig> change) {
      if (!Objects.equals(found, configured)) {
        change(key, String.valueOf(found), String.valueOf(configured), change);
      }
    }

    private void change(
        String key, String found, String configured, UnaryOperator<ModelConfig> change) {
      config = change.apply(config);
      differences.add(key + " " + found + " instead of " + configured);
    }
  }
}
