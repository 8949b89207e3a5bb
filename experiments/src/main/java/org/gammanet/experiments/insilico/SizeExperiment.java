package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.SizeTuning;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CentreSurround;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.StimulusType;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/** Responses over the diameter of discs, and over the inner diameter of rings. */
final class SizeExperiment extends Experiment {
  private static final double[] DIAMETERS = {3, 5, 9, 13, 19, 25, 33, 45, 61, 85};
  private static final double[] INNER = {9, 17, 29, 45};
  private static final double[] MORE_INNER = {5, 9, 13, 17, 23, 29, 37, 45, 57};

  /** Share of the largest response to a disc below which a ring counts as outside of the field. */
  static final double SILENT = 0.05;

  SizeExperiment() {
    super("size_tuning", "Size tuning");
  }

  @Override
  Comparable comparable() {
    return new Comparable(
        "size_tuning", "discs", "diameter in px, response as a share of the largest");
  }

  @Override
  String about() {
    return "Each unit's probe grating in discs of rising diameter, less the response to a blank,"
        + " and in rings of rising inner diameter. The summation field is the smallest disc"
        + " that evokes 95 % of the largest response; the suppression index is the share of"
        + " it that is lost with the largest disc. Curves are fitted with a ratio of"
        + " Gaussians (Cavanaugh, Bair and Movshon 2002).";
  }

  /** Indices of the stimuli: of discs per contrast, probe and diameter; of rings. */
  private record Plan(
      double[] contrasts, double[] diameters, double[] inner, int[][][] discs, int[][] rings) {}

