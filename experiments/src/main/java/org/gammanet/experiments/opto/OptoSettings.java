package org.gammanet.experiments.opto;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoublePredicate;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.HybridContrast;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Study;
import org.jspecify.annotations.Nullable;

/**
 * Settings of {@link OrientationOpto} and {@link ContrastGrid}.
 *
 * @param stimuli the gratings under which states are optimized
 * @param decoding how the decoder is trained
 * @param rescue how states are optimized; its layer is also the decoder's
 * @param run what is the same for all parts
 * @param display what figures show
 */
public record OptoSettings(
    Stimuli stimuli, Decoding decoding, RescueOptions rescue, Run run, Display display) {

  /** Orientations that train decoders, degrees. */
  private static final double[] TRAINING = {0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165};

  private static final String CONTRAST = "must lie above 0 and be at most 1";

  /**
   * Gratings about the center of the image.
   *
   * @param size height and width of the images, pixels
   * @param orientations directions of modulation, degrees
   * @param classicalDiameter of the gratings in the classical field and of the perturbed disc,
   *     pixels
   * @param surroundDiameter of the gratings in the extra-classical field, pixels
   */
  public record Stimuli(
      int size, double[] orientations, double classicalDiameter, double surroundDiameter) {
    /** Checks the ranges. */
    public Stimuli {
      RescueOptions.requireAtLeastOne(size, "the size");
      requireAll("orientations", "must be numbers of degrees", Double::isFinite, orientations);
      RescueOptions.requirePositive(classicalDiameter, "the classical diameter");
      RescueOptions.requirePositive(surroundDiameter, "the gratings' diameter");
    }

    /**
     * Discs of 5 and 37 pixels.
     *
     * @param orientations null for 0, 30, …, 150
     */
    public static Stimuli of(int size, double @Nullable [] orientations) {
      double[] angles =
          orientations == null ? new double[] {0, 30, 60, 90, 120, 150} : orientations;
      return new Stimuli(size, angles, 5, 37);
    }
  }

  /**
   * The decoder and the gratings that train it.
   *
   * @param method how its weights are found
   * @param phases of its gratings, equally spaced
   * @param frequencies of the sweep, cycles per image height
   * @param contrasts of the sweep
   */
  public record Decoding(
      DecoderOptions.Method method, int phases, double[] frequencies, double[] contrasts) {
    /** Checks the ranges. */
    public Decoding {
      RescueOptions.requireAtLeastOne(phases, "the number of phases");
      requireAll("frequencies", "must be positive", f -> f > 0 && Double.isFinite(f), frequencies);
      requireAll("contrasts", CONTRAST, c -> c > 0 && c <= 1, contrasts);
    }

    /**
     * A sweep of wavelengths and contrasts.
     *
     * @param size of the images, pixels
     * @param frequencies null for wavelengths from 25.6 to 5.12 pixels
     * @param contrasts null for 0.1, 0.25, 0.5, 0.75, 1
     */
    public static Decoding of(
        DecoderOptions.Method method,
        int phases,
        int size,
        double @Nullable [] frequencies,
        double @Nullable [] contrasts) {
      double[] defaults = {10, 20, 30, 40, 50}; // in images of 256 pixels
      return new Decoding(
          method,
          phases,
          frequencies == null
              ? Arrays.stream(defaults).map(f -> f * size / 256).toArray()
              : frequencies,
          contrasts == null ? new double[] {0.1, 0.25, 0.5, 0.75, 1} : contrasts);
    }
  }

  /**
   * What is the same for all parts of a run.
   *
   * @param timesteps T; 0 for the network's
   * @param seed of the decoders' weights and of the random starts
   * @param starts random starts, whose maps are compared
   * @param recompute what the backward pass computes again to save memory
   * @param gate whether the experiment stops where the decoder does not decode orientation
   * @param definitions whose definitions are followed
   */
  public record Run(
      int timesteps,
      long seed,
      int starts,
      Recompute recompute,
      boolean gate,
      Definitions definitions) {
    /** Checks the ranges. */
    public Run {
      RescueOptions.requireAtLeastOne(starts, "the number of starts");
    }
  }

  /**
   * What figures show.
   *
   * @param aggregation how channels become one map
   * @param symmetric whether maps are averaged with their rotation by 180 degrees
   * @param network name of the trained network; null for random weights
   */
  public record Display(Aggregation aggregation, boolean symmetric, @Nullable String network) {}

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

  /** Requires contrasts above 0 and up to 1. */
  static void requireContrasts(String what, double... values) {
    requireAll(what, CONTRAST, c -> c > 0 && c <= 1, values);
  }

  /** What numbers depend on besides the weights; the number of starts may grow. */
  ObjectNode identity(GammaNet model) {
    ObjectNode out = Json.MAPPER.createObjectNode();
    out.set("stimuli", Json.object(stimuli));
    out.set("decoding", Json.object(decoding));
    ObjectNode states = Json.object(rescue);
    states.remove(List.of("draw", "batch"));
    out.set("rescue", states);
    out.put("precision", Json.name(model.network().precision()));
    out.put("timesteps", run.timesteps);
    out.put("seed", run.seed);
    out.put("definitions", run.definitions.name());
    return out;
  }

  /** The simulation on a network, with the layer and the stimuli checked. */
  OptogeneticPerturbation open(GammaNet model, Study study) {
    OptogeneticPerturbation.Builder builder =
        OptogeneticPerturbation.forModel(model)
            .patchSize(stimuli.classicalDiameter)
            .seed(run.seed)
            .definitions(run.definitions)
            .recompute(run.recompute)
            .study(study);
    if (run.timesteps > 0) {
      builder.timesteps(run.timesteps);
    }
    OptogeneticPerturbation opto = builder.build();
    opto.requireRescuable(rescue.layer());
    extraClassical(decoding.frequencies[0], 1, stimuli.orientations); // fits, or fails now
    return opto;
  }

  DecoderOptions decoderOptions() {
    return DecoderOptions.layer(rescue.layer()).method(decoding.method);
  }

  SweepOptions sweepOptions(double... contrasts) {
    return new SweepOptions(decoderOptions().epochs(20), decoding.frequencies, contrasts);
  }

  /** Gratings in the classical field that train a decoder. */
  StimulusSet classical(double frequency, double contrast) {
    return gratings(TRAINING, frequency, contrast, stimuli.classicalDiameter, decoding.phases);
  }

  /** A grating in the classical field for each orientation of the optimization. */
  StimulusSet classicalShown(double frequency, double contrast) {
    return gratings(stimuli.orientations, frequency, contrast, stimuli.classicalDiameter, 1);
  }

  /** Gratings in the extra-classical field. */
  StimulusSet extraClassical(double frequency, double contrast, double... angles) {
    return gratings(angles, frequency, contrast, stimuli.surroundDiameter, 1);
  }

  /** Gratings with one contrast in the classical field and another around it. */
  StimulusSet hybrid(double frequency, double center, double surround) {
    Frame frame = Frame.of(stimuli.size, stimuli.size);
    var inside = new HybridContrast.Zone(stimuli.classicalDiameter, center);
    var outside = new HybridContrast.Zone(stimuli.surroundDiameter, surround);
    return StimulusSet.of(
        Arrays.stream(stimuli.orientations)
            .mapToObj(
                angle -> new HybridContrast(frame, Sine.of(angle, frequency), inside, outside))
            .toList());
  }

  private StimulusSet gratings(
      double[] angles, double frequency, double contrast, double diameter, int phaseCount) {
    return GratingStimuli.builder()
        .size(stimuli.size, stimuli.size)
        .orientations(angles)
        .spatialFrequencies(frequency)
        .contrasts(contrast)
        .equallySpacedPhases(phaseCount)
        .diameter(diameter)
        .aperture(ApertureRule.EXACT_DIAMETER)
        .build()
        .generate();
  }

  /** A sentence for figures and texts; empty for a trained network. */
  String warning() {
    return display.network == null
        ? "Untrained network: the weights are random, and the maps say nothing about vision."
        : "";
  }

  /** Name of the network. */
  String network() {
    String name = display.network;
    return name == null ? "random weights, untrained" : name;
  }

  /** Names and values for people. */
  Map<String, Object> describe(OptogeneticPerturbation opto) {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("architecture", opto.model().network().config().name());
    out.put("network", network());
    out.put("weights (SHA-256)", opto.model().network().digest());
    out.put("precision of products", Json.name(opto.model().network().precision()));
    out.put("timesteps", opto.timesteps());
    out.put("definitions", run.definitions.name());
    out.put("layer", rescue.layer());
    out.put("image size (px)", stimuli.size);
    out.put("classical diameter, perturbed disc (px)", stimuli.classicalDiameter);
    out.put("extra-classical diameter of the gratings (px)", stimuli.surroundDiameter);
    out.put("extra-classical radius of the states (px)", rescue.ecrfRadius());
    out.put("orientations (deg, direction of modulation)", Arrays.toString(stimuli.orientations));
    out.put("frequencies of the sweep (cycles/image)", Arrays.toString(decoding.frequencies));
    out.put("contrasts of the sweep", Arrays.toString(decoding.contrasts));
    out.put("gain of the drive", rescue.factor());
    out.put("updates", rescue.steps());
    out.put("learning rate", rescue.learningRate());
    out.put("penalties (sparseness, positivity)", rescue.sparseness() + ", " + rescue.positivity());
    out.put("random starts", run.starts);
    out.put("decoder", Json.name(decoding.method));
    out.put("phases of the decoder's gratings", decoding.phases);
    out.put("seed", run.seed);
    return out;
  }
}
