package org.gammanet.experiments.insilico;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.jspecify.annotations.Nullable;

/** An experiment: how it is made, and how its result is shown. */
public abstract sealed class Experiment
    permits OrientationExperiment,
        ContrastExperiment,
        SizeExperiment,
        FieldExperiment,
        KapadiaExperiment,
        KinoshitaExperiment,
        TextureExperiment,
        TiltExperiment,
        TrottBornExperiment,
        ParityExperiment {
  private final String name;
  private final String title;

  Experiment(String name, String title) {
    this.name = name;
    this.title = title;
  }

  /** All experiments in the order in which they are made. */
  public static List<Experiment> all() {
    return List.of(
        new OrientationExperiment(),
        new ContrastExperiment(),
        new SizeExperiment(),
        new FieldExperiment(),
        new KapadiaExperiment(),
        new KinoshitaExperiment(),
        new TextureExperiment(),
        new TiltExperiment(),
        new TrottBornExperiment());
  }

  /** Those that reproduce the original's numbers. */
  public static List<Experiment> parity() {
    return Arrays.stream(ParityExperiment.Kind.values())
        .map(k -> (Experiment) new ParityExperiment(k))
        .toList();
  }

  /** The name on the command line, such as {@code size_tuning}. */
  public final String name() {
    return name;
  }

  /** A heading. */
  public final String title() {
    return title;
  }

  /** The key of its result in JSON. */
  String key() {
    return name;
  }

  /** Whether it rests on what units prefer, so that the orientation experiment must come first. */
  boolean needsPreferences() {
    return true;
  }

  /** Whether it rests on the fields' sizes, so that size tuning must come first. */
  boolean needsSize() {
    return false;
  }

  /**
   * The line that recordings of one's own can be drawn into and compared with.
   *
   * @param figure the figure of {@link Result#series}
   * @param panel its panel, whose first line is the model's
   * @param units of x and y, for people
   */
  record Comparable(String figure, String panel, String units) {}

  /** That line; null where there is none. */
  @Nullable Comparable comparable() {
    return null;
  }

  /** What is shown, measured and meant, with sources; for reports. */
  abstract String about();

  /** Makes the experiment. */
  abstract Result run(Lab lab);

  /** Adds figures, tables and words to a page, from a result alone. */
  abstract void show(Result result, Page page);

  /** Stimuli of its kind, for a picture of them. */
  public abstract StimulusSet preview(int size, Settings settings);

  /** About how many stimuli it shows. */
  public int stimuli(int size, Settings settings) {
    return preview(size, settings).size() + 1;
  }

  /** Share of a unit's largest response below which a response is no base for ratios. */
  static final double LEAST_BASE = 0.1;

  /**
   * A response as the base of ratios to others; 0, for which they are NaN, where it is too small.
   */
  static double base(double response, double... others) {
    double largest = Arrays.stream(others).map(Math::abs).max().orElse(0);
    return response > LEAST_BASE * largest ? response : 0;
  }

  /** A stand-in for what units prefer, where no unit has been asked: evenly spread, 12.8 px. */
  static Preferences somePreference(Frame frame, Settings settings) {
    int n = settings.probes();
    boolean[] tested = new boolean[n];
    Arrays.fill(tested, true);
    double[] angles = Result.fill(n, i -> (45 + 180.0 * i / n) % 180);
    return new Preferences(
        angles,
        IntStream.range(0, n).toArray(),
        Result.fill(n, i -> 1),
        tested,
        Arrays.stream(angles)
            .mapToObj(a -> new Preferences.Probe(a, frame.height() / 12.8, 0))
            .toList());
  }

  /** Values of some units. */
  static double[] of(double[] values, int[] units) {
    return Arrays.stream(units).mapToDouble(u -> values[u]).toArray();
  }

  /** Diameters and distances that fit into an image, of a list in pixels. */
  static double[] fitting(double largest, double... values) {
    return Arrays.stream(values).filter(v -> v <= largest).toArray();
  }
}
