package org.gammanet.experiments.insilico;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.FlankedBars;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/** Facilitation of a bar by flankers on its line. */
final class KapadiaExperiment extends Experiment {
  private static final double LENGTH = 20;
  private static final double WIDTH = 5;
  private static final double FLANKER = 0.5;
  private static final double[] DISTANCES = {22, 30, 44};
  private static final double[] ALL_DISTANCES = {22, 26, 30, 36, 44, 54, 66};

  KapadiaExperiment() {
    super("kapadia", "Flanked bars");
  }

  @Override
  Comparable comparable() {
    return new Comparable(
        "kapadia_facilitation", "facilitation", "distance in px, facilitation in %");
  }

  @Override
  String about() {
    return "A bar on the units' preferred axis between two flankers, collinear or orthogonal, over"
        + " the distance of their middles, after Kapadia, Ito, Gilbert and Westheimer"
        + " (1995), who found that 42 % of complex cells in V1 of alert monkeys answered a"
        + " bar more strongly when a collinear one stood outside of the receptive field. The"
        + " baseline is the response to the target alone; units that it evokes less than a tenth"
        + " of their largest response from are left out. Angles of bars are axes: 0° is"
        + " horizontal.";
  }

  /**
   * Stimuli.
   *
   * @param target index by axis and target contrast
   * @param flankers index by axis, arrangement, distance
   * @param both index by axis, arrangement, distance, target contrast
   */
  private record Plan(
      double[] axes,
      double[] contrasts,
      double[] distances,
      int[][] target,
      int[][][] flankers,
      int[][][][] both) {}

  /** Collinear, orthogonal, and collinear but 12 px to the side. */
  private static final double[] ANGLES = {0, 90, 0};

  private static final double[] LATERALS = {0, 0, 12};
  private static final String[] NAMES = {"collinear", "orthogonal", "displaced"};

  private static Plan plan(Lab.Stimuli list, int size, boolean full, double[] axes) {
    Frame frame = Frame.of(size, size);
    int arrangements = full ? 3 : 2;
    double[] distances =
        Arrays.stream(full ? ALL_DISTANCES : DISTANCES)
            .filter(d -> fits(frame, axes, arrangements, d))
            .toArray();
    if (distances.length == 0) {
      throw new IllegalArgumentException(
          "flanked bars of %.0f px do not fit into an image of %d x %d pixels; at least 66 x 66 are needed"
              .formatted(LENGTH, size, size));
    }
    double[] contrasts = {0.1, 0.5};
    int[][] target = new int[axes.length][contrasts.length];
    int[][][] flankers = new int[axes.length][arrangements][distances.length];
    int[][][][] both = new int[axes.length][arrangements][distances.length][contrasts.length];
    for (int a = 0; a < axes.length; a++) {
      for (int c = 0; c < contrasts.length; c++) {
        target[a][c] =
            list.add(bars(frame, axes[a], contrasts[c], 0, 0, 0, FlankedBars.Elements.TARGET));
      }
      for (int k = 0; k < arrangements; k++) {
        for (int d = 0; d < distances.length; d++) {
          flankers[a][k][d] =
              list.add(
                  bars(
                      frame,
                      axes[a],
                      contrasts[0],
                      distances[d],
                      ANGLES[k],
                      LATERALS[k],
                      FlankedBars.Elements.FLANKERS));
          for (int c = 0; c < contrasts.length; c++) {
            // Orthogonal flankers are the control of the weak target, where facilitation is found.
            boolean made = full || k == 0 || c == 0;
            both[a][k][d][c] =
                made
                    ? list.add(
                        bars(
                            frame,
                            axes[a],
                            contrasts[c],
                            distances[d],
                            ANGLES[k],
                            LATERALS[k],
                            FlankedBars.Elements.BOTH))
                    : -1;
          }
        }
      }
    }
    return new Plan(axes, contrasts, distances, target, flankers, both);
  }

  /** Whether flankers at a distance lie in the image on every axis and in every arrangement. */
  private static boolean fits(Frame frame, double[] axes, int arrangements, double distance) {
    for (double axis : axes) {
      for (int k = 0; k < arrangements; k++) {
        try {
          var unused =
              bars(
                  frame,
                  axis,
                  FLANKER,
                  distance,
                  ANGLES[k],
                  LATERALS[k],
                  FlankedBars.Elements.FLANKERS);
        } catch (IllegalArgumentException e) {
          return false;
        }
      }
    }
    return true;
  }

