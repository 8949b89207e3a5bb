package org.gammanet.experiments.protocols;

import java.util.Arrays;
import org.gammanet.experiments.analysis.OrientationMeasures;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.PhaseModulation;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.analysis.TuningTable;
import org.gammanet.experiments.study.Recording;

/**
 * A unit's tuning curve at its best spatial frequency: the mean over phases, F0, or for a simple
 * cell the modulation by phase, F1.
 *
 * @param responses per orientation; the response to a blank is not subtracted from F0
 * @param simple whether F1 exceeds the evoked F0 at the preferred orientation
 * @param evoked largest F1, or largest F0 above the blank, over the unit's range of responses
 * @param measures of the curve
 * @param row of the unit
 */
record OrientationCurve(
    double[] responses,
    boolean simple,
    double evoked,
    OrientationMeasures measures,
    TuningTable.Row row) {
  /** Evoked response, as a fraction of the unit's range, that makes a unit responsive. */
  private static final double LEAST_EVOKED = 0.1;

  /** R² that a fit must reach for its width to enter a summary. */
  private static final double LEAST_FIT = 0.75;

  static OrientationCurve of(
      Recording<Preferences.Probe>.At at, TuningTable table, TuningTable.Row row) {
    double[] thetas = table.orientations();
    double[] phases = table.phases();
    double[] f1 = new double[thetas.length];
    for (int t = 0; t < thetas.length; t++) {
      double[] overPhases = new double[phases.length];
      for (int p = 0; p < phases.length; p++) {
        var grating = new Preferences.Probe(thetas[t], row.bestFrequency(), phases[p]);
        overPhases[p] = at.response(grating)[row.unit()];
      }
      f1[t] = PhaseModulation.of(overPhases).f1();
    }
    double low = row.blank();
    double high = row.blank();
    for (float[] response : at.responses()) {
      low = Math.min(low, response[row.unit()]);
      high = Math.max(high, response[row.unit()]);
    }
    double f0 = Samples.maximum(row.curve()) - row.blank();
    double largest = Samples.maximum(f1);
    boolean simple = largest > f0;
    double[] curve = simple ? f1 : row.curve();
    return new OrientationCurve(
        curve,
        simple,
        high - low > 1e-12 ? (simple ? largest : f0) / (high - low) : 0,
        OrientationMeasures.of(thetas, curve, 0),
        row);
  }

  boolean responsive() {
    return evoked > LEAST_EVOKED && measures.responsive();
  }

  /** The curve above its baseline, divided by its largest value. */
  double[] normalized() {
    double base = simple ? 0 : row.blank();
    double top = Samples.maximum(responses) - base;
    return Arrays.stream(responses).map(r -> (r - base) / top).toArray();
  }

  TuningCurve fit(OrientationTuning tuning, TuningTable table) {
    return tuning.fit(table.orientations(), responses);
  }

  /** Whether a fit describes its curve, with a width that is not at a bound of the fit. */
  static boolean accepted(TuningCurve fit) {
    return fit.rSquared() >= LEAST_FIT && fit.kappa() > 0.051 && fit.kappa() < 99;
  }
}
