package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.PixelPoint;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.TextureBoundary;
import org.gammanet.experiments.stimuli.TextureBoundary.Boundary;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/**
 * Responses beside a boundary of two gratings. The boundary stays in the middle; since all units of
 * a channel do the same at different places, those at several distances from it are recorded at
 * once.
 */
final class TextureExperiment extends Experiment {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {0, 15, 30, 45, 60, 75, 90};

  TextureExperiment() {
    super("texture_boundary", "Texture boundaries");
  }

  @Override
  Comparable comparable() {
    return new Comparable(
        "texture_boundary", "modulation", "difference in degrees, boundary modulation");
  }

  @Override
  String about() {
    return "Two gratings that meet along a vertical line, over the difference of their"
        + " orientations: stripes at the unit run along the boundary or across it. Units of"
        + " each channel are recorded at distances from −32 to 32 px. Modulation compares,"
        + " for the same texture at the unit, the response beside a boundary with that in a"
        + " uniform texture whose phase also jumps; d′ is taken over phases and places along"
        + " the boundary.";
  }

  private record Plan(
      double[] differences,
      double[] bases,
      int phases,
      int[][][] at,
      double[] offsets,
      double[] rows,
      List<PixelPoint> points) {}

  private static Plan plan(
      Lab.Stimuli list, int size, Settings settings, double cycles, int stride) {
    Frame frame = Frame.of(size, size);
    double[] differences = settings.full() ? ALL_DIFFERENCES : DIFFERENCES;
    double[] bases = settings.full() ? new double[] {0, 45, 90, 135} : new double[] {0, 90};
    int phases = 4;
    int[][][] at = new int[bases.length][differences.length][phases];
    for (int b = 0; b < bases.length; b++) {
      for (int d = 0; d < differences.length; d++) {
        for (int p = 0; p < phases; p++) {
          at[b][d][p] =
              list.add(
                  new TextureBoundary(
                      frame,
                      bases[b],
                      bases[b] + differences[d],
                      cycles,
                      settings.contrast(),
                      Boundary.VERTICAL,
                      0,
                      Math.PI / 2 * p,
                      Math.PI / 2 * (p * (p + 1) / 2), // jumps of 0, 0, 90 and 270 degrees
                      0,
                      0,
                      Mode.OWN));
        }
      }
    }
    int step = Math.max(4, stride);
    int reach = Math.min(32, size / 2 - 8) / step * step;
    double[] offsets = Result.fill(2 * reach / step, i -> -reach + step * i);
    double[] rows = size >= 96 ? new double[] {-18, 0, 18} : new double[] {0};
    List<PixelPoint> points = new ArrayList<>();
    for (double y : rows) {
      for (double x : offsets) {
        // The unit's middle: half of its stride to the right of its first pixel.
        points.add(new PixelPoint((int) (size / 2 + y), (int) (size / 2 + x + step / 2.0)));
      }
    }
    return new Plan(differences, bases, phases, at, offsets, rows, points);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    plan(list, size, settings, size / 12.8, 1);
    return list.set();
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    var list = new Lab.Stimuli();
    double cycles = preferences.commonFrequency();
    Plan plan = plan(list, lab.preparation.size(), lab.settings, cycles, lab.preparation.stride());
    Lab.Recording recording = lab.record(lab.preparation, list, Pooling.units(plan.points), true);
    int points = plan.points.size();
    Result result = Result.empty();
    result.put("orientation_differences", plan.differences);
    result.put("spatial_frequency", cycles);
    int step = (int) (plan.offsets.length > 1 ? plan.offsets[1] - plan.offsets[0] : 4);
    double[] places = Arrays.stream(plan.offsets).map(x -> x + step / 2.0).toArray();
    result.put("distances_px", places);
    result.columns(
        "texture_deg", "difference_deg", "boundary_modulation", "d_prime", "response", "uniform");
    int[] tested = preferences.testedUnits();
    int beside = plan.offsets.length / 2 - 1; // the last place left of the boundary
    for (State state : lab.states()) {
      for (int t = 0; t <= lab.last(); t++) {
        double[][] evoked = recording.evoked(state, t);
        for (int u : tested) {
          for (int b = 0; b < plan.bases.length; b++) {
            double[] uniform = samples(plan, evoked, u, points, b, 0, beside);
            double mean0 = Arrays.stream(uniform).average().orElse(Double.NaN);
            for (int d = 1; d < plan.differences.length; d++) {
              double[] boundary = samples(plan, evoked, u, points, b, d, beside);
              double mean = Arrays.stream(boundary).average().orElse(Double.NaN);
              boolean positive = mean > 0 && mean0 > 0;
              result.row(
                  lab.layer(),
                  state,
                  u,
                  t,
                  plan.bases[b],
                  plan.differences[d],
                  positive ? Context.boundary(mean, mean0) : Double.NaN,
                  Context.dPrime(boundary, uniform),
                  mean,
                  mean0);
            }
          }
        }
      }
    }
    summarise(result, lab, plan, recording, tested, places);
    result.put("n", tested.length);
    return result;
  }