  private static FlankedBars bars(
      Frame frame,
      double axis,
      double contrast,
      double distance,
      double angle,
      double lateral,
      FlankedBars.Elements shown) {
    return new FlankedBars(
        frame, axis, LENGTH, WIDTH, distance, angle, lateral, contrast, FLANKER, shown, false, null,
        false, Mode.OWN);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    plan(
        list,
        size,
        settings.full(),
        axes(settings, somePreference(Frame.of(size, size), settings)));
    return list.set();
  }

  /** Axes of the probes, or eight; without any probe twice. */
  private static double[] axes(Settings settings, Preferences preferences) {
    return settings.full()
        ? Result.fill(8, i -> 22.5 * i)
        : preferences.probes().stream()
            .mapToDouble(p -> Orientation.wrap(p.modulation() + 90))
            .distinct()
            .toArray();
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    var list = new Lab.Stimuli();
    double[] axes = axes(lab.settings, preferences);
    Plan plan = plan(list, lab.preparation.size(), lab.settings.full(), axes);
    Lab.Recording recording = lab.record(list);
    int[] axisOf = new int[preferences.units()];
    for (int u = 0; u < axisOf.length; u++) {
      double wished = preferences.preferred()[u] + 90;
      for (int a = 1; a < axes.length; a++) {
        if (Math.abs(Orientation.difference(axes[a], wished))
            < Math.abs(Orientation.difference(axes[axisOf[u]], wished))) {
          axisOf[u] = a;
        }
      }
    }
    Result result = Result.empty();
    result.put("orientation_convention", "direction of the long axis, degrees; 0 is horizontal");
    result.put("axes_deg", axes);
    result.put("distances_px", plan.distances);
    result.put(
        "distances",
        Arrays.stream(plan.distances).map(d -> d / lab.settings.pixelsPerDegree()).toArray());
    result.put("clear_gaps_px", Arrays.stream(plan.distances).map(d -> d - LENGTH).toArray());
    result.columns(
        "axis_deg",
        "arrangement",
        "distance_px",
        "target_contrast",
        "target",
        "flankers_share",
        "facilitation",
        "superadditivity",
        "outside_field");
    int[] tested = preferences.testedUnits();
    for (State state : lab.states()) {
      for (int step = 0; step <= lab.last(); step++) {
        double[][] evoked = recording.evoked(state, step);
        for (int k = 0; k < plan.both[0].length; k++) {
          for (int d = 0; d < plan.distances.length; d++) {
            for (int c = 0; c < plan.contrasts.length; c++) {
              for (int u : tested) {
                int a = axisOf[u];
                if (plan.both[a][k][d][c] < 0) {
                  continue;
                }
                double t = evoked[plan.target[a][c]][u];
                double f = evoked[plan.flankers[a][k][d]][u];
                double tf = evoked[plan.both[a][k][d][c]][u];
                double base = base(t, tf);
                double share = Context.normalised(base, f);
                result.row(
                    lab.layer(),
                    state,
                    u,
                    step,
                    axes[a],
                    k,
                    plan.distances[d],
                    plan.contrasts[c],
                    t,
                    share,
                    Context.facilitation(base, tf),
                    Context.superadditivity(base, f, tf, 0),
                    Math.abs(share) < 0.05 ? 1 : 0);
              }
            }
          }
        }
      }
    }
    summarise(result, lab, plan);
    result.put("n_tested", tested.length);
    return result;
  }

  private static double[] select(
      Result result,
      State state,
      int step,
      String measure,
      int k,
      double distance,
      double contrast) {
    double[] arrangement = result.column("arrangement", state, step);
    double[] at = result.column("distance_px", state, step);
    double[] of = result.column("target_contrast", state, step);
    double[] values = result.column(measure, state, step);
    return java.util.stream.IntStream.range(0, values.length)
        .filter(i -> arrangement[i] == k && at[i] == distance && of[i] == contrast)
        .mapToDouble(i -> values[i])
        .toArray();
  }

