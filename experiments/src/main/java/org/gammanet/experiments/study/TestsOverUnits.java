package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.analysis.Statistics;
import org.gammanet.figures.HtmlReport;

/** The tests over units in the results of all experiments, adjusted for their number. */
final class TestsOverUnits {
  private TestsOverUnits() {}

  /** Where a test is. */
  private record Place(String experiment, String name, ObjectNode test) {}

  private static List<Place> places(Map<String, ObjectNode> results) {
    List<Place> out = new ArrayList<>();
    results.forEach(
        (key, result) ->
            result
                .fields()
                .forEachRemaining(
                    f -> {
                      JsonNode v = f.getValue();
                      if (v instanceof ObjectNode test
                          && v.has("statistic")
                          && v.path("p").isNumber()) {
                        out.add(new Place(key, f.getKey(), test));
                      }
                    }));
    return out;
  }

  /** Adds adjusted p values (Benjamini and Hochberg 1995). */
  static void adjust(Map<String, ObjectNode> results) {
    List<Place> all = places(results);
    double[] adjusted =
        all.isEmpty()
            ? new double[0]
            : Statistics.falseDiscovery(
                all.stream().mapToDouble(t -> t.test.path("p").asDouble()).toArray());
    for (int i = 0; i < adjusted.length; i++) {
      all.get(i).test.put("p_adjusted", adjusted[i]);
    }
  }

  /** A table of them; nothing where there are none. */
  static void addTo(HtmlReport report, Map<String, ObjectNode> results) {
    List<List<String>> rows = new ArrayList<>();
    for (Place t : places(results)) {
      rows.add(
          List.of(
              t.experiment.replace('_', ' '),
              t.name.replace('_', ' '),
              t.test.path("n").asText(),
              Format.p(t.test.path("p").asDouble()),
              Format.p(t.test.path("p_adjusted").asDouble())));
    }
    if (!rows.isEmpty()) {
      report.section("Tests over units");
      report.table(
          "Adjusted for the number of these tests (Benjamini and Hochberg 1995). They take units as"
              + " independent, which those of one network are not: whether an effect is due to"
              + " training is told by control networks.",
          List.of("Experiment", "Test", "n", "p", "Adjusted p"),
          rows);
    }
  }
}
