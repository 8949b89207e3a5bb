package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.figures.HtmlReport;
import org.jspecify.annotations.Nullable;

/**
 * What an experiment found: a record of its numbers, a table of units, figures, and what the report
 * says. All of it is kept in the results, from which the report is written.
 */
public final class Findings {
  /** A table of a report. */
  private record Table(String caption, List<String> columns, List<List<String>> rows) {}

  /** What the report has besides the figures. */
  private record Report(
      List<String> warnings,
      Map<String, String> values,
      List<Table> tables,
      List<String> notes,
      Map<String, String> highlights) {}

  private final Object summary;
  private final @Nullable UnitTable<?> units;
  private final List<FigureSpec> figures = new ArrayList<>();
  private final Report report =
      new Report(
          new ArrayList<>(),
          new LinkedHashMap<>(),
          new ArrayList<>(),
          new ArrayList<>(),
          new LinkedHashMap<>());
  private @Nullable Panel overviewPanel;
  private @Nullable Series overviewDynamics;

  private Findings(Object summary, @Nullable UnitTable<?> units) {
    this.summary = summary;
    this.units = units;
  }

  /** Findings with a record of numbers, and a table of units. */
  public static Findings of(Record summary, UnitTable<?> units) {
    return new Findings(summary, units);
  }

  /** Findings with a record of numbers. */
  public static Findings of(Record summary) {
    return new Findings(summary, null);
  }

  private record NotMeasured() {}

  /**
   * Findings of an experiment that cannot be done: no numbers, and a warning.
   *
   * @param reason why, as the end of a sentence
   */
  public static Findings notMeasured(String reason) {
    return of(new NotMeasured()).warning("Not measured: " + reason + ".");
  }

  /** Adds a figure. */
  public Findings figure(FigureSpec figure) {
    figures.add(figure);
    return this;
  }

  /** Adds a line to the list of values in the report. */
  public Findings value(String label, String text) {
    report.values.put(label, text);
    return this;
  }

  /** Adds a number to the list of values in the report. */
  public Findings value(String label, double number) {
    return value(label, Format.number(number));
  }

  /** Adds a mean with its interval to the list of values in the report. */
  public Findings value(String label, Statistics.Interval interval) {
    return value(label, Format.interval(interval));
  }

  /** Adds a warning above the figures. */
  public Findings warning(String sentence) {
    report.warnings.add(sentence);
    return this;
  }

  /** Adds a text below the values. */
  public Findings note(String sentence) {
    report.notes.add(sentence);
    return this;
  }

  /** Adds a table below the values. */
  public Findings table(String caption, List<String> columns, List<List<String>> rows) {
    report.tables.add(new Table(caption, columns, rows));
    return this;
  }

  /** A panel of the overview of all experiments. */
  public Findings overview(Panel panel) {
    overviewPanel = panel;
    return this;
  }

  /** A line of the overview's panel over time. */
  public Findings overviewDynamics(String label, Series series) {
    overviewDynamics =
        new Series(
            label,
            series.x(),
            series.y(),
            series.low(),
            series.high(),
            series.n(),
            series.look(),
            series.style());
    return this;
  }

  /** A line of the overview's table. */
  public Findings overviewValue(String label, String text) {
    report.highlights.put(label, text);
    return this;
  }

  // In the results

  /** The components of the summary, then the units, the figures and the report. */
  ObjectNode json() {
    ObjectNode out = Json.object(summary);
    if (units != null) {
      out.set("units", units.json());
    }
    ObjectNode specs = out.putObject("figures");
    figures.forEach(f -> specs.set(f.name(), Json.object(f)));
    out.set("report", Json.object(report));
    if (overviewPanel != null) {
      out.set("overview_panel", Json.object(overviewPanel));
    }
    if (overviewDynamics != null) {
      out.set("overview_dynamics", Json.object(overviewDynamics));
    }
    return out;
  }

  /** The figures in a result. */
  static List<FigureSpec> figures(ObjectNode result) {
    List<FigureSpec> out = new ArrayList<>();
    result.path("figures").forEach(f -> out.add(Json.read(f, FigureSpec.class)));
    return out;
  }

  static @Nullable Panel overviewPanel(ObjectNode result) {
    return result.has("overview_panel")
        ? Json.read(result.path("overview_panel"), Panel.class)
        : null;
  }

  static @Nullable Series overviewDynamics(ObjectNode result) {
    return result.has("overview_dynamics")
        ? Json.read(result.path("overview_dynamics"), Series.class)
        : null;
  }

  static Map<String, String> highlights(ObjectNode result) {
    return Json.read(result.path("report"), Report.class).highlights;
  }

  /** The numbers of all figures as comma-separated values, a row per point. */
  static String csv(ObjectNode result) {
    var out = new Csv();
    out.row(List.of("figure", "panel", "series", "x", "y", "low", "high", "n"));
    figures(result).forEach(f -> f.panels().forEach(p -> p.csv(f.name(), out)));
    return out.toString();
  }

  /** Adds a result's words and figures to a report. */
  static void addTo(HtmlReport html, ObjectNode result, String footer) {
    Report report = Json.read(result.path("report"), Report.class);
    report.warnings.forEach(html::warning);
    figures(result).forEach(f -> html.figure(f.draw(footer), f.caption()));
    if (!report.values.isEmpty()) {
      html.values(report.values);
    }
    report.tables.forEach(t -> html.table(t.caption, t.columns, t.rows));
    report.notes.forEach(html::text);
  }
}
