package org.gammanet.experiments.opto;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoublePredicate;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.HybridContrast;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.jspecify.annotations.Nullable;

/**
 * Settings of the experiments {@link OrientationOpto} and {@link ContrastGrid}. Fields may be set
 * until an experiment begins.
 */
public final class OptoSettings {
  /** Orientations that train decoders, degrees. */
  private static final double[] TRAINING = {0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165};

  /** Wavelengths of the default frequencies: 10 … 50 cycles in images of 256 pixels. */
  private static final double[] FREQUENCIES = {10, 20, 30, 40, 50};

  /** Cell whose drive is perturbed. */
  public String layer = "fgru_0";

  /** Height and width of the images, pixels. */
  public int size = 256;

  /** Orientations of the gratings under which states are optimised, degrees. */
  public double[] orientations = {0, 30, 60, 90, 120, 150};

  /** Of the drive inside the perturbed disc. */
  public double factor = 1.5;

  /** Updates with Adam. */
  public int steps = 50;

  /** Rate of Adam. */
  public double learningRate = 0.01;

  /** Diameter of the perturbed disc, and of the gratings in the classical field, pixels. */
  public double patchSize = 5;

  /** Diameter of the gratings in the extra-classical field, pixels. */
  public double surroundDiameter = 37;

  /** Within which states change, pixels of the layer's map. */
  public double ecrfRadius = 18;

  /** Where the states enter; null for what the mode says. */
  public @Nullable Injection injection;

  /** Weight of sparseness, and of positivity, in the loss. */
  public double sparseness;

  /** See {@link RescueOptions#penalties}. */
  public double positivity;

  /** Random starts; more than one show how far the maps depend on it. With parity 1. */
  public int starts = 3;

  /** Phases of the decoder's gratings, equally spaced. With parity 1. */
  public int phases = 4;

  /** Frequencies of the sweep, cycles per image; null for wavelengths 25.6 … 5.12 pixels. */
  public double @Nullable [] frequencies;

  /** Contrasts of the sweep. */
  public double[] contrasts = {0.1, 0.25, 0.5, 0.75, 1};

  /** Contrasts of centre and surround in the grid. */
  public double[] gridContrasts = {0.25, 0.5, 0.75, 1};

  /** Whether the grid trains a decoder for each centre contrast. */
  public boolean retrainDecoder;

  /** How decoders are trained. */
  public DecoderOptions.Method decoder = DecoderOptions.Method.ADAM;

  /** How channels become one map. */
  public Aggregation aggregation = Aggregation.MEAN;

  /** Whether maps are averaged with their half turn. */
  public boolean symmetric;

  /** Gratings that are optimised at once. */
  public int batch = 2;

  /** T; 0 for the network's. */
  public int timesteps;

  /** Of the decoders' weights and the random starts. */
  public long seed;

  /** Whose definitions are followed. */
  public Mode mode = Mode.OWN;

  /** What the backward pass computes again. */
  public Recompute recompute = Recompute.CELLS;

  /** Whether a run of other settings in the folder is replaced, in place of an error. */
  public boolean replace;

  /** Where the weights come from, for people; null for random weights, which figures then say. */
  public @Nullable String checkpoint;

  int starts() {
    return mode == Mode.PARITY ? 1 : starts;
  }

  double[] sweepFrequencies() {
    double[] given = frequencies;
    return given != null
        ? given.clone()
        : Arrays.stream(FREQUENCIES).map(f -> f * size / 256).toArray();
  }

  /**
   * Requires that every value lies in its range; an experiment does so when it begins.
   *
   * @throws IllegalArgumentException for the first one that does not
   */
  public void check() {
    RescueOptions.requireAtLeastOne(size, "the size");
    RescueOptions.requireAtLeastOne(starts, "the number of starts");
    RescueOptions.requireAtLeastOne(phases, "the number of phases");
    RescueOptions.requirePositive(surroundDiameter, "the gratings' diameter");
    requireAll("orientations", "must be numbers of degrees", Double::isFinite, orientations);
    requireAll(
        "frequencies", "must be positive", f -> f > 0 && Double.isFinite(f), sweepFrequencies());
    requireAll("contrasts", CONTRAST, c -> c > 0 && c <= 1, contrasts);
    requireAll("contrasts of the grid", CONTRAST, c -> c > 0 && c <= 1, gridContrasts);
    var unused = rescueOptions();
  }

  private static final String CONTRAST = "must lie above 0 and be at most 1";

