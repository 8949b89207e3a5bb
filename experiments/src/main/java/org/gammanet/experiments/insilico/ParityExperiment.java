package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.ContrastResponse;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.analysis.TuningModel;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.CentreSurroundStimuli;
import org.gammanet.experiments.stimuli.FlankedBarStimuli;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/**
 * The four experiments of the original, quirks and defects included: the "neuron" is the mean over
 * the middle of a layer, its channels and timesteps; gratings are standardised per image, which
 * hides contrast; the baseline of facilitation is the smallest response of all.
 */
final class ParityExperiment extends Experiment {
  /** Which of the four. */
  enum Kind {
    ORIENTATION("orientation", "Orientation tuning", "orientation_tuning"),
    CONTRAST("contrast_response", "Contrast response", "contrast_response"),
    KAPADIA("kapadia", "Flanked bars", "kapadia"),
    KINOSHITA("kinoshita", "Oriented surrounds", "kinoshita");

    final String word;
    final String title;
    final String key;

    Kind(String word, String title, String key) {
      this.word = word;
      this.title = title;
      this.key = key;
    }
  }

  private static final double[] FREQUENCIES = {10, 15, 20, 30, 40, 50};
  private static final double[] ORIENTATIONS = Result.fill(12, i -> 15 * i);
  private static final double[] CONTRASTS =
      Result.fill(8, i -> i == 7 ? 1 : Math.pow(10, -2 + 2.0 * i / 7));

  private final Kind kind;

  ParityExperiment(Kind kind) {
    super(kind.word, kind.title + ", as the original does it");
    this.kind = kind;
  }

  @Override
  String key() {
    return kind.key;
  }

  @Override
  boolean needsPreferences() {
    return false;
  }

  @Override
  String about() {
    return switch (kind) {
      case ORIENTATION ->
          "Gratings of 12 orientations and six frequencies at one phase, standardised per image."
              + " The response is the mean over the centre window, all channels and timesteps; the"
              + " frequency is that whose responses vary most over orientations.";
      case CONTRAST ->
          "A grating at 45° and 4 cycles per image over eight contrasts. It is standardised per"
              + " image, so that the network sees nearly the same picture at each contrast.";
      case KAPADIA ->
          "Vertical bars and flankers on a background of 0. Flankers are written over the target"
              + " where they overlap and left out where they do not fit; facilitation is against"
              + " the smallest response of all.";
      case KINOSHITA ->
          "A disc of 25 px within a ring of 30 to 80 px at 4 cycles per image, as patterns about"
              + " 0.";
    };
  }

  private StimulusSet set(int size, boolean alone) {
    return switch (kind) {
      case ORIENTATION ->
          GratingStimuli.builder()
              .size(size, size)
              .mode(Mode.PARITY)
              .orientations(ORIENTATIONS)
              .spatialFrequencies(FREQUENCIES)
              .contrasts(0.5)
              .build()
              .generate();
      case CONTRAST ->
          GratingStimuli.builder()
              .size(size, size)
              .mode(Mode.PARITY)
              .orientations(45)
              .spatialFrequencies(4)
              .contrasts(CONTRASTS)
              .build()
              .generate();
      case KAPADIA -> {
        var builder =
            FlankedBarStimuli.builder()
                .size(size, size)
                .mode(Mode.PARITY)
                .orientations(90)
                .distances(distances())
                .angles(0, 90)
                .targetContrasts(0.1)
                .flankerContrast(0.5);
        yield (alone ? builder.centreOnly() : builder).build().generate();
      }
      case KINOSHITA ->
          CentreSurroundStimuli.builder()
              .size(size, size)
              .mode(Mode.PARITY)
              .centreOrientations(45)
              .differences(0, 30, 60, 90)
              .build()
              .generate();
    };
  }

  private static double[] distances() {
    return Arrays.stream(
            ReferenceCurve.illustrative(ReferenceCurve.Illustrative.COLLINEAR_FLANKERS).x())
        .map(d -> Math.floor(30 * d))
        .toArray();
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    return set(size, false);
  }

  private InputScaling scaling() {
    return kind == Kind.ORIENTATION || kind == Kind.CONTRAST
        ? InputScaling.ZSCORE
        : InputScaling.RAW;
  }

  @Override
  Result run(Lab lab) {
    StimulusSet set = set(lab.preparation.size(), false);
    Responses responses = lab.recordRaw(set, new Pooling.ParityCentre(), scaling());
    double[] means = new double[set.size()];
    int steps = responses.steps().size();
    for (int t = 0; t < steps; t++) {
      float[][] at = responses.at(lab.layer(), lab.main(), t);
      for (int s = 0; s < means.length; s++) {
        for (float v : at[s]) {
          means[s] += v / (double) at[s].length / steps;
        }
      }
    }
    Result result = Result.empty();
    switch (kind) {
      case ORIENTATION -> orientation(result, means);
      case CONTRAST -> contrast(result, means);
      case KAPADIA -> kapadia(result, means, lab.settings.seed());
      case KINOSHITA -> kinoshita(result, means, lab.settings.seed());
    }
    return result;
  }

