package org.gammanet.experiments.insilico;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.analysis.CurveSimilarity;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.responses.State;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** An experiment's part of a report, and the figures in it by their file names. */
final class Page {
  /** What the curves are that the experiments come with. */
  static final String ILLUSTRATIVE = "illustrative numbers that stem from no recording";

  /** How the names of lines begin that are recordings of the user's. */
  static final String MEASURED = "measured: ";

  private final HtmlReport report;
  private final String footer;
  private final Map<String, Figure> figures = new LinkedHashMap<>();

  /**
   * A page in a report.
   *
   * @param footer below each figure, such as a word on untrained weights; may be empty
   */
  Page(HtmlReport report, String footer) {
    this.report = report;
    this.footer = footer;
  }

  Figure figure(double width, double height) {
    var figure = new Figure(width, height);
    return footer.isEmpty() ? figure : figure.footer(footer);
  }

  void add(String name, Figure figure, String caption) {
    figures.put(name, figure);
    report.figure(figure, caption);
  }

  Map<String, Figure> figures() {
    return figures;
  }

  void text(String text) {
    report.text(text);
  }

  void warning(String text) {
    report.warning(text);
  }

  void values(Map<String, String> values) {
    report.values(values);
  }

  void table(String caption, List<String> columns, List<List<String>> rows) {
    report.table(caption, columns, rows);
  }

  /** The look of a state's line. */
  static Style style(String state) {
    return state.equals(State.INHIBITORY.word()) ? Style.INHIBITORY : Style.EXCITATORY;
  }

  /** A mean with its interval as a band, and points on it; recordings as points with error bars. */
  static void band(Plot plot, Result.Series s, Style style) {
    if (s.name().startsWith(MEASURED)) {
      if (s.low() != null && s.high() != null) {
        plot.errorBars(s.x(), s.low(), s.high(), Style.BLACK);
      }
      plot.points(s.x(), s.y(), Style.BLACK.marker(Style.Marker.DIAMOND, 6).label(s.name()));
      return;
    }
    if (s.low() != null && s.high() != null) {
      plot.band(s.x(), s.low(), s.high(), style.label(""));
    }
    plot.line(s.x(), s.y(), style);
  }

  /** A panel's title with the number of units. */
  static String title(String words, Result r) {
    return "%s (n = %d)".formatted(words, r.json().path("n").asInt());
  }

  /** The axis of timesteps, from 0. */
  static Axis steps(Result r) {
    int n = r.json().path("timesteps").asInt();
    int every = Math.max(1, (n + 7) / 8);
    return Axis.linear("Timestep").ticks(Result.fill((n - 1) / every + 1, i -> (double) i * every));
  }

  /** Puts a reference curve into a figure, and how alike the model's curve is, into the result. */
  static void compare(
      Result result,
      String figure,
      String panel,
      ReferenceCurve reference,
      double[] model,
      long seed) {
    result.series(figure, panel, reference.name(), reference.x(), reference.y(), 0);
    result.put("neural_data", reference.y());
    similarity(result, ILLUSTRATIVE, model, reference.y(), reference.standardErrors(), seed);
  }

  /**
   * Puts a recording of the user's into a result, in place of the curve that illustrates, and how
   * alike the model's curve is.
   *
   * @return how many of its points the model's curve covers
   */
  static int measured(Result result, Experiment.Comparable where, ReferenceCurve curve, long seed) {
    result.removeSeries(where.figure(), where.panel(), "illustrative");
    result.removeSeries(where.figure(), where.panel(), MEASURED);
    Result.Series model = result.series(where.figure(), where.panel()).getFirst();
    double[] errors = curve.standardErrors();
    double[] y = curve.y();
    result.series(
        where.figure(),
        new Result.Series(
            where.panel(),
            MEASURED + curve.name(),
            curve.x(),
            y,
            errors == null ? null : Result.fill(y.length, i -> y[i] - errors[i]),
            errors == null ? null : Result.fill(y.length, i -> y[i] + errors[i]),
            0));
    int[] common =
        java.util.stream.IntStream.range(0, y.length)
            .filter(
                i ->
                    Double.isFinite(
                        KinoshitaExperiment.interpolate(model.x(), model.y(), curve.x()[i])))
            .toArray();
    double[] at =
        Result.fill(
            common.length,
            i -> KinoshitaExperiment.interpolate(model.x(), model.y(), curve.x()[common[i]]));
    double[] recorded = Experiment.of(y, common);
    result.json().remove("neural_data");
    result.json().remove("similarity_metrics");
    similarity(
        result,
        MEASURED + curve.name(),
        at,
        recorded,
        errors == null ? null : Experiment.of(errors, common),
        seed);
    result.removeSeries(where.figure(), "scatter", "");
    result.removeSeries("kapadia_model_neural", "scatter", "");
    if (where.figure().startsWith("kapadia")) {
      result.series("kapadia_model_neural", "scatter", "units", recorded, at, common.length);
    }
    return common.length;
  }

