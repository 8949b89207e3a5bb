package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
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
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** The tilt illusion, decoded from the units by a linear decoder of orientation. */
public final class TiltExperiment implements Experiment<TiltExperiment.Condition> {
  /** A decoder with a larger mean error, degrees, is too coarse for biases of a few degrees. */
  static final double LARGEST_ERROR = 5;

  /** A stimulus. */
  public sealed interface Condition {}

  /** A grating that the decoder is trained with, or tested with where it is held out. */
  record Plain(int index, double orientation, boolean heldOut) implements Condition {}

  /** A center without a ring. */
  record Alone(int index) implements Condition {}

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
      Statistics.Interval shiftAt0,
      Map<String, Double> decoderMeanErrorDegWithLesion,
      int n) {}

  @Override
  public Description description() {
    return Descriptions.of("tilt_illusion");
  }

  /** Gratings without a surround, for the decoder. */
  @Override
  public Design<Condition> design(RunContext context) {
    return new TiltStimuli(context).gratings();
  }

  @Override
  public StimulusSet preview(RunContext context) {
    return new TiltStimuli(RunContext.preview(context.size(), context.settings().withFull(false)))
        .rings()
        .stimuli();
  }

  @Override
  public int stimuli(RunContext context) {
    return design(context).conditions().size()
        + new TiltStimuli(context).rings().conditions().size()
        + 2;
  }

  /** The biases of a population after a timestep; none where its decoder is too coarse. */
  private static TiltBias decode(
      Recording<Condition> plain, @Nullable Recording<Condition> ringed, State state, int step) {
    var decoder =
        TiltBias.Decoder.of(plain.at(state, step), plain.design().conditions(Plain.class));
    return ringed == null || !decoder.qualified()
        ? decoder.none()
        : decoder.bias(ringed.at(state, step), ringed.design().conditions(Ringed.class));
  }

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    long seed = context.seed();
    State mainState = context.mainState();
    Design<Condition> rings = new TiltStimuli(context).rings();
    TiltBias coarse = decode(recording, null, mainState, context.lastStep());
    Recording<Condition> ringed =
        coarse.meanError() <= LARGEST_ERROR ? context.record(rings) : null;
    var table = new UnitTable<>(context, Decoding.class);
    Panel overTime = Charts.dynamics(0, 2, context, "Bias at ±15° over time", "Bias (deg)");
    for (State state : context.states()) {
      double[][] at15 = new double[context.timesteps()][];
      for (int t = 0; t < context.timesteps(); t++) {
        TiltBias decoded = decode(recording, ringed, state, t);
        at15[t] = decoded.folded(15);
        table.add(
            state,
            -1, // the decoder uses all channels
            t,
            new Decoding(
                decoded.meanError(),
                decoded.rSquared(),
                decoded.penalty(),
                Series.mean(at15[t], seed).value()));
      }
      overTime.add(Series.mean(state.word(), Samples.steps(context.timesteps()), at15, seed));
    }
    TiltBias main = decode(recording, ringed, mainState, context.lastStep());
    double[] differences =
        rings.conditions(Ringed.class).stream()
            .mapToDouble(Ringed::difference)
            .distinct()
            .sorted()
            .toArray();
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
    if (context.settings().full() && ringed != null) {
      for (Lesion lesion : Lesion.values()) {
        Recording<Condition> lesioned = context.record(recording.design(), lesion);
        if (lesioned != null) {
          TiltBias decoded =
              decode(lesioned, context.record(rings, lesion), mainState, context.lastStep());
          errors.put(lesion.name().toLowerCase(Locale.ROOT), decoded.meanError());
          if (decoded.conditions().isEmpty()) {
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
    Summary summary = summary(main, folded, differences, errors, recording.design(), seed);
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
        .value("Shift by a ring of the same orientation (deg) [95 %]", summary.shiftAt0)
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
    int top = -1;
    int bottom = -1;
    double crossing = Double.NaN;
    for (int i = 0; i < x.length; i++) {
      if (x[i] == 0) {
        continue; // a shift without a direction
      }
      top = top < 0 || y[i] > y[top] ? i : top;
      bottom = bottom < 0 || y[i] < y[bottom] ? i : bottom;
      if (i > 0 && x[i - 1] > 0 && Double.isNaN(crossing) && y[i - 1] > 0 && y[i] <= 0) {
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
        main.meanError() <= LARGEST_ERROR,
        top < 0 ? Double.NaN : Math.max(0, y[top]),
        top < 0 || y[top] <= 0 ? Double.NaN : x[top],
        crossing,
        bottom < 0 ? Double.NaN : Math.max(0, -y[bottom]),
        Series.mean(main.folded(15), seed),
        Series.mean(main.folded(0), seed),
        errors,
        folded.n());
  }

  @Override
  public ModelCurve<Condition> curve() {
    return Charts.curve(
        "tilt_illusion",
        "folded",
        "|surround - center| in degrees, bias in degrees",
        (context, x) -> {
          double[] both =
              Arrays.stream(x)
                  .flatMap(d -> Arrays.stream(new double[] {-d, d}))
                  .map(d -> d + 0.0) // -0 is 0
                  .distinct()
                  .toArray();
          var stimuli = new TiltStimuli(context);
          Design<Condition> all = stimuli.gratings();
          Design<Condition> rings = stimuli.rings(both);
          rings.conditions().forEach(c -> all.add(c, rings.stimulus(c)));
          return all;
        },
        (context, recording, x) -> {
          TiltBias decoded = decode(recording, recording, context.mainState(), context.lastStep());
          return Arrays.stream(x).mapToObj(decoded::folded).toArray(double[][]::new);
        });
  }
}