  private static void orientation(Result result, double[] means) {
    // Order of the stimuli: orientations, then frequencies.
    double[][] byFrequency = new double[FREQUENCIES.length][ORIENTATIONS.length];
    for (int o = 0; o < ORIENTATIONS.length; o++) {
      for (int f = 0; f < FREQUENCIES.length; f++) {
        byFrequency[f][o] = means[o * FREQUENCIES.length + f];
      }
    }
    int best = OrientationTuning.parityBestFrequency(byFrequency);
    Result map = Result.empty();
    for (int f = 0; f < FREQUENCIES.length; f++) {
      map.put("%.0f".formatted(FREQUENCIES[f]), byFrequency[f]);
    }
    double[] curve = byFrequency[best];
    TuningCurve fit =
        new OrientationTuning().fit(ORIENTATIONS, curve, TuningModel.PARITY_VON_MISES);
    double high = Result.quantile(curve, 1);
    double low = Result.quantile(curve, 0);
    result.put("orientation_convention", "direction of modulation, degrees; 0 is vertical stripes");
    result.put("orientations", ORIENTATIONS).put("responses", curve);
    result.put("optimal_spatial_frequency", FREQUENCIES[best]);
    result.put("spatial_frequency_responses", map);
    result.put(
        "tuning_curve",
        Result.empty()
            .put("preferred_orientation", fit.preferred())
            .put("bandwidth", fit.halfWidth())
            .put("r_squared", fit.rSquared())
            .put("modulation_index", (high - low) / (high + low)));
    result.series("orientation_tuning", "unit", "data", ORIENTATIONS, curve, 1);
    double[] fine = Result.fill(181, i -> i);
    result.series(
        "orientation_tuning", "unit", "fit", fine, Result.fill(181, i -> fit.at(fine[i])), 1);
  }

  private static void contrast(Result result, double[] means) {
    ContrastResponse fit = ContrastResponse.fit(CONTRASTS, means);
    result.put("contrasts", CONTRASTS).put("responses", means);
    result.put(
        "contrast_response_fit",
        Result.empty()
            .put("c50", fit.c50())
            .put("r_max", fit.rMax())
            .put("n", fit.exponent())
            .put("r_squared", fit.rSquared()));
    double[] percent = Result.fill(8, i -> 100 * CONTRASTS[i]);
    result.series("contrast_response", "mean", "data", percent, means, 1);
    double[] fine = Result.fill(101, i -> Math.min(100, Math.pow(10, i / 50.0)));
    result.series(
        "contrast_response",
        "mean",
        "fit",
        fine,
        Result.fill(101, i -> fit.at(Math.min(1, fine[i] / 100))),
        1);
  }

