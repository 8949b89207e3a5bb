package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Style;
import org.jspecify.annotations.Nullable;

/** The results of a network beside those of control networks. */
final class ControlComparison {
  /** Fewer controls say nothing about a p of 0.05. */
  private static final int LEAST_FOR_P = 19;

  private static final double Z = 1.959964;

  /**
   * One number of an experiment against a group of controls.
   *
   * @param group of controls
   * @param networks in it for which the number is defined
   * @param mean over them
   * @param lowest of them
   * @param highest of them
   * @param difference the network's value less the mean
   * @param low lower end of its interval of 95 %, from the bootstrap error over units and the
   *     standard deviation over control networks; NaN for fewer than two of them
   * @param high upper end
   * @param p fraction of networks, the tested one included, that are as far from the mean of all of
   *     them; NaN for fewer than 19 controls, and where the network has no value
   */
  record Against(
      String group,
      int networks,
      double mean,
      double lowest,
      double highest,
      double difference,
      double low,
      double high,
      double p) {
    static Against of(String group, Interval network, double[] all) {
      double[] controls = Series.finite(all);
      int n = controls.length;
      double mean = Arrays.stream(controls).average().orElse(Double.NaN);
      double square = Arrays.stream(controls).map(c -> (c - mean) * (c - mean)).sum();
      double spread = n < 2 ? Double.NaN : square / (n - 1) * (1 + 1.0 / n);
      double error = (network.high() - network.low()) / (2 * Z);
      double difference = network.value() - mean;
      double half = Z * Math.sqrt(error * error + spread);
      // From the mean of all, so that the network is to the controls as each is to the others.
      double center = (n * mean + network.value()) / (n + 1);
      double far = Math.abs(network.value() - center);
      long asFar = Arrays.stream(controls).filter(c -> Math.abs(c - center) >= far).count();
      return new Against(
          group,
          n,
          mean,
          Arrays.stream(controls).min().orElse(Double.NaN),
          Arrays.stream(controls).max().orElse(Double.NaN),
          difference,
          difference - half,
          difference + half,
          n < LEAST_FOR_P || Double.isNaN(far) ? Double.NaN : (asFar + 1.0) / (n + 1));
    }
  }

  private final Map<Control, ObjectNode> results;

  /** Compares with the results of controls. */
  ControlComparison(Map<Control, ObjectNode> results) {
    this.results = results;
  }

  private Map<String, List<ObjectNode>> groups(String key) {
    Map<String, List<ObjectNode>> out = new LinkedHashMap<>();
    results.forEach(
        (control, all) -> {
          if (all.path(key) instanceof ObjectNode result) {
            out.computeIfAbsent(control.group(), g -> new ArrayList<>()).add(result);
          }
        });
    return out;
  }

  /** The numbers with intervals in the result of an experiment, by name. */
  static Map<String, Interval> numbers(JsonNode result) {
    Map<String, Interval> out = new LinkedHashMap<>();
    result
        .fields()
        .forEachRemaining(
            f -> {
              JsonNode v = f.getValue();
              if (v.has("value") && v.has("low") && v.has("high") && v.has("n")) {
                out.put(f.getKey(), Json.read(v, Interval.class));
              }
            });
    return out;
  }

  /**
   * The differences of an experiment's numbers to the means of the groups of controls, with their
   * intervals and the number of controls: {@code NUMBER_minus_GROUP}.
   */
  static Map<String, Interval> differences(JsonNode result) {
    Map<String, Interval> out = new LinkedHashMap<>();
    result
        .path("controls")
        .fields()
        .forEachRemaining(
            number ->
                number
                    .getValue()
                    .forEach(
                        node -> {
                          Against a = Json.read(node, Against.class);
                          out.put(
                              number.getKey() + "_minus_" + a.group.replace(' ', '_'),
                              new Interval(a.difference, a.low, a.high, a.networks));
                        }));
    return out;
  }