  private static void summarise(Result result, Lab lab, Plan plan) {
    State main = lab.main();
    long seed = lab.settings.seed();
    for (int k = 0; k < plan.both[0].length; k++) {
      for (int c = 0; c < plan.contrasts.length; c++) {
        if (plan.both[0][k][0][c] < 0) {
          continue;
        }
        double[][] percent = new double[plan.distances.length][];
        double[][] sum = new double[plan.distances.length][];
        for (int d = 0; d < percent.length; d++) {
          percent[d] =
              Arrays.stream(
                      select(
                          result,
                          main,
                          lab.last(),
                          "facilitation",
                          k,
                          plan.distances[d],
                          plan.contrasts[c]))
                  .map(v -> 100 * v)
                  .toArray();
          sum[d] =
              select(
                  result,
                  main,
                  lab.last(),
                  "superadditivity",
                  k,
                  plan.distances[d],
                  plan.contrasts[c]);
        }
        String name = "%s, target %.0f %%".formatted(NAMES[k], 100 * plan.contrasts[c]);
        Result.Series mean = Result.mean("facilitation", name, plan.distances, percent, seed);
        result.series("kapadia_facilitation", mean);
        if (c == 0) {
          result.series(
              "kapadia_facilitation",
              Result.mean("superadditivity", NAMES[k], plan.distances, sum, seed));
          result.put(
              "model_facilitation_" + NAMES[k],
              Arrays.stream(mean.y()).map(v -> v / 100).toArray());
        }
        if (k == 0 && c == 0) {
          compare(result, mean, lab.settings);
        }
      }
    }
    double near = plan.distances[0];
    double[] collinear =
        select(result, main, lab.last(), "facilitation", 0, near, plan.contrasts[0]);
    double[] orthogonal =
        select(result, main, lab.last(), "facilitation", 1, near, plan.contrasts[0]);
    double[] outside =
        select(result, main, lab.last(), "outside_field", 0, near, plan.contrasts[0]);
    result.series(
        "kapadia_facilitation",
        "units",
        "units",
        Arrays.stream(orthogonal).map(v -> 100 * v).toArray(),
        Arrays.stream(collinear).map(v -> 100 * v).toArray(),
        KinoshitaExperiment.pairs(collinear, orthogonal)[0].length);
    double[] known = Result.finite(collinear);
    result.put("n", known.length);
    result.put(
        "fraction_facilitated",
        known.length == 0
            ? Double.NaN
            : Arrays.stream(known).filter(v -> v > 0).count() / (double) known.length);
    result.put("units_outside_field", (int) Arrays.stream(outside).filter(v -> v == 1).count());
    result.put("facilitation_collinear", Result.mean(collinear, seed));
    result.put("facilitation_orthogonal", Result.mean(orthogonal, seed));
    double[][] pairs = KinoshitaExperiment.pairs(collinear, orthogonal);
    if (pairs[0].length >= 5) {
      result.put("wilcoxon_collinear_against_orthogonal", Statistics.wilcoxon(pairs[0], pairs[1]));
    }
    for (State state : lab.states()) {
      double[][] steps = new double[lab.last() + 1][];
      for (int t = 0; t <= lab.last(); t++) {
        steps[t] =
            Arrays.stream(select(result, state, t, "facilitation", 0, near, plan.contrasts[0]))
                .map(v -> 100 * v)
                .toArray();
      }
      result.series(
          "kapadia_facilitation",
          Result.mean("dynamics", state.word(), Result.fill(lab.last() + 1, t -> t), steps, seed));
    }
    Result.Series profile = result.series("kapadia_facilitation", "facilitation").get(0);
    if (Arrays.stream(profile.y()).allMatch(Double::isFinite)) {
      Context.FacilitationProfile p =
          Context.FacilitationProfile.of(
              profile.x(), Arrays.stream(profile.y()).map(v -> v / 100).toArray());
      result.put("best_distance_px", p.bestDistance());
      result.put("largest_facilitation", p.maximum());
      result.put("profile_sigma_px", p.sigma());
    }
  }

  private static void compare(Result result, Result.Series mean, Settings settings) {
    ReferenceCurve reference =
        ReferenceCurve.illustrative(ReferenceCurve.Illustrative.COLLINEAR_FLANKERS);
    double[] at =
        Arrays.stream(mean.x()).map(px -> reference.at(px / settings.pixelsPerDegree())).toArray();
    double[] model = Arrays.stream(mean.y()).map(v -> v / 100).toArray();
    double[][] pairs = KinoshitaExperiment.pairs(model, at);
    result.series("kapadia_model_neural", "scatter", "units", pairs[1], pairs[0], pairs[0].length);
    Page.similarity(result, Page.ILLUSTRATIVE, pairs[0], pairs[1], null, settings.seed());
  }

