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
import org.gammanet.experiments.analysis.PhaseModulation;
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
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.Recording;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** Orientation tuning of each unit at its own best spatial frequency. */
public final class OrientationExperiment implements Experiment<Preferences.Probe> {
  private static final double[] WAVELENGTHS = {12.8, 6.4};
  private static final double[] ALL_WAVELENGTHS = {25.6, 256 / 15.0, 12.8, 256 / 30.0, 6.4, 5.12};
  private static final int PHASES = 4;
  private static final int SHOWN = 12;

  /** Evoked response, as a fraction of the unit's range, that makes a unit responsive. */
  private static final double LEAST_EVOKED = 0.1;

  /** R² that a fit must reach for its width to enter a summary. */
  private static final double LEAST_FIT = 0.75;

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
      double eiBalance) {}

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
  private record Curve(
      double[] responses,
      boolean simple,
      double evoked,
      OrientationMeasures measures,
      TuningTable.Row row) {
    static Curve of(Recording<Preferences.Probe>.At at, TuningTable table, TuningTable.Row row) {
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
      return new Curve(
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
  }

  /** Whether a fit describes its curve, with a width that is not at a bound of the fit. */
  private static boolean accepted(TuningCurve fit) {
    return fit.rSquared() >= LEAST_FIT && fit.kappa() > 0.051 && fit.kappa() < 99;
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
            .spatialFrequencies(Arrays.stream(wavelengths).map(w -> size / w).toArray())
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
    List<Curve> curves = new ArrayList<>();
    for (State state : context.states()) {
      for (int step = 0; step < context.timesteps(); step++) {
        Recording<Preferences.Probe>.At at = recording.at(state, step);
        TuningTable table = tuning.compute(at.responses(), set);
        main = at.isMain() ? table : main;
        for (TuningTable.Row row : table.rows()) {
          Curve curve = Curve.of(at, table, row);
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
      Curve curve) {
    TuningTable.Row row = curve.row;
    boolean responsive = curve.responsive();
    OrientationMeasures m = responsive ? curve.measures : NONE;
    TuningCurve fit = at.isLast() && responsive ? curve.fit(tuning, table) : null;
    int best = largest(at.responses(), row.unit());
    double[] trace = recording.responses().trace(context.layer(), at.state(), best, row.unit());
    Dynamics dynamics = at.isLast() ? Dynamics.of(trace) : null;
    double degrees = context.size() / context.settings().pixelsPerDegree();
    return new Unit(
        responsive,
        curve.simple,
        curve.evoked,
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
        fit != null && accepted(fit),
        dynamics == null ? Double.NaN : dynamics.peakStep(),
        dynamics == null ? Double.NaN : dynamics.halfRiseStep(),
        dynamics == null ? Double.NaN : dynamics.transience(),
        responsive
            ? Population.sparseness(
                Arrays.stream(curve.responses).map(r -> Math.max(r, 0)).toArray())
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
      List<Curve> curves,
      OrientationTuning tuning) {
    State state = context.mainState();
    int last = context.lastStep();
    long seed = context.seed();
    List<Preferences.Probe> gratings = recording.design().conditions();
    double[][] evoked = gratings.stream().map(recording.last()::evoked).toArray(double[][]::new);
    double[] variance = units.values(Unit::circularVariance);
    double[] preferred = units.values(Unit::preferredDeg);
    double[] width = units.values(m -> m.fitAccepted ? m.fitHalfWidthDeg : Double.NaN);
    Preferences probes =
        Preferences.choose(evoked, gratings, preferred, context.settings().probes());
    List<Curve> shown =
        curves.stream()
            .filter(Curve::responsive)
            .sorted(Comparator.comparingDouble(c -> -c.measures.globalOsi()))
            .toList();
    TuningCurve top = shown.isEmpty() ? null : shown.getFirst().fit(tuning, table);
    Summary summary = summary(context, units, table, shown, top, probes, evoked);
    List<Series> selectivity = units.dynamics(Unit::globalOsi);
    Series aligned = aligned(context, table, shown);
    Axis modulation =
        Axis.linear("Orientation of the modulation (deg)")
            .range(-10, 190)
            .ticks(0, 45, 90, 135, 180);
    Panel example = Panel.at(0, 0, "unit").axes(modulation, Axis.linear("Response (a.u.)"));
    if (top != null) {
      Curve curve = shown.getFirst();
      example
          .title("%s %s, channel %d".formatted(context.layer(), state.word(), curve.row.unit()))
          .add(series(table, curve, top, state))
          .marker(top.preferred())
          .note(
              "preferred %.1f°\nhalf width %.1f°\nR^{2} = %.2f"
                  .formatted(top.preferred(), top.halfWidth(), top.rSquared()));
    }
    List<Panel> single = new ArrayList<>();
    for (int i = 0; i < Math.min(SHOWN, shown.size()); i++) {
      Curve curve = shown.get(i * shown.size() / Math.min(SHOWN, shown.size()));
      TuningCurve fit = curve.fit(tuning, table);
      String channel = "channel " + curve.row.unit();
      single.add(
          Panel.at(i / 4, i % 4, channel)
              .title(channel)
              .axes(
                  Axis.linear(i / 4 == 2 ? "Orientation (deg)" : "")
                      .range(0, 180)
                      .ticks(0, 90, 180),
                  Axis.linear(i % 4 == 0 ? "Response" : ""))
              .legend(org.gammanet.figures.Plot.Legend.NONE)
              .add(series(table, curve, fit, state)));
    }
    double[] finite = Series.finite(variance);
    Findings findings =
        Findings.of(summary, units)
            .figure(
                FigureSpec.of(
                    "orientation_tuning",
                    12,
                    5,
                    "A: the most selective responsive unit at its best spatial frequency, the"
                        + " fitted von Mises function, and, of responses averaged over phases, the"
                        + " response to a blank. Dashed: preferred orientation. B: all responsive"
                        + " units' responses, relative to their preferred orientation, less the"
                        + " blank (F0) and divided by their largest; mean and bootstrap interval of"
                        + " 95 %.",
                    example,
                    Panel.at(0, 1, "population")
                        .title("Population", aligned.n())
                        .axes(
                            Axis.linear("Orientation − preferred (deg)").ticks(-90, -45, 0, 45, 90),
                            Axis.linear("Evoked response (fraction of largest)"))
                        .add(aligned)))
            .figure(
                FigureSpec.of(
                    "orientation_population",
                    11,
                    8,
                    "Population of %d responsive units of %d. A: circular variance, dashed at 0.7. B: preferred orientations. C: half width of the fit against circular variance; a sinusoid has 45°. D: selectivity after each timestep, mean over units with its bootstrap interval of 95 %%."
                        .formatted(finite.length, summary.nUnits),
                    Panel.at(0, 0, "selectivity")
                        .title("Selectivity", finite.length)
                        .axes(Axis.linear("Circular variance").range(0, 1), Axis.linear("Units"))
                        .marker(0.7)
                        .add(Series.histogram("units", variance, Samples.fill(21, i -> i / 20.0))),
                    Panel.at(0, 1, "preferred")
                        .title("Preferred orientation", Series.finite(preferred).length)
                        .axes(
                            Axis.linear("Preferred orientation (deg)")
                                .range(0, 180)
                                .ticks(0, 45, 90, 135, 180),
                            Axis.linear("Units"))
                        .add(Series.histogram("units", preferred, Samples.fill(13, i -> i * 15.0))),
                    Panel.at(1, 0, "width")
                        .title("Width and selectivity")
                        .axes(
                            Axis.linear("Circular variance").range(0, 1),
                            Axis.linear("Half width at half height (deg)"))
                        .add(
                            Series.points(
                                "units",
                                variance,
                                width,
                                finite.length,
                                Series.style(state.word()).label(""))),
                    Panel.at(1, 1, "dynamics")
                        .title("Selectivity over time")
                        .axes(Charts.steps(context), Axis.linear("Global selectivity (1 − CV)"))
                        .add(selectivity)))
            .value("Responsive units", "%d of %d".formatted(summary.nResponsive, summary.nUnits))
            .value(
                "Circular variance below 0.7",
                "%s of %d units"
                    .formatted(Format.percent(summary.fractionSelective), summary.nResponsive))
            .value(
                "Simple cells (F1 > F0)",
                "%d of %d".formatted(summary.nSimple, summary.nResponsive))
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
                        Axis.linear("Response (fraction of largest)"))
                    .add(aligned))
            .overviewDynamics("global selectivity", selectivity.getFirst())
            .overviewValue("responsive units", Format.percent(summary.fractionResponsive))
            .overviewValue(
                "half width, median", Format.number(summary.halfWidthDegQuartiles[1], "°"))
            .overviewValue(
                "circular variance", Format.number(summary.circularVarianceQuartiles[1]));
    return single.isEmpty()
        ? findings
        : findings.figure(
            FigureSpec.of(
                    "orientation_units",
                    11,
                    7,
                    "Tuning of single units, from the most to the least selective, with von Mises"
                        + " fits; gray: the response to a blank.",
                    single.toArray(Panel[]::new))
                .unlettered());
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

  /** A unit's responses, the fit, and for F0 the response to a blank. */
  private static List<Series> series(TuningTable table, Curve curve, TuningCurve fit, State state) {
    double[] fine = Samples.fill(181, i -> i);
    double blank = curve.row.blank();
    List<Series> out = new ArrayList<>();
    if (!curve.simple) {
      out.add(
          Series.line(
              "blank",
              new double[] {0, 180},
              new double[] {blank, blank},
              Style.GUIDE.label("blank")));
    }
    out.add(
        Series.line(
            "fit",
            fine,
            Arrays.stream(fine).map(fit::at).toArray(),
            Style.BLACK.label("von Mises fit")));
    out.add(
        Series.points(
            "data",
            table.orientations(),
            curve.responses,
            1,
            Series.style(state.word())
                .label(curve.simple ? "modulation by phase, F1" : "mean over phases, F0")));
    return out;
  }

  /** Responses at offsets from the preferred orientation, divided by each unit's largest. */
  private static Series aligned(RunContext context, TuningTable table, List<Curve> responsive) {
    double[] orientations = table.orientations();
    int k = orientations.length;
    List<double[]> aligned = new ArrayList<>();
    for (Curve curve : responsive) {
      int peak = Arrays.binarySearch(orientations, curve.measures.preferredMaximum());
      double[] r = curve.normalized();
      aligned.add(Samples.fill(k + 1, i -> r[Math.floorMod(peak + i - k / 2, k)]));
    }
    return Series.mean(
        context.mainState().word(),
        Samples.fill(k + 1, i -> -90 + 180.0 * i / k),
        Samples.columns(aligned, k + 1),
        context.seed());
  }

  private static Summary summary(
      RunContext context,
      UnitTable<Unit> units,
      TuningTable table,
      List<Curve> shown,
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
    State state = context.mainState();
    int last = context.lastStep();
    double[] width = units.values(m -> m.fitAccepted ? m.fitHalfWidthDeg : Double.NaN);
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
            : shown.stream().filter(c -> c.measures.circularVariance() < 0.7).count()
                / (double) shown.size(),
        units.mean(Unit::circularVariance),
        Samples.quartiles(units.values(Unit::circularVariance)),
        Series.mean(width, context.seed()),
        Samples.quartiles(width),
        (int) shown.stream().filter(c -> c.simple).count(),
        Samples.quartiles(units.values(Unit::f1F0)),
        Samples.quartiles(units.values(Unit::eiBalance)),
        top == null
            ? null
            : new Example(
                shown.getFirst().row.unit(),
                top.preferred(),
                top.halfWidth(),
                top.rSquared(),
                shown.getFirst().measures.modulationIndex()),
        probes,
        Samples.median(sparseness));
  }
}
