package org.gammanet.figures;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The precision/recall picture of a boundary benchmark (Martin, Fowlkes and Malik 2004): curves
 * with their best points, lines of equal F-measure, the agreement of people.
 */
public final class PrecisionRecall {
  /**
   * One detector.
   *
   * @param name entry in the legend
   * @param recall, precision the curve, one value per threshold; NaN leaves a threshold out
   * @param bestRecall, bestPrecision the point of the best F-measure, NaN for none
   */
  public record Curve(
      String name, double[] recall, double[] precision, double bestRecall, double bestPrecision) {}

  private final List<Curve> curves = new ArrayList<>();
  private final List<Curve> references = new ArrayList<>();

  private record Level(String name, double f) {}

  private final List<Level> levels = new ArrayList<>();
  private String title = "";

  /** Title of the figure. */
  public PrecisionRecall title(String text) {
    title = text;
    return this;
  }

  /** Adds a detector. */
  public PrecisionRecall curve(Curve curve) {
    curves.add(curve);
    return this;
  }

  /** Adds a single point, such as the agreement of people with one another. */
  public PrecisionRecall point(String name, double recall, double precision) {
    references.add(new Curve(name, new double[0], new double[0], recall, precision));
    return this;
  }

  /** Adds a detector of which only the F-measure is known, as a line of equal F. */
  public PrecisionRecall level(String name, double f) {
    levels.add(new Level(name, f));
    return this;
  }

  /** F-measure of a point, 0 where precision and recall are both 0. */
  public static double fMeasure(double recall, double precision) {
    return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
  }

  /** The figure, 6 × 6 inches. */
  public Figure figure() {
    var figure = new Figure(6, 6);
    Plot plot =
        figure
            .panel(0, 0)
            .title(title)
            .equalAspect()
            .legend(Plot.Legend.BOTTOM_LEFT)
            .x(Axis.linear("Recall").range(0, 1).ticks(0, 0.2, 0.4, 0.6, 0.8, 1))
            .y(Axis.linear("Precision").range(0, 1).ticks(0, 0.2, 0.4, 0.6, 0.8, 1));
    for (int tenths = 1; tenths < 10; tenths++) {
      double f = tenths / 10.0;
      Style line = Style.GUIDE.rgb(0x8FBF8F).width(0.7);
      equalF(plot, f, tenths == 1 ? line.label("equal F") : line);
      plot.text(1, f / (2 - f), 4, 3, "0." + tenths, 0);
    }
    int index = 0;
    for (Curve c : curves) {
      Style style = Style.series(index++);
      double f = fMeasure(c.bestRecall, c.bestPrecision);
      String name = Double.isNaN(f) ? c.name : c.name + " (F = " + Ticks.fixed(f, 3) + ")";
      plot.line(c.recall, c.precision, style.plain().width(2));
      plot.points(new double[] {c.bestRecall}, new double[] {c.bestPrecision}, style.filled(true));
      plot.line(new double[0], new double[0], style.width(2).filled(true).label(name));
    }
    for (Curve c : references) {
      double f = fMeasure(c.bestRecall, c.bestPrecision);
      plot.points(
          new double[] {c.bestRecall},
          new double[] {c.bestPrecision},
          Style.BLACK
              .marker(Style.Marker.DIAMOND, 7)
              .filled(index++ % 2 == 0)
              .label(c.name + " (F = " + Ticks.fixed(f, 3) + ")"));
    }
    Style.Dash[] dashes = {Style.Dash.DASHED, Style.Dash.DOTTED, Style.Dash.DASH_DOT};
    for (int i = 0; i < levels.size(); i++) {
      Level level = levels.get(i);
      equalF(
          plot,
          level.f,
          Style.GUIDE
              .width(1)
              .dash(dashes[i % dashes.length])
              .label(level.name + " (F = " + Ticks.fixed(level.f, 3) + ")"));
    }
    if (curves.stream().allMatch(c -> Arrays.stream(c.recall).noneMatch(Double::isFinite))
        && !curves.isEmpty()) {
      plot.note(Plot.Corner.TOP_LEFT, "no boundary was found: n/a");
    }
    return figure;
  }

  /** Recall from F / (2 - F), where precision is 1, to 1; dense where the line turns. */
  private static void equalF(Plot plot, double f, Style style) {
    double first = f / (2 - f);
    double[] recall = new double[101];
    double[] precision = new double[recall.length];
    for (int i = 0; i < recall.length; i++) {
      recall[i] = f / 2 + (first - f / 2) * Math.pow((1 - f / 2) / (first - f / 2), i / 100.0);
      precision[i] = f * recall[i] / (2 * recall[i] - f);
    }
    plot.line(recall, precision, style);
  }
}
