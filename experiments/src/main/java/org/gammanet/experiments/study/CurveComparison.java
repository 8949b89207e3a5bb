package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.ReferenceCurve;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/**
 * A curve of the model against a recording, at the recording's own conditions and in its units.
 * Neither is scaled and nothing is interpolated. There is no p: units of a network share what its
 * circuit does to all of them, so that a test over units finds too many resemblances. Control
 * networks tell whether training matters.
 *
 * @param reference name of the recording
 * @param x conditions
 * @param recorded values of the recording
 * @param standardErrors of the recording
 * @param model mean of the model's units
 * @param low lower ends of its bootstrap intervals of 95 %
 * @param high upper ends
 * @param units size of the largest sample at a condition
 * @param conditions number of conditions at which both have a value
 * @param rmse root mean square difference, in the units of the recording
 * @param slope of the regression of the model on the recording; 1 for equal effects
 * @param chiSquaredPerCondition mean of the squared differences over those expected from the
 *     standard errors of both; NaN where the recording has none
 * @param correlation Pearson's, with a bootstrap interval of 95 % over units
 * @param noiseCeiling largest correlation that the recording's standard errors allow; NaN without
 *     them
 */
record CurveComparison(
    String reference,
    double[] x,
    double[] recorded,
    double @Nullable [] standardErrors,
    double[] model,
    double[] low,
    double[] high,
    int units,
    int conditions,
    double rmse,
    double slope,
    double chiSquaredPerCondition,
    Statistics.Interval correlation,
    double noiseCeiling) {
  private static final int RESAMPLES = 2000;

  /**
   * Compares.
   *
   * @param sample the model's units at each x of the recording; NaN where a unit has no value
   */
  static CurveComparison of(ReferenceCurve curve, double[][] sample, long seed) {
    Series mean = Series.mean("model", curve.x(), sample, seed);
    double[] y = curve.y();
    double[] errors = curve.standardErrors();
    int[] common = IntStream.range(0, y.length).filter(i -> Double.isFinite(mean.y()[i])).toArray();
    double[] model = pick(mean.y(), common);
    double[] recorded = pick(y, common);
    int n = common.length;
    double square = 0;
    double chi = 0;
    for (int i : common) {
      double d = mean.y()[i] - y[i];
      square += d * d / n;
      double[] here = Series.finite(sample[i]);
      double se = Math.sqrt(variance(here) / here.length);
      chi += errors == null ? Double.NaN : d * d / (errors[i] * errors[i] + se * se) / n;
    }
    double spread = variance(recorded);
    double noise =
        errors == null
            ? Double.NaN
            : Arrays.stream(pick(errors, common)).map(e -> e * e).average().orElse(Double.NaN);
    return new CurveComparison(
        curve.name(),
        curve.x(),
        y,
        errors,
        mean.y(),
        Objects.requireNonNull(mean.low()),
        Objects.requireNonNull(mean.high()),
        mean.n(),
        n,
        n == 0 ? Double.NaN : Math.sqrt(square),
        n < 2 ? Double.NaN : covariance(model, recorded) / spread,
        n == 0 ? Double.NaN : chi,
        correlation(sample, recorded, common, seed),
        Math.sqrt(Math.max(0, 1 - noise / spread)));
  }

  private static double[] pick(double[] values, int[] at) {
    return Arrays.stream(at).mapToDouble(i -> values[i]).toArray();
  }

  private static double variance(double[] a) {
    return covariance(a, a);
  }

  private static double covariance(double[] a, double[] b) {
    double ma = Arrays.stream(a).average().orElse(Double.NaN);
    double mb = Arrays.stream(b).average().orElse(Double.NaN);
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - ma) * (b[i] - mb);
    }
    return sum / (a.length - 1);
  }

  private static Statistics.Interval correlation(
      double[][] sample, double[] recorded, int[] common, long seed) {
    int units = sample.length == 0 ? 0 : sample[0].length;
    if (common.length < 3 || units == 0) {
      return new Statistics.Interval(Double.NaN, Double.NaN, Double.NaN, units);
    }
    return units < 2
        ? new Statistics.Interval(
            correlation(sample, recorded, common, new int[] {0}), Double.NaN, Double.NaN, units)
        : Statistics.bootstrap(
            units, drawn -> correlation(sample, recorded, common, drawn), 0.95, RESAMPLES, seed);
  }

  private static double correlation(
      double[][] sample, double[] recorded, int[] common, int[] units) {
    double[] mean =
        Arrays.stream(common)
            .mapToDouble(
                i ->
                    Arrays.stream(Series.finite(pick(sample[i], units)))
                        .average()
                        .orElse(Double.NaN))
            .toArray();
    return Arrays.stream(mean).allMatch(Double::isFinite)
        ? Statistics.pearson(mean, recorded)
        : Double.NaN;
  }

  /** Stores the comparison in a result, and shows it in its figures and in the report. */
  void addTo(ObjectNode result, Experiment.ModelCurve<?> curve) {
    result.set("comparison", Json.object(this));
    result.set("comparison_correlation", Json.object(correlation)); // beside those of controls
    double[] errors = standardErrors;
    double[] zeros = new double[x.length];
    double[] spread = errors == null ? zeros : errors;
    Series measured =
        new Series(
            "measured: " + reference,
            x,
            recorded,
            add(recorded, spread, -1),
            add(recorded, spread, 1),
            0,
            Series.Look.MEASURED,
            Style.BLACK.marker(Style.Marker.DIAMOND, 6).label("measured: " + reference));
    ObjectNode figures = (ObjectNode) result.path("figures");
    if (!figures.has(curve.figure())) {
      return; // the experiment could not be measured
    }
    FigureSpec figure = Json.read(figures.path(curve.figure()), FigureSpec.class);
    Panel panel = figure.panel(curve.panel());
    panel.series().removeIf(s -> s.look() == Series.Look.MEASURED);
    panel.add(measured);
    figures.set(figure.name(), Json.object(figure));
    Series points =
        new Series(
            "conditions", recorded, model, low, high, units, Series.Look.POINTS, Style.series(0));
    String name = curve.figure() + "_comparison";
    figures.set(
        name,
        Json.object(
            FigureSpec.of(
                name,
                6,
                6,
                "The model's mean over units, with bootstrap intervals of 95 %, against the"
                    + " recording at the same conditions, in the recording's units. Line:"
                    + " equality.",
                Panel.at(0, 0, "conditions")
                    .axes(Axis.linear("Measured"), Axis.linear("Model"))
                    .unity()
                    .equalAspect()
                    .note("%s conditions, %s units".formatted(conditions, units))
                    .add(points))));
    ObjectNode values = result.withObject("/report/values");
    values.put(
        "Against " + reference,
        "%s conditions (%s): root mean square difference %s, slope %s, χ²/n %s"
            .formatted(
                conditions,
                curve.axes(),
                Format.number(rmse),
                Format.number(slope),
                Format.number(chiSquaredPerCondition)));
    values.put(
        "Correlation with " + reference + " [95 % over units]",
        "%s, noise ceiling %s; compare with control networks"
            .formatted(Format.interval(correlation), Format.number(noiseCeiling)));
  }

  private static double[] add(double[] a, double[] b, int sign) {
    return IntStream.range(0, a.length).mapToDouble(i -> a[i] + sign * b[i]).toArray();
  }
}