  /** How alike a model's curve and a reference curve are at the same points. */
  static void similarity(
      Result result,
      String name,
      double[] model,
      double[] reference,
      double @Nullable [] standardErrors,
      long seed) {
    boolean known = Arrays.stream(model).allMatch(Double::isFinite);
    if (model.length < 3 || !known) {
      return;
    }
    CurveSimilarity s = CurveSimilarity.of(model, reference, standardErrors, seed);
    result.put(
        "similarity_metrics",
        Result.empty()
            .put("reference", name)
            .put("correlation", s.correlation())
            .put("correlation_low", s.interval().low())
            .put("correlation_high", s.interval().high())
            .put("p_value", s.p())
            .put("r_squared", s.rSquared())
            .put("rmse", s.rmse())
            .put("mae", s.mae())
            .put("chi_squared", s.chiSquared())
            .put("n", s.n())
            .put("few_points", s.fewPoints()));
  }

  void similarity(Map<String, String> values, Result r) {
    Result s = r.child("similarity_metrics");
    if (s.has("n")) {
      boolean measured = s.text("reference").startsWith(MEASURED);
      values.put(
          "Correlation with the %s curve [95 %%]".formatted(measured ? "measured" : "illustrative"),
          "%s [%s, %s], %d points%s"
              .formatted(
                  Result.shown(s.number("correlation")),
                  Result.shown(s.number("correlation_low")),
                  Result.shown(s.number("correlation_high")),
                  s.json().path("n").asInt(),
                  s.flag("few_points") ? ", too few to mean much" : ""));
    }
  }

  /** Model against reference, both scaled between their extremes, with unity and regression. */
  void scatter(Result r, String name, String quantity) {
    Result.Series s = r.series(name).isEmpty() ? null : r.series(name).get(0);
    if (s == null || s.x().length < 4) { // fewer points are no scatter
      return;
    }
    boolean measured = r.child("similarity_metrics").text("reference").startsWith(MEASURED);
    double[] x = scaled(s.x());
    double[] y = scaled(s.y());
    Figure figure = figure(8, 8);
    Plot plot =
        figure
            .panel(0, 0)
            .x(
                Axis.linear((measured ? "Measured " : "Illustrative ") + quantity)
                    .range(-0.05, 1.05))
            .y(Axis.linear("Model (scaled)").range(-0.05, 1.05))
            .equalAspect()
            .unity();
    double mx = Arrays.stream(x).average().orElse(0);
    double my = Arrays.stream(y).average().orElse(0);
    double xy = 0;
    double xx = 0;
    for (int i = 0; i < x.length; i++) {
      xy += (x[i] - mx) * (y[i] - my);
      xx += (x[i] - mx) * (x[i] - mx);
    }
    if (xx > 0) {
      double slope = xy / xx;
      plot.line(
          new double[] {0, 1},
          new double[] {my - slope * mx, my + slope * (1 - mx)},
          Style.BLACK.dash(Style.Dash.DASHED).label("regression"));
    }
    plot.points(x, y, Style.series(0).label("points"));
    Result m = r.child("similarity_metrics");
    plot.note(
        Plot.Corner.TOP_LEFT,
        "r = %s\nR^{2} = %s\nn = %d"
            .formatted(
                Result.shown(m.number("correlation")),
                Result.shown(m.number("r_squared")),
                x.length));
    add(
        name,
        figure,
        (measured
                ? "Model against the measured points"
                : "Model against numbers that illustrate such a curve and stem from no recording")
            + "; each scaled to [0, 1]. Solid: unity. Dashed: regression.");
  }

  private static double[] scaled(double[] values) {
    double low = Result.quantile(values, 0);
    double high = Result.quantile(values, 1);
    return Arrays.stream(values).map(v -> high > low ? (v - low) / (high - low) : 0).toArray();
  }
}
