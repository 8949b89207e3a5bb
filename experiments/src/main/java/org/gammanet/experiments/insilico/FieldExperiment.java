package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.ReceptiveFieldMapper;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Occluded;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.ColorMap;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HeatMap;
import org.gammanet.figures.Plot;

/** Receptive fields: by gradients, and by covering parts of a preferred stimulus. */
final class FieldExperiment extends Experiment {
  private static final int DRAWS = 8;

  FieldExperiment() {
    super("receptive_field", "Receptive field");
  }

  @Override
  String about() {
    return "Which pixels a unit depends on, in two ways. Gradient: of the response, averaged over"
        + " channels, to images of normal noise; mean absolute value over colours and "
        + DRAWS
        + " images; the extent is that of all pixels above 10 % of the largest value. The first"
        + " timestep adds the cell's own kernel to the field of the convolutions; in later ones"
        + " horizontal and feedback connections widen it. Occlusion: a grey square covers a part of"
        + " the probe grating, and the response falls by a share; negative where covering a part"
        + " disinhibits. Its extent includes the square's own side.";
  }

  /** Where squares lie, pixels. */
  private record Grid(int side, int reach, int step) {
    static Grid of(int size, int field, boolean full) {
      int reach = Math.min(Math.max(12, field * 3 / 2), size / 2 - 1);
      int step = Math.max(1, reach / (full ? 8 : 4));
      return new Grid(step + 2, reach, step);
    }
  }

  private static StimulusSet grid(Frame frame, Grid grid, Settings settings, Preferences.Probe p) {
    return Occluded.grid(
        Lab.grating(frame, p, settings.contrast(), null), grid.side, grid.reach, grid.step);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    Frame frame = Frame.of(size, size);
    return grid(
        frame,
        Grid.of(size, 0, settings.full()),
        settings,
        somePreference(frame, settings).probes().get(0));
  }

  @Override
  public int stimuli(int size, Settings settings) {
    int probes = settings.full() ? settings.probes() : 1;
    return probes * preview(size, settings).size() + 2 * DRAWS;
  }

  @Override
  Result run(Lab lab) {
    Preferences preferences = lab.preferences();
    Settings settings = lab.settings;
    Grid grid = Grid.of(lab.preparation.size(), lab.preparation.fieldDiameter(), settings.full());
    Result result = Result.empty();
    result.put("square_side_px", grid.side).put("square_step_px", grid.step);
    int[] probes =
        IntStream.range(0, preferences.probes().size())
            .boxed()
            .sorted(
                (a, b) ->
                    Integer.compare(preferences.unitsOf(b).length, preferences.unitsOf(a).length))
            .limit(settings.full() ? Integer.MAX_VALUE : 1)
            .mapToInt(p -> p)
            .toArray();
    var list = new Lab.Stimuli();
    int[] from = new int[probes.length];
    List<StimulusSet> sets = new ArrayList<>();
    for (int i = 0; i < probes.length; i++) {
      StimulusSet set = grid(lab.frame(), grid, settings, preferences.probes().get(probes[i]));
      sets.add(set);
      for (Stimulus s : set.stimuli()) {
        int at = list.add(s);
        from[i] = s == set.stimuli().get(0) ? at : from[i];
      }
    }
    Lab.Recording recording = lab.record(list);
    result.columns("probe", "largest_fall", "extent_px", "centre_x_px", "centre_y_px");
    for (State state : lab.states()) {
      for (int step = 0; step <= lab.last(); step++) {
        float[][] raw = recording.responses().at(lab.layer(), state, step);
        List<ReceptiveField> of = new ArrayList<>();
        for (int i = 0; i < probes.length; i++) {
          float[][] rows = java.util.Arrays.copyOfRange(raw, from[i], from[i] + sets.get(i).size());
          List<ReceptiveField> each = ReceptiveFieldMapper.occlusion(rows, sets.get(i));
          for (int u : preferences.unitsOf(probes[i])) {
            ReceptiveField field = each.get(u);
            boolean excited = !Double.isNaN(field.values()[0]);
            double[] centre = field.centre();
            result.row(
                lab.layer(),
                state,
                u,
                step,
                probes[i] + 1,
                excited ? field.largest() : Double.NaN,
                excited ? field.extent() : Double.NaN,
                centre[1] - lab.frame().centre().x(),
                centre[0] - lab.frame().centre().y());
            if (excited) {
              of.add(field);
            }
          }
        }
        if (state == lab.main() && step == lab.last() && !of.isEmpty()) {
          ReceptiveField median = median(of);
          result.put("occlusion_extent_px", median.extent()).put("n", of.size());
          map(result, "occlusion", median, lab.frame(), lab.preparation.size());
        }
      }
    }
    int[] steps =
        settings.full()
            ? IntStream.rangeClosed(1, lab.last() + 1).toArray()
            : IntStream.of(1, lab.last() + 1).distinct().toArray();
    List<Double> extents = new ArrayList<>();
    List<Double> measured = new ArrayList<>();
    for (int t : steps) {
      ReceptiveField field = lab.gradient(t, DRAWS);
      if (field == null) {
        break;
      }
      extents.add((double) field.extent());
      measured.add((double) t - 1);
      if (t == steps[0] || t == steps[steps.length - 1]) {
        int shown = (int) Math.min(lab.preparation.size() / 2.0, Math.max(24, field.extent()));
        map(result, "gradient, timestep " + (t - 1), field, lab.frame(), shown);
      }
    }
    result.put("gradient_timesteps", measured.stream().mapToDouble(d -> d).toArray());
    result.put("gradient_extent_px", extents.stream().mapToDouble(d -> d).toArray());
    return result;
  }

