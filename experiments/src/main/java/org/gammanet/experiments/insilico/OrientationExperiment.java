package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.Population;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.analysis.TuningModel;
import org.gammanet.experiments.analysis.TuningTable;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/** Orientation tuning of each unit at its own best spatial frequency. */
final class OrientationExperiment extends Experiment {
  private static final double[] WAVELENGTHS = {12.8, 6.4};
  private static final double[] ALL_WAVELENGTHS = {25.6, 256 / 15.0, 12.8, 256 / 30.0, 6.4, 5.12};
  private static final int PHASES = 4;

  OrientationExperiment() {
    super("orientation", "Orientation tuning");
  }

  @Override
  String key() {
    return "orientation_tuning";
  }

  @Override
  boolean needsPreferences() {
    return false;
  }

  @Override
  String about() {
    return "Gratings of 12 orientations, in several spatial frequencies and four phases. Each unit"
        + " is measured at the frequency of its largest response averaged over phases; the"
        + " response to a blank is subtracted. The headline index is the circular variance"
        + " (Ringach, Shapley and Hawken 2002), 1 less the global selectivity, which unlike"
        + " the index of preferred and orthogonal responses does not depend on which sample"
        + " is largest (Mazurek, Kager and Van Hooser 2014). Curves are fitted with a von"
        + " Mises function. Angles are directions of modulation: 0° are vertical stripes.";
  }

  private static StimulusSet set(int size, Settings settings) {
    double[] cycles =
        Arrays.stream(settings.full() ? ALL_WAVELENGTHS : WAVELENGTHS).map(w -> size / w).toArray();
    var builder =
        GratingStimuli.builder()
            .size(size, size)
            .orientations(IntStream.range(0, 12).mapToDouble(i -> 15 * i).toArray())
            .spatialFrequencies(cycles)
            .contrasts(settings.contrast())
            .equallySpacedPhases(PHASES)
            .aperture(ApertureRule.EXACT_DIAMETER)
            .withBlank();
    if (settings.aperture() > 0) {
      builder.diameter(settings.aperture());
    }
    return builder.build().generate();
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    return set(size, settings);
  }

