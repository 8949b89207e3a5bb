package org.gammanet.figures;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.DoubleStream;

/**
 * Figures of every kind on made-up numbers: what the tests check, and, as a program, what a person
 * looks at. {@code Gallery FOLDER} writes them all.
 */
final class Gallery {
  private Gallery() {}

  public static void main(String[] arguments) throws IOException {
    for (Map.Entry<String, Figure> entry : figures().entrySet()) {
      entry.getValue().write(Path.of(arguments[0]).resolve(entry.getKey()));
    }
    report().write(Path.of(arguments[0]).resolve("report.html"));
  }

  static HtmlReport report() {
    var report = new HtmlReport("Tuning & context: made-up numbers");
    report.lead("What a report looks like; R^{2} and c_{50} are set as in figures.");
    report.section("Settings").warning("The network is untrained: its weights come from seed 0.");
    var settings = new LinkedHashMap<String, Object>();
    settings.put("Layer", "fgru_0");
    settings.put("Timesteps", 8);
    settings.put("Checkpoint (SHA-256)", "ab".repeat(32));
    report.values(settings);
    for (Map.Entry<String, Figure> entry : figures().entrySet()) {
      report.section("Figure <" + entry.getKey() + ">").figure(entry.getValue(), "Numbers, n = 3.");
    }
    report.table(
        "Fits, R^{2} and intervals.",
        List.of("Population", "R^{2}", "Half width (deg)", "Remark"),
        List.of(
            List.of("excitatory", "0.98", "28.1 ± 0.4", "kept"),
            List.of("inhibitory", "n/a", "−3.0 [−4, 5]", "left out, 3 of 5")));
    return report.footer("GammaNet for Java, Java 25");
  }

  static Map<String, Figure> figures() {
    var figures = new LinkedHashMap<String, Figure>();
    figures.put("tuning", tuning());
    figures.put("contrast", contrast());
    figures.put("grid", grid());
    figures.put("maps", maps());
    figures.put("missing", missing());
    figures.put("names", names());
    figures.put("precision-recall", precisionRecall());
    return figures;
  }

  static double[] steps(double from, double end, int count) {
    double[] out = new double[count];
    Arrays.setAll(out, i -> from + i * (end - from) / (count - 1));
    return out;
  }

  static double[] map(double[] x, java.util.function.DoubleUnaryOperator f) {
    return DoubleStream.of(x).map(f).toArray();
  }

  private static double bell(double angle, double peak) {
    return Math.exp(3 * (Math.cos(Math.toRadians(2 * (angle - peak))) - 1));
  }

  private static Figure tuning() {
    double[] angles = steps(0, 165, 12);
    double[] fine = steps(0, 180, 181);
    var random = new SplittableRandom(1);
    double[] response = map(angles, a -> 0.1 + bell(a, 62) + 0.06 * random.nextDouble());
    double[] error = map(angles, a -> 0.03 + 0.05 * bell(a, 62));
    double[] low = new double[angles.length];
    double[] high = new double[angles.length];
    for (int i = 0; i < angles.length; i++) {
      low[i] = response[i] - error[i];
      high[i] = response[i] + error[i];
    }
    var figure = new Figure(8, 6);
    figure
        .panel(0, 0)
        .title("Orientation tuning, fgru_0 excitatory, unit 17")
        .x(
            Axis.linear("Orientation of the modulation (deg)")
                .range(-10, 190)
                .ticks(0, 45, 90, 135, 180))
        .y(Axis.linear("Response (a.u.)"))
        .band(
            fine,
            map(fine, a -> 0.1 + 0.9 * bell(a, 62)),
            map(fine, a -> 0.16 + 1.05 * bell(a, 62)),
            Style.series(0))
        .line(fine, map(fine, a -> 0.13 + bell(a, 62)), Style.BLACK.label("von Mises fit"))
        .errorBars(angles, low, high, Style.series(0))
        .points(angles, response, Style.series(0).label("mean ± s.e.m."))
        .vertical(62, Style.GUIDE.dash(Style.Dash.DASHED))
        .note(Plot.Corner.TOP_LEFT, "preferred 62.0°\nhalf width 28.1°\nR^{2} = 0.98")
        .note(Plot.Corner.BOTTOM_RIGHT, "n = 64 units");
    return figure;
  }

  private static Figure contrast() {
    double[] c = {1, 1.93, 3.73, 7.2, 13.9, 26.8, 51.8, 100};
    double[] fine = map(steps(0, 2, 101), e -> Math.pow(10, e));
    var figure = new Figure(8, 6);
    figure
        .panel(0, 0)
        .x(Axis.log("Contrast (%)").range(1, 100))
        .y(Axis.linear("Response (a.u.)").range(0, Double.NaN))
        .line(
            fine,
            map(fine, Gallery::naka),
            Style.BLACK.label("R_{max} c^{n} / (c^{n} + c_{50}^{n})"))
        .points(c, map(c, v -> naka(v) * 1.03), Style.EXCITATORY.label("excitatory"))
        .line(c, map(c, v -> 0.6 * naka(v / 2)), Style.INHIBITORY.label("inhibitory"))
        .vertical(20, Style.GUIDE.dash(Style.Dash.DOTTED))
        .text(20, 1e-4, "c_{50} = 20 %");
    return figure;
  }

