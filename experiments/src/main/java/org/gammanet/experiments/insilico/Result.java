package org.gammanet.experiments.insilico;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntToDoubleFunction;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.responses.State;
import org.jspecify.annotations.Nullable;

/**
 * What an experiment found: a JSON object, in which NaN is null. It holds the numbers of each
 * figure and a table of units, so that figures, tables and reports can be made again from it.
 */
public final class Result {
  static final ObjectMapper JSON = new ObjectMapper();

  private final ObjectNode node;

  Result(ObjectNode node) {
    this.node = node;
  }

  static Result empty() {
    return new Result(JSON.createObjectNode());
  }

  /** The JSON object; changes to it change the result. */
  public ObjectNode json() {
    return node;
  }

  /** Numbers of one line or set of points of a figure. */
  record Series(
      String panel,
      String name,
      double[] x,
      double[] y,
      double @Nullable [] low,
      double @Nullable [] high,
      int n) {}

  Result put(String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    } else {
      node.putNull(name);
    }
    return this;
  }

  Result put(String name, int value) {
    node.put(name, value);
    return this;
  }

  Result put(String name, boolean value) {
    node.put(name, value);
    return this;
  }

  Result put(String name, String value) {
    node.put(name, value);
    return this;
  }

  Result put(String name, double[] values) {
    node.set(name, array(values));
    return this;
  }

  Result put(String name, Result value) {
    node.set(name, value.node);
    return this;
  }

  Result put(String name, Statistics.Interval interval) {
    return put(
        name,
        empty()
            .put("value", interval.value())
            .put("low", interval.low())
            .put("high", interval.high())
            .put("n", interval.n()));
  }

  Result put(String name, Statistics.Test test) {
    return put(
        name, empty().put("statistic", test.statistic()).put("p", test.p()).put("n", test.n()));
  }

  static ArrayNode array(double[] values) {
    ArrayNode out = JSON.createArrayNode();
    for (double v : values) {
      if (Double.isFinite(v)) {
        out.add(v);
      } else {
        out.addNull();
      }
    }
    return out;
  }

  double number(String name) {
    return number(node.path(name));
  }

  private static double number(JsonNode value) {
    return value.isNumber() ? value.asDouble() : Double.NaN;
  }

  double[] numbers(String name) {
    return numbers(node.path(name));
  }

  static double[] numbers(JsonNode array) {
    double[] out = new double[array.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = number(array.get(i));
    }
    return out;
  }

  String text(String name) {
    return node.path(name).asText();
  }

  boolean flag(String name) {
    return node.path(name).asBoolean();
  }

  boolean has(String name) {
    return node.hasNonNull(name);
  }

  Result child(String name) {
    return node.path(name) instanceof ObjectNode object ? new Result(object) : empty();
  }

  void series(String figure, Series s) {
    ArrayNode list = node.withObject("/figures").withArray(figure);
    ObjectNode one = list.addObject();
    one.put("panel", s.panel).put("series", s.name).put("n", s.n);
    one.set("x", array(s.x));
    one.set("y", array(s.y));
    if (s.low != null && s.high != null) {
      one.set("low", array(s.low));
      one.set("high", array(s.high));
    }
  }

  void series(String figure, String panel, String name, double[] x, double[] y, int n) {
    series(figure, new Series(panel, name, x, y, null, null, n));
  }

  /** Takes lines out of a panel whose names begin with a word. */
  void removeSeries(String figure, String panel, String word) {
    if (node.path("figures").path(figure) instanceof ArrayNode list) {
      for (int i = list.size() - 1; i >= 0; i--) {
        JsonNode one = list.get(i);
        if (one.path("panel").asText().equals(panel)
            && one.path("series").asText().startsWith(word)) {
          list.remove(i);
        }
      }
    }
  }

  /** All lines of a figure. */
  List<Series> series(String figure) {
    List<Series> out = new ArrayList<>();
    for (JsonNode one : node.path("figures").path(figure)) {
      out.add(
          new Series(
              one.path("panel").asText(),
              one.path("series").asText(),
              numbers(one.path("x")),
              numbers(one.path("y")),
              one.has("low") ? numbers(one.path("low")) : null,
              one.has("high") ? numbers(one.path("high")) : null,
              one.path("n").asInt()));
    }
    return out;
  }

  /** Lines of one panel. */
  List<Series> series(String figure, String panel) {
    return series(figure).stream().filter(s -> s.panel.equals(panel)).toList();
  }

  /** A line; without points where there is none of this name. */
  Series line(String figure, String panel, String name) {
    return series(figure, panel).stream()
        .filter(s -> s.name.equals(name))
        .findFirst()
        .orElse(new Series(panel, name, new double[0], new double[0], null, null, 0));
  }

  /**
   * Means over units with bootstrap intervals of 95 %, at each x; units that are NaN are left out.
   */
  static Series mean(String panel, String name, double[] x, double[][] valuesAtX, long seed) {
    double[] y = new double[x.length];
    double[] low = new double[x.length];
    double[] high = new double[x.length];
    int n = 0;
    for (int i = 0; i < x.length; i++) {
      Statistics.Interval interval = mean(valuesAtX[i], seed);
      y[i] = interval.value();
      low[i] = interval.low();
      high[i] = interval.high();
      n = Math.max(n, interval.n());
    }
    return new Series(panel, name, x, y, low, high, n);
  }

  /** A mean with its bootstrap interval of 95 %; NaN are left out. */
  static Statistics.Interval mean(double[] values, long seed) {
    double[] finite = Arrays.stream(values).filter(Double::isFinite).toArray();
    if (finite.length < 2) {
      double only = finite.length == 1 ? finite[0] : Double.NaN;
      return new Statistics.Interval(only, Double.NaN, Double.NaN, finite.length);
    }
    return Statistics.bootstrapMean(finite, 0.95, 1000, seed);
  }

  static double[] finite(double[] values) {
    return Arrays.stream(values).filter(Double::isFinite).toArray();
  }

  static double quantile(double[] values, double share) {
    double[] sorted = finite(values);
    Arrays.sort(sorted);
    return sorted.length == 0 ? Double.NaN : Statistics.quantile(sorted, share);
  }

  static double median(double[] values) {
    return quantile(values, 0.5);
  }

  /** Begins the table of units; layer, state, channel and step come before the named columns. */
  void columns(String... measures) {
    ObjectNode table = node.putObject("units");
    ArrayNode columns = table.putArray("columns");
    List.of("layer", "state", "channel", "step").forEach(columns::add);
    Arrays.stream(measures).forEach(columns::add);
    table.putArray("rows");
  }

  void row(String layer, State state, int channel, int step, double... measures) {
    ArrayNode row = ((ArrayNode) node.path("units").path("rows")).addArray();
    row.add(layer).add(state.word()).add(channel).add(step);
    for (double m : measures) {
      if (Double.isFinite(m)) {
        row.add(m);
      } else {
        row.addNull();
      }
    }
  }

  /** The state that the analyses rest on. */
  State main() {
    return State.valueOf(text("state").toUpperCase(Locale.ROOT));
  }

  /** One column of the table of units: of a state at a step, in the order of the channels. */
  double[] column(String measure, State state, int step) {
    JsonNode table = node.path("units");
    int at = -1;
    for (int i = 0; i < table.path("columns").size(); i++) {
      if (table.path("columns").get(i).asText().equals(measure)) {
        at = i;
      }
    }
    List<Double> out = new ArrayList<>();
    for (JsonNode row : table.path("rows")) {
      if (at >= 0 && row.get(1).asText().equals(state.word()) && row.get(3).asInt() == step) {
        out.add(number(row.get(at)));
      }
    }
    return out.stream().mapToDouble(v -> v).toArray();
  }

  /** The table of units as comma-separated values; null without one. */
  @Nullable String unitsCsv() {
    JsonNode table = node.path("units");
    if (table.isMissingNode()) {
      return null;
    }
    var out = new StringBuilder();
    csvLine(out, table.path("columns"));
    for (JsonNode row : table.path("rows")) {
      csvLine(out, row);
    }
    return out.toString();
  }

  private static void csvLine(StringBuilder out, JsonNode cells) {
    for (int i = 0; i < cells.size(); i++) {
      JsonNode cell = cells.get(i);
      out.append(i == 0 ? "" : ",").append(cell.isNull() ? "" : cell.asText());
    }
    out.append('\n');
  }

  /** The numbers of all figures as comma-separated values, a row per point; null without any. */
  @Nullable String figuresCsv() {
    if (!node.path("figures").isObject()) {
      return null;
    }
    var out = new StringBuilder("figure,panel,series,x,y,low,high,n\n");
    node.path("figures")
        .fieldNames()
        .forEachRemaining(
            figure -> {
              for (Series s : series(figure)) {
                for (int i = 0; i < s.x.length; i++) {
                  out.append(figure)
                      .append(',')
                      .append(quoted(s.panel))
                      .append(',')
                      .append(quoted(s.name))
                      .append(',')
                      .append(cell(s.x[i]))
                      .append(',')
                      .append(cell(s.y[i]))
                      .append(',')
                      .append(s.low == null ? "" : cell(s.low[i]))
                      .append(',')
                      .append(s.high == null ? "" : cell(s.high[i]))
                      .append(',')
                      .append(s.n)
                      .append('\n');
                }
              }
            });
    return out.toString();
  }

  private static String quoted(String text) {
    return text.matches("[^,\"\n]*") ? text : '"' + text.replace("\"", "\"\"") + '"';
  }

  private static String cell(double value) {
    return Double.isFinite(value) ? Double.toString(value) : "";
  }

  /** A number for reading: three digits, or n/a. */
  static String shown(double value) {
    if (!Double.isFinite(value)) {
      return "n/a";
    }
    double size = Math.abs(value);
    if (value == Math.rint(value) && size < 1e6) {
      return Long.toString((long) value);
    }
    String pattern = size < 1e-3 ? "%.2g" : size < 10 ? "%.3f" : size < 1000 ? "%.1f" : "%.4g";
    return String.format(Locale.ROOT, pattern, value);
  }

  /** With a unit behind it, where there is a number. */
  static String shown(double value, String unit) {
    return Double.isFinite(value) ? shown(value) + unit : "n/a";
  }

  /** As {@link #shown(double)} with its interval. */
  String interval(String name) {
    Result r = child(name);
    return has(name)
        ? "%s [%s, %s]"
            .formatted(shown(r.number("value")), shown(r.number("low")), shown(r.number("high")))
        : "n/a";
  }

  /** A p value for reading. */
  static String p(double value) {
    return Double.isNaN(value)
        ? "n/a"
        : value < 1e-3 ? "< 0.001" : String.format(Locale.ROOT, "%.3f", value);
  }

  static double[] fill(int n, IntToDoubleFunction f) {
    double[] out = new double[n];
    Arrays.setAll(out, f);
    return out;
  }
}
