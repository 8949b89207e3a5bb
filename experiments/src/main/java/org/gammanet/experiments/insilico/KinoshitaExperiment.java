package org.gammanet.experiments.insilico;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CentreSurround;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.StimulusType;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** Suppression by a ring whose orientation differs from the centre's. */
final class KinoshitaExperiment extends Experiment {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {
    -75, -60, -45, -30, -15, 0, 15, 30, 45, 60, 75, 90
  };

  KinoshitaExperiment() {
    super("kinoshita", "Oriented surrounds");
  }

  @Override
  boolean needsSize() {
    return true;
  }

  @Override
  Comparable comparable() {
    return new Comparable(
        "kinoshita_surround",
        "response",
        "surround - centre in degrees, response over that to the centre");
  }

  @Override
  String about() {
    return "A disc of each unit's probe grating, as large as the median summation field of the"
        + " units tested with it, within a ring whose orientation differs from it, in"
        + " several phases. The ring begins where it evokes nothing by itself. Units to which"
        + " the disc evokes less than a tenth of their largest response here are left out."
        + " Orientation-tuned suppression is what Cavanaugh, Bair and Movshon (2002) and"
        + " Shushruth et al. (2013) report of V1; the name of the experiment is historical,"
        + " see Kinoshita, Gilbert and Das (2009).";
  }

  private record Plan(
      double[] differences, int phases, int[] alone, int[][][] both, int[][] surround) {}

  private static Plan plan(
      Lab.Stimuli list, int size, Settings settings, Preferences preferences, double[][] fields) {
    Frame frame = Frame.of(size, size);
    double[] differences = settings.full() ? ALL_DIFFERENCES : DIFFERENCES;
    int phases = settings.full() ? 4 : 2;
    int probes = preferences.probes().size();
    int[] alone = new int[probes];
    int[][][] both = new int[probes][differences.length][phases];
    int[][] surround = new int[probes][2];
    for (int p = 0; p < probes; p++) {
      Preferences.Probe probe = preferences.probes().get(p);
      double outer = Math.min(80, frame.largestRadius());
      var centre =
          new CentreSurround.Centre(
              null, probe.phase(), settings.contrast(), Math.min(fields[0][p] / 2, outer / 2));
      double inner = Math.min(fields[1][p] / 2, outer - 4);
      alone[p] = list.add(stimulus(frame, probe, centre, null));
      for (int d = 0; d < differences.length; d++) {
        for (int i = 0; i < phases; i++) {
          var ring =
              new CentreSurround.Surround(
                  probe.modulation() + differences[d],
                  probe.phase() + 2 * Math.PI * i / phases,
                  settings.contrast(),
                  inner,
                  outer);
          both[p][d][i] = list.add(stimulus(frame, probe, centre, ring));
        }
      }
      for (int cross = 0; cross < 2; cross++) {
        var ring =
            new CentreSurround.Surround(
                probe.modulation() + 90 * cross, probe.phase(), settings.contrast(), inner, outer);
        surround[p][cross] = list.add(stimulus(frame, probe, null, ring));
      }
    }
    return new Plan(differences, phases, alone, both, surround);
  }

