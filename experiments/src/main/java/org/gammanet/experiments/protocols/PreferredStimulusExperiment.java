package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.StimulusAscent;
import org.gammanet.experiments.stimuli.Drawn;
import org.gammanet.experiments.stimuli.Frame;
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

  @Override
  public Description description() {
    return Descriptions.of("preferred_stimulus");
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
    return context
        .onNetwork((network, options) -> measure(context, recording, network, options))
        .orElseGet(() -> DynamicsExperiment.notMeasured("there is no network behind these units"));
  }

  private static Findings measure(
      RunContext context, Recording<Condition> recording, Network network, ForwardOptions options) {
    if (network.sites().stream().noneMatch(s -> s.name().equals(context.layer()))) {
      return DynamicsExperiment.notMeasured("the layer is no cell");
    }
    Preferences preferences = Preferences.of(context);
    Recording<Condition>.At last = recording.at(context.mainState(), context.lastStep());
    List<Condition> conditions = recording.design().conditions();
    int[] channels =
        Arrays.stream(preferences.tested())
            .boxed()
            .sorted(
                Comparator.comparingDouble(u -> -grating(last, conditions, preferences, u).value))
            .limit(context.settings().full() ? 16 : 4)
            .mapToInt(u -> u)
            .toArray();
    if (channels.length == 0) {
      return DynamicsExperiment.notMeasured("no unit responds to a probe grating");
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
      Best grating = grating(last, conditions, preferences, channels[k]);
      double blank = last.blank(channels[k]);
      double most = best.getLast().responses()[k] - blank;
      units.add(
          context.mainState(),
          channels[k],
          context.lastStep(),
          new Unit(
              most,
              gradient.responses()[k] - blank,
              grating.value,
              grating.diameter,
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
    return findings(context, recording, channels, best, gradient, units, summary);
  }

  /** The best grating of a unit. */
  private record Best(Condition condition, double value, double diameter) {}

  private static Best grating(
      Recording<Condition>.At at, List<Condition> conditions, Preferences preferences, int unit) {
    return conditions.stream()
        .filter(c -> c.probe == preferences.probe()[unit])
        .map(c -> new Best(c, at.evoked(c, unit), c.diameter))
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

  private static Findings findings(
      RunContext context,
      Recording<Condition> recording,
      int[] channels,
      List<StimulusAscent.Found> best,
      StimulusAscent.Found gradient,
      UnitTable<Unit> units,
      Summary summary) {
    List<Panel> panels = new ArrayList<>();
    Preferences preferences = Preferences.of(context);
    Recording<Condition>.At last = recording.at(context.mainState(), context.lastStep());
    List<Condition> conditions = recording.design().conditions();
    for (int k = 0; k < channels.length; k++) {
      double blank = last.blank(channels[k]);
      for (int i = 0; i < best.size(); i++) {
        panels.add(
            picture(
                context,
                k,
                i,
                i < best.size() - 1
                    ? "unit %s, t = %s".formatted(channels[k], summary.measuredAfter[i])
                    : "unit %s, t = %s: %s"
                        .formatted(
                            channels[k],
                            summary.measuredAfter[i],
                            Format.number(best.get(i).responses()[k] - blank)),
                best.get(i).patterns()[k]));
      }
      Best grating = grating(last, conditions, preferences, channels[k]);
      panels.add(
          picture(
              context,
              k,
              best.size(),
              "gradient: " + Format.number(gradient.responses()[k] - blank),
              gradient.patterns()[k]));
      float[] luminance = recording.design().stimulus(grating.condition).draw();
      panels.add(
          picture(
              context,
              k,
              best.size() + 1,
              "grating: " + Format.number(grating.value),
              IntStream.range(0, luminance.length)
                  .mapToDouble(p -> 2 * luminance[p] - 1)
                  .toArray()));
    }
    return Findings.of(summary, units)
        .figure(
            new FigureSpec(
                "preferred_stimulus",
                2.3 * (best.size() + 2),
                2.5 * channels.length,
                "Center of the images, a row per unit: the preferred stimulus after each timestep"
                    + " t, the gradient at mid gray, and the best grating, all with the same"
                    + " contrast energy. Numbers are responses after the last timestep less that to"
                    + " the blank. Luminance is scaled to the range of each image.",
                false,
                panels))
        .value("Units", summary.n)
        .value("Contrast energy, sum of P² over pixels", summary.energy)
        .value("Response over that to the best grating, mean [95 %]", summary.gainOverGrating)
        .value("Response over that to the gradient, mean [95 %]", summary.gainOverGradient)
        .value(
            "Similarity (cosine) to the preferred stimulus of the last timestep, by timestep",
            String.join(
                "; ",
                Arrays.stream(summary.similarityToLast)
                    .map(i -> Format.number(i.value()))
                    .toList()))
        .note(
            "The units with the largest responses to their probe gratings are shown, so that these"
                + " means are not those of the layer.");
  }

  /** The center of a pattern, its range stretched. */
  private static Panel picture(
      RunContext context, int row, int column, String title, double[] pattern) {
    int size = context.size();
    int side = Math.min(size, 48);
    int from = (size - side) / 2;
    double largest = Math.max(1e-12, Samples.largest(pattern));
    float[] part = new float[side * side];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        part[y * side + x] = (float) (0.5 + 0.5 * pattern[(from + y) * size + from + x] / largest);
      }
    }
    return Panel.at(row, column, "unit%s_%s".formatted(row, column))
        .title(title)
        .picture(new Drawn(Frame.of(side, side), part));
  }
}
