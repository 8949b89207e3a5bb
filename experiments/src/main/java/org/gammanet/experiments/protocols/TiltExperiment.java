package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CenterSurround;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** The tilt illusion, decoded from the units by a linear decoder of orientation. */
public final class TiltExperiment implements Experiment<TiltExperiment.Condition> {
  private static final double[] DIFFERENCES = {-75, -50, -30, -15, 15, 30, 50, 75};
  private static final double SHORTEST = 8;
  private static final double LONGEST = 24;

  /** A decoder with a larger mean error, degrees, is too coarse for biases of a few degrees. */
  static final double LARGEST_ERROR = 5;

  /** A stimulus. */
  public sealed interface Condition {}

  /** A grating that the decoder is trained with, or tested with where it is held out. */
  record Plain(int index, double orientation, boolean heldOut) implements Condition {}

  /** A center without a ring. */
  record Alone(double orientation, double radius) implements Condition {}

  /** A center in a ring of another orientation. */
  record Ringed(Alone center, double gap, double difference) implements Condition {}

  /** Measures of all units together. */
  record Decoding(double meanErrorDeg, double rSquared, double penalty, double biasAt15Deg) {}

  /** Numbers of the experiment. */
  record Summary(
      int trainingGratings,
      int heldOutGratings,
      double[] differences,
      double decoderMeanErrorDeg,
      double decoderRSquared,
      boolean qualified,
      double peakRepulsionDeg,
      double peakRepulsionAtDeg,
      double zeroCrossingDeg,
      double peakAttractionDeg,
      Statistics.Interval biasAt15,
      Map<String, Double> decoderMeanErrorDegWithLesion,
      int n) {}

  @Override
  public Description description() {
    return Description.of(
            "tilt_illusion",
            "Tilt illusion",
            "A linear decoder from the center units of all channels to [sin 2θ, cos 2θ] is fitted"
                + " to gratings without a surround, of random orientation, wavelength, size and"
                + " phase, by ridge regression with a penalty that is chosen by leaving one grating"
                + " out. It then decodes the orientation of a center within a ring of another"
                + " orientation, as in Linsley, Kim, Ashok and Serre (2020). Positive bias is"
                + " repulsion: human observers perceive about 3° near a difference of 15 to 20°,"
                + " none near 50°, and a small attraction near 75° (O'Toole and Wenderoth 1977). A"
                + " decoder with a mean error above 5° is not accurate enough for the measurement.")
        .literature(
            "Linsley et al. decode thousands of images of 500 px, with centers and surrounds of"
                + " random orientation. Here there are 8 orientations of the center (12 with"
                + " --full), one radius and one wavelength, with phases at random.")
        .primary("bias_at15");
  }

  @Override
  public Design<Condition> design(RunContext context) {
    return design(
        context,
        context.settings().full()
            ? Samples.fill(36, i -> i < 18 ? -90 + 5 * i : 5 * (i - 17))
            : DIFFERENCES);
  }

  private static Design<Condition> design(RunContext context, double[] differences) {
    Settings settings = context.settings();
    var random = new SplittableRandom(settings.seed());
    var design = new Design<Condition>();
    int training = settings.full() ? 1600 : 80;
    double largest = Math.min(context.pixels(40), context.frame().largestRadius());
    double smallest = Math.min(context.pixels(12), largest);
    for (int i = 0; i < training + training / 4; i++) {
      // In the small selection, orientations are spread evenly, at random within equal bins.
      double theta =
          settings.full() ? 180 * random.nextDouble() : 180 * ((i % 20 + random.nextDouble()) / 20);
      double wavelength = SHORTEST + (LONGEST - SHORTEST) * random.nextDouble();
      double radius = smallest + (largest - smallest) * random.nextDouble();
      double phase = 2 * Math.PI * random.nextDouble();
      design.add(
          new Plain(i, theta, i >= training),
          stimulus(context, theta, context.cycles(wavelength), phase, radius, null));
    }
    int centers = settings.full() ? 12 : 8;
    double[] gaps = context.pixels(settings.full() ? new double[] {0, 5} : new double[] {2});
    double[] radii =
        context.pixels(settings.full() ? new double[] {12, 16, 20} : new double[] {16});
    double cycles = context.cycles(12.8);
    double outer = Math.min(context.pixels(60), context.frame().largestRadius());
    for (int c = 0; c < centers; c++) {
      double theta = 180.0 * c / centers;
      for (double r : radii) {
        double radius = Math.min(r, outer / 2);
        double phase = 2 * Math.PI * random.nextDouble();
        var alone = new Alone(theta, r);
        design.add(alone, stimulus(context, theta, cycles, phase, radius, null));
        for (double gap : gaps) {
          for (double difference : differences) {
            var ring =
                new CenterSurround.Ring(
                    new Sine(
                        theta + difference,
                        cycles,
                        2 * Math.PI * random.nextDouble(),
                        settings.contrast()),
                    radius + gap,
                    outer);
            design.add(
                new Ringed(alone, gap, difference),
                stimulus(context, theta, cycles, phase, radius, ring));
          }
        }
      }
    }
    return design;
  }

