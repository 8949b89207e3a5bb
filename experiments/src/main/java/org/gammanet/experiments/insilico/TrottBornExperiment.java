package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CentreSurround;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.StimulusType;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** Whether a surround scales the response to its centre, or acts on the component it matches. */
final class TrottBornExperiment extends Experiment {
  private static final double PLAID = 60;
  private static final int BINS = 9;

  TrottBornExperiment() {
    super("trott_born", "Input gain or response gain");
  }

  @Override
  boolean needsSize() {
    return true;
  }

  @Override
  String about() {
    return "Population responses to gratings, and to plaids of two gratings 60° apart, without and"
        + " with a surround, after Trott and Born (2015). If the surround controls the gain of the"
        + " response, it scales the population's profile; if it controls the gain of the input, a"
        + " surround that matches one component of a plaid suppresses that component, and the"
        + " population's peak moves away from it.";
  }

  private record Plan(
      double[] centres,
      double[] differences,
      int[] alone,
      int[][] with,
      int[] plaid,
      int[][] plaidWith) {}

  private static Plan plan(
      Lab.Stimuli list, int size, Settings settings, double cycles, double centre, double inner) {
    Frame frame = Frame.of(size, size);
    double[] centres = settings.full() ? Result.fill(12, i -> 15 * i) : Result.fill(6, i -> 30 * i);
    double[] differences =
        settings.full() ? new double[] {0, 15, 30, 45, 60, 75, 90} : new double[] {0, 90};
    double outer = Math.min(80, frame.largestRadius());
    double radius = Math.min(centre, outer / 2);
    double from = Math.min(inner, outer - 4);
    int[] alone = new int[centres.length];
    int[][] with = new int[centres.length][differences.length];
    int[] plaid = new int[centres.length];
    int[][] plaidWith = new int[centres.length][2];
    for (int c = 0; c < centres.length; c++) {
      double theta = centres[c];
      alone[c] =
          list.add(stimulus(frame, settings, cycles, theta, null, null, radius, from, outer));
      for (int d = 0; d < differences.length; d++) {
        with[c][d] =
            list.add(
                stimulus(
                    frame,
                    settings,
                    cycles,
                    theta,
                    null,
                    theta + differences[d],
                    radius,
                    from,
                    outer));
      }
      double second = theta + PLAID;
      plaid[c] =
          list.add(stimulus(frame, settings, cycles, theta, second, null, radius, from, outer));
      plaidWith[c][0] =
          list.add(stimulus(frame, settings, cycles, theta, second, theta, radius, from, outer));
      plaidWith[c][1] =
          list.add(stimulus(frame, settings, cycles, theta, second, second, radius, from, outer));
    }
    return new Plan(centres, differences, alone, with, plaid, plaidWith);
  }

