package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleFunction;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.Statistics.Interval;
import org.gammanet.experiments.responses.State;

/**
 * Measures of units: a row per unit, population and timestep. Its columns, in JSON and in CSV, are
 * the components of a record.
 *
 * @param <M> the measures
 */
public final class UnitTable<M extends Record> {
  /**
   * A row.
   *
   * @param state the population
   * @param channel the unit; -1 for all of them together
   * @param step the timestep, from 0
   * @param measures what was measured
   * @param <M> the measures
   */
  public record Row<M extends Record>(State state, int channel, int step, M measures) {}

  private final RunContext context;
  private final Class<M> type;
  private final List<Row<M>> rows = new ArrayList<>();

  /** An empty table of the units of a run. */
  public UnitTable(RunContext context, Class<M> type) {
    this.context = context;
    this.type = type;
  }

  /** Adds a row. */
  public void add(State state, int channel, int step, M measures) {
    rows.add(new Row<>(state, channel, step, measures));
  }

  /** Adds a row of the main population after the last timestep. */
  public void add(int channel, M measures) {
    add(context.mainState(), channel, context.lastStep(), measures);
  }

  /** All rows. */
  public List<Row<M>> rows() {
    return List.copyOf(rows);
  }

  /** One measure of the main population after the last timestep, in the order of the rows. */
  public double[] values(ToDoubleFunction<M> measure) {
    return values(m -> true, measure);
  }

  /** As {@link #values(ToDoubleFunction)}, of the rows that meet a condition. */
  public double[] values(Predicate<M> condition, ToDoubleFunction<M> measure) {
    return values(context.mainState(), context.lastStep(), condition, measure);
  }

  /** One measure, of the rows of a population after a timestep that meet a condition. */
  public double[] values(
      State state, int step, Predicate<M> condition, ToDoubleFunction<M> measure) {
    return rows.stream()
        .filter(r -> r.state == state && r.step == step && condition.test(r.measures))
        .mapToDouble(r -> measure.applyAsDouble(r.measures))
        .toArray();
  }

  /**
   * The mean over units of the main population after the last timestep with its bootstrap interval.
   * A unit that has several rows counts once, with the mean of its finite values.
   */
  public Interval mean(ToDoubleFunction<M> measure) {
    return mean(m -> true, measure);
  }

  /** As {@link #mean(ToDoubleFunction)}, of the rows that meet a condition. */
  public Interval mean(Predicate<M> condition, ToDoubleFunction<M> measure) {
    return Series.mean(
        perUnit(context.mainState(), context.lastStep(), condition, measure), context.seed());
  }

  /** A value per unit, since the rows of one unit are no independent observations. */
  private double[] perUnit(
      State state, int step, Predicate<M> condition, ToDoubleFunction<M> measure) {
    Map<Integer, DoubleSummaryStatistics> units = new LinkedHashMap<>();
    for (Row<M> row : rows) {
      if (row.state == state && row.step == step && condition.test(row.measures)) {
        double value = measure.applyAsDouble(row.measures);
        if (Double.isFinite(value)) {
          units.computeIfAbsent(row.channel, c -> new DoubleSummaryStatistics()).accept(value);
        }
      }
    }
    return units.values().stream().mapToDouble(DoubleSummaryStatistics::getAverage).toArray();
  }

  /**
   * Means of the main population after the last timestep, at each value of a condition.
   *
   * @param rows tells the rows of a value of x
   */
  public Series curve(
      String name, double[] x, DoubleFunction<Predicate<M>> rows, ToDoubleFunction<M> measure) {
    return curve(name, context.mainState(), x, rows, measure);
  }

  /** As {@link #curve}, of each population. */
  public List<Series> curves(
      double[] x, DoubleFunction<Predicate<M>> rows, ToDoubleFunction<M> measure) {
    return context.states().stream().map(s -> curve(s.word(), s, x, rows, measure)).toList();
  }

  private Series curve(
      String name,
      State state,
      double[] x,
      DoubleFunction<Predicate<M>> rows,
      ToDoubleFunction<M> measure) {
    return Series.mean(
        name, x, v -> perUnit(state, context.lastStep(), rows.apply(v), measure), context.seed());
  }

  /** Means of each population after each timestep. */
  public List<Series> dynamics(ToDoubleFunction<M> measure) {
    return dynamics(m -> true, measure);
  }

  /** As {@link #dynamics(ToDoubleFunction)}, of the rows that meet a condition. */
  public List<Series> dynamics(Predicate<M> condition, ToDoubleFunction<M> measure) {
    return context.states().stream().map(s -> dynamics(s.word(), s, condition, measure)).toList();
  }

  /** Means of one population after each timestep. */
  public Series dynamics(
      String name, State state, Predicate<M> condition, ToDoubleFunction<M> measure) {
    double[] x = IntStream.range(0, context.timesteps()).asDoubleStream().toArray();
    return Series.mean(name, x, t -> perUnit(state, (int) t, condition, measure), context.seed());
  }

  /** The table as {@code {"columns": [...], "rows": [[...], ...]}}. */
  ObjectNode json() {
    ObjectNode out = Json.MAPPER.createObjectNode();
    ArrayNode columns =
        out.putArray("columns").add("layer").add("state").add("channel").add("step");
    if (rows.isEmpty()) {
      for (RecordComponent c : type.getRecordComponents()) {
        columns.add(Json.name(c.getName()));
      }
    } else {
      cells(rows.getFirst().measures).keySet().forEach(columns::add);
    }
    ArrayNode all = out.putArray("rows");
    for (Row<M> row : rows) {
      ArrayNode line = all.addArray().add(context.layer()).add(row.state.word()).add(row.channel);
      line.add(row.step).addAll(cells(row.measures).values());
    }
    return out;
  }

  /** The components of a row; a component that is a map has a column per key. */
  private static Map<String, JsonNode> cells(Record measures) {
    Map<String, JsonNode> out = new LinkedHashMap<>();
    Json.object(measures)
        .fields()
        .forEachRemaining(
            f -> {
              if (f.getValue().isObject()) {
                f.getValue().fields().forEachRemaining(g -> out.put(g.getKey(), g.getValue()));
              } else {
                out.put(f.getKey(), f.getValue());
              }
            });
    return out;
  }

  /** A table as {@link #json} makes it, as comma-separated values. */
  static String csv(JsonNode table) {
    var out = new Csv();
    out.row(texts(table.path("columns")));
    table.path("rows").forEach(row -> out.row(texts(row)));
    return out.toString();
  }

  private static List<String> texts(JsonNode cells) {
    List<String> out = new ArrayList<>();
    cells.forEach(c -> out.add(Json.text(c)));
    return out;
  }
}