  /** Responses of a channel at a distance, over phases and places along the boundary. */
  private static double[] samples(
      Plan plan, double[][] evoked, int unit, int points, int base, int difference, int place) {
    int n = plan.offsets.length;
    double[] out = new double[plan.phases * plan.rows.length];
    for (int p = 0; p < plan.phases; p++) {
      for (int y = 0; y < plan.rows.length; y++) {
        out[p * plan.rows.length + y] =
            evoked[plan.at[base][difference][p]][unit * points + y * n + place];
      }
    }
    return out;
  }

  private static double[] select(
      Result result, State state, int step, String measure, double texture, double difference) {
    double[] base = result.column("texture_deg", state, step);
    double[] delta = result.column("difference_deg", state, step);
    double[] values = result.column(measure, state, step);
    return java.util.stream.IntStream.range(0, values.length)
        .filter(i -> (Double.isNaN(texture) || base[i] == texture) && delta[i] == difference)
        .mapToDouble(i -> values[i])
        .toArray();
  }

  private static void summarise(
      Result result, Lab lab, Plan plan, Lab.Recording recording, int[] tested, double[] places) {
    long seed = lab.settings.seed();
    int kinds = plan.differences.length - 1;
    double[] differences = Arrays.copyOfRange(plan.differences, 1, kinds + 1);
    for (State state : lab.states()) {
      double[][] all = new double[kinds][];
      for (int d = 0; d < kinds; d++) {
        all[d] =
            select(result, state, lab.last(), "boundary_modulation", Double.NaN, differences[d]);
      }
      Result.Series mean = Result.mean("modulation", state.word(), differences, all, seed);
      result.series("texture_boundary", mean);
      double[][] steps = new double[lab.last() + 1][];
      for (int t = 0; t <= lab.last(); t++) {
        steps[t] = select(result, state, t, "boundary_modulation", Double.NaN, 90);
      }
      result.series(
          "texture_boundary",
          Result.mean("dynamics", state.word(), Result.fill(lab.last() + 1, t -> t), steps, seed));
      if (state == lab.main()) {
        double[] full = new double[7];
        double[] x = new double[kinds + 1];
        double[] y = new double[kinds + 1];
        for (int i = 0; i < kinds; i++) {
          x[i + 1] = differences[i];
          y[i + 1] = mean.y()[i];
        }
        Arrays.setAll(full, i -> KinoshitaExperiment.interpolate(x, y, 15 * i));
        result.put("boundary_modulation", y);
        Page.compare(
            result,
            "texture_boundary",
            "modulation",
            ReferenceCurve.illustrative(ReferenceCurve.Illustrative.BOUNDARY_MODULATION),
            full,
            seed);
        for (double base : new double[] {0, 90}) {
          double[][] d = new double[kinds][];
          double[][] m = new double[kinds][];
          for (int i = 0; i < kinds; i++) {
            d[i] = select(result, state, lab.last(), "d_prime", base, differences[i]);
            m[i] = select(result, state, lab.last(), "boundary_modulation", base, differences[i]);
          }
          String name = base == 0 ? "stripes along the boundary" : "stripes across it";
          result.series("texture_boundary", Result.mean("d′", name, differences, d, seed));
          result.put(
              base == 0 ? "modulation_parallel" : "modulation_orthogonal",
              Result.mean(m[kinds - 1], seed));
        }
        double[] d = new double[kinds];
        for (int i = 0; i < kinds; i++) {
          d[i] =
              Arrays.stream(
                      Result.finite(
                          select(result, state, lab.last(), "d_prime", Double.NaN, differences[i])))
                  .average()
                  .orElse(Double.NaN);
        }
        result.put("dprime", d);
        result.put(
            "modulation_at_90",
            Result.mean(
                select(result, state, lab.last(), "boundary_modulation", Double.NaN, 90), seed));
      }
    }
    profiles(result, lab, plan, recording, tested, places);
  }