  @Override
  void show(Result r, Page page) {
    Figure figure = page.figure(12, 8).letters();
    Plot main =
        figure
            .panel(0, 0, 1, 2)
            .title(Page.title("Facilitation by flankers", r))
            .x(Axis.linear("Distance of the middles (px)"))
            .y(Axis.linear("Facilitation (%)"))
            .horizontal(0, Style.GUIDE);
    int i = 0;
    for (Result.Series s : r.series("kapadia_facilitation", "facilitation")) {
      Style style = Style.series(i++).label(s.name());
      style = style.dash(s.name().startsWith("coll") ? Style.Dash.SOLID : Style.Dash.DASHED);
      Page.band(main, s, style);
    }
    Plot sum =
        figure
            .panel(0, 2)
            .title("More than the sum")
            .x(Axis.linear("Distance (px)"))
            .y(Axis.linear("Superadditivity"))
            .horizontal(0, Style.GUIDE);
    i = 0;
    for (Result.Series s : r.series("kapadia_facilitation", "superadditivity")) {
      Page.band(sum, s, Style.series(i++).label(s.name()));
    }
    Result.Series units = r.line("kapadia_facilitation", "units", "units");
    figure
        .panel(1, 0)
        .title("Single units, nearest flankers")
        .x(Axis.linear("Orthogonal, facilitation (%)"))
        .y(Axis.linear("Collinear, facilitation (%)"))
        .unity()
        .points(units.x(), units.y(), Style.series(0).opacity(0.6))
        .note(Plot.Corner.TOP_LEFT, "n = " + units.n());
    figure
        .panel(1, 1)
        .title("Distribution")
        .x(Axis.linear("Collinear, facilitation (%)"))
        .y(Axis.linear("Units"))
        .histogram(Result.finite(units.y()), edges(units.y()), Style.area(0))
        .vertical(0, Style.GUIDE);
    Plot dynamics =
        figure
            .panel(1, 2)
            .title("Over time, nearest flankers")
            .x(Page.steps(r))
            .y(Axis.linear("Facilitation (%)"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("kapadia_facilitation", "dynamics")) {
      Page.band(dynamics, s, Page.style(s.name()).label(s.name()));
    }
    page.add(
        "kapadia_facilitation",
        figure,
        "A: facilitation against the target alone, mean and bootstrap interval of 95 % over units."
            + " B: superadditivity, positive where target and flankers evoke more than the sum of"
            + " both. C, D: single units with the nearest flankers and the weaker target. E: the"
            + " same after each timestep, collinear.");
    page.scatter(r, "kapadia_model_neural", "facilitation (scaled)");
    Map<String, String> values = new LinkedHashMap<>();
    values.put("Units", "" + r.json().path("n").asInt());
    values.put(
        "Facilitated by the nearest collinear flankers",
        "%s %% of units".formatted(Result.shown(100 * r.number("fraction_facilitated"))));
    values.put(
        "Units to which those flankers alone evoke less than 5 % of the target",
        "" + r.json().path("units_outside_field").asInt());
    values.put("Collinear, mean [95 %]", r.interval("facilitation_collinear"));
    values.put("Orthogonal, mean [95 %]", r.interval("facilitation_orthogonal"));
    values.put(
        "Collinear against orthogonal, Wilcoxon",
        "p " + Result.p(r.child("wilcoxon_collinear_against_orthogonal").number("p")));
    values.put(
        "Best distance",
        "%s px (clear gap %s px)"
            .formatted(
                Result.shown(r.number("best_distance_px")),
                Result.shown(r.number("best_distance_px") - LENGTH)));
    page.similarity(values, r);
    page.values(values);
  }

  /** Twenty bins that hold all values. */
  static double[] edges(double[] values) {
    double low = Math.min(0, Result.quantile(values, 0));
    double high = Math.max(0, Result.quantile(values, 1));
    if (!(high > low)) {
      low = -1;
      high = 1;
    }
    double from = low;
    double width = (high - low) / 20;
    return Result.fill(21, i -> from + i * width);
  }
}