  @Override
  Result run(Lab lab) {
    StimulusSet set = set(lab.preparation.size(), lab.settings);
    var stimuli = new Lab.Stimuli();
    List<Preferences.Probe> gratings = new ArrayList<>();
    for (Stimulus s : set.stimuli()) {
      if (s instanceof org.gammanet.experiments.stimuli.Grating g) {
        stimuli.add(g);
        gratings.add(new Preferences.Probe(g.modulation(), g.cycles(), g.phase()));
      }
    }
    Lab.Recording recording = lab.record(stimuli);
    var tuning = new OrientationTuning();
    Result result = Result.empty();
    result.put("orientation_convention", "direction of modulation, degrees; 0 is vertical stripes");
    result.columns(
        "responsive",
        "preferred_deg",
        "preferred_axis_deg",
        "preferred_maximum_deg",
        "circular_variance",
        "global_osi",
        "osi",
        "modulation_index",
        "half_width_deg",
        "half_width_root2_deg",
        "f1_f0",
        "best_cycles_per_image",
        "best_cycles_per_degree",
        "best_phase_rad",
        "blank",
        "fit_preferred_deg",
        "fit_half_width_deg",
        "fit_kappa",
        "fit_r_squared",
        "peak_step",
        "half_rise_step",
        "transience",
        "lifetime_sparseness",
        "ei_balance");
    double degrees = lab.preparation.size() / lab.settings.pixelsPerDegree();
    TuningTable main = null;
    for (State state : lab.states()) {
      for (int step = 0; step <= lab.last(); step++) {
        boolean last = step == lab.last();
        float[][] responses = recording.responses().at(lab.layer(), state, step);
        TuningTable table = tuning.compute(responses, set);
        if (last && state == lab.main()) {
          main = table;
        }
        double[][] evoked = recording.evoked(state, step);
        for (TuningTable.Row row : table.rows()) {
          int u = row.unit();
          TuningCurve fit =
              last && row.measures().responsive()
                  ? tuning.fit(table.orientations(), row.curve(), TuningModel.VON_MISES)
                  : null;
          int best = largest(evoked, u);
          double[] trace = recording.responses().trace(lab.layer(), state, best, u);
          Dynamics dynamics = last ? Dynamics.of(trace) : null;
          double[] curve = row.curve();
          double blank = row.blank();
          double[] rectified = Result.fill(curve.length, i -> Math.max(curve[i] - blank, 0));
          result.row(
              lab.layer(),
              state,
              u,
              step,
              row.measures().responsive() ? 1 : 0,
              row.measures().preferredVector(),
              (row.measures().preferredVector() + 90) % 180,
              row.measures().preferredMaximum(),
              row.measures().circularVariance(),
              row.measures().globalOsi(),
              row.measures().osi(),
              row.measures().modulationIndex(),
              row.measures().halfWidth(),
              row.measures().halfWidthRoot2(),
              row.phaseModulation(),
              row.bestFrequency(),
              row.bestFrequency() / degrees,
              row.bestPhase(),
              blank,
              fit == null ? Double.NaN : fit.preferred(),
              fit == null ? Double.NaN : fit.halfWidth(),
              fit == null ? Double.NaN : fit.kappa(),
              fit == null ? Double.NaN : fit.rSquared(),
              dynamics == null ? Double.NaN : dynamics.peakStep(),
              dynamics == null ? Double.NaN : dynamics.halfRiseStep(),
              dynamics == null ? Double.NaN : dynamics.transience(),
              row.measures().responsive() ? Population.sparseness(rectified) : Double.NaN,
              balance(lab, recording, best, u, step));
        }
        if (last) {
          perStep(result, lab, state);
        }
      }
    }
    if (main == null) {
      throw new AssertionError("no timestep was recorded");
    }
    summarise(result, lab, main, tuning);
    double[][] evoked = recording.evoked(lab.main(), lab.last());
    Preferences.choose(
            Arrays.copyOf(evoked, gratings.size()),
            gratings,
            result.column("preferred_deg", lab.main(), lab.last()),
            lab.settings.probes())
        .write(result);
    sparsenessOfPopulation(result, evoked, gratings.size());
    return result;
  }

  private static int largest(double[][] evoked, int unit) {
    int best = 0;
    for (int s = 1; s < evoked.length; s++) {
      if (evoked[s][unit] > evoked[best][unit]) {
        best = s;
      }
    }
    return best;
  }

  private static double balance(
      Lab lab, Lab.Recording recording, int stimulus, int unit, int step) {
    if (!recording.responses().has(lab.layer(), State.EXCITATORY)
        || !recording.responses().has(lab.layer(), State.INHIBITORY)) {
      return Double.NaN;
    }
    return Dynamics.balance(
        recording.responses().trace(lab.layer(), State.EXCITATORY, stimulus, unit)[step],
        recording.responses().trace(lab.layer(), State.INHIBITORY, stimulus, unit)[step]);
  }

  /** Selectivity over time, for a state whose rows are all there. */
  private static void perStep(Result result, Lab lab, State state) {
    int steps = lab.last() + 1;
    double[] x = Result.fill(steps, t -> t);
    double[][] values = new double[steps][];
    for (int t = 0; t < steps; t++) {
      values[t] = result.column("global_osi", state, t);
    }
    result.series(
        "orientation_population",
        Result.mean("dynamics", state.word(), x, values, lab.settings.seed()));
  }

