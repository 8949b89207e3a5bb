package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Hierarchical;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Style;
import org.gammanet.io.AtomicFile;
import org.jspecify.annotations.Nullable;

/**
 * Several networks as a sample: what their runs of the same experiments have found, with inference
 * over networks.
 */
public final class NetworkSample {
  private static final double LEVEL = 0.95;
  private static final double ALPHA = 0.05;
  private static final double POWER = 0.8;
  private static final int RESAMPLES = 2000;

  /**
   * Columns whose mean says nothing: angles of a full or half turn, positions, a probe's number.
   */
  private static final Pattern NO_MEAN =
      Pattern.compile("probe|.*preferred.*_deg|.*_phase_rad|center_[xy]_px");

  /** Fewer networks give intervals that are too narrow. */
  private static final int FEW = 5;

  /**
   * A number over networks.
   *
   * @param experiment key of its results
   * @param quantity name of the number; of a mean over units, the column of the table
   * @param perUnit whether it is the mean of a column of the table of units
   * @param primary whether it is the experiment's primary number
   * @param mean over networks, with a hierarchical bootstrap interval of 95 %
   * @param deviation standard deviation between networks
   * @param effect mean over deviation
   * @param needed networks for a power of 0.8 at a level of 0.05 if the effect is as large as that;
   *     0 where no reasonable number is enough
   * @param values of the networks, in their order
   */
  public record Estimate(
      String experiment,
      String quantity,
      boolean perUnit,
      boolean primary,
      Interval mean,
      double deviation,
      double effect,
      int needed,
      double[] values) {}

  private final Map<String, ObjectNode> networks;
  private final List<Experiment<?>> experiments;
  private final long seed;
  private final List<Estimate> estimates = new ArrayList<>();

  private NetworkSample(Map<String, ObjectNode> networks, List<Experiment<?>> all, long seed) {
    this.networks = networks;
    this.seed = seed;
    experiments =
        all.stream()
            .filter(e -> networks.values().stream().anyMatch(n -> n.path(e.key()).isObject()))
            .toList();
    for (Experiment<?> e : experiments) {
      numbers(e);
      columns(e);
    }
  }

  /**
   * Reads the runs of several networks.
   *
   * @param folders of the runs by names of the networks
   * @param experiments that are looked for in them
   * @param seed of the resamples
   * @throws IOException where a folder has no results
   */
  public static NetworkSample read(
      Map<String, Path> folders, List<Experiment<?>> experiments, long seed) throws IOException {
    Map<String, ObjectNode> networks = new LinkedHashMap<>();
    for (Map.Entry<String, Path> folder : folders.entrySet()) {
      networks.put(folder.getKey(), InSilico.read(folder.getValue()));
    }
    return new NetworkSample(networks, experiments, seed);
  }

  /**
   * All numbers, by experiment; numbers of an experiment's summary come before means of columns.
   */
  public List<Estimate> estimates() {
    return List.copyOf(estimates);
  }

  /** Numbers of a network's experiment, and their differences to its controls. */
  private static Map<String, Interval> numbers(JsonNode result) {
    Map<String, Interval> out = ControlComparison.numbers(result);
    out.putAll(ControlComparison.differences(result));
    return out;
  }

  private void numbers(Experiment<?> e) {
    Set<String> names = new LinkedHashSet<>();
    networks.values().forEach(n -> names.addAll(numbers(n.path(e.key())).keySet()));
    for (String name : names) {
      List<Interval> each = new ArrayList<>();
      for (ObjectNode network : networks.values()) {
        Interval i = numbers(network.path(e.key())).get(name);
        each.add(i == null ? new Interval(Double.NaN, Double.NaN, Double.NaN, 0) : i);
      }
      add(
          e,
          name,
          false,
          Hierarchical.ofIntervals(each, LEVEL, RESAMPLES, seed),
          each.stream().mapToDouble(Interval::value).toArray());
    }
  }

