package org.gammanet.experiments.protocols;

import java.util.Arrays;
import java.util.stream.Stream;
import org.gammanet.experiments.analysis.OrientationMeasures;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.PhaseModulation;
import org.gammanet.experiments.analysis.TuningCurve;

/**
 * A unit's tuning by the mean over phases, F0, or, where that is larger, by the modulation with
 * phase, F1. Its best spatial frequency, its preferred orientation, its selectivity and its probe
 * rest on the same of the two.
 *
 * @param orientations degrees of modulation
 * @param raw responses by spatial frequency, orientation and phase
 * @param blank response to a blank
 * @param f0 mean over phases less the blank, by spatial frequency and orientation
 * @param f1 amplitude of the first harmonic over phases
 * @param simple whether the largest F1 exceeds the largest F0
 * @param frequency index of the best spatial frequency
 * @param responses per orientation at that frequency; the blank is not subtracted from F0
 * @param measures of these
 */
record OrientationCurve(
    double[] orientations,
    double[][][] raw,
    double blank,
    double[][] f0,
    double[][] f1,
    boolean simple,
    int frequency,
    double[] responses,
    OrientationMeasures measures) {
  /** Evoked response, as a fraction of the unit's range, that makes a unit responsive. */
  private static final double LEAST_EVOKED = 0.1;

  /** R² that a fit must reach for its width to enter a summary. */
  private static final double LEAST_FIT = 0.75;

  static OrientationCurve of(double[] orientations, double[][][] raw, double blank) {
    double[][] f0 = new double[raw.length][orientations.length];
    double[][] f1 = new double[raw.length][orientations.length];
    for (int f = 0; f < raw.length; f++) {
      for (int t = 0; t < orientations.length; t++) {
        var modulation = PhaseModulation.of(raw[f][t]);
        f0[f][t] = modulation.f0() - blank;
        f1[f][t] = modulation.f1();
      }
    }
    boolean simple = largest(f1) > largest(f0);
    double[][] strength = simple ? f1 : f0;
    int best = 0;
    for (int f = 1; f < raw.length; f++) {
      best = Samples.maximum(strength[f]) > Samples.maximum(strength[best]) ? f : best;
    }
    double[] curve = simple ? f1[best] : Arrays.stream(f0[best]).map(r -> r + blank).toArray();
    return new OrientationCurve(
        orientations,
        raw,
        blank,
        f0,
        f1,
        simple,
        best,
        curve,
        OrientationMeasures.of(orientations, curve, 0));
  }

  private static double largest(double[][] strength) {
    return Arrays.stream(strength).mapToDouble(Samples::maximum).max().orElse(0);
  }

  /** The largest evoked response, by F1 or by F0. */
  double largest(boolean byF1) {
    return largest(byF1 ? f1 : f0);
  }

  /** Evoked responses by spatial frequency and orientation. */
  double[][] strength() {
    return simple ? f1 : f0;
  }

  /** Largest evoked response over the range of all responses. */
  double evoked() {
    double[] all =
        Stream.concat(Stream.of(new double[] {blank}), Arrays.stream(raw).flatMap(Arrays::stream))
            .flatMapToDouble(Arrays::stream)
            .toArray();
    double range = Samples.maximum(all) - Arrays.stream(all).min().orElse(0);
    return range > 1e-12 ? largest(simple) / range : 0;
  }

  boolean responsive() {
    return evoked() > LEAST_EVOKED && measures.responsive();
  }

  /** Index of the orientation with the largest response. */
  int peak() {
    return Arrays.binarySearch(orientations, measures.preferredMaximum());
  }

  /** F1/F0 at the peak; NaN where no mean response is evoked. */
  double f1F0() {
    double mean = f0[frequency][peak()];
    return mean > 1e-12 ? f1[frequency][peak()] / mean : Double.NaN;
  }

  /** Index of the phase of the largest response at the peak. */
  int bestPhase() {
    double[] r = raw[frequency][peak()];
    int best = 0;
    for (int p = 1; p < r.length; p++) {
      best = r[p] > r[best] ? p : best;
    }
    return best;
  }

  /** The curve above its baseline, divided by its largest value. */
  double[] normalized() {
    double base = simple ? 0 : blank;
    double top = Samples.maximum(responses) - base;
    return Arrays.stream(responses).map(r -> (r - base) / top).toArray();
  }

  TuningCurve fit() {
    return new OrientationTuning().fit(orientations, responses);
  }

  /**
   * Whether a fit describes the curve, with a width that is neither at a bound of the fit nor below
   * what the orientations can tell: half of their distance.
   */
  boolean accepts(TuningCurve fit) {
    return fit.rSquared() >= LEAST_FIT && fit.kappa() > 0.051 && fit.halfWidth() >= step() / 2;
  }

  private double step() {
    return 180.0 / orientations.length;
  }

  /** Index of the orientation that is closest to the preferred one. */
  int preferred() {
    return (int) Math.round(measures.preferredVector() / step()) % orientations.length;
  }
}
