package org.gammanet.experiments.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.Blank;
import org.gammanet.experiments.stimuli.Gabor;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusMeta;
import org.gammanet.experiments.stimuli.StimulusSet;

/** Orientation tuning of units from their responses to gratings. */
public final class OrientationTuning {
  private static final double[] KAPPAS = CurveFit.logSpaced(0.05, 100, 60);

  /**
   * Tuning of the units of a recording of one signal, at the last recorded timestep.
   *
   * @throws IllegalArgumentException as {@link #compute(float[][], StimulusSet)}, and where the
   *     recording has several signals: choose one with {@link Responses#last}
   */
  public TuningTable compute(Responses responses, StimulusSet set) {
    List<Responses.Key> keys = responses.keys();
    if (keys.size() != 1) {
      throw new IllegalArgumentException(
          "the recording has several signals, %s: choose one with last(layer, state)"
              .formatted(keys));
    }
    return compute(responses.last(keys.get(0).layer(), keys.get(0).state()), set);
  }

  /**
   * Tuning of each unit at its own best spatial frequency.
   *
   * @param responses a row per stimulus, in each one value per unit
   * @param set gratings of each combination of orientation, spatial frequency and phase, of one
   *     contrast and size, and at most one blank
   * @throws IllegalArgumentException when a combination is missing or comes twice, when the set
   *     also varies contrast or size (filter it first), when it holds no gratings, or when a
   *     response is not a finite number
   */
  public TuningTable compute(float[][] responses, StimulusSet set) {
    if (responses.length != set.size()) {
      throw new IllegalArgumentException(
          "there are responses to %s stimuli, but the set has %s"
              .formatted(responses.length, set.size()));
    }
    int blank = -1;
    List<Integer> gratings = new ArrayList<>();
    for (int i = 0; i < set.size(); i++) {
      Stimulus shown = set.stimuli().get(i);
      if (shown instanceof Blank) {
        blank = i;
      } else if (shown instanceof Grating || shown instanceof Gabor) {
        gratings.add(i);
      } else {
        throw new IllegalArgumentException(
            "orientation tuning is measured with gratings, but stimulus %s is a %s"
                .formatted(i, set.meta(i).type()));
      }
    }
    if (gratings.isEmpty()) {
      throw new IllegalArgumentException("no orientation is given: the set has no gratings");
    }
    double[] thetas = values(set, gratings, OrientationTuning::modulation);
    double[] frequencies = values(set, gratings, StimulusMeta::cyclesPerImage);
    double[] phases = values(set, gratings, StimulusMeta::phase);
    requireOne(values(set, gratings, StimulusMeta::contrast), "contrast");
    requireOne(values(set, gratings, StimulusMeta::height), "size");
    int[][][] at = new int[frequencies.length][thetas.length][phases.length];
    for (int[][] plane : at) {
      for (int[] row : plane) {
        Arrays.fill(row, -1);
      }
    }
    for (int i : gratings) {
      StimulusMeta meta = set.meta(i);
      int f = Arrays.binarySearch(frequencies, meta.cyclesPerImage());
      int t = Arrays.binarySearch(thetas, modulation(meta));
      int p = Arrays.binarySearch(phases, meta.phase());
      if (at[f][t][p] >= 0) {
        throw new IllegalArgumentException(
            "stimuli %s and %s are the same grating".formatted(at[f][t][p], i));
      }
      at[f][t][p] = i;
    }
    if (gratings.size() != frequencies.length * thetas.length * phases.length) {
      throw new IllegalArgumentException(
          "%s orientations, %s frequencies and %s phases make %s gratings, but the set has %s"
              .formatted(
                  thetas.length,
                  frequencies.length,
                  phases.length,
                  frequencies.length * thetas.length * phases.length,
                  gratings.size()));
    }
    int units = responses[0].length;
    List<TuningTable.Row> rows = new ArrayList<>(units);
    for (int u = 0; u < units; u++) {
      for (int i = 0; i < responses.length; i++) {
        if (!Float.isFinite(responses[i][u])) {
          throw new IllegalArgumentException(
              "the response of unit %s to stimulus %s is %s; the network's weights or input are broken"
                  .formatted(u, i, responses[i][u]));
        }
      }
      rows.add(
          row(u, responses, at, thetas, frequencies, phases, blank < 0 ? 0 : responses[blank][u]));
    }
    return new TuningTable(thetas, frequencies, phases, rows);
  }