  /**
   * The primary number of an experiment, and what is left of it without that of untrained networks,
   * a line each; empty without such controls or without a value.
   */
  static String footer(JsonNode result, String primary) {
    Interval network = numbers(result).get(primary);
    Map<String, Interval> differences = differences(result);
    if (network == null || !Double.isFinite(network.value())) {
      return "";
    }
    var out = new StringBuilder();
    for (Control.Kind kind : List.of(Control.Kind.RANDOM, Control.Kind.SHUFFLED)) {
      Interval d = differences.get(primary + "_minus_" + Json.name(kind));
      if (d != null) {
        out.append(
            "\n%s networks subtracted: %s, n = %s"
                .formatted(Json.name(kind), Format.interval(d), d.n()));
      }
    }
    return out.isEmpty() ? "" : "%s: %s%s".formatted(words(primary), Format.interval(network), out);
  }

  /** The name of a number for reading. */
  private static String words(String name) {
    return name.replace('_', ' ').replaceAll("\\bat(\\d)", "at $1");
  }

  /** Adds the comparison, and bands of the untrained networks in the figures, to a result. */
  void addTo(String key, ObjectNode result) {
    Map<String, List<ObjectNode>> groups = groups(key);
    ObjectNode comparison = Json.MAPPER.createObjectNode();
    numbers(result)
        .forEach(
            (name, network) -> {
              List<Against> rows = new ArrayList<>();
              groups.forEach(
                  (group, controls) ->
                      rows.add(
                          Against.of(
                              group,
                              network,
                              controls.stream()
                                  .map(c -> numbers(c).get(name))
                                  .mapToDouble(i -> i == null ? Double.NaN : i.value())
                                  .toArray())));
              comparison.set(name, Json.MAPPER.valueToTree(rows));
            });
    result.set("controls", comparison);
    List<ObjectNode> untrained = new ArrayList<>();
    results.forEach(
        (control, all) -> {
          if (control.lesion() == null && all.path(key) instanceof ObjectNode r) {
            untrained.add(r);
          }
        });
    if (untrained.isEmpty()) {
      return;
    }
    ObjectNode figures = (ObjectNode) result.path("figures");
    for (FigureSpec figure : Findings.figures(result)) {
      for (Panel panel : figure.panels()) {
        addBand(
            panel,
            result.path("state").asText(),
            untrained.stream().map(u -> panel(u, figure.name(), panel.key())).toList());
      }
      figures.set(figure.name(), Json.object(figure));
    }
    Panel overview = Findings.overviewPanel(result);
    if (overview != null) {
      addBand(
          overview,
          result.path("state").asText(),
          untrained.stream().map(Findings::overviewPanel).toList());
      result.set("overview_panel", Json.object(overview));
    }
  }

  private static @Nullable Panel panel(ObjectNode result, String figure, String key) {
    JsonNode spec = result.path("figures").path(figure);
    return spec.isMissingNode()
        ? null
        : Json.read(spec, FigureSpec.class).panels().stream()
            .filter(p -> p.key().equals(key))
            .findFirst()
            .orElse(null);
  }

  /** The range of the untrained networks' curves, under the network's own. */
  private static void addBand(Panel panel, String state, List<@Nullable Panel> controls) {
    panel.series().removeIf(s -> s.look() == Series.Look.UNTRAINED);
    List<Series> curves =
        panel.series().stream().filter(s -> s.look() == Series.Look.CURVE).toList();
    Series first = curves.stream().filter(s -> s.name().startsWith(state)).findFirst().orElse(null);
    first = first == null && curves.size() == 1 ? curves.getFirst() : first;
    if (first == null) {
      return;
    }
    Series curve = first;
    List<Series> same =
        controls.stream()
            .filter(p -> p != null)
            .flatMap(p -> p.series().stream())
            .filter(s -> s.name().equals(curve.name()) && Arrays.equals(s.x(), curve.x()))
            .toList();
    if (same.isEmpty()) {
      return;
    }
    double[] low = new double[curve.x().length];
    double[] high = new double[low.length];
    for (int i = 0; i < low.length; i++) {
      int at = i;
      double[] here = Series.finite(same.stream().mapToDouble(s -> s.y()[at]).toArray());
      low[i] = Arrays.stream(here).min().orElse(Double.NaN);
      high[i] = Arrays.stream(here).max().orElse(Double.NaN);
    }
    panel
        .series()
        .addFirst(
            new Series(
                "untrained networks",
                curve.x(),
                high,
                low,
                high,
                same.size(),
                Series.Look.UNTRAINED,
                Style.GUIDE.label("untrained, range of " + same.size())));
  }

