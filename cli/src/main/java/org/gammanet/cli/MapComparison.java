package org.gammanet.cli;

import static org.gammanet.experiments.study.Format.score;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.gammanet.evaluation.BoundaryBootstrap;
import org.gammanet.evaluation.BoundaryBootstrap.Interval;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.BoundaryScores.Point;
import org.gammanet.experiments.study.Csv;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Study;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.PrecisionRecall;
import org.jspecify.annotations.Nullable;

/** Detectors scored on the same images, each against the first: curves, scores, differences. */
final class MapComparison {
  /**
   * A detector.
   *
   * @param protocol how its maps become the lines that are matched
   * @param counts of the scored images
   */
  record Entry(String name, String protocol, List<BoundaryCounts> counts) {}

  /**
   * @param difference from the first; null for the first itself
   */
  private record Row(
      String name,
      String protocol,
      BoundaryScores scores,
      BoundaryBootstrap own,
      @Nullable BoundaryBootstrap difference) {}

  private final List<Row> rows;
  private final int images;
  private final int resamples;
  private final List<String> notes;

  private MapComparison(List<Row> rows, int images, int resamples, List<String> notes) {
    this.rows = rows;
    this.images = images;
    this.resamples = resamples;
    this.notes = notes;
  }

  /**
   * Compares detectors on the images that all of them have.
   *
   * @param seed of the draws
   * @throws CommandException if they have no image in common, or different thresholds
   */
  static MapComparison of(List<Entry> entries, long seed) {
    int resamples = NetworkComparison.RESAMPLES;
    TreeSet<String> common = new TreeSet<>(ids(entries.getFirst()));
    double[] thresholds = entries.getFirst().counts.getFirst().thresholds();
    for (Entry entry : entries) {
      common.retainAll(ids(entry));
      double[] own = entry.counts.getFirst().thresholds();
      if (own.length != thresholds.length) {
        throw new CommandException(
            "%s was scored at %s thresholds and %s at %s: score one of them again"
                .formatted(entries.getFirst().name, thresholds.length, entry.name, own.length));
      }
    }
    if (common.isEmpty()) {
      throw new CommandException("the sources have no image in common");
    }
    List<String> notes = new ArrayList<>();
    List<Row> rows = new ArrayList<>();
    List<BoundaryCounts> reference = List.of();
    for (Entry entry : entries) {
      // Counts that were read back have thresholds of six digits.
      List<BoundaryCounts> counts =
          entry.counts.stream()
              .filter(c -> common.contains(c.id()))
              .map(
                  c ->
                      new BoundaryCounts(
                          c.id(), thresholds, c.cntR(), c.sumR(), c.cntP(), c.sumP()))
              .toList();
      if (counts.size() < entry.counts.size()) {
        notes.add(
            "%s: %s of its %s images are compared, since another source lacks the rest"
                .formatted(entry.name, counts.size(), entry.counts.size()));
      }
      boolean first = rows.isEmpty();
      if (first) {
        reference = counts;
      }
      rows.add(
          new Row(
              entry.name,
              entry.protocol,
              BoundaryScores.of(counts),
              BoundaryBootstrap.scores(counts, resamples, seed),
              first ? null : BoundaryBootstrap.difference(counts, reference, resamples, seed)));
    }
    if (common.size() < BoundaryBootstrap.FEWEST) {
      notes.add(
          "intervals need at least %s images; these are %s"
              .formatted(BoundaryBootstrap.FEWEST, common.size()));
    }
    return new MapComparison(rows, common.size(), resamples, notes);
  }

  private static List<String> ids(Entry entry) {
    return entry.counts.stream().map(BoundaryCounts::id).toList();
  }

  /** What a reader has to know of the comparison, a sentence each. */
  List<String> notes() {
    return notes;
  }

  private String reference() {
    return rows.getFirst().name;
  }

  /** The table for a terminal. */
  String text() {
    int width = Math.max(10, rows.stream().mapToInt(r -> r.name.length()).max().orElse(0));
    String head = "%-" + width + "s %-24s %6s %6s %6s  %s";
    var text = new StringBuilder();
    text.append(
        head.formatted(
            images + " images", "ODS", "OIS", "AP", "R50", "ODS − ODS of " + reference()));
    for (Row row : rows) {
      BoundaryBootstrap d = row.difference;
      text.append('\n')
          .append(
              head.formatted(
                      row.name,
                      interval("%.4f", row.own.ods()),
                      score(row.scores.ois().f()),
                      score(row.scores.ap()),
                      score(row.scores.r50()),
                      d == null ? "" : interval("%+.4f", d.ods()))
                  .stripTrailing());
    }
    return text.toString();
  }

