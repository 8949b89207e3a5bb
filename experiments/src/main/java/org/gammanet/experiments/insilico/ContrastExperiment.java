package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.analysis.ContrastResponse;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/** Responses over contrast, of each unit to its probe stimulus. */
final class ContrastExperiment extends Experiment {
  private static final double[] CONTRASTS =
      Result.fill(8, i -> i == 7 ? 1 : Math.pow(10, -2 + 2.0 * i / 7));

  ContrastExperiment() {
    super("contrast_response", "Contrast response");
  }

  @Override
  Comparable comparable() {
    return new Comparable(
        "contrast_response", "mean", "contrast in %, response as a share of the largest");
  }

  @Override
  String about() {
    return "Each unit's probe grating at eight contrasts from 1 to 100 %, less the response to a"
        + " blank. Responses are fitted with a hyperbolic ratio (Naka and Rushton 1966;"
        + " Albrecht and Hamilton 1982); the saturation index is positive where the response"
        + " falls again at the highest contrasts (Peirce 2007).";
  }

  private static int[][] stimuli(Lab.Stimuli list, int size, Preferences preferences) {
    var frame = org.gammanet.experiments.stimuli.Frame.of(size, size);
    int[][] at = new int[preferences.probes().size()][CONTRASTS.length];
    for (int p = 0; p < at.length; p++) {
      for (int c = 0; c < CONTRASTS.length; c++) {
        at[p][c] = list.add(Lab.grating(frame, preferences.probes().get(p), CONTRASTS[c], null));
      }
    }
    return at;
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    stimuli(
        list,
        size,
        somePreference(org.gammanet.experiments.stimuli.Frame.of(size, size), settings));
    return list.set();
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    var list = new Lab.Stimuli();
    int[][] at = stimuli(list, lab.preparation.size(), preferences);
    Lab.Recording recording = lab.record(list);
    Result result = Result.empty();
    result.put("contrasts", CONTRASTS);
    result.columns(
        "probe",
        "c50",
        "r_max",
        "exponent",
        "baseline",
        "gain_at_c50",
        "saturation_index",
        "r_squared");
    int[] tested = preferences.testedUnits();
    for (State state : lab.states()) {
      for (int step = 0; step <= lab.last(); step++) {
        double[][] evoked = recording.evoked(state, step);
        List<double[]> scaled = new ArrayList<>();
        for (int u : tested) {
          int[] series = at[preferences.probe()[u]];
          double[] r = Result.fill(series.length, i -> evoked[series[i]][u]);
          ContrastResponse fit = ContrastResponse.fit(CONTRASTS, r);
          result.row(
              lab.layer(),
              state,
              u,
              step,
              preferences.probe()[u] + 1,
              fit.c50(),
              fit.rMax(),
              fit.exponent(),
              fit.baseline(),
              fit.gain(),
              fit.saturationIndex(),
              fit.rSquared());
          double most = java.util.Arrays.stream(r).map(Math::abs).max().orElse(0);
          if (most > 1e-12) {
            scaled.add(java.util.Arrays.stream(r).map(v -> v / most).toArray());
          }
        }
        if (step == lab.last()) {
          double[][] byContrast = new double[CONTRASTS.length][];
          for (int c = 0; c < CONTRASTS.length; c++) {
            int i = c;
            byContrast[c] = scaled.stream().mapToDouble(s -> s[i]).toArray();
          }
          Result.Series mean =
              Result.mean(
                  "mean",
                  state.word(),
                  Result.fill(CONTRASTS.length, i -> 100 * CONTRASTS[i]),
                  byContrast,
                  lab.settings.seed());
          result.series("contrast_response", mean);
          if (state == lab.main() && scaled.size() > 0) {
            population(result, mean);
          }
        }
      }
      double[][] c50 = new double[lab.last() + 1][];
      for (int t = 0; t <= lab.last(); t++) {
        c50[t] = result.column("c50", state, t);
      }
      result.series(
          "contrast_response",
          Result.mean(
              "dynamics",
              state.word(),
              Result.fill(lab.last() + 1, t -> t),
              c50,
              lab.settings.seed()));
    }
    double[] c50 = result.column("c50", lab.main(), lab.last());
    result.put("n", tested.length);
    result.put("c50_median", Result.median(c50));
    result.put("exponent_median", Result.median(result.column("exponent", lab.main(), lab.last())));
    result.put(
        "saturation_index_median",
        Result.median(result.column("saturation_index", lab.main(), lab.last())));
    return result;
  }

  /** The fit of the population's mean, in the form that the original reports. */
  private static void population(Result result, Result.Series mean) {
    result.put("responses", mean.y());
    ContrastResponse fit = ContrastResponse.fit(CONTRASTS, mean.y());
    result.put(
        "contrast_response_fit",
        Result.empty()
            .put("c50", fit.c50())
            .put("r_max", fit.rMax())
            .put("n", fit.exponent())
            .put("r_squared", fit.rSquared()));
    double[] fine = Result.fill(101, i -> Math.pow(10, -2 + i / 50.0));
    result.series(
        "contrast_response",
        "mean",
        "fit",
        Result.fill(101, i -> 100 * fine[i]),
        Result.fill(101, i -> fit.at(Math.min(1, fine[i]))),
        mean.n());
  }

  @Override
  void show(Result r, Page page) {
    Figure figure = page.figure(8, 6);
    Plot plot =
        figure
            .panel(0, 0)
            .title("Contrast response, %s".formatted(r.text("layer")))
            .x(Axis.log("Michelson contrast (%)").range(0.9, 112))
            .y(Axis.linear("Response (share of each unit's largest)"));
    Result.Series fit = r.line("contrast_response", "mean", "fit");
    plot.line(fit.x(), fit.y(), Style.BLACK.label("fit of the mean"));
    for (Result.Series s : r.series("contrast_response", "mean")) {
      if (s.name().startsWith(Page.MEASURED)) {
        Page.band(plot, s, Style.BLACK);
      } else if (!s.name().equals("fit")) {
        if (s.low() != null && s.high() != null) {
          plot.errorBars(s.x(), s.low(), s.high(), Page.style(s.name()));
        }
        plot.points(s.x(), s.y(), Page.style(s.name()).label(s.name()));
      }
    }
    Result f = r.child("contrast_response_fit");
    if (f.has("c50")) {
      plot.vertical(100 * f.number("c50"), Style.GUIDE.dash(Style.Dash.DOTTED));
      plot.note(
          Plot.Corner.TOP_LEFT,
          "c_{50} = %.1f %%\nn = %.2f\nR^{2} = %.2f\n%d units"
              .formatted(
                  100 * f.number("c50"),
                  f.number("n"),
                  f.number("r_squared"),
                  r.json().path("n").asInt()));
    }
    page.add(
        "contrast_response",
        figure,
        "Mean of the tested units' responses, each divided by its largest, with bootstrap intervals"
            + " of 95 % over units; line: hyperbolic ratio fitted to the mean, dotted at its"
            + " half-maximum contrast.");
    Map<String, String> values = new LinkedHashMap<>();
    values.put("Units", "" + r.json().path("n").asInt());
    values.put("c_{50}, median over units", Result.shown(r.number("c50_median")));
    values.put("Exponent, median", Result.shown(r.number("exponent_median")));
    values.put("Saturation index, median", Result.shown(r.number("saturation_index_median")));
    page.values(values);
  }
}