  private static double naka(double c) {
    return 3.2e-4 * c * c / (c * c + 400);
  }

  private static Figure grid() {
    var random = new SplittableRandom(5);
    double[] x = random.doubles(300).map(v -> v * v).toArray();
    double[] y = map(x, v -> Math.clamp(v + 0.2 * (random.nextDouble() - 0.5), 0, 1));
    var figure = new Figure(11, 7.5).letters().title("Panels of a population");
    figure
        .panel(0, 0)
        .title("Circular variance")
        .x(Axis.linear("Circular variance").range(0, 1))
        .y(Axis.linear("Units"))
        .histogram(x, steps(0, 1, 21), Style.EXCITATORY.opacity(0.5).label("E"))
        .histogram(map(x, v -> 1 - v * 0.8), steps(0, 1, 21), Style.INHIBITORY.label("I"));
    figure
        .panel(0, 1)
        .title("Model against recording")
        .x(Axis.linear("Recording (scaled)").range(0, 1))
        .y(Axis.linear("Model (scaled)").range(0, 1))
        .equalAspect()
        .unity()
        .points(x, y, Style.series(0).opacity(0.6))
        .note(Plot.Corner.TOP_LEFT, "r = 0.97\nn = 300");
    double[] t = steps(0, 7, 8);
    figure
        .panel(0, 2)
        .title("Dynamics")
        .x(Axis.linear("Timestep"))
        .y(Axis.linear("Response (a.u.)"))
        .line(t, map(t, v -> v * Math.exp(-v / 3)), Style.EXCITATORY.label("E"))
        .line(t, map(t, v -> 0.5 * v * Math.exp(-v / 4)), Style.INHIBITORY.label("I"));
    var pr = figure.panel(1, 0, 1, 2).title("Six series");
    for (int i = 0; i < 6; i++) {
      double k = 1 + i;
      pr.line(
          steps(0, 90, 10),
          map(steps(0, 90, 10), v -> Math.cos(v / 20 / k)),
          Style.series(i).label("series " + i));
    }
    pr.x(Axis.linear("Orientation difference (deg)").ticks(0, 15, 30, 45, 60, 75, 90))
        .y(Axis.linear("Normalized response"))
        .horizontal(0, Style.GUIDE)
        .legend(Plot.Legend.OUTSIDE);
    figure
        .panel(1, 2)
        .title("Summary")
        .table(
            List.of(
                List.of("Orientation"),
                List.of("half width", "28.1°"),
                List.of("circular variance", "0.43"),
                List.of("Contrast"),
                List.of("c_{50}", "20 %"),
                List.of("exponent n", "2.0"),
                List.of("correlation", "n/a")));
    return figure;
  }