  private static void requireAll(
      String what, String rule, DoublePredicate holds, double... values) {
    if (values.length == 0) {
      throw new IllegalArgumentException("there are no " + what);
    }
    for (double v : values) {
      if (!holds.test(v)) {
        throw new IllegalArgumentException("%s %s, not %s".formatted(what, rule, v));
      }
    }
  }

  OptogeneticPerturbation open(GammaNet model, OptoListener listener) {
    check();
    OptogeneticPerturbation.Builder builder =
        OptogeneticPerturbation.forModel(model)
            .patchSize(patchSize)
            .seed(seed)
            .mode(mode)
            .recompute(recompute)
            .listener(listener);
    if (timesteps > 0) {
      builder.timesteps(timesteps);
    }
    OptogeneticPerturbation opto = builder.build();
    opto.requireRescuable(layer);
    extraClassical(sweepFrequencies()[0], 1, orientations); // fits into the image, or fails now
    return opto;
  }

  DecoderOptions decoderOptions() {
    return DecoderOptions.layer(layer).method(decoder);
  }

  RescueOptions rescueOptions() {
    RescueOptions options =
        RescueOptions.layer(layer)
            .factor(factor)
            .steps(steps)
            .learningRate(learningRate)
            .ecrfRadius(ecrfRadius)
            .penalties(sparseness, positivity)
            .batch(batch);
    return injection == null ? options : options.injection(injection);
  }

  /** Gratings in the classical field that train a decoder. */
  StimulusSet classical(double frequency, double contrast) {
    return gratings(TRAINING, frequency, contrast, patchSize, mode == Mode.PARITY ? 1 : phases);
  }

  /** A grating in the classical field for each orientation of the optimisation. */
  StimulusSet classicalShown(double frequency, double contrast) {
    return gratings(orientations, frequency, contrast, patchSize, 1);
  }

  /** Gratings in the extra-classical field. */
  StimulusSet extraClassical(double frequency, double contrast, double... angles) {
    return gratings(angles, frequency, contrast, surroundDiameter, 1);
  }

  /** Gratings with one contrast in the classical field and another around it. */
  StimulusSet hybrid(double frequency, double centre, double surround) {
    return HybridContrast.set(
        Frame.of(size, size),
        Arrays.stream(orientations).boxed().toList(),
        frequency,
        centre,
        surround,
        patchSize,
        surroundDiameter);
  }

  private StimulusSet gratings(
      double[] angles, double frequency, double contrast, double diameter, int phaseCount) {
    return GratingStimuli.builder()
        .size(size, size)
        .orientations(angles)
        .spatialFrequencies(frequency)
        .contrasts(contrast)
        .equallySpacedPhases(phaseCount)
        .diameter(diameter)
        .aperture(ApertureRule.EXACT_DIAMETER)
        .mode(mode)
        .build()
        .generate();
  }

  /** A sentence for figures and texts; empty for a trained network. */
  String warning() {
    return checkpoint == null
        ? "Untrained network: the weights are random, and the maps say nothing about vision."
        : "";
  }

  /** A sentence that names the network. */
  String network() {
    String given = checkpoint;
    return "Network: " + (given == null ? "random weights, untrained" : given) + ".";
  }

  /** Names and values for people. */
  Map<String, Object> describe(OptogeneticPerturbation opto) {
    Map<String, Object> out = new LinkedHashMap<>();
    String given = checkpoint;
    out.put("network", opto.model().network().config().name());
    out.put("checkpoint", given == null ? "random weights, untrained" : given);
    out.put("timesteps", opto.timesteps());
    out.put("mode", mode.name().toLowerCase(Locale.ROOT));
    out.put("layer", layer);
    out.put("image size (px)", size);
    out.put("classical diameter, perturbed disc (px)", patchSize);
    out.put("extra-classical diameter of the gratings (px)", surroundDiameter);
    out.put("extra-classical radius of the states (px)", ecrfRadius);
    out.put("orientations (deg, direction of modulation)", Arrays.toString(orientations));
    out.put("frequencies of the sweep (cycles per image)", Arrays.toString(sweepFrequencies()));
    out.put("contrasts of the sweep", Arrays.toString(contrasts));
    out.put("factor of the drive", factor);
    if (injection != null) {
      out.put("states enter", injection.name().toLowerCase(Locale.ROOT));
    }
    out.put("updates", steps);
    out.put("learning rate", learningRate);
    out.put("penalties (sparseness, positivity)", sparseness + ", " + positivity);
    out.put("random starts", starts());
    out.put("decoder", decoder.name().toLowerCase(Locale.ROOT));
    out.put("phases of the decoder's gratings", mode == Mode.PARITY ? 1 : phases);
    out.put("seed", seed);
    out.put("weights (SHA-256)", opto.weights());
    return out;
  }
}