  /**
   * Means over units of the main population after the last timestep, from tables that have a row
   * per unit. Others have one per condition or position, which no mean should mix.
   */
  private void columns(Experiment<?> e) {
    if (networks.values().stream().anyMatch(n -> repeatsUnits(n.path(e.key())))) {
      return;
    }
    Set<String> names = new LinkedHashSet<>();
    networks.values().forEach(n -> names.addAll(measures(n.path(e.key()))));
    names.removeIf(name -> NO_MEAN.matcher(name).matches());
    for (String name : names) {
      List<double[]> each =
          networks.values().stream().map(n -> column(n.path(e.key()), name)).toList();
      if (each.stream().allMatch(c -> Series.finite(c).length == 0)) {
        continue;
      }
      add(
          e,
          name,
          true,
          Hierarchical.mean(each, LEVEL, RESAMPLES, seed),
          each.stream()
              .mapToDouble(c -> Arrays.stream(Series.finite(c)).average().orElse(Double.NaN))
              .toArray());
    }
  }

  private void add(Experiment<?> e, String name, boolean unit, Interval mean, double[] values) {
    double deviation = Hierarchical.deviation(values);
    double effect = mean.value() / deviation;
    estimates.add(
        new Estimate(
            e.key(),
            name,
            unit,
            !unit && name.equals(e.description().primary()),
            mean,
            deviation,
            effect,
            Double.isFinite(effect) ? Hierarchical.needed(effect, ALPHA, POWER) : 0,
            values));
  }

  private static List<String> measures(JsonNode result) {
    List<String> out = new ArrayList<>();
    result.path("units").path("columns").forEach(c -> out.add(c.asText()));
    return out.size() <= 4 ? List.of() : out.subList(4, out.size()); // layer, state, channel, step
  }

  /** The rows of the main population after the last timestep. */
  private static List<JsonNode> rows(JsonNode result) {
    String state = result.path("state").asText();
    int last = result.path("timesteps").asInt() - 1;
    List<JsonNode> out = new ArrayList<>();
    for (JsonNode row : result.path("units").path("rows")) {
      if (row.path(1).asText().equals(state) && row.path(3).asInt() == last) {
        out.add(row);
      }
    }
    return out;
  }

  private static boolean repeatsUnits(JsonNode result) {
    List<JsonNode> rows = rows(result);
    return rows.stream().map(row -> row.path(2).asInt()).distinct().count() < rows.size();
  }

  private static double[] column(JsonNode result, String name) {
    int at = measures(result).indexOf(name) + 4;
    return rows(result).stream()
        .filter(row -> at >= 4)
        .mapToDouble(row -> row.path(at).isNumber() ? row.path(at).asDouble() : Double.NaN)
        .toArray();
  }

  /** One row per network, experiment, number and, where there are units, unit and timestep. */
  public String csv() {
    var out = new Csv();
    out.row(
        List.of(
            "network",
            "weights_sha256",
            "experiment",
            "quantity",
            "layer",
            "state",
            "channel",
            "step",
            "value",
            "low",
            "high",
            "n"));
    networks.forEach(
        (name, results) -> {
          String digest = results.path("metadata").path("weights_sha256").asText();
          for (Experiment<?> e : experiments) {
            JsonNode result = results.path(e.key());
            String layer = result.path("layer").asText();
            numbers(result)
                .forEach(
                    (quantity, i) ->
                        out.row(
                            Arrays.asList(
                                name, digest, e.key(), quantity, layer, null, null, null, i.value(),
                                i.low(), i.high(), i.n())));
            List<String> measures = measures(result);
            for (JsonNode row : result.path("units").path("rows")) {
              for (int m = 0; m < measures.size(); m++) {
                JsonNode value = row.path(m + 4);
                if (value.isNumber()) {
                  List<@Nullable Object> cells =
                      new ArrayList<>(List.of(name, digest, e.key(), measures.get(m)));
                  IntStream.range(0, 4).forEach(k -> cells.add(row.path(k).asText()));
                  cells.addAll(Arrays.asList(value.asText(), null, null, 1));
                  out.row(cells);
                }
              }
            }
          }
        });
    return out.toString();
  }

