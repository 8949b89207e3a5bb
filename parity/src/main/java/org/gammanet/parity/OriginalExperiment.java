package org.gammanet.parity;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ContrastResponse;
import org.gammanet.experiments.analysis.CurveSimilarity;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/**
 * The four experiments of the original, defects included: the "neuron" is the mean over the middle
 * of a layer, its channels and timesteps; gratings are standardized per image, which removes
 * contrast; the baseline of facilitation is the smallest response of all. Conditions are the
 * positions in the original's sequence of stimuli.
 */
public abstract sealed class OriginalExperiment implements Experiment<Integer> {
  private final Description description;
  private final InputScaling scaling;

  private OriginalExperiment(Description description, InputScaling scaling) {
    this.description = description;
    this.scaling = scaling;
  }

  private static Description describe(String name, String title, String about) {
    return Description.of(name, title + ", as in the original", about);
  }

  @Override
  public final Description description() {
    return description;
  }

  @Override
  public final Mode mode() {
    return Mode.PARITY;
  }

  abstract StimulusSet set(int size);

  abstract Findings analyze(double[] means, long seed);

  @Override
  public final Design<Integer> design(RunContext context) {
    var design = new Design<Integer>();
    int index = 0;
    for (Stimulus s : set(context.size()).stimuli()) {
      design.add(index++, s);
    }
    return design.pooling(new Pooling.CentralWindow()).scaling(scaling).withoutBlank();
  }

  @Override
  public final Findings analyze(RunContext context, Recording<Integer> recording) {
    double[] means = new double[recording.design().conditions().size()];
    for (int t = 0; t < context.timesteps(); t++) {
      float[][] at = recording.at(context.mainState(), t).responses();
      for (int s = 0; s < means.length; s++) {
        for (float v : at[s]) {
          means[s] += v / (double) at[s].length / context.timesteps();
        }
      }
    }
    return analyze(means, context.seed());
  }

  /** How alike the model's curve and an illustrative one are, as the original measures it. */
  record Similarity(
      String reference,
      double correlation,
      double correlationLow,
      double correlationHigh,
      double pValue,
      double rSquared,
      double rmse,
      double mae,
      double chiSquared,
      int n,
      boolean fewPoints) {
    static @Nullable Similarity of(double[] model, ReferenceCurve curve, long seed) {
      if (model.length < 3 || !Arrays.stream(model).allMatch(Double::isFinite)) {
        return null;
      }
      var s = CurveSimilarity.of(model, curve.y(), curve.standardErrors(), seed);
      Statistics.Interval i = s.interval();
      return new Similarity(
          "illustrative values, not data",
          s.correlation(),
          i.low(),
          i.high(),
          s.p(),
          s.rSquared(),
          s.rmse(),
          s.mae(),
          s.chiSquared(),
          s.n(),
          s.fewPoints());
    }
  }

  private static double[] fill(int n, IntToDoubleFunction value) {
    return IntStream.range(0, n).mapToDouble(value).toArray();
  }

  private static Series points(String name, double[] x, double[] y) {
    return Series.points(name, x, y, 1, Style.EXCITATORY.label("responses"));
  }

  /** Orientation tuning. */
  public static final class Orientation extends OriginalExperiment {
    private static final double[] FREQUENCIES = {10, 15, 20, 30, 40, 50};
    private static final double[] ORIENTATIONS = fill(12, i -> 15 * i);

    /** The fitted curve. */
    record Tuning(
        double preferredOrientation, double bandwidth, double rSquared, double modulationIndex) {}

    /** Numbers of the experiment. */
    record Summary(
        String orientationConvention,
        double[] orientations,
        double[] responses,
        double optimalSpatialFrequency,
        Map<String, double[]> spatialFrequencyResponses,
        Tuning tuningCurve) {}

    /** For the service loader. */
    public Orientation() {
      super(
          describe(
                  "orientation",
                  "Orientation tuning",
                  "Gratings of 12 orientations and six frequencies at one phase, standardized per"
                      + " image. The response is the mean over the center window, all channels and"
                      + " timesteps; the frequency is the one whose responses vary most over"
                      + " orientations.")
              .key("orientation_tuning"),
          InputScaling.ZSCORE);
    }

    @Override
    StimulusSet set(int size) {
      return GratingStimuli.builder()
          .size(size, size)
          .orientations(ORIENTATIONS)
          .spatialFrequencies(FREQUENCIES)
          .contrasts(0.5)
          .build()
          .generate();
    }