  private void summarise(Result result, Lab lab, TuningTable table, OrientationTuning tuning) {
    int units = table.rows().size();
    double[] orientations = table.orientations();
    double[] mean = new double[orientations.length];
    double[] frequencies = table.frequencies();
    double[] perFrequency = new double[frequencies.length];
    int responsive = 0;
    for (TuningTable.Row row : table.rows()) {
      responsive += row.measures().responsive() ? 1 : 0;
      for (int i = 0; i < mean.length; i++) {
        mean[i] += row.curve()[i] / units;
      }
      for (int f = 0; f < frequencies.length; f++) {
        perFrequency[f] += row.frequencyResponses()[f] / units;
      }
    }
    result.put("orientations", orientations).put("responses", mean);
    result.put("spatial_frequencies", frequencies);
    Result map = Result.empty();
    int best = 0;
    for (int f = 0; f < frequencies.length; f++) {
      map.put("%.4g".formatted(frequencies[f]), perFrequency[f]);
      best = perFrequency[f] > perFrequency[best] ? f : best;
    }
    result.put("spatial_frequency_responses", map);
    result.put("optimal_spatial_frequency", frequencies[best]);
    result.put("n_units", units).put("n_responsive", responsive);
    double[] cv = result.column("circular_variance", lab.main(), lab.last());
    result.put("fraction_responsive", table.shareResponsive());
    result.put("fraction_circular_variance_below_0_7", table.shareBelow(0.7));
    quartiles(result, "circular_variance", cv);
    quartiles(
        result, "half_width_deg", result.column("fit_half_width_deg", lab.main(), lab.last()));
    quartiles(result, "f1_f0", result.column("f1_f0", lab.main(), lab.last()));
    quartiles(result, "ei_balance", result.column("ei_balance", lab.main(), lab.last()));

    // Curves turned to a common preference and divided by their peaks, and single units.
    int k = orientations.length;
    double[] offset = Result.fill(k + 1, i -> -90 + 180.0 * i / k);
    List<double[]> aligned = new ArrayList<>();
    List<TuningTable.Row> shown = new ArrayList<>();
    for (TuningTable.Row row : table.rows()) {
      if (!row.measures().responsive()) {
        continue;
      }
      shown.add(row);
      int peak = Arrays.binarySearch(orientations, row.measures().preferredMaximum());
      double top =
          Arrays.stream(row.curve()).map(r -> Math.abs(r - row.blank())).max().orElseThrow();
      aligned.add(
          Result.fill(
              k + 1, i -> (row.curve()[Math.floorMod(peak + i - k / 2, k)] - row.blank()) / top));
    }
    double[][] atOffset = new double[k + 1][];
    for (int i = 0; i <= k; i++) {
      int at = i;
      atOffset[i] = aligned.stream().mapToDouble(a -> a[at]).toArray();
    }
    result.series(
        "orientation_tuning",
        Result.mean("population", lab.main().word(), offset, atOffset, lab.settings.seed()));
    shown.sort((a, b) -> Double.compare(b.measures().globalOsi(), a.measures().globalOsi()));
    if (!shown.isEmpty()) {
      TuningTable.Row top = shown.get(0);
      TuningCurve fit = tuning.fit(orientations, top.curve(), TuningModel.VON_MISES);
      result.put(
          "tuning_curve",
          Result.empty()
              .put("channel", top.unit())
              .put("preferred_orientation", fit.preferred())
              .put("bandwidth", fit.halfWidth())
              .put("r_squared", fit.rSquared())
              .put("modulation_index", top.measures().modulationIndex()));
      result.series("orientation_tuning", "unit", "data", orientations, top.curve(), 1);
      double[] fine = Result.fill(181, i -> i);
      result.series(
          "orientation_tuning", "unit", "fit", fine, Result.fill(181, i -> fit.at(fine[i])), 1);
      for (int i = 0; i < Math.min(12, shown.size()); i++) {
        TuningTable.Row row = shown.get(i * shown.size() / Math.min(12, shown.size()));
        String panel = "channel " + row.unit();
        TuningCurve curve = tuning.fit(orientations, row.curve(), TuningModel.VON_MISES);
        result.series("orientation_units", panel, "data", orientations, row.curve(), 1);
        result.series(
            "orientation_units", panel, "fit", fine, Result.fill(181, j -> curve.at(fine[j])), 1);
      }
    }
  }