  private static CentreSurround stimulus(
      Frame frame,
      Settings settings,
      double cycles,
      double theta,
      @Nullable Double plaid,
      @Nullable Double surround,
      double radius,
      double inner,
      double outer) {
    return new CentreSurround(
        frame,
        StimulusType.TROTT_BORN,
        new CentreSurround.Centre(plaid, Math.PI / 2, settings.contrast(), radius),
        surround == null
            ? null
            : new CentreSurround.Surround(surround, Math.PI / 2, settings.contrast(), inner, outer),
        theta,
        cycles,
        Mode.OWN);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    plan(list, size, settings, size / 12.8, 16, 20);
    return list.set();
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    double[][] fields = SizeExperiment.fields(lab, preferences.probes().size());
    double centre = Math.max(8, Result.median(fields[0]) / 2);
    double inner = Math.max(Result.median(fields[1]) / 2, centre + 2);
    double cycles = preferences.commonFrequency();
    var list = new Lab.Stimuli();
    Plan plan = plan(list, lab.preparation.size(), lab.settings, cycles, centre, inner);
    Lab.Recording recording = lab.record(list);
    int[] units =
        java.util.Arrays.stream(preferences.testedUnits())
            .filter(u -> Double.isFinite(preferences.preferred()[u]))
            .toArray();
    double[] preferred = of(preferences.preferred(), units);
    Result result = Result.empty();
    result.put("centre_orientations", plan.centres);
    result.put("orientation_differences", plan.differences);
    result.put("plaid_angle_deg", PLAID).put("spatial_frequency", cycles);
    result.put("centre_radius_px", centre).put("ring_inner_radius_px", inner);
    result.columns("preferred_deg", "response_alone", "response_iso_surround", "gain_iso");
    result.put("n", units.length);
    if (units.length < 2) {
      return result;
    }
    for (State state : lab.states()) {
      double[] steps = Result.fill(lab.last() + 1, t -> t);
      double[][] gains = new double[steps.length][];
      double[][] shifts = new double[steps.length][];
      for (int t = 0; t < steps.length; t++) {
        double[][] evoked = recording.evoked(state, t);
        gains[t] = new double[plan.centres.length];
        shifts[t] = new double[2 * plan.centres.length];
        for (int c = 0; c < plan.centres.length; c++) {
          double[] alone = of(evoked[plan.alone[c]], units);
          gains[t][c] =
              Context.PopulationGain.of(preferred, alone, of(evoked[plan.with[c][0]], units))
                  .scale();
          shifts[t][2 * c] =
              shift(preferred, evoked, units, plan.plaid[c], plan.plaidWith[c][0], 1);
          shifts[t][2 * c + 1] =
              shift(preferred, evoked, units, plan.plaid[c], plan.plaidWith[c][1], -1);
        }
        for (int i = 0; i < units.length; i++) {
          double alone = 0;
          double iso = 0;
          for (int c = 0; c < plan.centres.length; c++) {
            alone += evoked[plan.alone[c]][units[i]] / plan.centres.length;
            iso += evoked[plan.with[c][0]][units[i]] / plan.centres.length;
          }
          result.row(
              lab.layer(),
              state,
              units[i],
              t,
              preferred[i],
              alone,
              iso,
              Context.normalised(alone, iso));
        }
      }
      result.series(
          "trott_born",
          Result.mean("gain over time", state.word(), steps, gains, lab.settings.seed()));
      result.series(
          "trott_born",
          Result.mean("shift over time", state.word(), steps, shifts, lab.settings.seed()));
      if (state == lab.main()) {
        result.put("plaid_shift_away_deg", Result.mean(shifts[lab.last()], lab.settings.seed()));
        profile(result, lab, plan, recording, units, preferred);
      }
    }
    return result;
  }

  /** How far the population vector moves away from the component that the surround matches. */
  private static double shift(
      double[] preferred, double[][] evoked, int[] units, int alone, int with, int sign) {
    return sign
        * Context.PopulationGain.of(preferred, of(evoked[alone], units), of(evoked[with], units))
            .vectorShift();
  }

  private static void profile(
      Result result, Lab lab, Plan plan, Lab.Recording recording, int[] units, double[] preferred) {
    long seed = lab.settings.seed();
    double[][] evoked = recording.evoked(lab.main(), lab.last());
    int kinds = plan.differences.length;
    double[][] scale = new double[kinds][plan.centres.length];
    double[][] residual = new double[kinds][plan.centres.length];
    for (int d = 0; d < kinds; d++) {
      for (int c = 0; c < plan.centres.length; c++) {
        Context.PopulationGain gain =
            Context.PopulationGain.of(
                preferred, of(evoked[plan.alone[c]], units), of(evoked[plan.with[c][d]], units));
        scale[d][c] = gain.scale();
        residual[d][c] = gain.residual();
      }
    }
    result.series("trott_born", Result.mean("gain", "scale", plan.differences, scale, seed));
    result.series("trott_born", Result.mean("gain", "residual", plan.differences, residual, seed));
    result.put("scale_iso", Result.mean(scale[0], seed));
    result.put("residual_iso", Result.mean(residual[0], seed));
    result.put("scale_cross", Result.mean(scale[kinds - 1], seed));

    // Population profiles: responses by preferred orientation relative to the centre's.
    double[] x = Result.fill(BINS, i -> -80 + 20 * i);
    String[] names = {"grating alone", "with parallel surround", "plaid alone", "with surround"};
    for (int k = 0; k < 4; k++) {
      List<List<Double>> bins = new ArrayList<>();
      for (int i = 0; i < BINS; i++) {
        bins.add(new ArrayList<>());
      }
      for (int c = 0; c < plan.centres.length; c++) {
        int stimulus =
            switch (k) {
              case 0 -> plan.alone[c];
              case 1 -> plan.with[c][0];
              case 2 -> plan.plaid[c];
              default -> plan.plaidWith[c][0];
            };
        for (int i = 0; i < units.length; i++) {
          double relative = Orientation.difference(preferred[i], plan.centres[c]);
          int bin = (int) Math.min(BINS - 1, Math.floor((relative + 90) / 20));
          bins.get(bin).add(evoked[stimulus][units[i]]);
        }
      }
      double[][] values = new double[BINS][];
      for (int i = 0; i < BINS; i++) {
        values[i] = bins.get(i).stream().mapToDouble(v -> v).toArray();
      }
      result.series(
          "trott_born", Result.mean(k < 2 ? "grating" : "plaid", names[k], x, values, seed));
    }
  }