  private static Plan plan(Lab.Stimuli list, int size, Settings settings, Preferences preferences) {
    Frame frame = Frame.of(size, size);
    double largest = 2 * frame.largestRadius();
    double[] diameters = fitting(largest, DIAMETERS);
    double outer = Math.min(85, largest) / 2;
    double[] inner = fitting(2 * outer - 8, settings.full() ? MORE_INNER : INNER);
    double[] contrasts =
        settings.full()
            ? new double[] {settings.contrast(), settings.contrast() / 5}
            : new double[] {settings.contrast()};
    int probes = preferences.probes().size();
    int[][][] discs = new int[contrasts.length][probes][diameters.length];
    int[][] rings = new int[probes][inner.length];
    for (int p = 0; p < probes; p++) {
      Preferences.Probe probe = preferences.probes().get(p);
      for (int c = 0; c < contrasts.length; c++) {
        for (int d = 0; d < diameters.length; d++) {
          discs[c][p][d] = list.add(Lab.grating(frame, probe, contrasts[c], diameters[d]));
        }
      }
      for (int i = 0; i < inner.length; i++) {
        rings[p][i] =
            list.add(
                new CentreSurround(
                    frame,
                    StimulusType.KINOSHITA_SURROUND_ONLY,
                    null,
                    new CentreSurround.Surround(
                        probe.modulation(),
                        probe.phase(),
                        settings.contrast(),
                        inner[i] / 2,
                        outer),
                    probe.modulation(),
                    probe.cycles(),
                    Mode.OWN));
      }
    }
    return new Plan(contrasts, diameters, inner, discs, rings);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    plan(list, size, settings, somePreference(Frame.of(size, size), settings));
    return list.set();
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    var list = new Lab.Stimuli();
    Plan plan = plan(list, lab.preparation.size(), lab.settings, preferences);
    Lab.Recording recording = lab.record(list);
    Result result = Result.empty();
    result.put("diameters_px", plan.diameters).put("inner_diameters_px", plan.inner);
    result.put("contrasts", plan.contrasts);
    result.columns(
        "probe",
        "preferred_diameter_px",
        "summation_field_px",
        "suppression_index",
        "surround_diameter_px",
        "fit_centre_width_px",
        "fit_surround_width_px",
        "fit_r_squared",
        "summation_field_low_contrast_px");
    int[] tested = preferences.testedUnits();
    for (State state : lab.states()) {
      for (int step = 0; step <= lab.last(); step++) {
        double[][] evoked = recording.evoked(state, step);
        List<double[]> scaled = new ArrayList<>();
        for (int u : tested) {
          int[] series = plan.discs[0][preferences.probe()[u]];
          double[] r = Result.fill(series.length, i -> evoked[series[i]][u]);
          SizeTuning tuning = SizeTuning.of(plan.diameters, r, 0);
          double top = Arrays.stream(r).max().orElse(0);
          boolean fitted =
              step == lab.last() && state == lab.main() && top > 1e-12 && r.length >= 6;
          SizeTuning.Fit fit =
              fitted
                  ? SizeTuning.fit(plan.diameters, r, SizeTuning.Model.RATIO_OF_GAUSSIANS)
                  : null;
          double low = Double.NaN;
          if (plan.contrasts.length > 1) {
            int[] second = plan.discs[1][preferences.probe()[u]];
            low =
                SizeTuning.of(
                        plan.diameters, Result.fill(second.length, i -> evoked[second[i]][u]), 0)
                    .summationField();
          }
          result.row(
              lab.layer(),
              state,
              u,
              step,
              preferences.probe()[u] + 1,
              tuning.preferredDiameter(),
              tuning.summationField(),
              tuning.suppressionIndex(),
              tuning.surroundDiameter(),
              fit == null ? Double.NaN : fit.centreWidth(),
              fit == null ? Double.NaN : fit.surroundWidth(),
              fit == null ? Double.NaN : fit.rSquared(),
              low);
          double most = Arrays.stream(r).map(Math::abs).max().orElse(0);
          if (most > 1e-12) {
            scaled.add(Arrays.stream(r).map(v -> v / most).toArray());
          }
        }
        if (step == lab.last()) {
          result.series(
              "size_tuning",
              Result.mean(
                  "discs",
                  state.word(),
                  plan.diameters,
                  columns(scaled, plan.diameters.length),
                  1));
        }
      }
      double[][] suppression = new double[lab.last() + 1][];
      for (int t = 0; t <= lab.last(); t++) {
        suppression[t] = result.column("suppression_index", state, t);
      }
      result.series(
          "size_tuning",
          Result.mean(
              "dynamics",
              state.word(),
              Result.fill(lab.last() + 1, t -> t),
              suppression,
              lab.settings.seed()));
    }
    fields(result, lab, preferences, plan, recording);
    double[] index = result.column("suppression_index", lab.main(), lab.last());
    result.put("n", tested.length);
    result.put("suppression_index", Result.mean(index, lab.settings.seed()));
    result.put(
        "summation_field_median_px",
        Result.median(result.column("summation_field_px", lab.main(), lab.last())));
    if (plan.contrasts.length > 1) {
      result.put(
          "summation_field_low_contrast_median_px",
          Result.median(result.column("summation_field_low_contrast_px", lab.main(), lab.last())));
    }
    return result;
  }

  private static double[][] columns(List<double[]> rows, int n) {
    double[][] out = new double[n][];
    for (int i = 0; i < n; i++) {
      int at = i;
      out[i] = rows.stream().mapToDouble(r -> r[at]).toArray();
    }
    return out;
  }