  private static TuningTable.Row row(
      int unit,
      float[][] responses,
      int[][][] at,
      double[] thetas,
      double[] frequencies,
      double[] phases,
      double blank) {
    double[][] curves = new double[frequencies.length][thetas.length];
    double[] largest = new double[frequencies.length];
    for (int f = 0; f < frequencies.length; f++) {
      for (int t = 0; t < thetas.length; t++) {
        for (int i : at[f][t]) {
          curves[f][t] += responses[i][unit] / phases.length;
        }
      }
      largest[f] = curves[f][Curves.argMax(curves[f])];
    }
    int best = Curves.argMax(largest);
    int[] atPeak = at[best][Curves.argMax(curves[best])];
    double[] overPhases = new double[phases.length];
    for (int p = 0; p < phases.length; p++) {
      overPhases[p] = responses[atPeak[p]][unit] - blank;
    }
    return new TuningTable.Row(
        unit,
        blank,
        frequencies[best],
        phases[Curves.argMax(overPhases)],
        curves[best],
        largest,
        OrientationMeasures.of(thetas, curves[best], blank),
        phases.length < 3 ? Double.NaN : PhaseModulation.of(overPhases).ratio());
  }

  private static double modulation(StimulusMeta meta) {
    Orientation orientation = meta.orientation();
    return orientation == null ? Double.NaN : orientation.modulation();
  }

  private static double[] values(
      StimulusSet set, List<Integer> indices, ToDoubleFunction<StimulusMeta> of) {
    return indices.stream()
        .mapToDouble(i -> of.applyAsDouble(set.meta(i)))
        .sorted()
        .distinct()
        .toArray();
  }

  private static void requireOne(double[] values, String what) {
    if (values.length > 1) {
      throw new IllegalArgumentException(
          "orientation tuning needs gratings of one %s, not of %s; filter the set first"
              .formatted(what, Arrays.toString(values)));
    }
  }

  /**
   * Fits a von Mises curve by least squares: κ in [0.05, 100], amplitude not negative, baseline
   * free.
   *
   * @param orientations degrees, in any order and spacing
   * @throws IllegalArgumentException for fewer than four orientations or a response that is not a
   *     finite number
   */
  public TuningCurve fit(double[] orientations, double[] responses) {
    Curves.require(orientations, responses, 4, "orientation");
    return vonMises(orientations, responses);
  }

  private static double curve(double theta, double[] p) {
    return p[3] + p[0] * Math.exp(p[1] * (Math.cos(2 * Math.toRadians(theta - p[2])) - 1));
  }

  private static TuningCurve vonMises(double[] thetas, double[] responses) {
    // For given κ and μ the other two are linear: the best of a grid, then all four together.
    double[] start = {0, 1, 0, 0};
    double least = Double.POSITIVE_INFINITY;
    double[] shape = new double[thetas.length];
    for (double mu = 0; mu < 180; mu += 3) {
      double[] cos = new double[thetas.length];
      for (int i = 0; i < cos.length; i++) {
        cos[i] = Math.cos(2 * Math.toRadians(thetas[i] - mu)) - 1;
      }
      for (double kappa : KAPPAS) {
        for (int i = 0; i < shape.length; i++) {
          shape[i] = Math.exp(kappa * cos[i]);
        }
        double[] line = CurveFit.line(shape, responses);
        double sse = 0;
        for (int i = 0; i < shape.length; i++) {
          double e = responses[i] - line[0] - line[1] * shape[i];
          sse += e * e;
        }
        if (sse < least) {
          least = sse;
          start = new double[] {line[1], kappa, mu, line[0]};
        }
      }
    }
    double free = Double.NEGATIVE_INFINITY;
    double none = Double.POSITIVE_INFINITY;
    CurveFit.Best best =
        CurveFit.fit(
            OrientationTuning::logKappa,
            thetas,
            responses,
            new double[] {0, Math.log(0.05), free, free},
            new double[] {none, Math.log(100), none, none},
            List.of(new double[] {start[0], Math.log(start[1]), start[2], start[3]}));
    double[] p = best.parameters();
    double kappa = Math.exp(p[1]);
    return new TuningCurve(
        p[0],
        kappa,
        Orientation.wrap(p[2]),
        p[3],
        TuningCurve.halfWidth(kappa),
        best.sse(),
        Curves.rSquared(best.sse(), responses));
  }

  /** κ spans three decades: its logarithm is what the search sees. */
  private static double logKappa(double theta, double[] p) {
    return curve(theta, new double[] {p[0], Math.exp(p[1]), p[2], p[3]});
  }
}