  /** The median of maps at each place. */
  private static ReceptiveField median(List<ReceptiveField> maps) {
    ReceptiveField first = maps.get(0);
    double[] values =
        Result.fill(
            first.values().length,
            i -> Result.median(maps.stream().mapToDouble(m -> m.values()[i]).toArray()));
    return new ReceptiveField(first.height(), first.width(), values, first.step(), first.first());
  }

  /** Keeps a map as a line per row, of what lies within a distance of the image's centre. */
  private static void map(
      Result result, String panel, ReceptiveField field, Frame frame, int within) {
    for (int row = 0; row < field.height(); row++) {
      int y = field.first().y() + row * field.step() - frame.centre().y();
      if (Math.abs(y) > within) {
        continue;
      }
      List<double[]> points = new ArrayList<>();
      for (int column = 0; column < field.width(); column++) {
        int x = field.first().x() + column * field.step() - frame.centre().x();
        if (Math.abs(x) <= within) {
          points.add(new double[] {x, field.values()[row * field.width() + column]});
        }
      }
      result.series(
          "receptive_field",
          panel,
          "y = " + y,
          points.stream().mapToDouble(p -> p[0]).toArray(),
          points.stream().mapToDouble(p -> p[1]).toArray(),
          0);
    }
  }

  /** A map that was kept, with its edges; values as shares of the largest if wanted. */
  private static Plot show(
      Figure figure, int at, String title, List<Result.Series> rows, boolean gradient) {
    double largest =
        rows.stream()
            .flatMapToDouble(r -> java.util.Arrays.stream(r.y()))
            .map(Math::abs)
            .max()
            .orElse(1);
    double unit = gradient && largest > 0 ? largest : 1;
    double[][] values =
        rows.stream()
            .map(r -> java.util.Arrays.stream(r.y()).map(v -> v / unit).toArray())
            .toArray(double[][]::new);
    double[] x = rows.get(0).x();
    double[] y =
        rows.stream().mapToDouble(r -> Double.parseDouble(r.name().substring(4))).toArray();
    double half = (x[x.length - 1] - x[0]) / Math.max(1, x.length - 1) / 2;
    HeatMap heat =
        HeatMap.of(values)
            .extent(x[0] - half, x[x.length - 1] + half, y[0] - half, y[y.length - 1] + half)
            .barLabel(gradient ? "|Gradient| (share of largest)" : "Fall of the response (share)");
    if (gradient) {
      heat.colors(ColorMap.VIRIDIS, 0, 1);
    } else {
      heat.diverging(largest > 0 ? largest : 1);
    }
    return figure
        .panel(0, at)
        .title(title)
        .x(Axis.linear("x − centre (px)"))
        .y(Axis.linear("y − centre (px)").reverse())
        .equalAspect()
        .heatMap(heat);
  }

  @Override
  void show(Result r, Page page) {
    double[] steps = r.numbers("gradient_timesteps");
    double[] extents = r.numbers("gradient_extent_px");
    Figure figure = page.figure(steps.length == 0 ? 5.5 : 15, 4.6).letters();
    int at = 0;
    for (int i = 0; i < steps.length; i += Math.max(1, steps.length - 1)) {
      List<Result.Series> rows =
          r.series("receptive_field", "gradient, timestep " + Result.shown(steps[i]));
      show(figure, at++, "Gradient, timestep %s".formatted(Result.shown(steps[i])), rows, true);
    }
    List<Result.Series> rows = r.series("receptive_field", "occlusion");
    if (!rows.isEmpty()) {
      show(figure, at, "Occlusion, n = %d".formatted(r.json().path("n").asInt()), rows, false);
    }
    page.add(
        "receptive_field",
        figure,
        "Mean absolute gradient of the units' mean response after the first and the last timestep;"
            + " median over units of the share of the response that a grey square of %s px takes"
                .formatted(r.json().path("square_side_px").asText())
            + " away, by the place of its centre.");
    Map<String, String> values = new LinkedHashMap<>();
    for (int i = 0; i < steps.length; i++) {
      values.put(
          "Extent of the gradient, timestep " + Result.shown(steps[i]),
          "%s px (%s deg)"
              .formatted(
                  Result.shown(extents[i]),
                  Result.shown(extents[i] / r.number("pixels_per_degree"))));
    }
    if (r.has("occlusion_extent_px")) {
      values.put(
          "Extent of the occlusion map",
          "%s px with squares of %s px"
              .formatted(
                  Result.shown(r.number("occlusion_extent_px")),
                  r.json().path("square_side_px").asText()));
    }
    page.values(values);
  }
}