  private static CentreSurround stimulus(
      Frame frame,
      Preferences.Probe probe,
      CentreSurround.@Nullable Centre centre,
      CentreSurround.@Nullable Surround ring) {
    StimulusType type =
        ring == null
            ? StimulusType.KINOSHITA_CENTER_ONLY
            : centre == null
                ? StimulusType.KINOSHITA_SURROUND_ONLY
                : StimulusType.KINOSHITA_CENTER_SURROUND;
    return new CentreSurround(
        frame, type, centre, ring, probe.modulation(), probe.cycles(), Mode.OWN);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    plan(
        list,
        size,
        settings,
        somePreference(Frame.of(size, size), settings),
        new double[][] {
          Result.fill(settings.probes(), i -> 25), Result.fill(settings.probes(), i -> 33)
        });
    return list.set();
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    double[][] fields = SizeExperiment.fields(lab, preferences.probes().size());
    var list = new Lab.Stimuli();
    Plan plan = plan(list, lab.preparation.size(), lab.settings, preferences, fields);
    Lab.Recording recording = lab.record(list);
    Result result = Result.empty();
    result.put("orientation_differences", plan.differences);
    result.put("centre_diameter_px", fields[0]).put("ring_inner_diameter_px", fields[1]);
    int iso = Arrays.binarySearch(plan.differences, 0);
    int cross = plan.differences.length - 1;
    String[] columns = new String[6 + plan.differences.length];
    columns[0] = "probe";
    columns[1] = "centre_alone";
    columns[2] = "surround_alone_share";
    columns[3] = "suppression_iso";
    columns[4] = "suppression_cross";
    columns[5] = "iso_cross_index";
    for (int d = 0; d < plan.differences.length; d++) {
      columns[6 + d] = "normalised_%.0f".formatted(plan.differences[d]);
    }
    result.columns(columns);
    int[] tested = preferences.testedUnits();
    for (State state : lab.states()) {
      double[][] isoSteps = new double[lab.last() + 1][];
      double[][] crossSteps = new double[lab.last() + 1][];
      for (int step = 0; step <= lab.last(); step++) {
        double[][] evoked = recording.evoked(state, step);
        for (int u : tested) {
          int p = preferences.probe()[u];
          double alone = evoked[plan.alone[p]][u];
          double[] with = new double[plan.differences.length];
          for (int d = 0; d < with.length; d++) {
            for (int at : plan.both[p][d]) {
              with[d] += evoked[at][u] / plan.phases;
            }
          }
          double base = base(alone, with);
          double[] row = new double[6 + with.length];
          row[0] = p + 1;
          row[1] = alone;
          row[2] = Context.normalised(base, evoked[plan.surround[p][0]][u]);
          row[3] = Context.suppression(base, with[iso]);
          row[4] = Context.suppression(base, with[cross]);
          row[5] = base > 0 ? Context.isoCross(with[iso], with[cross]) : Double.NaN;
          for (int d = 0; d < with.length; d++) {
            row[6 + d] = Context.normalised(base, with[d]);
          }
          result.row(lab.layer(), state, u, step, row);
        }
        isoSteps[step] = result.column("suppression_iso", state, step);
        crossSteps[step] = result.column("suppression_cross", state, step);
      }
      double[][] normalised = new double[plan.differences.length][];
      for (int d = 0; d < normalised.length; d++) {
        normalised[d] = result.column(columns[6 + d], state, lab.last());
      }
      Result.Series mean =
          Result.mean("response", state.word(), plan.differences, normalised, lab.settings.seed());
      result.series("kinoshita_surround", mean);
      double[] t = Result.fill(lab.last() + 1, i -> i);
      Result.Series overTime =
          Result.mean("dynamics", state.word() + ", iso", t, isoSteps, lab.settings.seed());
      result.series("kinoshita_surround", overTime);
      if (state == lab.main()) {
        result.series(
            "kinoshita_surround",
            Result.mean("dynamics", state.word() + ", cross", t, crossSteps, lab.settings.seed()));
        result.put("first_step_suppression_above_0_05", Dynamics.firstAbove(overTime.y(), 0.05));
        compare(result, mean, lab.settings.seed());
      }
    }
    double[] isoIndex = result.column("suppression_iso", lab.main(), lab.last());
    double[] crossIndex = result.column("suppression_cross", lab.main(), lab.last());
    result.series(
        "kinoshita_surround",
        "units",
        "units",
        crossIndex,
        isoIndex,
        pairs(isoIndex, crossIndex)[0].length);
    result.put("n", Result.finite(isoIndex).length).put("n_tested", tested.length);
    result.put("suppression_iso", Result.mean(isoIndex, lab.settings.seed()));
    result.put("suppression_cross", Result.mean(crossIndex, lab.settings.seed()));
    result.put(
        "iso_cross_index",
        Result.mean(result.column("iso_cross_index", lab.main(), lab.last()), lab.settings.seed()));
    result.put(
        "surround_alone_share_median",
        Result.median(result.column("surround_alone_share", lab.main(), lab.last())));
    double[][] pairs = pairs(isoIndex, crossIndex);
    if (pairs[0].length >= 5) {
      result.put("wilcoxon_iso_against_cross", Statistics.wilcoxon(pairs[0], pairs[1]));
    }
    return result;
  }

  /** Pairs without those of which one is NaN. */
  static double[][] pairs(double[] a, double[] b) {
    int[] both =
        java.util.stream.IntStream.range(0, a.length)
            .filter(i -> Double.isFinite(a[i]) && Double.isFinite(b[i]))
            .toArray();
    return new double[][] {of(a, both), of(b, both)};
  }