  /**
   * For each probe, the median summation field of its units, and the smallest ring that leaves
   * their median response below 5 % of that to the best disc: what experiments with surrounds begin
   * from.
   */
  private static void fields(
      Result result, Lab lab, Preferences preferences, Plan plan, Lab.Recording recording) {
    double[][] evoked = recording.evoked(lab.main(), lab.last());
    int probes = preferences.probes().size();
    double[] centre = new double[probes];
    double[] inner = new double[probes];
    double[] silent = new double[probes];
    List<double[]> shares = new ArrayList<>();
    for (int p = 0; p < probes; p++) {
      int[] units = preferences.unitsOf(p);
      double[] summation = new double[units.length];
      double[] top = new double[units.length];
      for (int i = 0; i < units.length; i++) {
        int u = units[i];
        int[] series = plan.discs[0][p];
        double[] r = Result.fill(series.length, d -> evoked[series[d]][u]);
        summation[i] = SizeTuning.of(plan.diameters, r, 0).summationField();
        top[i] = Arrays.stream(r).max().orElse(0);
      }
      centre[p] = Result.median(summation);
      if (Double.isNaN(centre[p])) {
        centre[p] = 13;
      }
      centre[p] = Math.clamp(centre[p], 5, 45); // leaves room for a ring
      double[] toRing = new double[plan.inner.length];
      for (int k = 0; k < plan.inner.length; k++) {
        int at = plan.rings[p][k];
        toRing[k] =
            Result.median(
                Result.fill(
                    units.length,
                    i -> top[i] > 1e-12 ? evoked[at][units[i]] / top[i] : Double.NaN));
      }
      shares.add(toRing);
      int chosen = -1;
      for (int k = plan.inner.length - 1; k >= 0 && Math.abs(toRing[k]) < SILENT; k--) {
        chosen = k;
      }
      silent[p] = chosen >= 0 ? 1 : 0;
      double from = chosen >= 0 ? plan.inner[chosen] : centre[p] + 4;
      inner[p] = Math.max(from, centre[p] + 2);
    }
    Result out = Result.empty();
    out.put("centre_diameter_px", centre).put("ring_inner_diameter_px", inner);
    out.put("ring_alone_is_silent", silent);
    result.put("fields", out);
    if (plan.inner.length > 0) {
      result.series(
          "size_tuning",
          Result.mean(
              "rings", lab.main().word(), plan.inner, columns(shares, plan.inner.length), 1));
    }
  }

  @Override
  void show(Result r, Page page) {
    Figure figure = page.figure(12, 4.6).letters();
    Plot discs =
        figure
            .panel(0, 0)
            .title(Page.title("Discs", r))
            .x(Axis.linear("Diameter (px)"))
            .y(Axis.linear("Response (share of largest)"));
    for (Result.Series s : r.series("size_tuning", "discs")) {
      Page.band(discs, s, Page.style(s.name()).label(s.name()));
    }
    Plot rings =
        figure
            .panel(0, 1)
            .title("Rings")
            .x(Axis.linear("Inner diameter (px)"))
            .y(Axis.linear("Response (share of best disc)"))
            .horizontal(0, Style.GUIDE)
            .horizontal(SILENT, Style.GUIDE.dash(Style.Dash.DASHED));
    for (Result.Series s : r.series("size_tuning", "rings")) {
      Page.band(rings, s, Page.style(s.name()).label(s.name()));
    }
    Plot dynamics =
        figure
            .panel(0, 2)
            .title("Suppression over time")
            .x(Page.steps(r))
            .y(Axis.linear("Suppression index"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("size_tuning", "dynamics")) {
      Page.band(dynamics, s, Page.style(s.name()).label(s.name()));
    }
    page.add(
        "size_tuning",
        figure,
        "A: responses to discs, each unit's divided by its largest; mean and bootstrap interval of"
            + " 95 % over units. B: medians of responses to rings, mean over probes; dashed at 5 %,"
            + " below which a ring counts as outside of the field. C: suppression index after each"
            + " timestep.");
    Map<String, String> values = new LinkedHashMap<>();
    values.put("Units", "" + r.json().path("n").asInt());
    values.put("Suppression index, mean [95 %]", r.interval("suppression_index"));
    values.put(
        "Summation field, median",
        "%s px (%s deg)"
            .formatted(
                Result.shown(r.number("summation_field_median_px")),
                Result.shown(
                    r.number("summation_field_median_px") / r.number("pixels_per_degree"))));
    if (r.has("summation_field_low_contrast_median_px")) {
      values.put(
          "Summation field at a fifth of the contrast, median",
          Result.shown(r.number("summation_field_low_contrast_median_px")) + " px");
    }
    page.values(values);
  }

  /** Diameters from which experiments with surrounds begin, per probe: centre and ring. */
  static double[][] fields(Lab lab, int probes) {
    Result size = lab.size();
    if (size == null) {
      double[] centre = new double[probes];
      double[] inner = new double[probes];
      Arrays.fill(centre, 13);
      Arrays.fill(inner, 21);
      return new double[][] {centre, inner};
    }
    Result fields = size.child("fields");
    return new double[][] {
      fields.numbers("centre_diameter_px"), fields.numbers("ring_inner_diameter_px")
    };
  }
}