  @Override
  void show(Result r, Page page) {
    if (r.series("trott_born").isEmpty()) {
      page.warning(
          "Fewer than two units prefer an orientation: there is no population to measure.");
      return;
    }
    Figure figure = page.figure(12, 8).letters();
    panel(
        figure
            .panel(0, 0)
            .title(Page.title("Gratings", r))
            .x(Axis.linear("Preference − centre (deg)").ticks(-90, -45, 0, 45, 90))
            .y(Axis.linear("Response (a.u.)")),
        r,
        "grating");
    panel(
        figure
            .panel(0, 1)
            .title("Plaids, components at 0° and 60°")
            .x(Axis.linear("Preference − first component (deg)").ticks(-90, -45, 0, 45, 90))
            .y(Axis.linear("Response (a.u.)"))
            .vertical(0, Style.GUIDE)
            .vertical(60, Style.GUIDE),
        r,
        "plaid");
    panel(
        figure
            .panel(0, 2)
            .title("Scaling of the profile")
            .x(Axis.linear("Surround − centre (deg)").ticks(0, 30, 60, 90))
            .y(Axis.linear("Scale, residual"))
            .horizontal(1, Style.GUIDE),
        r,
        "gain");
    Plot gain =
        figure
            .panel(1, 0)
            .title("Scale over time, parallel surround")
            .x(Page.steps(r))
            .y(Axis.linear("Scale"))
            .horizontal(1, Style.GUIDE);
    Plot shift =
        figure
            .panel(1, 1)
            .title("Shift for plaids over time")
            .x(Page.steps(r))
            .y(Axis.linear("Away from the matched component (deg)"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("trott_born", "gain over time")) {
      Page.band(gain, s, Page.style(s.name()).label(s.name()));
    }
    for (Result.Series s : r.series("trott_born", "shift over time")) {
      Page.band(shift, s, Page.style(s.name()).label(s.name()));
    }
    int size = r.json().path("image_size").asInt();
    float[] example =
        new CentreSurround(
                Frame.of(size, size),
                StimulusType.TROTT_BORN,
                new CentreSurround.Centre(
                    60.0, Math.PI / 2, 1, Math.min(r.number("centre_radius_px"), size / 4.0)),
                new CentreSurround.Surround(
                    0,
                    Math.PI / 2,
                    1,
                    Math.min(r.number("ring_inner_radius_px"), size / 2.0 - 4),
                    Math.min(80, Frame.of(size, size).largestRadius())),
                0,
                r.number("spatial_frequency"),
                Mode.OWN)
            .draw();
    figure
        .panel(1, 2)
        .title("Plaid, surround matches one part")
        .x(Axis.hidden())
        .y(Axis.hidden().reverse())
        .luminance(example, size);
    page.add(
        "trott_born",
        figure,
        "A, B: responses of the population by preferred orientation relative to the centre's, mean"
            + " and bootstrap interval of 95 % over units and centres. C: least-squares scale"
            + " between the profiles with and without surround, and what it leaves unexplained,"
            + " over centres. D: scale after each timestep. E: turn of the population vector away"
            + " from the plaid component that the surround matches; positive speaks for control of"
            + " the input. F: a stimulus.");
    Map<String, String> values = new LinkedHashMap<>();
    values.put("Units", "" + r.json().path("n").asInt());
    values.put("Scale, parallel surround, mean [95 %]", r.interval("scale_iso"));
    values.put("Scale, orthogonal surround", r.interval("scale_cross"));
    values.put("Residual of scaling, parallel", r.interval("residual_iso"));
    values.put("Shift away for plaids (deg)", r.interval("plaid_shift_away_deg"));
    page.values(values);
  }

  private static void panel(Plot plot, Result r, String name) {
    int i = 0;
    for (Result.Series s : r.series("trott_born", name)) {
      Page.band(plot, s, Style.series(i++).label(s.name()));
    }
  }
}
