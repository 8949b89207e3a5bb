package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.jspecify.annotations.Nullable;

/** What an experiment knows about its run: settings, units, findings of experiments before it. */
public final class RunContext {
  /** Records for an experiment. */
  interface Recorder {
    <C> Responses record(Preparation from, Design<C> design);

    @Nullable ReceptiveField gradient(State state, int after, int draws);

    void note(String sentence);

    void write(String name, byte[] content);
  }

  private final Settings settings;
  private final int size;
  private final @Nullable Preparation preparation;
  private final @Nullable Recorder recorder;
  private final Map<String, ObjectNode> findings;

  RunContext(
      Settings settings,
      int size,
      @Nullable Preparation preparation,
      @Nullable Recorder recorder,
      Map<String, ObjectNode> findings) {
    this.settings = settings;
    this.size = size;
    this.preparation = preparation;
    this.recorder = recorder;
    this.findings = findings;
  }

  /**
   * A context without units, for stimuli only.
   *
   * @param size height and width of the images, pixels
   */
  public static RunContext preview(int size, Settings settings) {
    return new RunContext(settings, size, null, null, Map.of());
  }

  private Preparation units() {
    if (preparation == null) {
      throw new IllegalStateException("nothing can be recorded for a preview");
    }
    return preparation;
  }

  private Recorder recorder() {
    if (recorder == null) {
      throw new IllegalStateException("nothing can be recorded for a preview");
    }
    return recorder;
  }

  /** The settings. */
  public Settings settings() {
    return settings;
  }

  /** The seed of resamples. */
  public long seed() {
    return settings.seed();
  }

  /** Height and width of the images, pixels. */
  public int size() {
    return size;
  }

  /** The images. */
  public Frame frame() {
    return Frame.of(size, size);
  }

  /** A length in pixels of the image, see {@link Settings#pixels}. */
  public double pixels(double at30) {
    return settings.pixels(at30);
  }

  /** Lengths in pixels of the image. */
  public double[] pixels(double[] at30) {
    return Arrays.stream(at30).map(this::pixels).toArray();
  }

  /**
   * The spatial frequency of a wavelength, cycles per image height.
   *
   * @param at30 wavelength in pixels at 30 pixels per degree
   * @throws IllegalArgumentException for less than two pixels, which the image cannot show
   */
  public double cycles(double at30) {
    double wavelength = pixels(at30);
    if (wavelength < 2) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "a grating of %.3g deg has a wavelength of %.2g px at %.3g pixels per degree; at"
                  + " least 2 px are needed",
              wavelength / settings.pixelsPerDegree(),
              wavelength,
              settings.pixelsPerDegree()));
    }
    return size / wavelength;
  }

  /** Name of the layer. */
  public String layer() {
    return units().layer();
  }

  /** The recorded populations. */
  public List<State> states() {
    return units().states();
  }

  /** The population that analyses rest on. */
  public State mainState() {
    return states().getFirst();
  }

  /** Number of recorded timesteps. */
  public int timesteps() {
    return units().timesteps();
  }

  /** The last timestep, from 0. */
  public int lastStep() {
    return timesteps() - 1;
  }

  /** Number of channels of the layer. */
  public int channels() {
    return units().channels();
  }

  /** Diameter of a unit's feed-forward receptive field, pixels; 0 where it is unknown. */
  public int fieldDiameter() {
    return preparation == null ? 0 : preparation.fieldDiameter();
  }

  /** Smallest distance between neighboring units, pixels of the image. */
  public int stride() {
    return preparation == null ? 1 : preparation.stride();
  }

  /**
   * The findings of an earlier experiment, which must be among {@link Description#requires}.
   *
   * @param key of the findings in the results
   * @param summary the record that they hold
   * @return nothing for a preview
   */
  public <T> Optional<T> findings(String key, Class<T> summary) {
    return Optional.ofNullable(findings.get(key)).map(node -> Json.read(node, summary));
  }

  /** Records another design. */
  public <C> Recording<C> record(Design<C> design) {
    return new Recording<>(this, design, recorder().record(units(), design));
  }

  /** Records a design with a lesion; null where the network lacks what would be lesioned. */
  public <C> @Nullable Recording<C> record(Design<C> design, Preparation.Lesion lesion) {
    Preparation lesioned = units().lesioned(lesion);
    return lesioned == null
        ? null
        : new Recording<>(this, design, recorder().record(lesioned, design));
  }

  /**
   * Records a design while signals in the network are changed; null where there is no network
   * behind the units.
   */
  public <C> @Nullable Recording<C> record(Design<C> design, ForwardHooks hooks) {
    Preparation changed = units().changed(hooks);
    return changed == null
        ? null
        : new Recording<>(this, design, recorder().record(changed, design));
  }

  /**
   * Measures the network behind the units; without one nothing is measured.
   *
   * @param measure gets the network, and the options with which passes through it are to be run
   */
  public Findings onNetwork(BiFunction<Network, ForwardOptions, Findings> measure) {
    return units()
        .onNetwork(measure)
        .orElseGet(() -> Findings.notMeasured("there is no network behind these units"));
  }

  /** Writes a file beside the figures. */
  public void write(String name, byte[] content) {
    recorder().write(name, content);
  }

  /** The receptive field of the main population's mean; null where there is no gradient. */
  public @Nullable ReceptiveField gradient(int after, int draws) {
    return recorder().gradient(mainState(), after, draws);
  }

  /** Tells the user something. */
  public void note(String sentence) {
    recorder().note(sentence);
  }
}
