package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Dynamics;
import org.gammanet.experiments.analysis.OrientationMeasures;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.Population;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.analysis.TuningTable;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.ApertureRule;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Description;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.jspecify.annotations.Nullable;

/** Orientation tuning of each unit at its own best spatial frequency. */
public final class OrientationExperiment implements Experiment<Preferences.Probe> {
  private static final double[] WAVELENGTHS = {12.8, 6.4};
  private static final double[] ALL_WAVELENGTHS = {25.6, 256 / 15.0, 12.8, 256 / 30.0, 6.4, 5.12};
  private static final int PHASES = 4;

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
    return Description.of(
            "orientation",
            "Orientation tuning",
            "Gratings of 12 orientations, in several spatial frequencies and four phases. Each unit"
                + " is measured at the frequency of its largest response averaged over phases, by"
                + " the mean over phases (F0), or by the modulation with phase (F1) where that is"
                + " larger, as in simple cells. A unit is responsive if its largest F0 exceeds the"
                + " response to a blank, or its largest F1 exceeds 0, by more than a tenth of the"
                + " range of its responses. The headline index is the circular variance (Ringach,"
                + " Shapley and Hawken 2002): 1 − |Σ R e^{2iθ}| / Σ R, of responses from which the"
                + " blank is not subtracted. Unlike the index of preferred and orthogonal responses"
                + " it does not depend on which sample is largest (Mazurek, Kager and Van Hooser"
                + " 2014). Curves are fitted with a von Mises function; widths enter the summary"
                + " where R² is at least 0.75 and the width is not at a bound of the fit. Angles"
                + " are directions of modulation: 0° is vertical stripes.")
        .literature(
            "Marques, Schrimpf and DiCarlo (2021) show 12 orientations, 8 phases, 4 spatial"
                + " frequencies and 3 apertures at full contrast. Here there are 4 phases, from"
                + " which F0 and F1 are exact where responses have no third harmonic, 2 frequencies"
                + " (6 with --full) and one aperture, so that each unit's best grating is known"
                + " less well. The width at 1/√2 after smoothing, which they report, is in the"
                + " table of units.")
        .key("orientation_tuning")
        .primary("circular_variance");
  }

  /** The gratings, then a blank. */
  private static StimulusSet set(RunContext context) {
    int size = context.size();
    double[] wavelengths = context.settings().full() ? ALL_WAVELENGTHS : WAVELENGTHS;
    var builder =
        GratingStimuli.builder()
            .size(size, size)
            .orientations(Samples.fill(12, i -> 15 * i))
            .spatialFrequencies(Arrays.stream(wavelengths).map(context::cycles).toArray())
            .contrasts(context.settings().contrast())
            .equallySpacedPhases(PHASES)
            .aperture(ApertureRule.EXACT_DIAMETER)
            .withBlank();
    if (context.settings().aperture() > 0) {
      builder.diameter(context.settings().aperture());
    }
    return builder.build().generate();
  }

  @Override
  public Design<Preferences.Probe> design(RunContext context) {
    var design = new Design<Preferences.Probe>();
    for (Stimulus s : set(context).stimuli()) {
      if (s instanceof Grating g) {
        design.add(
            new Preferences.Probe(g.sine().orientation(), g.sine().cycles(), g.sine().phase()), g);
      }
    }
    return design;
  }

  @Override
  public Findings analyze(RunContext context, Recording<Preferences.Probe> recording) {
    StimulusSet set = set(context);
    var tuning = new OrientationTuning();
    var units = new UnitTable<>(context, Unit.class);
    TuningTable main = null;
    List<OrientationCurve> curves = new ArrayList<>();
    for (State state : context.states()) {
      for (int step = 0; step < context.timesteps(); step++) {
        Recording<Preferences.Probe>.At at = recording.at(state, step);
        TuningTable table = tuning.compute(at.responses(), set);
        main = at.isMain() ? table : main;
        for (TuningTable.Row row : table.rows()) {
          OrientationCurve curve = OrientationCurve.of(at, table, row);
          units.add(state, row.unit(), step, measure(context, recording, at, tuning, table, curve));
          if (at.isMain()) {
            curves.add(curve);
          }
        }
      }
    }
    if (main == null) {
      throw new AssertionError("no timestep was recorded");
    }
    return report(context, recording, units, main, curves, tuning);
  }

  private static Unit measure(
      RunContext context,
      Recording<Preferences.Probe> recording,
      Recording<Preferences.Probe>.At at,
      OrientationTuning tuning,
      TuningTable table,
      OrientationCurve curve) {
    TuningTable.Row row = curve.row();
    boolean responsive = curve.responsive();
    OrientationMeasures m = responsive ? curve.measures() : NONE;
    TuningCurve fit = at.isLast() && responsive ? curve.fit(tuning, table) : null;
    int best = largest(at.responses(), row.unit());
    double[] trace = recording.responses().trace(context.layer(), at.state(), best, row.unit());
    Dynamics dynamics = at.isLast() ? Dynamics.of(trace) : null;
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
        row.phaseModulation(),
        row.bestFrequency(),
        row.bestFrequency() / degrees,
        row.bestPhase(),
        row.blank(),
        fit == null ? Double.NaN : fit.preferred(),
        fit == null ? Double.NaN : fit.halfWidth(),
        fit == null ? Double.NaN : fit.kappa(),
        fit == null ? Double.NaN : fit.rSquared(),
        fit != null && OrientationCurve.accepted(fit),
        dynamics == null ? Double.NaN : dynamics.peakStep(),
        dynamics == null ? Double.NaN : dynamics.halfRiseStep(),
        dynamics == null ? Double.NaN : dynamics.transience(),
        responsive
            ? Population.sparseness(
                Arrays.stream(curve.responses()).map(r -> Math.max(r, 0)).toArray())
            : Double.NaN,
        balance(context, recording, best, row.unit(), at.step()));
  }

  /** The measures of a unit that is not responsive. */
  private static final OrientationMeasures NONE =
      OrientationMeasures.of(new double[] {0, 45, 90, 135}, new double[4], 0);

  private static int largest(float[][] responses, int unit) {
    int best = 0;
    for (int s = 1; s < responses.length; s++) {
      best = responses[s][unit] > responses[best][unit] ? s : best;
    }
    return best;
  }

  /** (E - I)/(|E| + |I|) of a unit's responses to its best stimulus. */
  private static double balance(
      RunContext context, Recording<?> recording, int stimulus, int unit, int step) {
    if (!context.states().contains(State.EXCITATORY)
        || !context.states().contains(State.INHIBITORY)) {
      return Double.NaN;
    }
    var responses = recording.responses();
    return Dynamics.balance(
        responses.trace(context.layer(), State.EXCITATORY, stimulus, unit)[step],
        responses.trace(context.layer(), State.INHIBITORY, stimulus, unit)[step]);
  }

  private static Findings report(
      RunContext context,
      Recording<Preferences.Probe> recording,
      UnitTable<Unit> units,
      TuningTable table,
      List<OrientationCurve> curves,
      OrientationTuning tuning) {
    List<Preferences.Probe> gratings = recording.design().conditions();
    double[][] evoked = gratings.stream().map(recording.last()::evoked).toArray(double[][]::new);
    Preferences probes =
        Preferences.choose(
            evoked, gratings, units.values(Unit::preferredDeg), context.settings().probes());
    List<OrientationCurve> shown =
        curves.stream()
            .filter(OrientationCurve::responsive)
            .sorted(Comparator.comparingDouble(c -> -c.measures().globalOsi()))
            .toList();
    TuningCurve top = shown.isEmpty() ? null : shown.getFirst().fit(tuning, table);
    Summary summary = summary(context, units, table, shown, top, probes, evoked);
    var figures = new OrientationFigures(context, table, tuning, shown);
    Series aligned = figures.aligned();
    Findings findings =
        Findings.of(summary, units)
            .figure(figures.tuning(aligned))
            .figure(figures.population(units))
            .value("Responsive units", "%s of %s".formatted(summary.nResponsive, summary.nUnits))
            .value(
                "Circular variance below 0.7",
                "%s of %s units"
                    .formatted(Format.percent(summary.fractionSelective), summary.nResponsive))
            .value(
                "Simple cells (F1 > F0)",
                "%s of %s".formatted(summary.nSimple, summary.nResponsive))
            .value(
                "Circular variance, quartiles", Format.numbers(summary.circularVarianceQuartiles))
            .value(
                "Half width of the fit (deg), quartiles",
                Format.numbers(summary.halfWidthDegQuartiles))
            .value("F1/F0, quartiles", Format.numbers(summary.f1F0Quartiles))
            .value(
                "Balance (E − I)/(|E| + |I|), quartiles",
                Format.numbers(summary.eiBalanceQuartiles))
            .value("Population sparseness, median", summary.populationSparseness)
            .value(
                "Best spatial frequency of the population",
                Format.number(summary.optimalSpatialFrequency, " cycles per image"))
            .table(
                "Probe gratings for the other experiments. A unit is tested with the one that drives it best; units to which no probe evokes half of their largest response are excluded. Median fraction of the largest response: %s."
                    .formatted(Format.number(Samples.median(probes.drive()))),
                List.of(
                    "Probe",
                    "Modulation (deg)",
                    "Axis (deg)",
                    "Cycles per image",
                    "Phase (deg)",
                    "Units tested"),
                IntStream.range(0, probes.probes().size()).mapToObj(p -> row(probes, p)).toList())
            .overview(
                Panel.at(0, 0, "orientation")
                    .title("Orientation, aligned", summary.nResponsive)
                    .axes(
                        Axis.linear("Orientation − preferred (deg)").ticks(-90, -45, 0, 45, 90),
                        "Response (fraction of largest)")
                    .add(aligned))
            .overviewDynamics("global selectivity", units.dynamics(Unit::globalOsi).getFirst())
            .overviewValue("responsive units", Format.percent(summary.fractionResponsive))
            .overviewValue(
                "half width, median", Format.number(summary.halfWidthDegQuartiles[1], "°"))
            .overviewValue(
                "circular variance", Format.number(summary.circularVarianceQuartiles[1]));
    return shown.isEmpty() ? findings : findings.figure(figures.units());
  }

  private static List<String> row(Preferences probes, int p) {
    Preferences.Probe probe = probes.probes().get(p);
    return List.of(
        "" + (p + 1),
        Format.number(probe.modulation()),
        Format.number(probe.axis()),
        Format.number(probe.cycles()),
        Format.number(Math.toDegrees(probe.phase())),
        "" + probes.testedWith(p).length);
  }

  private static Summary summary(
      RunContext context,
      UnitTable<Unit> units,
      TuningTable table,
      List<OrientationCurve> shown,
      @Nullable TuningCurve top,
      Preferences probes,
      double[][] evoked) {
    int n = table.rows().size();
    double[] frequencies = table.frequencies();
    double[] mean = new double[table.orientations().length];
    double[] perFrequency = new double[frequencies.length];
    for (TuningTable.Row row : table.rows()) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] += row.curve()[i] / n;
      }
      for (int f = 0; f < frequencies.length; f++) {
        perFrequency[f] += row.frequencyResponses()[f] / n;
      }
    }
    Map<String, Double> map = new LinkedHashMap<>();
    int best = 0;
    for (int f = 0; f < frequencies.length; f++) {
      map.put(String.format(Locale.ROOT, "%.4g", frequencies[f]), perFrequency[f]);
      best = perFrequency[f] > perFrequency[best] ? f : best;
    }
    double[] sparseness =
        Arrays.stream(evoked)
            .mapToDouble(
                r ->
                    r.length < 2
                        ? Double.NaN
                        : Population.sparseness(
                            Arrays.stream(r).map(v -> Math.max(v, 0)).toArray()))
            .toArray();
    double[] width = units.values(Unit::acceptedWidthDeg);
    return new Summary(
        "direction of modulation, degrees; 0 is vertical stripes",
        table.orientations(),
        mean,
        frequencies,
        map,
        frequencies[best],
        n,
        shown.size(),
        n == 0 ? Double.NaN : (double) shown.size() / n,
        shown.isEmpty()
            ? Double.NaN
            : shown.stream().filter(c -> c.measures().circularVariance() < 0.7).count()
                / (double) shown.size(),
        units.mean(Unit::circularVariance),
        Samples.quartiles(units.values(Unit::circularVariance)),
        Series.mean(width, context.seed()),
        Samples.quartiles(width),
        (int) shown.stream().filter(OrientationCurve::simple).count(),
        Samples.quartiles(units.values(Unit::f1F0)),
        Samples.quartiles(units.values(Unit::eiBalance)),
        top == null
            ? null
            : new Example(
                shown.getFirst().row().unit(),
                top.preferred(),
                top.halfWidth(),
                top.rSquared(),
                shown.getFirst().measures().modulationIndex()),
        probes,
        Samples.median(sparseness));
  }
}
