package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.OrientationMeasures;
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
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.jspecify.annotations.Nullable;

/** Orientation tuning of each unit at its own best spatial frequency. */
public final class OrientationExperiment implements Experiment<Preferences.Probe> {
  private static final double[] ORIENTATIONS = Samples.fill(12, i -> 15 * i);
  private static final double[] WAVELENGTHS = {25.6, 12.8, 256 / 30.0, 6.4};
  private static final double[] ALL_WAVELENGTHS = {25.6, 256 / 15.0, 12.8, 256 / 30.0, 6.4, 5.12};
  private static final double[] PHASES = Samples.fill(8, i -> 2 * Math.PI * i / 8);

  /** Measures of a unit. */
  record Unit(
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
  }

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
    return Descriptions.of("orientation");
  }

  private static double[] frequencies(RunContext context) {
    return Arrays.stream(context.settings().full() ? ALL_WAVELENGTHS : WAVELENGTHS)
        .map(context::cycles)
        .toArray();
  }

  @Override
  public Design<Preferences.Probe> design(RunContext context) {
    var design = new Design<Preferences.Probe>();
    double aperture = context.settings().aperture();
    for (double theta : ORIENTATIONS) {
      for (double cycles : frequencies(context)) {
        for (double phase : PHASES) {
          var probe = new Preferences.Probe(theta, cycles, phase);
          design.add(
              probe,
              probe.grating(
                  context.frame(), context.settings().contrast(), aperture > 0 ? aperture : null));
        }
      }
    }
    return design;
  }

  private static List<OrientationCurve> curves(
      RunContext context, Recording<Preferences.Probe>.At at) {
    double[] frequencies = frequencies(context);
    return IntStream.range(0, at.responses()[0].length)
        .mapToObj(
            u -> {
              double[][][] raw = new double[frequencies.length][ORIENTATIONS.length][];
              for (int f = 0; f < frequencies.length; f++) {
                double cycles = frequencies[f];
                for (int t = 0; t < ORIENTATIONS.length; t++) {
                  double theta = ORIENTATIONS[t];
                  raw[f][t] =
                      Arrays.stream(PHASES)
                          .map(p -> at.response(new Preferences.Probe(theta, cycles, p))[u])
                          .toArray();
                }
              }
              return OrientationCurve.of(ORIENTATIONS, raw, at.blank(u));
            })
        .toList();
  }

  @Override
  public Findings analyze(RunContext context, Recording<Preferences.Probe> recording) {
    var units = new UnitTable<>(context, Unit.class);
    List<List<OrientationCurve>> last = new ArrayList<>();
    for (State state : context.states()) {
      for (int step = 0; step < context.timesteps(); step++) {
        Recording<Preferences.Probe>.At at = recording.at(state, step);
        List<OrientationCurve> curves = curves(context, at);
        for (int u = 0; u < curves.size(); u++) {
          units.add(state, u, step, measure(context, recording, at, u, curves.get(u)));
        }
        if (at.isLast()) {
          last.add(curves);
        }
      }
    }
    List<OrientationCurve> curves = last.getFirst();
    double[] frequencies = frequencies(context);
    Preferences probes = Preferences.choose(last, frequencies, PHASES, context.settings().probes());
    int[] shown =
        IntStream.range(0, curves.size())
            .filter(u -> curves.get(u).responsive())
            .boxed()
            .sorted(Comparator.comparingDouble(u -> -curves.get(u).measures().globalOsi()))
            .mapToInt(u -> u)
            .toArray();
    Summary summary = summary(context, recording, units, curves, shown, probes);
    Findings findings = new OrientationFigures(context, curves, shown, units).findings(summary);
    return findings
        .value("Responsive units", "%s of %s".formatted(summary.nResponsive, summary.nUnits))
        .value(
            "Circular variance below 0.7",
            "%s of %s units"
                .formatted(Format.percent(summary.fractionSelective), summary.nResponsive))
        .value("Simple cells (F1 > F0)", "%s of %s".formatted(summary.nSimple, summary.nResponsive))
        .value("Circular variance, quartiles", Format.numbers(summary.circularVarianceQuartiles))
        .value(
            "Half width of the fit (deg), quartiles", Format.numbers(summary.halfWidthDegQuartiles))
        .value("F1/F0, quartiles", Format.numbers(summary.f1F0Quartiles))
        .value("Balance (E − I)/(|E| + |I|), quartiles", Format.numbers(summary.eiBalanceQuartiles))
        .value("Population sparseness, median", summary.populationSparseness)
        .value(
            "Best spatial frequency of the population",
            Format.number(summary.optimalSpatialFrequency, " cycles per image"))
        .table(
            "Probe gratings for the other experiments. A unit is tested with the one that drives it"
                + " best, in phases between those here; units to which no probe evokes half of"
                + " their largest response are excluded. Median fraction of the largest response: "
                + Format.number(Samples.median(probes.drive()))
                + ".",
            List.of("Probe", "Modulation (deg)", "Axis (deg)", "Cycles per image", "Units tested"),
            IntStream.range(0, probes.probes().size()).mapToObj(p -> row(probes, p)).toList())
        .overviewValue("responsive units", Format.percent(summary.fractionResponsive))
        .overviewValue("half width, median", Format.number(summary.halfWidthDegQuartiles[1], "°"))
        .overviewValue("circular variance", Format.number(summary.circularVarianceQuartiles[1]));
  }

  private static List<String> row(Preferences probes, int p) {
    Preferences.Probe probe = probes.probes().get(p);
    return List.of(
        "" + (p + 1),
        Format.number(probe.modulation()),
        Format.number(probe.axis()),
        Format.number(probe.cycles()),
        "" + probes.testedWith(p).length);
  }

  /** The measures of a unit that is not responsive. */
  private static final OrientationMeasures NONE =
      OrientationMeasures.of(new double[] {0, 45, 90, 135}, new double[4], 0);

  private static Unit measure(
      RunContext context,
      Recording<Preferences.Probe> recording,
      Recording<Preferences.Probe>.At at,
      int unit,
      OrientationCurve curve) {
    boolean responsive = curve.responsive();
    OrientationMeasures m = responsive ? curve.measures() : NONE;
    TuningCurve fit = at.isLast() && responsive ? curve.fit() : null;
    double cycles = frequencies(context)[curve.frequency()];
    var best = new Preferences.Probe(ORIENTATIONS[curve.peak()], cycles, PHASES[curve.bestPhase()]);
    Dynamics dynamics = at.isLast() ? Dynamics.of(recording.trace(at.state(), best, unit)) : null;
    double degrees = context.size() / context.settings().pixelsPerDegree();
    return new Unit(
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

  private static Summary summary(
      RunContext context,
      Recording<Preferences.Probe> recording,
      UnitTable<Unit> units,
      List<OrientationCurve> curves,
      int[] shown,
      Preferences probes) {
    int n = curves.size();
    double[] frequencies = frequencies(context);
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
    double[] width = units.values(Unit::acceptedWidthDeg);
    double[] variance = units.values(Unit::circularVariance);
    return new Summary(
        "direction of modulation, degrees; 0 is vertical stripes",
        ORIENTATIONS,
        Samples.fill(
            ORIENTATIONS.length,
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
        units.mean(Unit::circularVariance),
        Samples.quartiles(variance),
        Series.mean(width, context.seed()),
        Samples.quartiles(width),
        (int) Arrays.stream(shown).filter(u -> curves.get(u).simple()).count(),
        Samples.quartiles(units.values(Unit::f1F0)),
        Samples.quartiles(units.values(Unit::eiBalance)),
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