  private static String interval(String number, Interval i) {
    String value = String.format(Locale.ROOT, number, i.value());
    return Double.isNaN(i.low())
        ? value
        : String.format(
            Locale.ROOT, value + " [" + number + ", " + number + "]", i.low(), i.high());
  }

  /** One line for each detector; empty cells where there is no interval. */
  String csv() {
    var csv = new Csv();
    for (Row row : rows) {
      Map<String, Object> cells = new LinkedHashMap<>();
      cells.put("name", row.name);
      cells.put("images", images);
      NetworkComparison.flat(cells, "", row.own);
      cells.put("r50", row.scores.r50());
      BoundaryBootstrap d = row.difference;
      NetworkComparison.flat(cells, "d_", d == null ? NetworkComparison.NOTHING : d);
      if (row == rows.getFirst()) {
        csv.row(cells.keySet());
      }
      csv.row(cells.values());
    }
    return csv.toString();
  }

  /** Everything as JSON; null where there is no interval. */
  ObjectNode json() {
    ObjectNode root = Json.MAPPER.createObjectNode();
    root.put("reference", reference());
    root.put("images", images);
    root.put("resamples", resamples);
    ArrayNode detectors = root.putArray("detectors");
    for (Row row : rows) {
      Map<String, Object> node = new LinkedHashMap<>();
      node.put("name", row.name);
      node.put("protocol", row.protocol);
      node.putAll(NetworkComparison.nested(row.own));
      node.put("r50", row.scores.r50());
      BoundaryBootstrap d = row.difference;
      if (d != null) {
        node.put("difference", NetworkComparison.nested(d));
      }
      node.put("curve", row.scores.curve());
      detectors.add(Json.object(node));
    }
    return root;
  }

  /** All curves in one precision-recall plot. */
  Figure figure() {
    var picture = new PrecisionRecall();
    for (Row row : rows) {
      List<Point> curve = row.scores.curve();
      picture.curve(
          new PrecisionRecall.Curve(
              row.name,
              curve.stream().mapToDouble(Point::recall).toArray(),
              curve.stream().mapToDouble(Point::precision).toArray(),
              row.scores.ods().recall(),
              row.scores.ods().precision()));
    }
    return picture.figure();
  }

  /**
   * Writes {@code comparison.csv} and {@code .json}, {@code pr_curves.svg} and {@code .png}, and
   * {@code report.html}.
   */
  void write(Study study) throws IOException {
    study.results().setAll(json());
    study.write("comparison.csv", csv());
    study.write("pr_curves", figure());
    study.write(page());
    study.complete(true);
  }

  private HtmlReport page() {
    var page =
        new HtmlReport("Comparison of edge detectors")
            .lead(
                "%s detectors on %s images, compared with %s."
                    .formatted(rows.size(), images, reference()))
            .section("Scores");
    notes.forEach(page::warning);
    List<List<String>> table = new ArrayList<>();
    for (Row row : rows) {
      BoundaryBootstrap d = row.difference;
      List<String> cells = new ArrayList<>(List.of(row.name));
      for (Interval i : List.of(row.own.ods(), row.own.ois(), row.own.ap())) {
        cells.add(interval("%.4f", i));
      }
      for (Interval i : d == null ? List.<Interval>of() : Arrays.asList(d.ods(), d.ois(), d.ap())) {
        cells.add(interval("%+.4f", i));
      }
      while (cells.size() < 7) {
        cells.add("");
      }
      cells.add(row.protocol);
      table.add(cells);
    }
    page.table(
        "Scores, and differences from %s, with 95 %% intervals from %s draws of the images."
            .formatted(reference(), resamples),
        List.of("detector", "ODS", "OIS", "AP", "Δ ODS", "Δ OIS", "Δ AP", "protocol"),
        table);
    page.figure(
        figure(),
        "Precision and recall of all detectors; the points are those of the best threshold (ODS).");
    page.text(
        "The intervals say how far scores and differences depend on the images. Detectors whose"
            + " maps are suppressed differently are not compared on equal terms; --nms sets one"
            + " suppression for all.");
    return page;
  }
}