  /**
   * Writes {@code networks.csv} with everything, {@code networks.json} with the estimates, a figure
   * of the primary numbers, and {@code report.html}.
   *
   * @return the report
   * @throws IOException when a file cannot be written
   */
  public Path write(Path folder) throws IOException {
    AtomicFile.write(folder.resolve("networks.csv"), csv());
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.set("networks", Json.MAPPER.valueToTree(networks.keySet()));
    json.set("estimates", Json.MAPPER.valueToTree(estimates));
    AtomicFile.write(
        folder.resolve("networks.json"),
        Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    var report = new HtmlReport("In silico physiology of %s networks".formatted(networks.size()));
    report.lead(
        "The same experiments on each network: "
            + String.join(", ", networks.keySet())
            + ". Each has a report of its own in the folder networks.");
    if (networks.size() < FEW) {
      report.warning(
          "With fewer than %s networks, bootstrap intervals are too narrow.".formatted(FEW));
    }
    Figure figure = figure();
    if (figure != null) {
      figure.write(folder.resolve("networks"));
      report.section("Primary numbers");
      report.figure(
          figure,
          "Each network's primary numbers with intervals of 95 % over its units; the line is the"
              + " mean over networks, the gray band its hierarchical bootstrap interval of 95 %.");
    }
    table(report, "Numbers", false);
    table(report, "Means over units", true);
    report.text(
        "The hierarchical bootstrap draws networks, then units within each. The effect is the mean"
            + " over the standard deviation between networks. The last column tells how many"
            + " networks a two-sided t test against 0 needs to find an effect of this size with a"
            + " probability of 0.8 at a level of 0.05. An effect of 0.5 needs %s, of 0.8 %s, of 1 %s, of 2 %s."
                .formatted(
                    Hierarchical.needed(0.5, ALPHA, POWER),
                    Hierarchical.needed(0.8, ALPHA, POWER),
                    Hierarchical.needed(1, ALPHA, POWER),
                    Hierarchical.needed(2, ALPHA, POWER)));
    Path file = folder.resolve("report.html");
    report.write(file);
    return file;
  }

  private void table(HtmlReport report, String heading, boolean perUnit) {
    List<List<String>> rows = new ArrayList<>();
    for (Estimate e : estimates) {
      if (e.perUnit == perUnit) {
        rows.add(
            List.of(
                e.experiment.replace('_', ' '),
                e.quantity.replace('_', ' ') + (e.primary ? " (primary)" : ""),
                Format.interval(e.mean),
                String.valueOf(e.mean.n()),
                Format.number(e.deviation),
                Format.number(e.effect),
                e.needed == 0 ? "n/a" : String.valueOf(e.needed)));
      }
    }
    if (!rows.isEmpty()) {
      report.section(heading);
      report.table(
          perUnit
              ? "The main population after the last timestep."
              : "Numbers of the experiments' summaries.",
          List.of(
              "Experiment",
              "Number",
              "Mean over networks [95 %]",
              "Networks",
              "Standard deviation",
              "Effect",
              "Networks needed"),
          rows);
    }
  }

  private @Nullable Figure figure() {
    List<Estimate> primary = estimates.stream().filter(e -> e.primary).toList();
    if (primary.isEmpty()) {
      return null;
    }
    int columns = Math.min(3, primary.size());
    var figure = new Figure(4.0 * columns, 3.2 * ((primary.size() + columns - 1) / columns));
    double[] x = IntStream.rangeClosed(1, networks.size()).asDoubleStream().toArray();
    double[] ends = {0.5, networks.size() + 0.5};
    for (int k = 0; k < primary.size(); k++) {
      Estimate e = primary.get(k);
      double[] low = new double[x.length];
      double[] high = new double[x.length];
      int at = 0;
      for (ObjectNode network : networks.values()) {
        Interval i = ControlComparison.numbers(network.path(e.experiment)).get(e.quantity);
        low[at] = i == null ? Double.NaN : i.low();
        high[at++] = i == null ? Double.NaN : i.high();
      }
      double[] mean = {e.mean.value(), e.mean.value()};
      figure
          .panel(k / columns, k % columns)
          .title(e.experiment.replace('_', ' '))
          .x(Axis.linear("Network").range(ends[0], ends[1]).ticks(x))
          .y(Axis.linear(e.quantity.replace('_', ' ')))
          .band(
              ends,
              new double[] {e.mean.low(), e.mean.low()},
              new double[] {e.mean.high(), e.mean.high()},
              Style.GUIDE)
          .line(ends, mean, Style.BLACK.plain())
          .errorBars(x, low, high, Style.series(0))
          .points(x, e.values, Style.series(0));
    }
    return figure;
  }
}