  private static Figure maps() {
    int n = 52;
    double[] field = new double[n * n];
    for (int i = 0; i < field.length; i++) {
      double dx = i % n - 25.5;
      double dy = i / n - 25.5;
      field[i] = Math.exp(-dx * dx / 300 - dy * dy / 60) * Math.cos(dy / 4);
    }
    var figure = new Figure(12, 7.5).letters();
    figure
        .panel(0, 0)
        .title("Excitation")
        .x(Axis.linear("x (px)"))
        .y(Axis.linear("y (px)").reverse())
        .equalAspect()
        .heatMap(
            HeatMap.of(Arrays.stream(field).map(v -> Math.max(v, 0)).toArray(), n)
                .colors(ColorMap.REDS, 0, Double.NaN)
                .barLabel("ΔE (a.u.)"))
        .points(
            new double[] {25.5}, new double[] {25.5}, Style.BLACK.marker(Style.Marker.CROSS, 8));
    figure
        .panel(0, 1)
        .title("E − I")
        .x(Axis.linear("x (px)"))
        .equalAspect()
        .heatMap(HeatMap.of(field, n).diverging(1).barLabel("E − I (a.u.)"))
        .contours(HeatMap.of(field, n), new double[] {-0.25, 0.25, 0.5}, Style.BLACK.width(0.7))
        .circle(25.5, 25.5, 18, Style.BLACK.dash(Style.Dash.DASHED));
    figure
        .panel(0, 2)
        .title("Stimulus")
        .x(Axis.hidden())
        .y(Axis.hidden().reverse())
        .luminance(grating(), 64);
    double[][] r2 = new double[5][5];
    for (int i = 0; i < 25; i++) {
      r2[i / 5][i % 5] = 0.2 + 0.03 * i;
    }
    r2[3][1] = Double.NaN;
    figure
        .panel(1, 0)
        .title("Decoder R^{2}")
        .x(Axis.names("Contrast", List.of("0.1", "0.25", "0.5", "0.75", "1")))
        .y(Axis.names("Cycles per image", List.of("10", "20", "30", "40", "50")))
        .heatMap(HeatMap.of(r2).printed(2).framed(2, 3).barLabel("R^{2}"));
    figure
        .panel(1, 1)
        .x(Axis.hidden())
        .y(Axis.hidden())
        .title("Color maps")
        .heatMap(HeatMap.of(steps(0, 1, 64), 64).withoutBar().extent(0, 1, 0, 1))
        .heatMap(
            HeatMap.of(steps(0, 1, 64), 64)
                .colors(ColorMap.REDS, 0, 1)
                .withoutBar()
                .extent(0, 1, 1, 2))
        .heatMap(
            HeatMap.of(steps(0, 1, 64), 64)
                .colors(ColorMap.BLUES, 0, 1)
                .withoutBar()
                .extent(0, 1, 2, 3))
        .heatMap(
            HeatMap.of(steps(0, 1, 64), 64)
                .colors(ColorMap.GRAYS, 0, 1)
                .withoutBar()
                .extent(0, 1, 3, 4))
        .heatMap(HeatMap.of(steps(-1, 1, 64), 64).diverging(1).withoutBar().extent(0, 1, 4, 5));
    figure
        .panel(1, 2)
        .title("Influence")
        .x(Axis.log("Distance (px)"))
        .y(Axis.log("Influence (a.u.)"))
        .points(
            map(steps(0, 2, 30), e -> Math.pow(10, e)),
            map(steps(-1, -7, 30), e -> Math.pow(10, e)),
            Style.series(2));
    return figure;
  }

  private static float[] grating() {
    float[] out = new float[64 * 64];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (0.5 + 0.5 * Math.sin(i % 64 * 0.5 + i / 64 * 0.3));
    }
    return out;
  }

  private static Figure missing() {
    double[] none = {Double.NaN, Double.NaN};
    var figure = new Figure(8, 5).letters().footer("untrained network (seed 0)");
    figure
        .panel(0, 0)
        .title("No numbers")
        .x(Axis.linear("x"))
        .y(Axis.linear("y"))
        .line(none, none, Style.BLACK.label("a"));
    figure
        .panel(0, 1)
        .title("Empty log axis")
        .x(Axis.log("x"))
        .y(Axis.log("y"))
        .points(new double[] {-1}, new double[] {0}, Style.BLACK);
    figure
        .panel(0, 2)
        .title("One value")
        .x(Axis.linear("x"))
        .y(Axis.linear("y"))
        .points(new double[] {3}, new double[] {0}, Style.BLACK);
    figure
        .panel(1, 0)
        .title("A gap")
        .line(new double[] {0, 1, 2, 3, 4}, new double[] {1, 2, Double.NaN, 2, 1}, Style.series(0));
    figure
        .panel(1, 1)
        .title("No value in the map")
        .heatMap(HeatMap.of(new double[] {Double.NaN, Double.NaN}, 2).printed(2));
    figure
        .panel(1, 2)
        .title("Bars")
        .x(Axis.names("", List.of("a", "b", "c")))
        .bars(new double[] {0, 1, 2}, new double[] {1, Double.NaN, -0.5}, 0.7, Style.area(0));
    return figure;
  }

  private static Figure names() {
    var names =
        List.of(
            "full model",
            "no horizontal connections",
            "no inhibition",
            "no top-down",
            "one timestep");
    double[] at = {0, 1, 2, 3, 4};
    var figure = new Figure(6, 4);
    figure
        .panel(0, 0)
        .x(Axis.names("", names))
        .y(Axis.linear("F-measure (ODS)").range(0, 1))
        .bars(at, new double[] {0.79, 0.71, 0.66, 0.74, 0.61}, 0.65, Style.area(0))
        .errorBars(
            at,
            new double[] {0.77, 0.69, 0.6, 0.7, 0.6},
            new double[] {0.81, 0.73, 0.7, 0.77, 0.63},
            Style.BLACK);
    return figure;
  }

  private static Figure precisionRecall() {
    double[] r = steps(0.05, 0.97, 40);
    return new PrecisionRecall()
        .title("BSDS500, test")
        .curve(
            new PrecisionRecall.Curve(
                "GammaNet", r, map(r, v -> 0.97 - 0.75 * Math.pow(v, 5)), 0.78, 0.754))
        .curve(
            new PrecisionRecall.Curve(
                "no recurrence", r, map(r, v -> 0.93 - 0.8 * Math.pow(v, 3)), 0.68, 0.678))
        .point("people", 0.7235, 0.9014)
        .figure();
  }
}
