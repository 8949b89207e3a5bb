package org.gammanet.experiments.insilico;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.analysis.Context;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.CentreSurround;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.stimuli.StimulusType;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** The tilt illusion, read from the units by a linear decoder of orientation. */
final class TiltExperiment extends Experiment {
  private static final double[] DIFFERENCES = {-75, -50, -30, -15, 15, 30, 50, 75};
  private static final double[] WAVELENGTHS = {8, 24};

  /** A decoder that is worse reads too coarsely for biases of a few degrees. */
  private static final double LARGEST_ERROR = 5;

  TiltExperiment() {
    super("tilt_illusion", "Tilt illusion");
  }

  @Override
  boolean needsPreferences() {
    return false;
  }

  @Override
  Comparable comparable() {
    return new Comparable(
        "tilt_illusion", "folded", "|surround - centre| in degrees, bias in degrees");
  }

  @Override
  String about() {
    return "A linear map from the centre units of all channels to [sin 2θ, cos 2θ] is fitted to"
        + " gratings without a surround (random orientation, wavelength, size and phase;"
        + " ridge regression whose penalty is chosen by leaving one out) and reads the"
        + " centre's orientation when a ring of another orientation surrounds it, as"
        + " Linsley, Kim, Ashok and Serre (2020) did. Positive bias is repulsion: people see"
        + " about 3° near a difference of 15 to 20°, none near 50°, and a small attraction"
        + " near 75° (O'Toole and Wenderoth 1977). A decoder with a mean error above 5°"
        + " disqualifies the run.";
  }

  /** A test condition: difference, gap, and where its stimuli lie; alone where there is no ring. */
  private record Pair(double difference, int alone, int with) {}

  private record Plan(int training, int heldOut, double[] orientations, List<Pair> pairs) {}

  private static Plan plan(Lab.Stimuli list, int size, Settings settings) {
    Frame frame = Frame.of(size, size);
    var random = new SplittableRandom(settings.seed());
    int training = settings.full() ? 1600 : 80;
    int heldOut = training / 4;
    double largest = Math.min(40, frame.largestRadius());
    double smallest = Math.min(12, largest);
    double[] orientations = new double[training + heldOut];
    for (int i = 0; i < orientations.length; i++) {
      // In the small selection, orientations are spread evenly, at random within equal bins.
      orientations[i] =
          settings.full() ? 180 * random.nextDouble() : 180 * ((i % 20 + random.nextDouble()) / 20);
      double wavelength = WAVELENGTHS[0] + (WAVELENGTHS[1] - WAVELENGTHS[0]) * random.nextDouble();
      double radius = smallest + (largest - smallest) * random.nextDouble();
      list.add(
          stimulus(
              frame,
              orientations[i],
              size / wavelength,
              2 * Math.PI * random.nextDouble(),
              settings.contrast(),
              radius,
              null));
    }
    int centres = settings.full() ? 12 : 4;
    double[] differences =
        settings.full() ? Result.fill(36, i -> i < 18 ? -90 + 5 * i : 5 * (i - 17)) : DIFFERENCES;
    double[] gaps = settings.full() ? new double[] {0, 5} : new double[] {2};
    double[] radii = settings.full() ? new double[] {12, 16, 20} : new double[] {16};
    double outer = Math.min(60, frame.largestRadius());
    List<Pair> pairs = new ArrayList<>();
    for (int c = 0; c < centres; c++) {
      double theta = 180.0 * c / centres;
      for (double r : radii) {
        double radius = Math.min(r, outer / 2);
        double cycles = size / 12.8;
        double phase = 2 * Math.PI * random.nextDouble();
        int alone =
            list.add(stimulus(frame, theta, cycles, phase, settings.contrast(), radius, null));
        for (double gap : gaps) {
          for (double difference : differences) {
            var ring =
                new CentreSurround.Surround(
                    theta + difference,
                    2 * Math.PI * random.nextDouble(),
                    settings.contrast(),
                    radius + gap,
                    outer);
            pairs.add(
                new Pair(
                    difference,
                    alone,
                    list.add(
                        stimulus(frame, theta, cycles, phase, settings.contrast(), radius, ring))));
          }
        }
      }
    }
    return new Plan(training, heldOut, orientations, pairs);
  }

