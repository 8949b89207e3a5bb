package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;

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
  record Decoding(double meanErrorDeg, double rSquared, double penalty, double biasAt15Deg) {
    static Decoding of(TiltBias bias, long seed) {
      double at15 = Series.mean(bias.folded(15), seed).value();
      return new Decoding(bias.meanError(), bias.rSquared(), bias.penalty(), at15);
    }
  }

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
    return Description.of(
            "tilt_illusion",
            "Tilt illusion",
            """
            A linear decoder from the center units of all channels to [sin 2θ, cos 2θ] is fitted \
            to gratings without a surround, of random orientation, wavelength, size and phase, by \
            ridge regression with a penalty that is chosen by leaving one grating out. It then \
            decodes the orientation of a center within a ring of another orientation, as in \
            Linsley, Kim, Ashok and Serre (2020). Positive bias is repulsion: human observers \
            perceive about 3° near a difference of 15 to 20°, none near 50°, and a small \
            attraction near 75° (O'Toole and Wenderoth 1977). A decoder with a mean error above 5° \
            is not accurate enough for the measurement.\
            """)
        .literature(
            """
            As in their script, orientation, wavelength, radius and phases of each center are \
            drawn at random, and the ring, of random phase, touches the center and is twice as \
            large. They decode thousands of images of 500 px; here there are 16 centers (36 with \
            --full), in each of which the ring takes all orientations. At a difference of 0 there \
            must be no shift. Where the decoder is not accurate enough, rings are not shown.\
            """)
        .primary("bias_at15");
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

  @Override
  public Findings analyze(RunContext context, Recording<Condition> recording) {
    Design<Condition> rings = new TiltStimuli(context).rings();
    TiltBias coarse = TiltBias.of(recording, null, context.mainState(), context.lastStep());
    Recording<Condition> ringed = coarse.qualified() ? context.record(rings) : null;
    var table = new UnitTable<>(context, Decoding.class);
    List<Series> overTime = new ArrayList<>();
    for (State state : context.states()) {
      List<TiltBias> path =
          IntStream.range(0, context.timesteps())
              .mapToObj(t -> TiltBias.of(recording, ringed, state, t))
              .toList();
      for (int t = 0; t < path.size(); t++) {
        table.add(state, -1, t, Decoding.of(path.get(t), context.seed())); // of all channels
      }
      double[] steps = Samples.steps(path.size());
      overTime.add(
          Series.mean(state.word(), steps, t -> path.get((int) t).folded(15), context.seed()));
    }
    TiltBias main = TiltBias.of(recording, ringed, context.mainState(), context.lastStep());
    Map<Lesion, TiltBias> lesioned =
        ringed == null ? Map.of() : TiltBias.lesioned(context, recording.design(), rings);
    Summary summary = summary(context, main, lesioned, recording.design());
    return new TiltFigures(context, main, lesioned, summary)
        .findings(Findings.of(summary, table), overTime);
  }

  private static Summary summary(
      RunContext context,
      TiltBias main,
      Map<Lesion, TiltBias> lesioned,
      Design<Condition> gratings) {
    Series folded = main.folded("intact", context.seed());
    TiltBias.Extremes extremes = TiltBias.Extremes.of(folded.x(), folded.y());
    List<Plain> plain = gratings.conditions(Plain.class);
    int heldOut = (int) plain.stream().filter(Plain::heldOut).count();
    Map<String, Double> errors = new LinkedHashMap<>();
    lesioned.forEach((l, b) -> errors.put(l.name().toLowerCase(Locale.ROOT), b.meanError()));
    return new Summary(
        plain.size() - heldOut,
        heldOut,
        new TiltStimuli(context).differences(),
        main.meanError(),
        main.rSquared(),
        main.qualified(),
        extremes.repulsion(),
        extremes.repulsionAt(),
        extremes.zeroCrossing(),
        extremes.attraction(),
        Series.mean(main.folded(15), context.seed()),
        Series.mean(main.folded(0), context.seed()),
        errors,
        folded.n());
  }

  @Override
  public ModelCurve<Condition> curve() {
    return new ModelCurve<>(
        "tilt_illusion",
        "folded",
        "|surround - center| in degrees, bias in degrees",
        (context, x) -> new TiltStimuli(context).all(x),
        (context, recording, x) -> {
          TiltBias decoded =
              TiltBias.of(recording, recording, context.mainState(), context.lastStep());
          return Arrays.stream(x).mapToObj(decoded::folded).toArray(double[][]::new);
        });
  }
}
