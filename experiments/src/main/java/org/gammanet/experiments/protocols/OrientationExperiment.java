package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Population;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.UnitTable;
import org.jspecify.annotations.Nullable;

/** Orientation tuning of each unit at its own best spatial frequency. */
public final class OrientationExperiment implements Experiment<Preferences.Probe> {
  /** The tuning curve of the most selective unit. */
  record Example(
      int channel,
      double preferredOrientation,
      double bandwidth,
      double rSquared,
      double modulationIndex) {}

  /** Numbers of the experiment. */
  record Summary(
      String orientationConvention,
      double[] orientations,
      double[] responses,
      double[] spatialFrequencies,
      Map<String, Double> spatialFrequencyResponses,
      double optimalSpatialFrequency,
      int nUnits,
      int nResponsive,
      double fractionResponsive,
      double fractionSelective,
      Statistics.Interval circularVariance,
      double[] circularVarianceQuartiles,
      Statistics.Interval halfWidthDeg,
      double[] halfWidthDegQuartiles,
      int nSimple,
      double[] f1F0Quartiles,
      double[] eiBalanceQuartiles,
      @Nullable Example tuningCurve,
      Preferences probes,
      double populationSparseness) {}

  @Override
  public Description description() {
    return Description.of(
            "orientation",
            "Orientation tuning",
            """
            Gratings of 12 orientations, in four spatial frequencies (six with --full) and eight \
            phases. Each unit is measured by its mean response over phases (F0), or by the \
            modulation with phase (F1) where that is larger, as in simple cells, at the frequency \
            of its largest response; preferred orientation and probe rest on the same. A unit is \
            responsive if its largest F0 exceeds the response to a blank, or its largest F1 \
            exceeds 0, by more than a tenth of the range of its responses. The headline index is \
            the circular variance (Ringach, Shapley and Hawken 2002): 1 − |Σ R e^{2iθ}| / Σ R, of \
            responses from which the blank is not subtracted. Unlike the index of preferred and \
            orthogonal responses it does not depend on which sample is largest (Mazurek, Kager and \
            Van Hooser 2014). Curves are fitted with a von Mises function; widths enter the \
            summary where R² is at least 0.75 and the width is neither at a bound of the fit nor \
            below half of the distance between orientations. Angles are directions of modulation: \
            0° is vertical stripes.\
            """)
        .literature(
            """
            Orientations, phases and frequencies are as many as those of Marques, Schrimpf and \
            DiCarlo (2021), who also vary the aperture, of 2 to 4 cycles, at full contrast. Here \
            gratings fill the image unless --aperture is given, at a contrast of 0.5, because size \
            is an experiment of its own; suppression by large gratings therefore is part of these \
            curves. The width at 1/√2 after smoothing, which they report, is in the table of \
            units.\
            """)
        .key("orientation_tuning")
        .primary("circular_variance");
  }

  @Override
  public Design<Preferences.Probe> design(RunContext context) {
    return new OrientationStimuli(context).design();
  }

  @Override
  public Findings analyze(RunContext context, Recording<Preferences.Probe> recording) {
    var stimuli = new OrientationStimuli(context);
    var units = new UnitTable<>(context, OrientationUnit.class);
    List<List<OrientationCurve>> last = new ArrayList<>();
    for (State state : context.states()) {
      for (int step = 0; step < context.timesteps(); step++) {
        Recording<Preferences.Probe>.At at = recording.at(state, step);
        List<OrientationCurve> curves = stimuli.curves(at);
        for (int u = 0; u < curves.size(); u++) {
          units.add(state, u, step, OrientationUnit.of(context, recording, at, u, curves.get(u)));
        }
        if (at.isLast()) {
          last.add(curves);
        }
      }
    }
    List<OrientationCurve> curves = last.getFirst();
    Preferences probes =
        Preferences.choose(
            last, stimuli.frequencies(), OrientationStimuli.PHASES, context.settings().probes());
    int[] shown =
        IntStream.range(0, curves.size())
            .filter(u -> curves.get(u).responsive())
            .boxed()
            .sorted(Comparator.comparingDouble(u -> -curves.get(u).measures().globalOsi()))
            .mapToInt(u -> u)
            .toArray();
    Summary summary = summary(context, recording, units, curves, shown, probes);
    return new OrientationFigures(context, curves, shown, units).findings(summary);
  }

  private static Summary summary(
      RunContext context,
      Recording<Preferences.Probe> recording,
      UnitTable<OrientationUnit> units,
      List<OrientationCurve> curves,
      int[] shown,
      Preferences probes) {
    int n = curves.size();
    double[] frequencies = new OrientationStimuli(context).frequencies();
    Map<String, Double> strength = new LinkedHashMap<>();
    int best = 0;
    double most = Double.NEGATIVE_INFINITY;
    for (int f = 0; f < frequencies.length; f++) {
      int at = f;
      double mean =
          Samples.mean(Samples.fill(n, u -> Samples.maximum(curves.get(u).strength()[at])));
      strength.put(Format.significant(frequencies[f]), mean);
      best = mean > most ? f : best;
      most = Math.max(most, mean);
    }
    double[] sparseness =
        recording.design().conditions().stream()
            .mapToDouble(
                c ->
                    n < 2
                        ? Double.NaN
                        : Population.sparseness(Samples.rectified(recording.last().evoked(c))))
            .toArray();
    double[] variance = units.values(OrientationUnit::circularVariance);
    return new Summary(
        "direction of modulation, degrees; 0 is vertical stripes",
        OrientationStimuli.ORIENTATIONS,
        Samples.fill(
            OrientationStimuli.ORIENTATIONS.length,
            t -> Samples.mean(Samples.fill(n, u -> curves.get(u).responses()[t]))),
        frequencies,
        strength,
        frequencies[best],
        n,
        shown.length,
        n == 0 ? Double.NaN : (double) shown.length / n,
        shown.length == 0
            ? Double.NaN
            : Arrays.stream(variance).filter(v -> v < 0.7).count() / (double) shown.length,
        units.mean(OrientationUnit::circularVariance),
        Samples.quartiles(variance),
        units.mean(OrientationUnit::acceptedWidthDeg),
        Samples.quartiles(units.values(OrientationUnit::acceptedWidthDeg)),
        (int) Arrays.stream(shown).filter(u -> curves.get(u).simple()).count(),
        Samples.quartiles(units.values(OrientationUnit::f1F0)),
        Samples.quartiles(units.values(OrientationUnit::eiBalance)),
        shown.length == 0 ? null : example(shown[0], curves.get(shown[0])),
        probes,
        Samples.median(sparseness));
  }

  private static Example example(int unit, OrientationCurve curve) {
    TuningCurve fit = curve.fit();
    return new Example(
        unit, fit.preferred(), fit.halfWidth(), fit.rSquared(), curve.measures().modulationIndex());
  }
}