  private static CentreSurround stimulus(
      Frame frame,
      double theta,
      double cycles,
      double phase,
      double contrast,
      double radius,
      CentreSurround.@Nullable Surround ring) {
    return new CentreSurround(
        frame,
        StimulusType.TILT_ILLUSION,
        new CentreSurround.Centre(null, phase, contrast, radius),
        ring,
        theta,
        cycles,
        Mode.OWN);
  }

  @Override
  public StimulusSet preview(int size, Settings settings) {
    var list = new Lab.Stimuli();
    Plan plan = plan(list, size, settings.withFull(false));
    StimulusSet all = list.set();
    return StimulusSet.of(all.stimuli().subList(plan.training + plan.heldOut - 8, all.size()));
  }

  @Override
  public int stimuli(int size, Settings settings) {
    var list = new Lab.Stimuli();
    plan(list, size, settings);
    return list.set().size() + 1;
  }

  /** Biases by difference, and what the decoder is worth. */
  private record Reading(double[] bias, double meanError, double rSquared, double penalty) {}

  private static Reading read(Plan plan, double[][] evoked) {
    double[][] train = Arrays.copyOf(evoked, plan.training);
    var decoder = RidgeDecoder.fit(train, Arrays.copyOf(plan.orientations, plan.training));
    double error = 0;
    double residual = 0;
    double total = 0;
    for (int i = 0; i < plan.heldOut; i++) {
      double theta = plan.orientations[plan.training + i];
      double[] out = decoder.outputs(evoked[plan.training + i]);
      error += Math.abs(Orientation.difference(RidgeDecoder.angle(out), theta)) / plan.heldOut;
      double angle = 2 * Math.toRadians(theta);
      residual += Math.pow(out[0] - Math.sin(angle), 2) + Math.pow(out[1] - Math.cos(angle), 2);
      total += 1; // the target's variance about 0: |[sin, cos]|² = 1
    }
    double[] bias =
        plan.pairs.stream()
            .mapToDouble(
                p ->
                    Context.tiltBias(
                        p.difference,
                        RidgeDecoder.angle(decoder.outputs(evoked[p.alone])),
                        RidgeDecoder.angle(decoder.outputs(evoked[p.with]))))
            .toArray();
    return new Reading(bias, error, 1 - residual / total, decoder.penalty());
  }

  @Override
  Result run(Lab lab) {
    var list = new Lab.Stimuli();
    Plan plan = plan(list, lab.preparation.size(), lab.settings);
    Lab.Recording recording = lab.record(list);
    long seed = lab.settings.seed();
    Result result = Result.empty();
    result.put("training_gratings", plan.training).put("held_out_gratings", plan.heldOut);
    double[] differences =
        plan.pairs.stream().mapToDouble(Pair::difference).distinct().sorted().toArray();
    result.put("differences", differences);
    result.columns("mean_error_deg", "r_squared", "penalty", "bias_at_15_deg");
    double[] steps = Result.fill(lab.last() + 1, t -> t);
    for (State state : lab.states()) {
      double[][] biasAt15 = new double[steps.length][];
      for (int t = 0; t < steps.length; t++) {
        Reading reading = read(plan, recording.evoked(state, t));
        biasAt15[t] = at(plan, reading, 15);
        result.row(
            lab.layer(),
            state,
            -1, // the decoder reads all channels
            t,
            reading.meanError,
            reading.rSquared,
            reading.penalty,
            Result.mean(biasAt15[t], seed).value());
        if (state == lab.main() && t == lab.last()) {
          intact(result, plan, reading, differences, seed);
        }
      }
      result.series("tilt_illusion", Result.mean("over time", state.word(), steps, biasAt15, seed));
    }
    if (lab.settings.full()) {
      lesions(result, lab, plan, differences);
    }
    return result;
  }