  private static void kapadia(Result result, double[] means, long seed) {
    ReferenceCurve collinear =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.COLLINEAR_FLANKERS);
    ReferenceCurve orthogonal =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.ORTHOGONAL_FLANKERS);
    double base = Result.quantile(means, 0);
    int n = collinear.x().length;
    // Order of the stimuli: distances, then angles.
    double[] line = Result.fill(n, i -> facilitation(means[2 * i], base));
    double[] across = Result.fill(n, i -> facilitation(means[2 * i + 1], base));
    result.put("distances", collinear.x());
    result.put("model_facilitation_collinear", line);
    result.put("model_facilitation_orthogonal", across);
    result.put("neural_facilitation_collinear", collinear.y());
    result.put("neural_facilitation_orthogonal", orthogonal.y());
    String figure = "kapadia_facilitation";
    result.series(figure, "facilitation", "collinear", collinear.x(), percent(line), 1);
    result.series(figure, "facilitation", "orthogonal", collinear.x(), percent(across), 1);
    result.series(
        figure, "facilitation", collinear.name(), collinear.x(), percent(collinear.y()), 0);
    result.series("kapadia_model_neural", "scatter", "points", collinear.y(), line, n);
    Page.similarity(
        result, Page.ILLUSTRATIVE, line, collinear.y(), collinear.standardErrors(), seed);
  }

  private static double facilitation(double response, double base) {
    return Math.abs(base) > 1e-12 ? response / base - 1 : Double.NaN;
  }

  private static double[] percent(double[] values) {
    return Arrays.stream(values).map(v -> 100 * v).toArray();
  }

  private static void kinoshita(Result result, double[] means, long seed) {
    double[] differences = {0, 30, 60, 90};
    double centre = means[0];
    double[] normalised =
        Result.fill(4, i -> Math.abs(centre) > 1e-12 ? means[1 + i] / centre : Double.NaN);
    double[] suppression =
        Result.fill(4, i -> centre > 1e-12 ? (centre - means[1 + i]) / centre : 0);
    result.put("orientation_differences", differences);
    result.put("model_normalized_responses", normalised);
    result.put("model_suppression_indices", suppression);
    result.series("kinoshita_surround", "response", "model", differences, normalised, 1);
    ReferenceCurve reference =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.SURROUND_ORIENTATION);
    double[] at =
        Result.fill(
            reference.x().length,
            i -> KinoshitaExperiment.interpolate(differences, normalised, reference.x()[i]));
    Page.compare(result, "kinoshita_surround", "response", reference, at, seed);
  }

  @Override
  void show(Result r, Page page) {
    Map<String, String> values = new LinkedHashMap<>();
    switch (kind) {
      case ORIENTATION -> {
        Result c = r.child("tuning_curve");
        Figure figure = page.figure(8, 6);
        Plot plot =
            figure
                .panel(0, 0)
                .x(
                    Axis.linear("Orientation of the modulation (deg)")
                        .range(-10, 190)
                        .ticks(0, 45, 90, 135, 180))
                .y(Axis.linear("Mean response of the layer"));
        lines(plot, r, "orientation_tuning", "unit");
        if (c.has("preferred_orientation")) {
          plot.vertical(c.number("preferred_orientation"), Style.GUIDE.dash(Style.Dash.DASHED));
        }
        page.add(
            "orientation_tuning",
            figure,
            "Mean response over the centre window, channels and timesteps, and its fit.");
        values.put("Preferred", Result.shown(c.number("preferred_orientation")) + "°");
        values.put("Bandwidth", Result.shown(c.number("bandwidth")) + "°");
        values.put("R^{2}", Result.shown(c.number("r_squared")));
        values.put(
            "Chosen frequency", Result.shown(r.number("optimal_spatial_frequency")) + " cycles");
      }
      case CONTRAST -> {
        Figure figure = page.figure(8, 6);
        lines(
            figure
                .panel(0, 0)
                .x(Axis.log("Contrast (%)").range(1, 100))
                .y(Axis.linear("Mean response of the layer")),
            r,
            "contrast_response",
            "mean");
        page.add("contrast_response", figure, "Mean response over contrast, and its fit.");
        Result c = r.child("contrast_response_fit");
        values.put("c_{50}", Result.shown(c.number("c50")));
        values.put("Exponent", Result.shown(c.number("n")));
      }
      case KAPADIA -> {
        Figure figure = page.figure(12, 8);
        lines(
            figure
                .panel(0, 0)
                .x(Axis.linear("Distance (deg)"))
                .y(Axis.linear("Facilitation (%)"))
                .horizontal(0, Style.GUIDE),
            r,
            "kapadia_facilitation",
            "facilitation");
        page.add(
            "kapadia_facilitation",
            figure,
            "Facilitation against the smallest of all responses; dotted, illustrative numbers. Near"
                + " distances have no target, far ones no flankers: see the text.");
        page.scatter(r, "kapadia_model_neural", "facilitation (scaled)");
        page.similarity(values, r);
      }
      case KINOSHITA -> {
        Figure figure = page.figure(12, 8);
        lines(
            figure
                .panel(0, 0)
                .x(Axis.linear("Surround − centre (deg)").ticks(0, 30, 60, 90))
                .y(Axis.linear("Response / response to the centre"))
                .horizontal(1, Style.GUIDE),
            r,
            "kinoshita_surround",
            "response");
        page.add(
            "kinoshita_surround", figure, "Normalised response; dotted, illustrative numbers.");
        page.similarity(values, r);
      }
    }
    if (!values.isEmpty()) {
      page.values(values);
    }
  }

  private static void lines(Plot plot, Result r, String figure, String panel) {
    List<Result.Series> all = new ArrayList<>(r.series(figure, panel));
    for (int i = 0; i < all.size(); i++) {
      Result.Series s = all.get(i);
      if (s.name().equals("data")) {
        plot.points(s.x(), s.y(), Style.EXCITATORY.label("responses"));
      } else if (s.name().equals("fit")) {
        plot.line(s.x(), s.y(), Style.BLACK.label("fit"));
      } else if (s.name().startsWith("illustrative")) {
        plot.line(s.x(), s.y(), Style.GUIDE.dash(Style.Dash.DOTTED).width(1.4).label(s.name()));
      } else {
        plot.line(s.x(), s.y(), Style.series(i).label(s.name()));
      }
    }
  }
}
