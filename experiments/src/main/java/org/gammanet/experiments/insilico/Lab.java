package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.jspecify.annotations.Nullable;

/** What an experiment has at hand while it runs. */
final class Lab {
  /**
   * Records a set; the run that owns the lab keeps what is recorded until the experiment is over.
   */
  interface Recorder {
    Responses record(
        Preparation from,
        StimulusSet set,
        Pooling pooling,
        InputScaling scaling,
        boolean withOutput);

    /** As {@link Preparation#gradient}. */
    @Nullable ReceptiveField gradient(State state, int after, int draws);
  }

  final Settings settings;
  final Preparation preparation;
  private final Recorder recorder;
  private final @Nullable Result orientation;
  private final @Nullable Result size;
  private final Consumer<String> notes;

  Lab(
      Settings settings,
      Preparation preparation,
      Recorder recorder,
      @Nullable Result orientation,
      @Nullable Result size,
      Consumer<String> notes) {
    this.settings = settings;
    this.preparation = preparation;
    this.recorder = recorder;
    this.orientation = orientation;
    this.size = size;
    this.notes = notes;
  }

  Frame frame() {
    return Frame.of(preparation.size(), preparation.size());
  }

  /** Tells the user something about this run. */
  void note(String sentence) {
    notes.accept(sentence);
  }

  String layer() {
    return preparation.layer();
  }

  List<State> states() {
    return preparation.states();
  }

  /** The signal that analyses rest on. */
  State main() {
    return preparation.states().get(0);
  }

  int last() {
    return preparation.timesteps() - 1;
  }

  /** What the orientation experiment found. */
  Preferences preferences() {
    if (orientation == null) {
      throw new IllegalStateException("the orientation experiment has not been made");
    }
    return Preferences.of(orientation);
  }

  /** What the experiment on size found; null where it has not been made. */
  @Nullable Result size() {
    return size;
  }

  /** A list of stimuli that grows, and says where each came to lie. */
  static final class Stimuli {
    private final List<Stimulus> list = new ArrayList<>();

    int add(Stimulus stimulus) {
      list.add(stimulus);
      return list.size() - 1;
    }

    StimulusSet set() {
      return StimulusSet.of(list);
    }
  }

  /** A grating as the probes are, whole or in a disc. */
  static Grating grating(
      Frame frame, Preferences.Probe probe, double contrast, @Nullable Double diameter) {
    return new Grating(
        frame,
        probe.modulation(),
        probe.cycles(),
        probe.phase(),
        contrast,
        diameter,
        ApertureRule.EXACT_DIAMETER,
        0,
        org.gammanet.experiments.Mode.OWN);
  }

  /** Recorded responses, less those to a blank. */
  final class Recording {
    private final Responses responses;
    private final int blank;

    Recording(Responses responses, int blank) {
      this.responses = responses;
      this.blank = blank;
    }

    /** A row per stimulus, in each one evoked response per unit. */
    double[][] evoked(State state, int step) {
      return evoked(layer(), state, step);
    }

    double[][] evoked(String layer, State state, int step) {
      float[][] raw = responses.at(layer, state, step);
      double[][] out = new double[raw.length][];
      for (int s = 0; s < raw.length; s++) {
        float[] row = raw[s];
        float[] base = raw[blank];
        out[s] = Result.fill(row.length, u -> (double) row[u] - base[u]);
      }
      return out;
    }

    Responses responses() {
      return responses;
    }
  }

  /** Records the centre unit of each channel; a blank is added. */
  Recording record(Stimuli stimuli) {
    return record(preparation, stimuli, Pooling.unit(), false);
  }

  Recording record(Preparation from, Stimuli stimuli, Pooling pooling, boolean withOutput) {
    int blank = stimuli.add(new Blank(frame(), 0.5));
    return new Recording(
        recorder.record(from, stimuli.set(), pooling, InputScaling.IMAGENET, withOutput), blank);
  }

  /** The gradient of the units' mean response to noise; null where there is none. */
  @Nullable ReceptiveField gradient(int after, int draws) {
    return recorder.gradient(main(), after, draws);
  }

  /** Records a set as it is. */
  Responses recordRaw(StimulusSet set, Pooling pooling, InputScaling scaling) {
    return recorder.record(preparation, set, pooling, scaling, false);
  }
}
