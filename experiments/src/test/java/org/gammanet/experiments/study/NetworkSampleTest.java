package org.gammanet.experiments.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.export.CsvTable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NetworkSampleTest {
  @TempDir Path folder;

  /** Results of a run with a number, and two units of which one is below the last timestep. */
  private Path run(String name, double value) throws Exception {
    Path out = Files.createDirectories(folder.resolve("networks").resolve(name));
    Files.writeString(
        out.resolve("insilico_results_20260101_000000.json"),
        """
        {"metadata": {"settings": {}, "weights_sha256": "%s"},
         "size_tuning": {"layer": "fgru_0", "state": "excitatory", "timesteps": 2,
          "suppression_index": {"value": %s, "low": %s, "high": %s, "n": 2},
          "units": {"columns": ["layer", "state", "channel", "step", "index"],
           "rows": [["fgru_0", "excitatory", 0, 0, 9], ["fgru_0", "excitatory", 0, 1, %s],
            ["fgru_0", "excitatory", 1, 1, null], ["fgru_0", "inhibitory", 0, 1, 7]]}}}
        """
            .formatted(name, value, value - 0.1, value + 0.1, value));
    return out;
  }

  /** Rows of conditions are no units, and angles have no mean on a line. */
  @Test
  void conditionsAndAnglesHaveNoMeansOverUnits() throws Exception {
    Path out = Files.createDirectories(folder.resolve("conditions"));
    Files.writeString(
        out.resolve("insilico_results_20260101_000000.json"),
        """
        {"metadata": {"settings": {}},
         "kapadia": {"layer": "fgru_0", "state": "excitatory", "timesteps": 1,
          "units": {"columns": ["layer", "state", "channel", "step", "distance_px", "facilitation"],
           "rows": [["fgru_0", "excitatory", 0, 0, 4, 1], ["fgru_0", "excitatory", 0, 0, 8, 2]]}},
         "orientation_tuning": {"layer": "fgru_0", "state": "excitatory", "timesteps": 1,
          "units": {"columns": ["layer", "state", "channel", "step", "preferred_deg", "osi"],
           "rows": [["fgru_0", "excitatory", 0, 0, 1, 0.5], ["fgru_0", "excitatory", 1, 0, 179, 0.7]]}}}
        """);
    NetworkSample sample =
        NetworkSample.read(Map.of("a", out, "b", out), Experiments.all(Mode.OWN), 1);
    assertEquals(
        List.of("osi"), sample.estimates().stream().map(NetworkSample.Estimate::quantity).toList());
  }

  @Test
  void networksAreTheSample() throws Exception {
    Map<String, Path> runs = new LinkedHashMap<>();
    for (int i = 0; i < 5; i++) {
      runs.put("net" + i, run("net" + i, 0.2 + 0.1 * i));
    }
    NetworkSample sample = NetworkSample.read(runs, Experiments.all(Mode.OWN), 1);
    List<NetworkSample.Estimate> all = sample.estimates();
    assertEquals(2, all.size());
    NetworkSample.Estimate primary = all.getFirst();
    assertTrue(primary.primary());
    assertEquals(0.4, primary.mean().value(), 1e-12);
    assertEquals(5, primary.mean().n());
    assertEquals(Math.sqrt(0.025), primary.deviation(), 1e-12);
    assertTrue(primary.mean().low() > 0.2 && primary.mean().high() < 0.6);
    NetworkSample.Estimate units = all.getLast();
    assertEquals("index", units.quantity());
    assertEquals(0.4, units.mean().value(), 1e-12); // of the excitatory units at the last timestep

    assertTrue(Files.size(sample.write(folder)) > 1000);
    CsvTable table = CsvTable.read(folder.resolve("networks.csv"));
    assertEquals(5 * 4, table.rows().size());
    assertEquals(5, table.column("quantity").stream().filter("suppression_index"::equals).count());
    assertTrue(Files.exists(folder.resolve("networks.png")));
  }
}