  private static void sparsenessOfPopulation(Result result, double[][] evoked, int gratings) {
    double[] each =
        Result.fill(
            gratings,
            s -> {
              double[] r = Arrays.stream(evoked[s]).map(v -> Math.max(v, 0)).toArray();
              return r.length < 2 ? Double.NaN : Population.sparseness(r);
            });
    result.put("population_sparseness", Result.median(each));
  }

  private static void quartiles(Result result, String name, double[] values) {
    result.put(
        name + "_quartiles",
        new double[] {
          Result.quantile(values, 0.25), Result.quantile(values, 0.5), Result.quantile(values, 0.75)
        });
  }

  @Override
  void show(Result r, Page page) {
    State main = r.main();
    int last = r.json().path("timesteps").asInt() - 1;
    Result curve = r.child("tuning_curve");
    Figure tuning = page.figure(8, 6);
    Plot plot =
        tuning
            .panel(0, 0)
            .title(
                "%s %s, channel %d"
                    .formatted(
                        r.text("layer"), main.word(), curve.json().path("channel").asInt(-1)))
            .x(
                Axis.linear("Orientation of the modulation (deg)")
                    .range(-10, 190)
                    .ticks(0, 45, 90, 135, 180))
            .y(Axis.linear("Response (a.u.)"));
    Result.Series fit = r.line("orientation_tuning", "unit", "fit");
    Result.Series data = r.line("orientation_tuning", "unit", "data");
    plot.line(fit.x(), fit.y(), Style.BLACK.label("von Mises fit"))
        .points(data.x(), data.y(), Page.style(main.word()).label("mean over phases"));
    if (curve.has("preferred_orientation")) {
      plot.vertical(curve.number("preferred_orientation"), Style.GUIDE.dash(Style.Dash.DASHED))
          .note(
              Plot.Corner.TOP_LEFT,
              "preferred %.1f°\nhalf width %.1f°\nR^{2} = %.2f"
                  .formatted(
                      curve.number("preferred_orientation"),
                      curve.number("bandwidth"),
                      curve.number("r_squared")));
    }
    page.add(
        "orientation_tuning",
        tuning,
        "The most selective unit: responses averaged over phases at its best spatial frequency, and"
            + " the fitted von Mises function. Dashed: preferred orientation.");

    Figure population = page.figure(11, 8).letters();
    double[] cv = Result.finite(r.column("circular_variance", main, last));
    double[] pref = Result.finite(r.column("preferred_deg", main, last));
    population
        .panel(0, 0)
        .title("Selectivity")
        .x(Axis.linear("Circular variance").range(0, 1))
        .y(Axis.linear("Units"))
        .histogram(cv, Result.fill(21, i -> i / 20.0), Style.area(0))
        .vertical(0.7, Style.GUIDE.dash(Style.Dash.DASHED))
        .note(Plot.Corner.TOP_LEFT, "n = " + cv.length);
    population
        .panel(0, 1)
        .title("Preferred orientation")
        .x(Axis.linear("Preferred orientation (deg)").range(0, 180).ticks(0, 45, 90, 135, 180))
        .y(Axis.linear("Units"))
        .histogram(pref, Result.fill(13, i -> i * 15.0), Style.area(0))
        .note(Plot.Corner.TOP_LEFT, "n = " + pref.length);
    population
        .panel(1, 0)
        .title("Width and selectivity")
        .x(Axis.linear("Circular variance").range(0, 1))
        .y(Axis.linear("Half width at half height (deg)"))
        .points(
            r.column("circular_variance", main, last),
            r.column("fit_half_width_deg", main, last),
            Page.style(main.word()));
    Plot dynamics =
        population
            .panel(1, 1)
            .title("Selectivity over time")
            .x(Page.steps(r))
            .y(Axis.linear("Global selectivity (1 − CV)"));
    for (Result.Series s : r.series("orientation_population", "dynamics")) {
      Page.band(dynamics, s, Page.style(s.name()).label(s.name()));
    }
    page.add(
        "orientation_population",
        population,
        "Population of %d responsive units of %d. A: circular variance, dashed at 0.7. B: preferred orientations. C: half width of the fit against circular variance; a sinusoid has 45°. D: selectivity after each timestep, mean over units with its bootstrap interval of 95 %%."
            .formatted(cv.length, r.json().path("n_units").asInt()));

    Figure units = page.figure(11, 7);
    List<String> panels =
        r.series("orientation_units").stream().map(Result.Series::panel).distinct().toList();
    for (int i = 0; i < panels.size(); i++) {
      Result.Series d = r.line("orientation_units", panels.get(i), "data");
      Result.Series f = r.line("orientation_units", panels.get(i), "fit");
      units
          .panel(i / 4, i % 4)
          .title(panels.get(i))
          .x(Axis.linear(i / 4 == 2 ? "Orientation (deg)" : "").range(0, 180).ticks(0, 90, 180))
          .y(Axis.linear(i % 4 == 0 ? "Response" : ""))
          .line(f.x(), f.y(), Style.BLACK)
          .points(d.x(), d.y(), Page.style(main.word()));
    }
    if (!panels.isEmpty()) {
      page.add(
          "orientation_units",
          units,
          "Tuning of single units, from the most to the least selective, with von Mises fits.");
    }
    Map<String, String> values = new LinkedHashMap<>();
    values.put(
        "Responsive units",
        "%d of %d"
            .formatted(r.json().path("n_responsive").asInt(), r.json().path("n_units").asInt()));
    values.put(
        "Circular variance below 0.7",
        "%.0f %% of units".formatted(100 * r.number("fraction_circular_variance_below_0_7")));
    quartileLine(values, r, "Circular variance", "circular_variance");
    quartileLine(values, r, "Half width of the fit (deg)", "half_width_deg");
    quartileLine(values, r, "F1/F0", "f1_f0");
    quartileLine(values, r, "Balance (E − I)/(|E| + |I|)", "ei_balance");
    values.put("Population sparseness, median", Result.shown(r.number("population_sparseness")));
    values.put(
        "Best spatial frequency of the population",
        "%s cycles per image".formatted(Result.shown(r.number("optimal_spatial_frequency"))));
    page.values(values);
    List<List<String>> rows = new ArrayList<>();
    int p = 0;
    Preferences preferences = Preferences.of(r);
    for (Preferences.Probe probe : preferences.probes()) {
      rows.add(
          List.of(
              "" + ++p,
              Result.shown(probe.modulation()),
              Result.shown((probe.modulation() + 90) % 180),
              Result.shown(probe.cycles()),
              Result.shown(Math.toDegrees(probe.phase())),
              "" + preferences.unitsOf(p - 1).length));
    }
    page.table(
        "Probe stimuli that the other experiments vary. A unit is tested with the one that drives it best; units of which no probe evokes half of their largest response are left out: median share of the largest response %s."
            .formatted(Result.shown(Result.median(preferences.drive()))),
        List.of(
            "Probe",
            "Modulation (deg)",
            "Axis (deg)",
            "Cycles per image",
            "Phase (deg)",
            "Units tested"),
        rows);
  }

  private static void quartileLine(
      Map<String, String> values, Result r, String label, String name) {
    double[] q = r.numbers(name + "_quartiles");
    if (q.length == 3) {
      values.put(
          label + ", quartiles",
          "%s, %s, %s".formatted(Result.shown(q[0]), Result.shown(q[1]), Result.shown(q[2])));
    }
  }
}