    @Override
    Findings analyze(double[] means, long seed) {
      // Order of the stimuli: orientations, then frequencies.
      double[][] byFrequency = new double[FREQUENCIES.length][ORIENTATIONS.length];
      Map<String, double[]> map = new LinkedHashMap<>();
      for (int f = 0; f < FREQUENCIES.length; f++) {
        for (int o = 0; o < ORIENTATIONS.length; o++) {
          byFrequency[f][o] = means[o * FREQUENCIES.length + f];
        }
        map.put(String.format(Locale.ROOT, "%.0f", FREQUENCIES[f]), byFrequency[f]);
      }
      int best = OriginalTuning.bestFrequency(byFrequency);
      double[] curve = byFrequency[best];
      TuningCurve fit = OriginalTuning.fit(ORIENTATIONS, curve);
      double high = Arrays.stream(curve).max().orElse(Double.NaN);
      double low = Arrays.stream(curve).min().orElse(Double.NaN);
      var tuning =
          new Tuning(fit.preferred(), fit.halfWidth(), fit.rSquared(), (high - low) / (high + low));
      double[] fine = fill(181, i -> i);
      return Findings.of(
              new Summary(
                  "direction of modulation, degrees; 0 is vertical stripes",
                  ORIENTATIONS,
                  curve,
                  FREQUENCIES[best],
                  map,
                  tuning))
          .figure(
              FigureSpec.of(
                  "orientation_tuning",
                  8,
                  6,
                  "Mean response over the center window, channels and timesteps, and its fit.",
                  Panel.at(0, 0, "unit")
                      .axes(
                          Axis.linear("Orientation of the modulation (deg)")
                              .range(-10, 190)
                              .ticks(0, 45, 90, 135, 180),
                          Axis.linear("Mean response of the layer"))
                      .marker(fit.preferred())
                      .add(
                          points("data", ORIENTATIONS, curve),
                          Series.line(
                              "fit",
                              fine,
                              Arrays.stream(fine).map(fit::at).toArray(),
                              Style.BLACK.label("fit")))))
          .value("Preferred", Format.number(tuning.preferredOrientation, "°"))
          .value("Bandwidth", Format.number(tuning.bandwidth, "°"))
          .value("R^{2}", tuning.rSquared)
          .value("Chosen frequency", Format.number(FREQUENCIES[best], " cycles"));
    }
  }

  /** Contrast response. */
  public static final class Contrast extends OriginalExperiment {
    private static final double[] CONTRASTS =
        fill(8, i -> i == 7 ? 1 : Math.pow(10, -2 + 2.0 * i / 7));

    /** The fitted Naka-Rushton function. */
    record Fit(double c50, double rMax, double n, double rSquared) {}

    /** Numbers of the experiment. */
    record Summary(double[] contrasts, double[] responses, Fit contrastResponseFit) {}

    /** For the service loader. */
    public Contrast() {
      super(
          describe(
              "contrast_response",
              "Contrast response",
              "A grating at 45° and 4 cycles per image at eight contrasts. It is standardized per"
                  + " image, so that the network receives nearly the same image at each contrast."),
          InputScaling.ZSCORE);
    }

    @Override
    StimulusSet set(int size) {
      return GratingStimuli.builder()
          .size(size, size)
          .orientations(45)
          .spatialFrequencies(4)
          .contrasts(CONTRASTS)
          .build()
          .generate();
    }

    @Override
    Findings analyze(double[] means, long seed) {
      ContrastResponse fit = ContrastResponse.fit(CONTRASTS, means);
      double[] fine = fill(101, i -> Math.min(100, Math.pow(10, i / 50.0)));
      return Findings.of(
              new Summary(
                  CONTRASTS, means, new Fit(fit.c50(), fit.rMax(), fit.exponent(), fit.rSquared())))
          .figure(
              FigureSpec.of(
                  "contrast_response",
                  8,
                  6,
                  "Mean response at each contrast, and its fit.",
                  Panel.at(0, 0, "mean")
                      .axes(
                          Axis.log("Contrast (%)").range(1, 100),
                          Axis.linear("Mean response of the layer"))
                      .add(
                          points("data", fill(8, i -> 100 * CONTRASTS[i]), means),
                          Series.line(
                              "fit",
                              fine,
                              Arrays.stream(fine).map(c -> fit.at(Math.min(1, c / 100))).toArray(),
                              Style.BLACK.label("fit")))))
          .value("c_{50}", fit.c50())
          .value("Exponent", fit.exponent());
    }
  }