  private static CenterSurround stimulus(
      RunContext context,
      double theta,
      double cycles,
      double phase,
      double radius,
      CenterSurround.@Nullable Ring ring) {
    var sine = new Sine(theta, cycles, phase, context.settings().contrast());
    return new CenterSurround(context.frame(), CenterSurround.Disc.of(sine, radius), ring);
  }

  @Override
  public StimulusSet preview(RunContext context) {
    List<Stimulus> all =
        design(RunContext.preview(context.size(), context.settings().withFull(false)))
            .stimuli()
            .stimuli();
    return StimulusSet.of(all.subList(92, all.size())); // a few training gratings are enough
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Design<Condition> design = recording.design();
    long seed = context.seed();
    var table = new UnitTable<>(context, Decoding.class);
    Panel overTime = Charts.dynamics(0, 2, context, "Bias at ±15° over time", "Bias (deg)");
    TiltBias intact = null;
    for (State state : context.states()) {
      double[][] at15 = new double[context.timesteps()][];
      for (int t = 0; t < context.timesteps(); t++) {
        TiltBias decoded = TiltBias.of(recording.at(state, t), design);
        at15[t] = decoded.qualified() ? decoded.folded(15) : new double[0];
        table.add(
            state,
            -1, // the decoder uses all channels
            t,
            new Decoding(
                decoded.meanError(),
                decoded.rSquared(),
                decoded.penalty(),
                Series.mean(at15[t], seed).value()));
        if (state == context.mainState() && t == context.lastStep()) {
          intact = decoded;
        }
      }
      overTime.add(Series.mean(state.word(), Samples.steps(context.timesteps()), at15, seed));
    }
    if (intact == null) {
      throw new AssertionError("no timestep was recorded");
    }
    TiltBias main = intact;
    double[] differences =
        main.conditions().stream().mapToDouble(Ringed::difference).distinct().sorted().toArray();
    Series folded = main.folded("intact", seed).style(Style.EXCITATORY.label("network"));
    Axis absolute = Axis.linear("|Surround − center| (deg)").range(0, 95);
    Map<String, Double> errors = new LinkedHashMap<>();
    List<Panel> panels = new ArrayList<>();
    panels.add(
        Panel.at(0, 0, "bias")
            .title("Bias")
            .axes(
                Axis.linear("Surround − center (deg)").range(-95, 95).ticks(-90, -45, 0, 45, 90),
                "Bias (deg), > 0 repulsion")
            .horizontal(0)
            .add(Series.mean("intact", differences, main::at, seed).style(Style.EXCITATORY)));
    panels.add(
        Panel.at(0, 1, "folded")
            .title("Folded", folded.n())
            .axes(absolute.ticks(0, 15, 30, 45, 60, 75, 90), "Bias (deg), > 0 repulsion")
            .horizontal(0)
            .add(folded));
    panels.add(overTime);
    if (context.settings().full()) {
      for (Lesion lesion : Lesion.values()) {
        Recording<Condition> lesioned = context.record(design, lesion);
        if (lesioned != null) {
          TiltBias decoded = TiltBias.of(lesioned.last(), design);
          errors.put(lesion.name().toLowerCase(Locale.ROOT), decoded.meanError());
          if (!decoded.qualified()) {
            continue;
          }
          panels.add(
              Panel.at(1, panels.size() - 3, "lesion " + (panels.size() - 2))
                  .title(lesion.words())
                  .axes(absolute.ticks(0, 30, 60, 90), "Bias (deg)")
                  .horizontal(0)
                  .add(decoded.folded(lesion.words(), seed)));
        }
      }
    }
    Summary summary = summary(main, folded, differences, errors, design, seed);
    boolean qualified = summary.qualified;
    Findings findings =
        Findings.of(summary, table)
            .value(
                "Decoder, mean error on held-out gratings",
                "%s° (R^{2} = %s)"
                    .formatted(
                        Format.number(summary.decoderMeanErrorDeg),
                        Format.number(summary.decoderRSquared)));
    if (!qualified) {
      return findings
          .overviewValue("tilt repulsion", "not measurable")
          .warning(
              String.format(
                  Locale.ROOT,
                  "The decoder's mean error on held-out gratings is %s°, more than %.0f°: a tilt"
                      + " illusion of a few degrees cannot be measured with these units.",
                  Format.number(summary.decoderMeanErrorDeg),
                  LARGEST_ERROR));
    }
    return findings
        .figure(
            new FigureSpec(
                "tilt_illusion",
                12,
                panels.size() > 3 ? 8 : 4.6,
                "A: bias of the decoded orientation against the difference between surround and"
                    + " center, mean and bootstrap interval of 95 % over centers and phases. B:"
                    + " differences of either sign together. C: bias at 15° after each timestep,"
                    + " with a decoder of its own for each population and timestep; where its error"
                    + " is above 5° there is no value."
                    + (panels.size() > 3
                        ? " D to F: bias with parts of the circuit lesioned, each with a decoder of"
                            + " its own."
                        : ""),
                true,
                panels))
        .value(
            "Largest repulsion",
            "%s at a difference of %s"
                .formatted(
                    Format.number(summary.peakRepulsionDeg, "°"),
                    Format.number(summary.peakRepulsionAtDeg, "°")))
        .value("Zero crossing", Format.number(summary.zeroCrossingDeg, "°"))
        .value("Largest attraction", Format.number(summary.peakAttractionDeg, "°"))
        .value("Bias at ±15° [95 %]", summary.biasAt15)
        .overviewValue("tilt repulsion", Format.number(summary.peakRepulsionDeg, "°"))
        .overview(
            Panel.at(0, 0, "tilt")
                .title("Tilt illusion", folded.n())
                .axes(absolute.ticks(0, 30, 60, 90), "Bias (deg), > 0 repulsion")
                .horizontal(0)
                .add(folded));
  }

