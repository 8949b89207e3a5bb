package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.StimulusAscent;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;

/** The image that drives a unit most, beside its gradient and its best grating. */
public final class PreferredStimulusExperiment
    implements Experiment<PreferredStimulusExperiment.Condition> {
  private static final double[] DIAMETERS = {8, 12, 16, 24, 32, 48};

  /** Diameter of the disc whose grating has the contrast energy that is allowed. */
  private static final double REFERENCE = 24;

  /** A probe grating in a disc, with the contrast energy that is allowed. */
  public record Condition(int probe, double diameter) {}

  /** A unit: responses less that to the blank. */
  record Unit(double best, double gradient, double grating, double gratingDiameter, double gain) {}

  /** Numbers of the experiment; intervals are over units. */
  record Summary(
      double energy,
      int n,
      int[] measuredAfter,
      Interval gainOverGrating,
      Interval gainOverGradient,
      Interval[] similarityToLast) {}

  /** The best grating of a unit, and the response to it. */
  record Best(int channel, Condition condition, double value) {}

  @Override
  public Description description() {
    return Description.of(
            "preferred_stimulus",
            "Preferred stimuli",
            """
            For the units with the largest responses, the gray image that evokes most among all of \
            the same contrast energy, found by gradient ascent (as the most exciting inputs of \
            Walker et al. 2019), after the first, the middle and the last timestep; beside the \
            gradient at mid gray, which would be the best image of a linear unit, and the best of \
            the unit's probe gratings in discs, each with the same energy.\
            """)
        .primary("gain_over_grating")
        .requires("orientation");
  }

  /** The energy of a grating in the reference disc at the usual contrast. */
  private static double energy(RunContext context) {
    double c = context.settings().contrast();
    double d = context.pixels(REFERENCE);
    return c * c / 2 * Math.PI * d * d / 4;
  }

  @Override
  public Design<Condition> design(RunContext context) {
    var design = new Design<Condition>();
    List<Preferences.Probe> probes = Preferences.of(context).probes();
    for (int p = 0; p < probes.size(); p++) {
      for (double d : context.pixels(DIAMETERS)) {
        double contrast = Math.sqrt(2 * energy(context) / (Math.PI * d * d / 4));
        if (contrast <= 1 && d < context.size() - 2) {
          design.add(new Condition(p, d), probes.get(p).grating(context.frame(), contrast, d));
        }
      }
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    return context.onNetwork((network, options) -> measure(context, recording, network, options));
  }

  private static Findings measure(
      RunContext context, Recording<Condition> recording, Network network, ForwardOptions options) {
    if (network.site(context.layer()).isEmpty()) {
      return Findings.notMeasured("the layer is no cell");
    }
    List<Best> gratings =
        Arrays.stream(Preferences.of(context).tested())
            .mapToObj(u -> best(context, recording, u))
            .sorted(Comparator.comparingDouble(g -> -g.value))
            .limit(context.settings().full() ? 16 : 4)
            .toList();
    int[] channels = gratings.stream().mapToInt(Best::channel).toArray();
    if (channels.length == 0) {
      return Findings.notMeasured("no unit responds to a probe grating");
    }
    int t = context.timesteps();
    int[] timesteps = new TreeSet<>(List.of(1, (t + 1) / 2, t)).stream().mapToInt(v -> v).toArray();
    var ascent =
        new StimulusAscent(network, options, context.layer(), context.size(), energy(context));
    int steps = context.settings().full() ? 80 : 20;
    List<StimulusAscent.Found> best = new ArrayList<>();
    for (int after : timesteps) {
      best.add(ascent.ascend(channels, after, steps, context.seed()));
    }
    StimulusAscent.Found gradient = ascent.gradient(channels, t);
    var units = new UnitTable<Unit>(context, Unit.class);
    for (int k = 0; k < channels.length; k++) {
      Best grating = gratings.get(k);
      double blank = recording.last().blank(channels[k]);
      double most = best.getLast().responses()[k] - blank;
      units.add(
          channels[k],
          new Unit(
              most,
              gradient.responses()[k] - blank,
              grating.value,
              grating.condition.diameter,
              grating.value > 0 ? most / grating.value : Double.NaN));
    }
    Interval[] similarity =
        best.stream()
            .map(
                b ->
                    Series.mean(
                        Samples.fill(
                            channels.length,
                            k -> cosine(b.patterns()[k], best.getLast().patterns()[k])),
                        context.seed()))
            .toArray(Interval[]::new);
    var summary =
        new Summary(
            energy(context),
            channels.length,
            timesteps,
            units.mean(Unit::gain),
            units.mean(m -> m.gradient > 0, m -> m.best / m.gradient),
            similarity);
    return new PreferredStimulusFigures(context, recording, gratings, best, gradient)
        .findings(units, summary);
  }

  private static Best best(RunContext context, Recording<Condition> recording, int unit) {
    int probe = Preferences.of(context).probe()[unit];
    return recording.design().conditions().stream()
        .filter(c -> c.probe == probe)
        .map(c -> new Best(unit, c, recording.last().evoked(c, unit)))
        .max(Comparator.comparingDouble(Best::value))
        .orElseThrow();
  }

  private static double cosine(double[] a, double[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }
}
