package org.gammanet.experiments.protocols;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.TuningCurve;
import org.gammanet.experiments.analysis.TuningTable;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.FigureSpec;
import org.gammanet.experiments.study.Panel;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Series;
import org.gammanet.experiments.study.UnitTable;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/** The figures of {@link OrientationExperiment}. */
final class OrientationFigures {
  private static final int SHOWN = 12;

  private final RunContext context;
  private final TuningTable table;
  private final OrientationTuning tuning;

  /** The responsive units, from the most to the least selective. */
  private final List<OrientationCurve> shown;

  private final State state;

  OrientationFigures(
      RunContext context,
      TuningTable table,
      OrientationTuning tuning,
      List<OrientationCurve> shown) {
    this.context = context;
    this.table = table;
    this.tuning = tuning;
    this.shown = shown;
    state = context.mainState();
  }

  /** The most selective unit, and all responsive units aligned. */
  FigureSpec tuning(Series aligned) {
    Axis modulation =
        Axis.linear("Orientation of the modulation (deg)")
            .range(-10, 190)
            .ticks(0, 45, 90, 135, 180);
    Panel example = Panel.at(0, 0, "unit").axes(modulation, "Response (a.u.)");
    if (!shown.isEmpty()) {
      OrientationCurve curve = shown.getFirst();
      TuningCurve top = curve.fit(tuning, table);
      example
          .title("%s %s, channel %s".formatted(context.layer(), state.word(), curve.row().unit()))
          .add(series(curve, top))
          .marker(top.preferred())
          .note(
              String.format(
                  Locale.ROOT,
                  "preferred %.1f°\nhalf width %.1f°\nR^{2} = %.2f",
                  top.preferred(),
                  top.halfWidth(),
                  top.rSquared()));
    }
    return FigureSpec.of(
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
                "Evoked response (fraction of largest)")
            .add(aligned));
  }

  FigureSpec population(UnitTable<OrientationExperiment.Unit> units) {
    double[] variance = units.values(OrientationExperiment.Unit::circularVariance);
    double[] preferred = units.values(OrientationExperiment.Unit::preferredDeg);
    double[] width = units.values(OrientationExperiment.Unit::acceptedWidthDeg);
    double[] finite = Series.finite(variance);
    return FigureSpec.of(
        "orientation_population",
        11,
        8,
        "Population of %s responsive units of %s. A: circular variance, dashed at 0.7. B: preferred orientations. C: half width of the fit against circular variance; a sinusoid has 45°. D: selectivity after each timestep, mean over units with its bootstrap interval of 95 %%."
            .formatted(finite.length, table.rows().size()),
        Panel.at(0, 0, "selectivity")
            .title("Selectivity", finite.length)
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
            .title("Width and selectivity")
            .axes(Axis.linear("Circular variance").range(0, 1), "Half width at half height (deg)")
            .add(
                Series.points(
                    "units", variance, width, finite.length, Series.style(state.word()).label(""))),
        Panel.at(1, 1, "dynamics")
            .title("Selectivity over time")
            .axes(Charts.steps(context), "Global selectivity (1 − CV)")
            .add(units.dynamics(OrientationExperiment.Unit::globalOsi)));
  }

  /** Tuning of single units; without panels where none responds. */
  FigureSpec units() {
    List<Panel> single = new ArrayList<>();
    for (int i = 0; i < Math.min(SHOWN, shown.size()); i++) {
      OrientationCurve curve = shown.get(i * shown.size() / Math.min(SHOWN, shown.size()));
      TuningCurve fit = curve.fit(tuning, table);
      String channel = "channel " + curve.row().unit();
      single.add(
          Panel.at(i / 4, i % 4, channel)
              .title(channel)
              .axes(
                  Axis.linear(i / 4 == 2 ? "Orientation (deg)" : "")
                      .range(0, 180)
                      .ticks(0, 90, 180),
                  Axis.linear(i % 4 == 0 ? "Response" : ""))
              .legend(Plot.Legend.NONE)
              .add(series(curve, fit)));
    }
    return FigureSpec.of(
            "orientation_units",
            11,
            7,
            "Tuning of single units, from the most to the least selective, with von Mises"
                + " fits; gray: the response to a blank.",
            single.toArray(Panel[]::new))
        .unlettered();
  }

  /** A unit's responses, the fit, and for F0 the response to a blank. */
  private List<Series> series(OrientationCurve curve, TuningCurve fit) {
    double[] fine = Samples.fill(181, i -> i);
    double blank = curve.row().blank();
    List<Series> out = new ArrayList<>();
    if (!curve.simple()) {
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
            curve.responses(),
            1,
            Series.style(state.word())
                .label(curve.simple() ? "modulation by phase, F1" : "mean over phases, F0")));
    return out;
  }

  /** Responses at offsets from the preferred orientation, divided by each unit's largest. */
  Series aligned() {
    double[] orientations = table.orientations();
    int k = orientations.length;
    List<double[]> aligned = new ArrayList<>();
    for (OrientationCurve curve : shown) {
      int peak = Arrays.binarySearch(orientations, curve.measures().preferredMaximum());
      double[] r = curve.normalized();
      aligned.add(Samples.fill(k + 1, i -> r[Math.floorMod(peak + i - k / 2, k)]));
    }
    return Series.mean(
        state.word(),
        Samples.fill(k + 1, i -> -90 + 180.0 * i / k),
        Samples.columns(aligned, k + 1),
        context.seed());
  }
}