  private static Summary summary(
      TiltBias main,
      Series folded,
      double[] differences,
      Map<String, Double> errors,
      Design<Condition> design,
      long seed) {
    double[] x = folded.x();
    double[] y = folded.y();
    int top = 0;
    int bottom = 0;
    double crossing = Double.NaN;
    for (int i = 0; i < x.length; i++) {
      top = y[i] > y[top] ? i : top;
      bottom = y[i] < y[bottom] ? i : bottom;
      if (i > 0 && Double.isNaN(crossing) && y[i - 1] > 0 && y[i] <= 0) {
        crossing = x[i - 1] + y[i - 1] / (y[i - 1] - y[i]) * (x[i] - x[i - 1]);
      }
    }
    List<Plain> plain = design.conditions(Plain.class);
    int heldOut = (int) plain.stream().filter(Plain::heldOut).count();
    return new Summary(
        plain.size() - heldOut,
        heldOut,
        differences,
        main.meanError(),
        main.rSquared(),
        main.qualified(),
        main.qualified() ? Math.max(0, y[top]) : Double.NaN,
        main.qualified() && y[top] > 0 ? x[top] : Double.NaN,
        main.qualified() ? crossing : Double.NaN,
        main.qualified() ? Math.max(0, -y[bottom]) : Double.NaN,
        Series.mean(main.qualified() ? main.folded(15) : new double[0], seed),
        errors,
        folded.n());
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "tilt_illusion",
        "folded",
        "|surround - center| in degrees, bias in degrees",
        (context, x) ->
            design(
                context,
                Arrays.stream(x)
                    .flatMap(d -> Arrays.stream(new double[] {-d, d}))
                    .distinct()
                    .toArray()),
        (context, recording, x) -> {
          TiltBias decoded = TiltBias.of(recording.last(), recording.design());
          return Arrays.stream(x)
              .mapToObj(d -> decoded.qualified() ? decoded.folded(d) : new double[0])
              .toArray(double[][]::new);
        });
  }
}
