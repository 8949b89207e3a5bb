package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Findings;
import org.gammanet.experiments.study.Format;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/**
 * The figures and the report of {@link OrientationExperiment}.
 *
 * @param curves of the main population after the last timestep
 * @param shown the responsive units, from the most to the least selective
 */
record OrientationFigures(
    RunContext context,
    List<OrientationCurve> curves,
    int[] shown,
    UnitTable<OrientationUnit> units) {
  private static final int SINGLE = 12;

  private String word() {
    return context.mainState().word();
  }

  Findings findings(OrientationExperiment.Summary summary) {
    Series aligned = aligned();
    Findings findings =
        Findings.of(summary, units)
            .figure(tuning(aligned))
            .figure(population())
            .overview(
                Panel.at(0, 0, "orientation")
                    .title("Orientation, aligned", shown.length)
                    .axes(
                        Axis.linear("Orientation − preferred (deg)").ticks(-90, -45, 0, 45, 90),
                        "Response (fraction of largest)")
                    .horizontal(0)
                    .add(aligned))
            .overviewDynamics(
                "global selectivity", units.dynamics(OrientationUnit::globalOsi).getFirst());
    if (shown.length > 0) {
      findings.figure(single());
    }
    return findings
        .value("Responsive units", "%s of %s".formatted(summary.nResponsive(), summary.nUnits()))
        .value(
            "Circular variance below 0.7",
            "%s of %s units"
                .formatted(Format.percent(summary.fractionSelective()), summary.nResponsive()))
        .value(
            "Simple cells (F1 > F0)",
            "%s of %s".formatted(summary.nSimple(), summary.nResponsive()))
        .value("Circular variance, quartiles", Format.numbers(summary.circularVarianceQuartiles()))
        .value(
            "Half width of the fit (deg), quartiles",
            Format.numbers(summary.halfWidthDegQuartiles()))
        .value("F1/F0, quartiles", Format.numbers(summary.f1F0Quartiles()))
        .value(
            "Balance (E − I)/(|E| + |I|), quartiles", Format.numbers(summary.eiBalanceQuartiles()))
        .value("Population sparseness, median", summary.populationSparseness())
        .value(
            "Best spatial frequency of the population",
            Format.number(summary.optimalSpatialFrequency(), " cycles per image"))
        .table(
            "Probe gratings for the other experiments. A unit is tested with the one that drives it"
                + " best, in phases between those here; units to which no probe evokes half of"
                + " their largest response are excluded. Median fraction of the largest response: "
                + Format.number(Samples.median(summary.probes().drive()))
                + ".",
            List.of("Probe", "Modulation (deg)", "Axis (deg)", "Cycles per image", "Units tested"),
            IntStream.range(0, summary.probes().probes().size())
                .mapToObj(p -> row(summary.probes(), p))
                .toList())
        .overviewValue("responsive units", Format.percent(summary.fractionResponsive()))
        .overviewValue("half width, median", Format.number(summary.halfWidthDegQuartiles()[1], "°"))
        .overviewValue("circular variance", Format.number(summary.circularVarianceQuartiles()[1]));
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

  /** The most selective unit, and all responsive units aligned. */
  private FigureSpec tuning(Series aligned) {
    Axis modulation =
        Axis.linear("Orientation of the modulation (deg)")
            .range(-10, 190)
            .ticks(0, 45, 90, 135, 180);
    Panel example = Panel.at(0, 0, "unit").axes(modulation, "Response (a.u.)");
    if (shown.length > 0) {
      OrientationCurve curve = curves.get(shown[0]);
      TuningCurve top = curve.fit();
      example
          .title(
              "%s %s, channel %s%s"
                  .formatted(
                      context.layer(),
                      word(),
                      shown[0],
                      curve.accepts(top)
                          ? String.format(
                              Locale.ROOT,
                              ": R^{2} = %.2f, half width %.1f°",
                              top.rSquared(),
                              top.halfWidth())
                          : ""))
          .add(series(curve, top))
          .marker(curve.measures().preferredVector());
    }
    return FigureSpec.of(
        "orientation_tuning",
        12,
        5,
        """
        A: the most selective responsive unit at its best spatial frequency, the fitted von Mises \
        function where the fit is accepted, and, of responses averaged over phases, the response \
        to a blank. Dashed: preferred orientation. B: all responsive units' responses, relative to \
        their preferred orientation, less the blank (F0) and divided by their largest; mean and \
        bootstrap interval of 95 %.\
        """,
        example,
        Panel.at(0, 1, "population")
            .title("Population", shown.length)
            .axes(
                Axis.linear("Orientation − preferred (deg)").ticks(-90, -45, 0, 45, 90),
                "Evoked response (fraction of largest)")
            .horizontal(0)
            .add(aligned));
  }

  private FigureSpec population() {
    double[] variance = units.values(OrientationUnit::circularVariance);
    double[] preferred = units.values(OrientationUnit::preferredDeg);
    double[] width = units.values(OrientationUnit::acceptedWidthDeg);
    int n = Series.finite(variance).length;
    return FigureSpec.of(
        "orientation_population",
        11,
        8,
        """
        Population of %s responsive units of %s. A: circular variance, dashed at 0.7. B: preferred \
        orientations. C: half width of accepted fits against circular variance; a sinusoid has \
        45°. D: selectivity after each timestep, mean over units with its bootstrap interval of 95 \
        %%.\
        """
            .formatted(n, curves.size()),
        Panel.at(0, 0, "selectivity")
            .title("Selectivity", n)
            .axes(Axis.linear("Circular variance").range(0, 1), "Units")
            .marker(0.7)
            .add(Series.histogram("units", variance, Samples.fill(21, i -> i / 20.0))),
        Panel.at(0, 1, "preferred")
            .title("Preferred orientation", Series.finite(preferred).length)
            .axes(
                Axis.linear("Preferred orientation (deg)").range(0, 180).ticks(0, 45, 90, 135, 180),
                "Units")
            .add(Series.histogram("units", preferred, Samples.fill(13, i -> i * 15.0))),
        Panel.at(1, 0, "width")
            .title("Width and selectivity", Series.finite(width).length)
            .axes(Axis.linear("Circular variance").range(0, 1), "Half width at half height (deg)")
            .add(Series.points("units", variance, width, n, Series.style(word()).label(""))),
        Panel.at(1, 1, "dynamics")
            .title("Selectivity over time")
            .axes(Charts.steps(context), "Global selectivity (1 − CV)")
            .add(units.dynamics(OrientationUnit::globalOsi)));
  }

  /** Tuning of single units. */
  private FigureSpec single() {
    int n = Math.min(SINGLE, shown.length);
    List<Panel> panels = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      int unit = shown[i * shown.length / n];
      String channel = "channel " + unit;
      panels.add(
          Panel.at(i / 4, i % 4, channel)
              .title(channel)
              .axes(
                  Axis.linear(i + 4 >= n ? "Orientation (deg)" : "")
                      .range(0, 180)
                      .ticks(0, 90, 180),
                  Axis.linear(i % 4 == 0 ? "Response" : ""))
              .legend(Plot.Legend.NONE)
              .add(series(curves.get(unit), curves.get(unit).fit())));
    }
    return new FigureSpec(
        "orientation_units",
        11,
        7,
        """
        Tuning of single units, from the most to the least selective, with accepted von Mises \
        fits; gray: the response to a blank.\
        """,
        false,
        panels);
  }

  /** A unit's responses, the fit, and for F0 the response to a blank. */
  private List<Series> series(OrientationCurve curve, TuningCurve fit) {
    double[] fine = Samples.fill(181, i -> i);
    double blank = curve.blank();
    List<Series> out = new ArrayList<>();
    if (!curve.simple()) {
      out.add(
          Series.line(
              "blank",
              new double[] {0, 180},
              new double[] {blank, blank},
              Style.GUIDE.label("blank")));
    }
    if (curve.accepts(fit)) {
      out.add(
          Series.line(
              "fit",
              fine,
              Arrays.stream(fine).map(fit::at).toArray(),
              Style.BLACK.label("von Mises fit")));
    }
    out.add(
        Series.points(
            "data",
            curve.orientations(),
            curve.responses(),
            1,
            Series.style(word())
                .label(curve.simple() ? "modulation by phase, F1" : "mean over phases, F0")));
    return out;
  }

  /** Responses at offsets from the preferred orientation, divided by each unit's largest. */
  private Series aligned() {
    int k = curves.isEmpty() ? 0 : curves.getFirst().orientations().length;
    List<double[]> aligned = new ArrayList<>();
    for (int unit : shown) {
      OrientationCurve curve = curves.get(unit);
      double[] r = curve.normalized();
      aligned.add(Samples.fill(k + 1, i -> r[Math.floorMod(curve.preferred() + i - k / 2, k)]));
    }
    return Series.mean(
        word(),
        Samples.fill(k + 1, i -> -90 + 180.0 * i / k),
        Samples.columns(aligned, k + 1),
        context.seed());
  }
}
