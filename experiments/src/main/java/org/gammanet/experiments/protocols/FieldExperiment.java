package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.ReceptiveField;
import org.gammanet.experiments.responses.ReceptiveFieldMapper;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
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

  @Override
  public Description description() {
    return Description.of(
            "receptive_field",
            "Receptive field",
            """
            Which pixels a unit depends on, by two methods. Gradient: of the response, averaged \
            over channels, with respect to images of normal noise; mean absolute value over colors \
            and 8 images. The extent is that of all pixels above 10 % of the maximum. The first \
            timestep adds the cell's own kernel to the receptive field of the convolutions; in \
            later ones horizontal and top-down connections widen it. Occlusion: a gray square \
            covers part of the probe grating, and the response is reduced by a fraction, which is \
            negative where occlusion disinhibits. Its extent includes the side of the square.\
            """)
        .primary("occlusion_extent")
        .requires("orientation");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return new OcclusionStimuli(context).design();
  }

  @Override
  public int stimuli(RunContext context) {
    return design(context).conditions().size() + 2 * DRAWS;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    var stimuli = new OcclusionStimuli(context);
    Preferences preferences = Preferences.of(context);
    Frame frame = context.frame();
    var table = new UnitTable<>(context, Unit.class);
    List<ReceptiveField> excited = new ArrayList<>();
    for (State state : context.states()) {
      for (int step = 0; step < context.timesteps(); step++) {
        Recording<Condition>.At at = recording.at(state, step);
        for (int probe : stimuli.probes()) {
          StimulusSet set = stimuli.squares(probe);
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
    List<FieldFigures.Gradient> gradients = gradients(context);
    ReceptiveField median = excited.isEmpty() ? null : FieldFigures.median(excited);
    var summary =
        new Summary(
            stimuli.side(),
            stimuli.step(),
            median == null ? Double.NaN : median.extent(),
            table.mean(Unit::extentPx),
            excited.size(),
            gradients.stream().mapToDouble(g -> g.timestep()).toArray(),
            gradients.stream().mapToDouble(g -> g.field().extent()).toArray());
    return new FieldFigures(context, gradients, median)
        .findings(Findings.of(summary, table), summary);
  }

  /** After the first and the last timestep; with --full after each. */
  private static List<FieldFigures.Gradient> gradients(RunContext context) {
    int last = context.timesteps();
    int[] steps =
        context.settings().full()
            ? IntStream.rangeClosed(1, last).toArray()
            : IntStream.of(1, last).distinct().toArray();
    List<FieldFigures.Gradient> out = new ArrayList<>();
    for (int t : steps) {
      ReceptiveField field = context.gradient(t, DRAWS);
      if (field == null) {
        break;
      }
      out.add(new FieldFigures.Gradient(t - 1, field));
    }
    return out;
  }
}
