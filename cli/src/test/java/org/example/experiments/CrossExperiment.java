package org.example.experiments;

import java.util.stream.IntStream;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;

/** An experiment from outside the library: responses to crosses of several sizes. */
public final class CrossExperiment implements Experiment<CrossExperiment.Size> {
  private static final double[] ARMS = {4, 8, 16};

  /** The condition. */
  public record Size(double arm) {}

  /** A row of the table. */
  record Unit(double smallest, double largest) {}

  /** The numbers. */
  record Summary(double[] armsPx, int n) {}

  @Override
  public Description description() {
    return Description.of("cross", "Crosses", "Responses to crosses of several sizes.")
        .requires("orientation");
  }

  @Override
  public Design<Size> design(RunContext context) {
    var design = new Design<Size>();
    for (double arm : ARMS) {
      design.add(new Size(arm), new Cross(context.frame(), arm, 3, 0.8));
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Size> recording) {
    int[] channels = IntStream.range(0, context.channels()).toArray();
    UnitTable<Unit> units =
        recording.table(
            channels, Unit.class, u -> new Unit(u.evoked(new Size(4)), u.evoked(new Size(16))));
    double[][] responses =
        IntStream.range(0, ARMS.length)
            .mapToObj(i -> recording.last().evoked(new Size(ARMS[i])))
            .toArray(double[][]::new);
    return Findings.of(new Summary(ARMS, channels.length), units)
        .figure(
            FigureSpec.of(
                "cross",
                5,
                4,
                "Mean response over units.",
                Panel.at(0, 0, "size")
                    .axes(Axis.linear("Arm (px)"), Axis.linear("Evoked response"))
                    .add(Series.mean("units", ARMS, responses, context.seed()))))
        .value("Units", channels.length);
  }
}
