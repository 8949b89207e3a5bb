package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gammanet.experiments.analysis.ParadoxicalEffect;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;

/** Whether drive to the inhibitory population lowers its activity, and whether it can. */
public final class ParadoxicalExperiment implements Experiment<ParadoxicalExperiment.Condition> {
  private static final double[] DRIVES = {0.1, 0.2, 0.5};

  /** A grating of this orientation. */
  public record Condition(double orientation) {}

  /** Numbers of the experiment. */
  record Summary(
      List<String> verdicts,
      double[] drives,
      Interval change,
      Interval excitatoryEigenvalue,
      Interval slope,
      List<ParadoxicalEffect> gratings) {}

  @Override
  public Description description() {
    return Description.of(
            "paradoxical",
            "Paradoxical effect of drive to inhibition",
            """
            The inhibitory population of the layer is driven in a disc, from the steady state that \
            the network reaches under a grating. Where inhibition stabilizes an excitation that \
            would be unstable alone, its rate falls (Tsodyks, Skaggs, Sejnowski and McNaughton \
            1997; Sanzeni et al. 2020). The preconditions are tested first: a steady state, and \
            excitatory states that are unstable while inhibitory ones are held.\
            """)
        .primary("slope");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>().withoutBlank();
    for (double angle : new double[] {0, 90}) {
      Sine sine = new Sine(angle, context.cycles(12.8), 0, context.settings().contrast());
      design.add(new Condition(angle), new Grating(context.frame(), sine, null));
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    if (context.states().size() < 2) {
      return Findings.notMeasured("the units have no inhibitory population");
    }
    return context.onNetwork(
        (network, options) -> measure(context, recording.design(), network, options));
  }

  private static Findings measure(
      RunContext context, Design<Condition> design, Network network, ForwardOptions options) {
    List<ParadoxicalEffect> found = new ArrayList<>();
    for (Condition c : design.conditions()) {
      try (var circuit = new DrivenInhibition(context, network, options, design.stimulus(c))) {
        found.add(ParadoxicalEffect.of(circuit, DRIVES, 5 * context.timesteps()));
      }
    }
    List<String> verdicts = found.stream().map(f -> f.verdict().words()).toList();
    boolean testable =
        found.stream().noneMatch(f -> f.verdict() == ParadoxicalEffect.Verdict.NO_STEADY_STATE);
    var summary =
        new Summary(
            verdicts,
            DRIVES,
            mean(context, found, f -> f.change()),
            mean(context, found, f -> testable ? f.excitatoryEigenvalue() : Double.NaN),
            mean(context, found, f -> testable ? f.slope() : Double.NaN),
            found);
    List<Series> lines = new ArrayList<>();
    for (int k = 0; k < found.size(); k++) {
      ParadoxicalEffect f = found.get(k);
      double base = f.inhibitory()[0];
      double[] y = Arrays.stream(f.inhibitory()).map(r -> r - base).toArray();
      String name = Format.number(design.conditions().get(k).orientation()) + "°";
      lines.add(Series.line(name, f.drives(), y, Style.series(k).label(name)));
    }
    Findings out =
        Findings.of(summary)
            .figure(
                FigureSpec.of(
                    "paradoxical",
                    5.5,
                    4,
                    """
                    Change of the inhibitory rate in the disc by the drive that it gets, after %s \
                    timesteps with the drive: below 0 it is paradoxical.\
                    """
                        .formatted(5 * context.timesteps()),
                    Panel.at(0, 0, "drive")
                        .title("Drive to inhibition")
                        .axes(Axis.linear("Drive a timestep"), Axis.linear("Change of I"))
                        .horizontal(0)
                        .add(lines)))
            .value("Paradoxical effect, by grating", String.join("; ", verdicts))
            .value("Change of rates in the last timestep, mean", summary.change)
            .value("Eigenvalue of excitation alone, mean", summary.excitatoryEigenvalue)
            .value("Slope of I over the smallest drive, mean", summary.slope)
            .note(
                "In the circuit of an fGRU, excitatory states reach each other only through"
                    + " inhibitory states and through feedback from the level above, so that"
                    + " excitation alone is unstable only by such feedback.");
    return testable
        ? out
        : out.warning(
            "There is no steady state within %s timesteps: the effect cannot be tested, and the"
                    .formatted(10 * context.timesteps())
                + " figure shows a transient.");
  }

  private interface Number {
    double of(ParadoxicalEffect effect);
  }

  private static Interval mean(RunContext context, List<ParadoxicalEffect> all, Number number) {
    return Series.mean(all.stream().mapToDouble(number::of).toArray(), context.seed());
  }
}