  /**
   * Corrects the p of the experiments' primary numbers, in each group of controls, for their number
   * (Benjamini and Hochberg 1995).
   *
   * @param primary the primary number of each result
   */
  static void adjust(Map<String, ObjectNode> network, Map<String, String> primary) {
    Map<String, List<ObjectNode>> tests = new LinkedHashMap<>();
    network.forEach(
        (key, result) -> {
          for (JsonNode against : result.path("controls").path(primary.getOrDefault(key, ""))) {
            if (against.path("p").isNumber()) {
              tests
                  .computeIfAbsent(against.path("group").asText(), g -> new ArrayList<>())
                  .add((ObjectNode) against);
            }
          }
        });
    for (List<ObjectNode> group : tests.values()) {
      double[] adjusted =
          Statistics.falseDiscovery(
              group.stream().mapToDouble(a -> a.path("p").asDouble()).toArray());
      for (int i = 0; i < adjusted.length; i++) {
        group.get(i).put("p_adjusted", adjusted[i]);
      }
    }
  }

  /** One row per network, experiment and number: the networks as a sample. */
  String csv(Map<String, ObjectNode> network) {
    var out = new Csv();
    out.row(List.of("network", "group", "experiment", "quantity", "value", "low", "high", "n"));
    network.forEach((e, r) -> rows(out, "network", "network", e, r));
    results.forEach(
        (control, all) ->
            network
                .keySet()
                .forEach(
                    e -> {
                      if (all.path(e) instanceof ObjectNode r) {
                        rows(out, control.name(), control.group(), e, r);
                      }
                    }));
    return out.toString();
  }

  private static void rows(Csv out, String name, String group, String key, ObjectNode result) {
    numbers(result)
        .forEach(
            (quantity, i) ->
                out.row(List.of(name, group, key, quantity, i.value(), i.low(), i.high(), i.n())));
  }

  /** A table of all numbers beside those of the controls. */
  static void addTo(
      HtmlReport report, Map<String, ObjectNode> network, Map<String, String> primary) {
    List<String> columns = new ArrayList<>(List.of("Experiment", "Number", "Network [95 %]"));
    List<List<String>> rows = new ArrayList<>();
    network.forEach(
        (key, result) ->
            numbers(result)
                .forEach(
                    (name, interval) -> {
                      List<String> row =
                          new ArrayList<>(
                              List.of(
                                  key.replace('_', ' '),
                                  words(name) + (name.equals(primary.get(key)) ? " (primary)" : ""),
                                  "%s, n = %s".formatted(Format.interval(interval), interval.n())));
                      for (JsonNode node : result.path("controls").path(name)) {
                        Against a = Json.read(node, Against.class);
                        String column = "Network − " + a.group;
                        if (!columns.contains(column)) {
                          columns.add(column);
                        }
                        row.add(
                            "%s%s; %s of mean %s"
                                    .formatted(
                                        Format.number(a.difference),
                                        Double.isNaN(a.low)
                                            ? ""
                                            : " [%s, %s]"
                                                .formatted(
                                                    Format.number(a.low), Format.number(a.high)),
                                        a.networks,
                                        Format.number(a.mean))
                                + (Double.isNaN(a.p) ? "" : "; p " + Format.p(a.p))
                                + (node.has("p_adjusted")
                                    ? ", adjusted " + Format.p(node.path("p_adjusted").asDouble())
                                    : ""));
                      }
                      rows.add(row);
                    }));
    rows.forEach(
        r -> {
          while (r.size() < columns.size()) {
            r.add("");
          }
        });
    report.section("Controls");
    report.text(
        "The same experiments on control networks, each measured from scratch: random networks have"
            + " untrained weights, shuffled ones the trained values of each kernel at other"
            + " positions; lesioned ones lack a part of the circuit. Intervals of the differences"
            + " combine the bootstrap error over units with the spread over control networks. An"
            + " effect that control networks share is not due to training.");
    report.table(
        "Differences to the mean of the controls, with intervals of 95 % where there are two or"
            + " more of them.",
        columns, rows);
  }
}