  /** Flanked bars. */
  public static final class Kapadia extends OriginalExperiment {
    private static final ReferenceCurve COLLINEAR =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.COLLINEAR_FLANKERS);
    private static final ReferenceCurve ORTHOGONAL =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.ORTHOGONAL_FLANKERS);

    /** Numbers of the experiment. */
    record Summary(
        double[] distances,
        double[] modelFacilitationCollinear,
        double[] modelFacilitationOrthogonal,
        double[] illustrativeFacilitationCollinear,
        double[] illustrativeFacilitationOrthogonal,
        @Nullable Similarity similarityMetrics) {}

    /** For the service loader. */
    public Kapadia() {
      super(
          describe(
              "kapadia",
              "Flanked bars",
              "Vertical bars and flankers on a background of 0. Flankers are written over the"
                  + " target where they overlap and left out where they do not fit; facilitation is"
                  + " relative to the smallest response of all."),
          InputScaling.RAW);
    }

    @Override
    StimulusSet set(int size) {
      double[] distances = Arrays.stream(COLLINEAR.x()).map(d -> Math.floor(30 * d)).toArray();
      return OriginalStimuli.bars(
          Frame.of(size, size),
          new double[] {90},
          distances,
          new double[] {0, 90},
          0.1,
          0.5,
          20,
          5);
    }

    @Override
    Findings analyze(double[] means, long seed) {
      double base = Arrays.stream(means).min().orElse(Double.NaN);
      int n = COLLINEAR.x().length;
      // Order of the stimuli: distances, then angles.
      double[] collinear = fill(n, i -> facilitation(means[2 * i], base));
      double[] orthogonal = fill(n, i -> facilitation(means[2 * i + 1], base));
      return Findings.of(
              new Summary(
                  COLLINEAR.x(),
                  collinear,
                  orthogonal,
                  COLLINEAR.y(),
                  ORTHOGONAL.y(),
                  Similarity.of(collinear, COLLINEAR, seed)))
          .figure(
              FigureSpec.of(
                  "kapadia_facilitation",
                  12,
                  8,
                  "Facilitation relative to the smallest of all responses; dotted, illustrative"
                      + " values, not data. Stimuli with small distances have no target, those"
                      + " with large ones no flankers.",
                  Panel.at(0, 0, "facilitation")
                      .axes(Axis.linear("Distance (deg)"), Axis.linear("Facilitation (%)"))
                      .horizontal(0)
                      .add(
                          curve("collinear", percent(collinear), 0),
                          curve("orthogonal", percent(orthogonal), 1),
                          Series.illustrative(
                              COLLINEAR.name(), COLLINEAR.x(), percent(COLLINEAR.y())))));
    }

    private static Series curve(String name, double[] y, int index) {
      return Series.line(name, COLLINEAR.x(), y, Style.series(index).label(name));
    }

    private static double facilitation(double response, double base) {
      return Math.abs(base) > 1e-12 ? response / base - 1 : Double.NaN;
    }

    private static double[] percent(double[] values) {
      return Arrays.stream(values).map(v -> 100 * v).toArray();
    }
  }

  /** Oriented surrounds. */
  public static final class Kinoshita extends OriginalExperiment {
    private static final double[] DIFFERENCES = {0, 30, 60, 90};

    /** Numbers of the experiment. */
    record Summary(
        double[] orientationDifferences,
        double[] modelNormalizedResponses,
        double[] modelSuppressionIndices,
        double[] illustrativeNormalizedResponses,
        @Nullable Similarity similarityMetrics) {}

    /** For the service loader. */
    public Kinoshita() {
      super(
          describe(
              "kinoshita",
              "Oriented surrounds",
              "A disc of 25 px within a ring of 30 to 80 px at 4 cycles per image, as patterns"
                  + " about 0."),
          InputScaling.RAW);
    }

    @Override
    StimulusSet set(int size) {
      return OriginalStimuli.surrounds(
          Frame.of(size, size),
          new double[] {45},
          DIFFERENCES,
          new double[] {25, 30, 80},
          4,
          new double[] {0.5, 0.5});
    }

    @Override
    Findings analyze(double[] means, long seed) {
      double center = means[0];
      double[] normalized =
          fill(4, i -> Math.abs(center) > 1e-12 ? means[1 + i] / center : Double.NaN);
      ReferenceCurve reference =
          ReferenceCurve.illustrative(ReferenceCurve.Illustrative.SURROUND_ORIENTATION);
      var model = new ReferenceCurve("model", false, DIFFERENCES, normalized);
      double[] interpolated = Arrays.stream(reference.x()).map(model::at).toArray();
      return Findings.of(
              new Summary(
                  DIFFERENCES,
                  normalized,
                  fill(4, i -> center > 1e-12 ? (center - means[1 + i]) / center : 0),
                  reference.y(),
                  Similarity.of(interpolated, reference, seed)))
          .figure(
              FigureSpec.of(
                  "kinoshita_surround",
                  12,
                  8,
                  "Normalized response; dotted, illustrative values, not data.",
                  Panel.at(0, 0, "response")
                      .axes(
                          Axis.linear("Surround − center (deg)").ticks(0, 30, 60, 90),
                          Axis.linear("Response / response to the center"))
                      .horizontal(1)
                      .add(
                          Series.line(
                              "model", DIFFERENCES, normalized, Style.series(0).label("model")),
                          Series.illustrative(reference.name(), reference.x(), reference.y()))));
    }
  }
}
