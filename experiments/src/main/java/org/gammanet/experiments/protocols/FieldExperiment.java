package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.ReceptiveFieldMapper;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Occluded;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.UnitTable;

/** Receptive fields: by gradients, and by occluding parts of a preferred stimulus. */
public final class FieldExperiment implements Experiment<FieldExperiment.Condition> {
  private static final int DRAWS = 8;

  /**
   * A probe grating with a part occluded.
   *
   * @param probe index of the probe
   * @param square number of the occluded square; 0 for none
   */
  public record Condition(int probe, int square) {}

  /** Measures of a unit. */
  record Unit(
      int probe, double largestReduction, double extentPx, double centerXPx, double centerYPx) {}

  /** Numbers of the experiment. */
  record Summary(
      int squareSidePx,
      int squareStepPx,
      double occlusionExtentPx,
      Interval occlusionExtent,
      int n,
      double[] gradientTimesteps,
      double[] gradientExtentPx) {}

  /** Where squares lie, pixels. */
  private record Grid(int side, int reach, int step) {
    static Grid of(RunContext context) {
      int size = context.size();
      int reach = Math.min(Math.max(12, context.fieldDiameter() * 3 / 2), size / 2 - 1);
      int step = Math.max(1, reach / (context.settings().full() ? 8 : 4));
      return new Grid(step + 2, reach, step);
    }
  }

  @Override
  public Description description() {
    return Descriptions.of("receptive_field");
  }

  /** The probes with the most units: one, or all. */
  private static List<Integer> probes(RunContext context) {
    Preferences preferences = Preferences.of(context);
    return IntStream.range(0, preferences.probes().size())
        .boxed()
        .sorted(Comparator.comparingInt(p -> -preferences.testedWith(p).length))
        .limit(context.settings().full() ? Integer.MAX_VALUE : 1)
        .toList();
  }

  private static StimulusSet squares(RunContext context, int probe) {
    Grid grid = Grid.of(context);
    return Occluded.grid(
        Preferences.of(context)
            .probes()
            .get(probe)
            .grating(context.frame(), context.settings().contrast(), null),
        grid.side,
        grid.reach,
        grid.step);
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    for (int probe : probes(context)) {
      int square = 0;
      for (Stimulus s : squares(context, probe).stimuli()) {
        design.add(new Condition(probe, square++), s);
      }
    }
    return design;
  }

  @Override
  public int stimuli(RunContext context) {
    return design(context).conditions().size() + 2 * DRAWS;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Preferences preferences = Preferences.of(context);
    Frame frame = context.frame();
    var table = new UnitTable<>(context, Unit.class);
    List<ReceptiveField> excited = new ArrayList<>();
    for (State state : context.states()) {
      for (int step = 0; step < context.timesteps(); step++) {
        Recording<Condition>.At at = recording.at(state, step);
        for (int probe : probes(context)) {
          StimulusSet set = squares(context, probe);
          float[][] rows =
              IntStream.range(0, set.size())
                  .mapToObj(i -> at.response(new Condition(probe, i)))
                  .toArray(float[][]::new);
          List<ReceptiveField> fields = ReceptiveFieldMapper.occlusion(rows, set);
          for (int u : preferences.testedWith(probe)) {
            ReceptiveField field = fields.get(u);
            boolean drives = !Double.isNaN(field.values()[0]);
            table.add(
                state,
                u,
                step,
                new Unit(
                    probe + 1,
                    drives ? field.largest() : Double.NaN,
                    drives ? field.extent() : Double.NaN,
                    field.center()[1] - frame.center().x(),
                    field.center()[0] - frame.center().y()));
            if (drives && at.isMain()) {
              excited.add(field);
            }
          }
        }
      }
    }
    Grid grid = Grid.of(context);
    List<Panel> panels = new ArrayList<>();
    List<double[]> extents = gradients(context, panels);
    ReceptiveField median = excited.isEmpty() ? null : FieldMaps.median(excited);
    if (median != null) {
      panels.add(
          FieldMaps.panel(
                  panels.size(), "occlusion", "Occlusion", median, frame, context.size(), false)
              .title("Occlusion", excited.size()));
    }
    var summary =
        new Summary(
            grid.side,
            grid.step,
            median == null ? Double.NaN : median.extent(),
            table.mean(Unit::extentPx),
            excited.size(),
            extents.stream().mapToDouble(e -> e[0]).toArray(),
            extents.stream().mapToDouble(e -> e[1]).toArray());
    Findings findings =
        Findings.of(summary, table)
            .figure(
                new FigureSpec(
                    "receptive_field",
                    extents.isEmpty() ? 5.5 : 15,
                    4.6,
                    "Mean absolute gradient of the units' mean response after the first and the"
                        + " last"
                        + " timestep; median over units of the fraction by which a gray square of %s"
                            .formatted(grid.side)
                        + " px reduces the response, at the position of its center.",
                    true,
                    panels));
    for (double[] e : extents) {
      findings.value(
          "Extent of the gradient, timestep " + Format.number(e[0]),
          "%s px (%s deg)"
              .formatted(
                  Format.number(e[1]), Format.number(e[1] / context.settings().pixelsPerDegree())));
    }
    return median == null
        ? findings
        : findings
            .value("Extent of units' occlusion maps, mean [95 %] (px)", summary.occlusionExtent)
            .value(
                "Extent of the median occlusion map",
                "%s px with squares of %s px".formatted(Format.number(median.extent()), grid.side));
  }

  /** Timesteps and extents of gradients; adds maps of the first and the last one. */
  private static List<double[]> gradients(RunContext context, List<Panel> panels) {
    int last = context.timesteps();
    int[] steps =
        context.settings().full()
            ? IntStream.rangeClosed(1, last).toArray()
            : IntStream.of(1, last).distinct().toArray();
    List<double[]> extents = new ArrayList<>();
    for (int t : steps) {
      ReceptiveField field = context.gradient(t, DRAWS);
      if (field == null) {
        break;
      }
      extents.add(new double[] {t - 1, field.extent()});
      if (t == steps[0] || t == last) {
        int shown = (int) Math.min(context.size() / 2.0, Math.max(24, field.extent()));
        String name = "gradient, timestep " + (t - 1);
        panels.add(
            FieldMaps.panel(
                panels.size(),
                name,
                "Gradient, timestep " + (t - 1),
                field,
                context.frame(),
                shown,
                true));
      }
    }
    return extents;
  }
}
