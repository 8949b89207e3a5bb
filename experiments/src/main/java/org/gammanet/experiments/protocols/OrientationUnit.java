package org.gammanet.experiments.protocols;

import java.util.List;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.OrientationMeasures;
import org.gammanet.experiments.analysis.Population;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;

/** Measures of a unit in {@link OrientationExperiment}. */
record OrientationUnit(
    boolean responsive,
    boolean simple,
    double evokedFraction,
    double preferredDeg,
    double preferredAxisDeg,
    double preferredMaximumDeg,
    double circularVariance,
    double globalOsi,
    double osi,
    double modulationIndex,
    double halfWidthDeg,
    double halfWidthRoot2Deg,
    double f1F0,
    double bestCyclesPerImage,
    double bestCyclesPerDegree,
    double bestPhaseRad,
    double blank,
    double fitPreferredDeg,
    double fitHalfWidthDeg,
    double fitKappa,
    double fitRSquared,
    boolean fitAccepted,
    double peakStep,
    double halfRiseStep,
    double transience,
    double lifetimeSparseness,
    double eiBalance) {
  /** NaN where the fit does not describe the curve. */
  double acceptedWidthDeg() {
    return fitAccepted ? fitHalfWidthDeg : Double.NaN;
  }

  /** The measures of a unit that is not responsive. */
  private static final OrientationMeasures NONE =
      OrientationMeasures.of(new double[] {0, 45, 90, 135}, new double[4], 0);

  static OrientationUnit of(
      RunContext context,
      Recording<Preferences.Probe> recording,
      Recording<Preferences.Probe>.At at,
      int unit,
      OrientationCurve curve) {
    boolean responsive = curve.responsive();
    OrientationMeasures m = responsive ? curve.measures() : NONE;
    TuningCurve fit = at.isLast() && responsive ? curve.fit() : null;
    double cycles = new OrientationStimuli(context).frequencies()[curve.frequency()];
    var best =
        new Preferences.Probe(
            OrientationStimuli.ORIENTATIONS[curve.peak()],
            cycles,
            OrientationStimuli.PHASES[curve.bestPhase()]);
    Dynamics dynamics = at.isLast() ? Dynamics.of(recording.trace(at.state(), best, unit)) : null;
    double degrees = context.size() / context.settings().pixelsPerDegree();
    return new OrientationUnit(
        responsive,
        curve.simple(),
        curve.evoked(),
        m.preferredVector(),
        (m.preferredVector() + 90) % 180,
        m.preferredMaximum(),
        m.circularVariance(),
        m.globalOsi(),
        m.osi(),
        m.modulationIndex(),
        m.halfWidth(),
        m.halfWidthRoot2(),
        curve.f1F0(),
        cycles,
        cycles / degrees,
        best.phase(),
        curve.blank(),
        fit == null ? Double.NaN : fit.preferred(),
        fit == null ? Double.NaN : fit.halfWidth(),
        fit == null ? Double.NaN : fit.kappa(),
        fit == null ? Double.NaN : fit.rSquared(),
        fit != null && curve.accepts(fit),
        dynamics == null ? Double.NaN : dynamics.peakStep(),
        dynamics == null ? Double.NaN : dynamics.halfRiseStep(),
        dynamics == null ? Double.NaN : dynamics.transience(),
        responsive ? Population.sparseness(Samples.rectified(curve.responses())) : Double.NaN,
        balance(context, recording, best, unit, at.step()));
  }

  /** (E - I)/(|E| + |I|) of a unit's responses to its best grating. */
  private static double balance(
      RunContext context,
      Recording<Preferences.Probe> recording,
      Preferences.Probe best,
      int unit,
      int step) {
    return context.states().containsAll(List.of(State.EXCITATORY, State.INHIBITORY))
        ? Dynamics.balance(
            recording.trace(State.EXCITATORY, best, unit)[step],
            recording.trace(State.INHIBITORY, best, unit)[step])
        : Double.NaN;
  }
}