  /** Against the illustrative curve, at 0, 15, …, 90 degrees. */
  static void compare(Result result, Result.Series mean, long seed) {
    ReferenceCurve reference =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.SURROUND_ORIENTATION);
    double[] folded = new double[reference.x().length];
    for (int i = 0; i < folded.length; i++) {
      double x = reference.x()[i];
      double right = interpolate(mean.x(), mean.y(), x);
      double left = interpolate(mean.x(), mean.y(), -x);
      folded[i] = Double.isNaN(left) ? right : (right + left) / 2;
    }
    result.put("model_normalized_responses", folded);
    result.put("model_suppression_indices", Arrays.stream(folded).map(v -> 1 - v).toArray());
    Page.compare(result, "kinoshita_surround", "response", reference, folded, seed);
  }

  /** A curve between its points; NaN outside of them. */
  static double interpolate(double[] x, double[] y, double at) {
    for (int i = 0; i < x.length; i++) {
      if (x[i] == at) {
        return y[i];
      }
      if (i > 0 && x[i - 1] < at && at < x[i]) {
        return y[i - 1] + (at - x[i - 1]) / (x[i] - x[i - 1]) * (y[i] - y[i - 1]);
      }
    }
    return Double.NaN;
  }

  @Override
  void show(Result r, Page page) {
    Figure figure = page.figure(12, 8).letters();
    Plot response =
        figure
            .panel(0, 0)
            .title(Page.title("Surround orientation", r))
            .x(Axis.linear("Surround − centre (deg)").ticks(-90, -60, -30, 0, 30, 60, 90))
            .y(Axis.linear("Response / response to the centre"))
            .horizontal(1, Style.GUIDE);
    for (Result.Series s : r.series("kinoshita_surround", "response")) {
      if (s.name().startsWith("illustrative")) {
        response.line(
            s.x(), s.y(), Style.series(2).plain().dash(Style.Dash.DOTTED).label("illustrative"));
      } else {
        Page.band(response, s, Page.style(s.name()).label(s.name()));
      }
    }
    Plot dynamics =
        figure
            .panel(0, 1)
            .title("Suppression over time")
            .x(Page.steps(r))
            .y(Axis.linear("Suppression index"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("kinoshita_surround", "dynamics")) {
      Style style = Page.style(s.name().replaceFirst(",.*", ""));
      if (s.name().endsWith("cross")) {
        style = style.dash(Style.Dash.DOTTED).filled(false).marker(Style.Marker.TRIANGLE, 5);
      }
      Page.band(dynamics, s, style.label(s.name()));
    }
    Result.Series units = r.line("kinoshita_surround", "units", "units");
    double[] index =
        Result.finite(
            r.column("iso_cross_index", r.main(), r.json().path("timesteps").asInt() - 1));
    figure
        .panel(1, 0)
        .title("Single units")
        .x(Axis.linear("Suppression, orthogonal surround"))
        .y(Axis.linear("Suppression, parallel surround"))
        .equalAspect()
        .unity()
        .points(units.x(), units.y(), Style.series(0).opacity(0.6))
        .note(Plot.Corner.TOP_LEFT, "n = " + units.n());
    figure
        .panel(1, 1)
        .title("Orientation-tuned suppression")
        .x(Axis.linear("Iso/cross index"))
        .y(Axis.linear("Units"))
        .histogram(index, KapadiaExperiment.edges(index), Style.area(0))
        .vertical(0, Style.GUIDE);
    page.add(
        "kinoshita_surround",
        figure,
        "A: responses with a surround over those to the centre alone, mean and bootstrap interval"
            + " of 95 % over units; dotted, numbers that illustrate such a curve and stem from no"
            + " recording. B: suppression index after each timestep, with a parallel (iso) and an"
            + " orthogonal (cross) surround. C: both in each unit. D: iso/cross index, positive"
            + " where a parallel surround suppresses more.");
    Map<String, String> values = new LinkedHashMap<>();
    values.put("Units", "" + r.json().path("n").asInt());
    values.put("Suppression index, parallel, mean [95 %]", r.interval("suppression_iso"));
    values.put("Suppression index, orthogonal, mean [95 %]", r.interval("suppression_cross"));
    values.put("Iso/cross index, mean [95 %]", r.interval("iso_cross_index"));
    values.put(
        "Parallel against orthogonal, Wilcoxon",
        "p " + Result.p(r.child("wilcoxon_iso_against_cross").number("p")));
    values.put(
        "Ring alone, share of the centre's response, median",
        Result.shown(r.number("surround_alone_share_median")));
    page.similarity(values, r);
    page.values(values);
    if (Math.abs(r.number("surround_alone_share_median")) > SizeExperiment.SILENT) {
      page.text(
          "The ring by itself changes the units' responses by more than 5 % of that to the centre:"
              + " it reaches into their fields, or acts through normalisation over the whole map,"
              + " so that this is not purely modulation from outside of the field.");
    }
  }
}
