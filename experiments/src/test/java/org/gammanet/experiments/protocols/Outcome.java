package org.gammanet.experiments.protocols;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.responses.State;

/** Results of a run, or of an experiment in it, as tests read them. */
record Outcome(JsonNode node) {
  Outcome of(String key) {
    return new Outcome(node.path(key));
  }

  /** A number, or the value of an interval; NaN for null. */
  double number(String name) {
    JsonNode value = node.path(name);
    value = value.isObject() ? value.path("value") : value;
    return value.isNumber() ? value.asDouble() : Double.NaN;
  }

  /** A column of the table of units: of a state at a step. */
  double[] column(String name, State state, int step) {
    List<String> columns = new ArrayList<>();
    node.path("units").path("columns").forEach(c -> columns.add(c.asText()));
    List<Double> out = new ArrayList<>();
    for (JsonNode row : node.path("units").path("rows")) {
      if (row.get(1).asText().equals(state.word()) && row.get(3).asInt() == step) {
        JsonNode cell = row.get(columns.indexOf(name));
        out.add(cell.isNumber() ? cell.asDouble() : Double.NaN);
      }
    }
    return out.stream().mapToDouble(v -> v).toArray();
  }

  /** The values of a series. */
  double[] y(String figure, String panel, String series) {
    for (JsonNode p : node.path("figures").path(figure).path("panels")) {
      for (JsonNode s : p.path("series")) {
        if (p.path("key").asText().equals(panel) && s.path("name").asText().equals(series)) {
          return org.gammanet.experiments.study.Json.read(s.path("y"), double[].class);
        }
      }
    }
    throw new AssertionError("no series " + series);
  }
}