  /** Responses over the distance from the boundary, each channel's over its uniform response. */
  private static void profiles(
      Result result, Lab lab, Plan plan, Lab.Recording recording, int[] tested, double[] places) {
    int points = plan.points.size();
    double[][] evoked = recording.evoked(lab.main(), lab.last());
    boolean output = recording.responses().has(ResponseExtractor.OUTPUT, State.FEEDFORWARD);
    for (int d : new int[] {0, plan.differences.length - 1}) {
      double[][] atPlace = new double[places.length][tested.length];
      for (int i = 0; i < tested.length; i++) {
        double[] here = new double[places.length];
        double[] uniform = new double[places.length];
        double largest = 0;
        for (int x = 0; x < places.length; x++) {
          for (int b = 0; b < plan.bases.length; b++) {
            here[x] += sum(samples(plan, evoked, tested[i], points, b, d, x));
            uniform[x] += sum(samples(plan, evoked, tested[i], points, b, 0, x));
          }
          largest = Math.max(largest, Math.max(Math.abs(here[x]), Math.abs(uniform[x])));
        }
        for (int x = 0; x < places.length; x++) {
          boolean responds = largest > 1e-12 && uniform[x] > LEAST_BASE * largest;
          atPlace[x][i] = responds ? here[x] / uniform[x] : Double.NaN;
        }
      }
      String name = "difference %.0f°".formatted(plan.differences[d]);
      result.series(
          "texture_boundary", Result.mean("profile", name, places, atPlace, lab.settings.seed()));
      if (output) {
        float[][] logits = recording.responses().last(ResponseExtractor.OUTPUT, State.FEEDFORWARD);
        double[] y = new double[places.length];
        int n = 0;
        for (int[][] base : plan.at) {
          for (int stimulus : base[d]) {
            for (int row = 0; row < plan.rows.length; row++) {
              n++;
              for (int x = 0; x < y.length; x++) {
                y[x] += logits[stimulus][row * places.length + x];
              }
            }
          }
        }
        int count = n;
        result.series(
            "texture_boundary",
            "output",
            name,
            places,
            Arrays.stream(y).map(v -> v / count).toArray(),
            count);
      }
    }
  }

  private static double sum(double[] values) {
    return Arrays.stream(values).sum();
  }

  @Override
  void show(Result r, Page page) {
    Figure figure = page.figure(12, 8).letters();
    Plot modulation =
        figure
            .panel(0, 0)
            .title(Page.title("Modulation beside the boundary", r))
            .x(Axis.linear("Difference of orientations (deg)").range(0, 95).ticks(0, 30, 60, 90))
            .y(Axis.linear("Boundary modulation"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("texture_boundary", "modulation")) {
      if (s.name().startsWith("illustrative")) {
        modulation.line(
            s.x(), s.y(), Style.series(2).plain().dash(Style.Dash.DOTTED).label("illustrative"));
      } else {
        Page.band(modulation, s, Page.style(s.name()).label(s.name()));
      }
    }
    lines(
        figure
            .panel(0, 1)
            .title("Profile across the boundary")
            .x(Axis.linear("Distance from the boundary (px)"))
            .y(Axis.linear("Response / uniform texture"))
            .vertical(0, Style.GUIDE),
        r,
        "profile");
    lines(
        figure
            .panel(0, 2)
            .title("Discriminability")
            .x(Axis.linear("Difference of orientations (deg)").range(0, 95).ticks(0, 30, 60, 90))
            .y(Axis.linear("d′"))
            .horizontal(0, Style.GUIDE),
        r,
        "d′");
    lines(
        figure
            .panel(1, 0)
            .title("The network's output")
            .x(Axis.linear("Distance from the boundary (px)"))
            .y(Axis.linear("Contour logit"))
            .vertical(0, Style.GUIDE),
        r,
        "output");
    Plot dynamics =
        figure
            .panel(1, 1)
            .title("Modulation at 90° over time")
            .x(Page.steps(r))
            .y(Axis.linear("Boundary modulation"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("texture_boundary", "dynamics")) {
      Page.band(dynamics, s, Page.style(s.name()).label(s.name()));
    }
    int size = r.json().path("image_size").asInt();
    double cycles = r.number("spatial_frequency");
    float[] example =
        new TextureBoundary(
                Frame.of(size, size), 0, 90, cycles, 1, Boundary.VERTICAL, 0, 0, 0, 0, 0, Mode.OWN)
            .draw();
    figure
        .panel(1, 2)
        .title("Stripes along it | across it")
        .x(Axis.hidden())
        .y(Axis.hidden().reverse())
        .luminance(example, size);
    page.add(
        "texture_boundary",
        figure,
        "A: (R_{boundary} − R_{uniform})/(R_{boundary} + R_{uniform}) of the units left of the"
            + " boundary, mean and bootstrap interval of 95 % over units and textures; dotted,"
            + " numbers that illustrate such a curve. B: responses over distance from the boundary,"
            + " relative to the uniform texture, of units that respond to that with a tenth of"
            + " their largest response or more. C: d′ of boundary against uniform. D: logit of the"
            + " network's output. E: modulation after each timestep. F: a stimulus.");
    Map<String, String> values = new LinkedHashMap<>();
    values.put("Units", "" + r.json().path("n").asInt());
    values.put("Modulation at 90°, mean [95 %]", r.interval("modulation_at_90"));
    values.put("… stripes along the boundary", r.interval("modulation_parallel"));
    values.put("… stripes across it", r.interval("modulation_orthogonal"));
    page.similarity(values, r);
    page.values(values);
  }

  private static void lines(Plot plot, Result r, String panel) {
    int i = 0;
    for (Result.Series s : r.series("texture_boundary", panel)) {
      Page.band(plot, s, Style.series(i++).label(s.name()));
    }
  }
}
