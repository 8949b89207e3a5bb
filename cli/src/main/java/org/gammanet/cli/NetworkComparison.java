package org.gammanet.cli;

import static org.gammanet.experiments.study.Format.score;
import static org.gammanet.experiments.study.Format.significant;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.gammanet.evaluation.BoundaryBootstrap;
import org.gammanet.evaluation.BoundaryBootstrap.Interval;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.experiments.study.Csv;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;

/**
 * Compares networks that were trained and scored on the same data with the first of them: scores
 * with intervals, differences, loss, size, cost and time; as a report, a figure, CSV and JSON.
 *
 * <p>Intervals come from drawing the scored images anew ({@link BoundaryBootstrap}). They say how
 * far a difference depends on the images, not how far it depends on the seed of the training.
 */
final class NetworkComparison {
  /** How often the images are drawn anew. */
  public static final int RESAMPLES = 1000;

  /**
   * One network.
   *
   * @param name short, such as {@code no_gates}
   * @param remark what a reader should know about it, or nothing
   * @param parameters number of trainable values
   * @param gmac multiply-accumulates of one 320 × 320 image, 10⁹
   * @param losses training loss of each update; empty if it was not trained here
   * @param secondsPerUpdate of training, NaN if unknown
   * @param secondsPerImage of detection, NaN if unknown
   * @param counts of the scored images; empty if there are none
   */
  public record Entry(
      String name,
      String remark,
      long parameters,
      double gmac,
      double[] losses,
      double secondsPerUpdate,
      double secondsPerImage,
      List<BoundaryCounts> counts) {
    /** Mean loss of the first updates, a tenth of them but at least five. */
    public double firstLoss() {
      return mean(0, part());
    }

    /** Mean loss of as many last updates. */
    public double lastLoss() {
      return mean(losses.length - part(), losses.length);
    }

    /** Everything but the scores, by its name in tables. */
    Map<String, Object> numbers() {
      Map<String, Object> out = new LinkedHashMap<>();
      out.put("loss", lastLoss());
      out.put("first_loss", firstLoss());
      out.put("updates", losses.length);
      out.put("parameters", parameters);
      out.put("gmac_320", gmac);
      out.put("seconds_per_update", secondsPerUpdate);
      out.put("seconds_per_image", secondsPerImage);
      out.put("images", counts.size());
      return out;
    }

    private int part() {
      return Math.min(losses.length, Math.max(5, losses.length / 10));
    }

    private double mean(int from, int to) {
      return Arrays.stream(losses, from, to).average().orElse(Double.NaN);
    }
  }

  private record Scored(Entry entry, BoundaryBootstrap own, BoundaryBootstrap difference) {}

  private static final Interval UNKNOWN = new Interval(Double.NaN, Double.NaN, Double.NaN);
  static final BoundaryBootstrap NOTHING = new BoundaryBootstrap(UNKNOWN, UNKNOWN, UNKNOWN);

  private final List<Scored> rows = new ArrayList<>();
  private final Map<String, String> parameters;

  /**
   * Draws the intervals.
   *
   * @param entries the first one is what the others are compared with
   * @param parameters how they were trained and scored
   * @param seed of the draws
   */
  public NetworkComparison(List<Entry> entries, Map<String, String> parameters, long seed) {
    this.parameters = parameters;
    List<BoundaryCounts> reference = entries.isEmpty() ? List.of() : entries.getFirst().counts;
    for (Entry entry : entries) {
      boolean scored = !entry.counts.isEmpty();
      rows.add(
          new Scored(
              entry,
              scored ? BoundaryBootstrap.scores(entry.counts, RESAMPLES, seed) : NOTHING,
              scored && !reference.isEmpty() && entry != entries.getFirst()
                  ? BoundaryBootstrap.difference(entry.counts, reference, RESAMPLES, seed)
                  : NOTHING));
    }
  }

  private String reference() {
    return rows.isEmpty() ? "" : rows.getFirst().entry.name;
  }