  /** Biases at a difference of either sign. */
  private static double[] at(Plan plan, Reading reading, double difference) {
    return java.util.stream.IntStream.range(0, reading.bias.length)
        .filter(i -> Math.abs(plan.pairs.get(i).difference) == difference)
        .mapToDouble(i -> reading.bias[i])
        .toArray();
  }

  private static Result.Series folded(String panel, String name, Plan plan, Reading r, long seed) {
    double[] x =
        plan.pairs.stream().mapToDouble(p -> Math.abs(p.difference)).distinct().sorted().toArray();
    double[][] values = new double[x.length][];
    for (int i = 0; i < x.length; i++) {
      values[i] = at(plan, r, x[i]);
    }
    return Result.mean(panel, name, x, values, seed);
  }

  private static void intact(
      Result result, Plan plan, Reading reading, double[] differences, long seed) {
    result.put("decoder_mean_error_deg", reading.meanError);
    result.put("decoder_r_squared", reading.rSquared);
    result.put("qualified", reading.meanError <= LARGEST_ERROR);
    double[][] signed = new double[differences.length][];
    for (int i = 0; i < differences.length; i++) {
      int d = i;
      signed[i] =
          java.util.stream.IntStream.range(0, reading.bias.length)
              .filter(k -> plan.pairs.get(k).difference == differences[d])
              .mapToDouble(k -> reading.bias[k])
              .toArray();
    }
    result.series("tilt_illusion", Result.mean("bias", "intact", differences, signed, seed));
    Result.Series f = folded("folded", "intact", plan, reading, seed);
    result.series("tilt_illusion", f);
    int top = 0;
    int bottom = 0;
    double crossing = Double.NaN;
    for (int i = 0; i < f.x().length; i++) {
      top = f.y()[i] > f.y()[top] ? i : top;
      bottom = f.y()[i] < f.y()[bottom] ? i : bottom;
      if (i > 0 && Double.isNaN(crossing) && f.y()[i - 1] > 0 && f.y()[i] <= 0) {
        crossing =
            f.x()[i - 1] + f.y()[i - 1] / (f.y()[i - 1] - f.y()[i]) * (f.x()[i] - f.x()[i - 1]);
      }
    }
    result.put("peak_repulsion_deg", Math.max(0, f.y()[top]));
    result.put("peak_repulsion_at_deg", f.y()[top] > 0 ? f.x()[top] : Double.NaN);
    result.put("zero_crossing_deg", crossing);
    result.put("peak_attraction_deg", Math.max(0, -f.y()[bottom]));
    result.put("bias_at_15", Result.mean(at(plan, reading, 15), seed));
    result.put("n", f.n());
  }

  /** The same with parts of the circuit out of action; the decoder is fitted anew. */
  private static void lesions(Result result, Lab lab, Plan plan, double[] differences) {
    for (Preparation.Lesion lesion : Preparation.Lesion.values()) {
      Preparation lesioned = lab.preparation.lesioned(lesion);
      if (lesioned == null) {
        continue;
      }
      var list = new Lab.Stimuli();
      Plan same = plan(list, lab.preparation.size(), lab.settings);
      Lab.Recording recording = lab.record(lesioned, list, Pooling.unit(), false);
      Reading reading = read(same, recording.evoked(lab.main(), lab.last()));
      result.series(
          "tilt_illusion", folded("lesions", lesion.words, same, reading, lab.settings.seed()));
      result.put(
          "decoder_mean_error_deg_" + lesion.name().toLowerCase(java.util.Locale.ROOT),
          reading.meanError);
    }
  }

  /** A sketch of what people see: O'Toole and Wenderoth (1977). */
  static double human(double difference) {
    double d = Math.toRadians(difference);
    return 1.38 * Math.sin(2 * d) + 1.88 * Math.sin(4 * d) + 0.5 * Math.sin(6 * d);
  }

  @Override
  void show(Result r, Page page) {
    if (!r.flag("qualified")) {
      page.warning(
          "The decoder's mean error on held-out gratings is %s°, more than %.0f°: biases below are not evidence of an illusion or of its absence."
              .formatted(Result.shown(r.number("decoder_mean_error_deg")), LARGEST_ERROR));
    }
    boolean lesioned = !r.series("tilt_illusion", "lesions").isEmpty();
    Figure figure = page.figure(12, lesioned ? 8 : 4.6).letters();
    Plot bias =
        figure
            .panel(0, 0)
            .title("Bias")
            .x(Axis.linear("Surround − centre (deg)").range(-95, 95).ticks(-90, -45, 0, 45, 90))
            .y(Axis.linear("Bias (deg), > 0 repulsion"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("tilt_illusion", "bias")) {
      Page.band(bias, s, Style.EXCITATORY);
    }
    Plot folded =
        figure
            .panel(0, 1)
            .title(Page.title("Both signs together", r))
            .x(
                Axis.linear("|Surround − centre| (deg)")
                    .range(0, 95)
                    .ticks(0, 15, 30, 45, 60, 75, 90))
            .y(Axis.linear("Bias (deg), > 0 repulsion"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("tilt_illusion", "folded")) {
      Page.band(folded, s, Style.EXCITATORY.label("network"));
    }
    double[] x = Result.fill(91, i -> i);
    folded.line(
        x,
        Arrays.stream(x).map(TiltExperiment::human).toArray(),
        Style.GUIDE.dash(Style.Dash.DOTTED).width(1.4).label("people, sketch"));
    Plot time =
        figure
            .panel(0, 2)
            .title("Bias at ±15° over time")
            .x(Page.steps(r))
            .y(Axis.linear("Bias (deg)"))
            .horizontal(0, Style.GUIDE);
    for (Result.Series s : r.series("tilt_illusion", "over time")) {
      Page.band(time, s, Page.style(s.name()).label(s.name()));
    }
    int i = 0;
    for (Result.Series s : r.series("tilt_illusion", "lesions")) {
      Plot plot =
          figure
              .panel(1, i)
              .title(s.name())
              .x(Axis.linear("|Surround − centre| (deg)").range(0, 95).ticks(0, 30, 60, 90))
              .y(Axis.linear("Bias (deg)"))
              .horizontal(0, Style.GUIDE);
      Page.band(plot, s, Style.series(i++));
    }
    page.add(
        "tilt_illusion",
        figure,
        "A: bias of the decoded orientation over the difference between surround and centre, mean"
            + " and bootstrap interval of 95 % over centres and phases. B: differences of either"
            + " sign together; dotted, a sketch of what people see after O'Toole and Wenderoth"
            + " (1977), peaking near 3°. C: bias at 15° after each timestep, with a decoder of its"
            + " own for each population and timestep."
            + (lesioned
                ? " D to F: bias with parts of the circuit out of action, decoders fitted anew."
                : ""));
    Map<String, String> values = new LinkedHashMap<>();
    values.put(
        "Decoder, mean error on held-out gratings",
        "%s° (R^{2} = %s)"
            .formatted(
                Result.shown(r.number("decoder_mean_error_deg")),
                Result.shown(r.number("decoder_r_squared"))));
    values.put(
        "Largest repulsion",
        "%s° at a difference of %s°"
            .formatted(
                Result.shown(r.number("peak_repulsion_deg")),
                Result.shown(r.number("peak_repulsion_at_deg"))));
    values.put("Zero crossing", Result.shown(r.number("zero_crossing_deg"), "°"));
    values.put("Largest attraction", Result.shown(r.number("peak_attraction_deg")) + "°");
    values.put("Bias at ±15° [95 %]", r.interval("bias_at_15"));
    page.values(values);
  }
}