  /** The table as lines of text for a terminal. */
  public String text() {
    var text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%-20s %6s %6s %6s  %-25s %9s %9s %11s %8s %9s%n",
            "network",
            "ODS",
            "OIS",
            "AP",
            "ODS − " + reference(),
            "loss",
            "at first",
            "parameters",
            "GMAC",
            "s/update"));
    for (Scored row : rows) {
      Entry e = row.entry;
      Interval d = row.difference.ods();
      text.append(
          String.format(
              Locale.ROOT,
              "%-20s %6s %6s %6s  %-25s %9s %9s %,11d %8.1f %9s%n",
              e.name,
              score(row.own.ods().value()),
              score(row.own.ois().value()),
              score(row.own.ap().value()),
              Double.isNaN(d.value()) ? "" : signed(d),
              significant(e.lastLoss()),
              significant(e.firstLoss()),
              e.parameters,
              e.gmac,
              significant(e.secondsPerUpdate)));
    }
    return text.toString();
  }

  private static String signed(Interval i) {
    return String.format(Locale.ROOT, "%+.4f [%+.4f, %+.4f]", i.value(), i.low(), i.high());
  }

  /** One line for each network; empty cells where something is not known. */
  String csv() {
    var csv = new Csv();
    for (Scored row : rows) {
      Map<String, Object> cells = new LinkedHashMap<>();
      cells.put("name", row.entry.name);
      flat(cells, "", row.own);
      flat(cells, "d_", row.difference);
      cells.putAll(row.entry.numbers());
      if (row == rows.getFirst()) {
        csv.row(cells.keySet());
      }
      csv.row(cells.values());
    }
    return csv.toString();
  }

  /** Scores with their intervals as cells of a table. */
  static void flat(Map<String, Object> cells, String prefix, BoundaryBootstrap b) {
    intervals(b)
        .forEach(
            (name, i) -> {
              cells.put(prefix + name, i.value());
              cells.put(prefix + name + "_low", i.low());
              cells.put(prefix + name + "_high", i.high());
            });
  }

  private static Map<String, Interval> intervals(BoundaryBootstrap b) {
    Map<String, Interval> out = new LinkedHashMap<>();
    out.put("ods", b.ods());
    out.put("ois", b.ois());
    out.put("ap", b.ap());
    return out;
  }

  /** Everything as JSON; null where something is not known. */
  ObjectNode json() {
    ObjectNode root = Json.MAPPER.createObjectNode();
    root.put("reference", reference());
    root.put("resamples", RESAMPLES);
    ArrayNode networks = root.putArray("networks");
    for (Scored row : rows) {
      Map<String, Object> node = new LinkedHashMap<>();
      node.put("name", row.entry.name);
      if (!row.entry.remark.isEmpty()) {
        node.put("remark", row.entry.remark);
      }
      node.putAll(nested(row.own));
      node.put("difference", nested(row.difference));
      node.putAll(row.entry.numbers());
      networks.add(Json.object(node));
    }
    return root;
  }

  /** Scores with their intervals. */
  static Map<String, Object> nested(BoundaryBootstrap b) {
    Map<String, Object> out = new LinkedHashMap<>();
    intervals(b)
        .forEach(
            (name, i) -> {
              out.put(name, i.value());
              out.put(name + "_interval", new double[] {i.low(), i.high()});
            });
    return out;
  }

  /** Scores and differences with their intervals, and the losses on the way. */
  public Figure figure() {
    int n = rows.size();
    var figure = new Figure(11, 4.6 + 0.26 * n);
    figure.letters().rowHeights(0.26 * n + 0.4, 2.8).columnWidths(1, 1);
    List<String> names = rows.stream().map(r -> r.entry.name).toList();
    double[] at = new double[n];
    Arrays.setAll(at, i -> i);
    Plot scores = figure.panel(0, 0).y(Axis.names("", names).reverse()).x(Axis.linear("F-measure"));
    intervals(
        scores,
        Arrays.stream(at).map(y -> y - 0.15).toArray(),
        rows.stream().map(r -> r.own.ods()).toList(),
        Style.series(0).label("ODS"));
    intervals(
        scores,
        Arrays.stream(at).map(y -> y + 0.15).toArray(),
        rows.stream().map(r -> r.own.ois()).toList(),
        Style.series(1).label("OIS"));
    Plot differences =
        figure
            .panel(0, 1)
            .y(Axis.names("", names).reverse())
            .x(Axis.linear("ODS − ODS of " + reference()))
            .vertical(0, Style.GUIDE);
    intervals(
        differences, at, rows.stream().map(r -> r.difference.ods()).toList(), Style.series(0));
    differences.points(new double[1], new double[1], Style.series(0).filled(false)); // the first
    List<double[]> losses = rows.stream().map(r -> smooth(r.entry.losses)).toList();
    // A network that runs away on one crop has a loss many times that of the others.
    boolean positive = losses.stream().flatMapToDouble(Arrays::stream).allMatch(v -> v > 0);
    String label = "Training loss (running mean)";
    Plot curves =
        figure
            .panel(1, 0, 1, 2)
            .x(Axis.linear("Update"))
            .y(positive ? Axis.log(label) : Axis.linear(label))
            .legend(Plot.Legend.OUTSIDE);
    for (int i = 0; i < n; i++) {
      double[] smooth = losses.get(i);
      double[] updates = new double[smooth.length];
      Arrays.setAll(updates, k -> k + 1);
      curves.line(updates, smooth, Style.series(i).plain().label(names.get(i)));
    }
    return figure;
  }

  private static void intervals(Plot plot, double[] at, List<Interval> values, Style style) {
    plot.horizontalErrorBars(
        at,
        values.stream().mapToDouble(Interval::low).toArray(),
        values.stream().mapToDouble(Interval::high).toArray(),
        style);
    plot.points(values.stream().mapToDouble(Interval::value).toArray(), at, style.filled(true));
  }

  private static double[] smooth(double[] losses) {
    int window = Math.max(1, losses.length / 20);
    double[] out = new double[losses.length];
    double sum = 0;
    for (int i = 0; i < losses.length; i++) {
      sum += losses[i] - (i >= window ? losses[i - window] : 0);
      out[i] = sum / Math.min(i + 1, window);
    }
    return out;
  }

  /**
   * Writes {@code comparison.csv}, {@code .json}, {@code .svg} and {@code .png}, and {@code
   * report.html}.
   *
   * @throws IOException when a file cannot be written
   */
  void write(Study study) throws IOException {
    study.results().setAll(json());
    study.write("comparison.csv", csv());
    study.write("comparison", figure());
    study.write(page());
    study.complete(true);
  }

  private HtmlReport page() {
    var page =
        new HtmlReport("Comparison of networks")
            .lead("%s networks, compared with %s.".formatted(rows.size(), reference()))
            .section("Scores");
    List<List<String>> scores = new ArrayList<>();
    List<List<String>> costs = new ArrayList<>();
    for (Scored row : rows) {
      Entry e = row.entry;
      scores.add(
          List.of(
              e.name,
              score(row.own.ods().value()),
              score(row.own.ois().value()),
              score(row.own.ap().value()),
              Double.isNaN(row.difference.ods().value()) ? "" : signed(row.difference.ods()),
              Double.isNaN(row.difference.ois().value()) ? "" : signed(row.difference.ois()),
              Double.isNaN(row.difference.ap().value()) ? "" : signed(row.difference.ap()),
              e.remark));
      costs.add(
          List.of(
              e.name,
              significant(e.firstLoss()),
              significant(e.lastLoss()),
              Integer.toString(e.losses.length),
              String.format(Locale.ROOT, "%,d", e.parameters),
              String.format(Locale.ROOT, "%.1f", e.gmac),
              significant(e.secondsPerUpdate),
              significant(e.secondsPerImage)));
    }
    page.table(
        "Scores, and differences from "
            + reference()
            + " with 95 % intervals from "
            + RESAMPLES
            + " draws of the images.",
        List.of("network", "ODS", "OIS", "AP", "Δ ODS", "Δ OIS", "Δ AP", "remark"),
        scores);
    page.figure(
        figure(),
        "Scores with 95 % intervals (A), differences from " + reference() + " (B), losses (C).");
    page.section("Training and cost");
    page.table(
        "Loss: means of the first and the last tenth of all updates. GMAC: for one 320 × 320"
            + " image.",
        List.of(
            "network",
            "loss at first",
            "at last",
            "updates",
            "parameters",
            "GMAC",
            "s/update",
            "s/image"),
        costs);
    page.section("How it was made").values(parameters);
    page.text(
        "The intervals say how far a difference depends on the images that were scored. How far it"
            + " depends on the seed of the training takes several trainings to see.");
    return page;
  }
}
