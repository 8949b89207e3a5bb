package org.gammanet.experiments.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Selectivity by its sources' definitions, on units whose tuning is given. */
class SelectivityTest {
  private static final double BLANK = 0.7174;

  /** Below the blank at all orientations but one, where it exceeds it by 0.004. */
  private static double barely(Stimulus s) {
    return s instanceof Grating g ? (g.sine().orientation() == 45 ? BLANK + 0.004 : 0.55) : BLANK;
  }

  /** 1 + cos 2(θ - 30) of which a blank evokes a quarter. */
  private static double complex(Stimulus s) {
    return s instanceof Grating g ? 1 + cos(2 * (g.sine().orientation() - 30)) : 0.25;
  }

  /** As large a mean as for a blank, about which it is modulated by 1 + cos 2(θ - 60). */
  private static double simple(Stimulus s) {
    return s instanceof Grating g
        ? 3 + (1 + cos(2 * (g.sine().orientation() - 60))) * Math.sin(g.sine().phase())
        : 3;
  }

  /** A curve that no von Mises function fits. */
  private static double ragged(Stimulus s) {
    return s instanceof Grating g ? 1 + Math.round(g.sine().orientation() / 15) % 2 : 0.5;
  }

  private static double cos(double degrees) {
    return Math.cos(Math.toRadians(degrees));
  }

  @Test
  void selectivityIsThatOfTheMeanOrTheModulatedResponse(@TempDir Path folder) throws IOException {
    var units =
        new PlantedUnits(
            List.of(
                SelectivityTest::barely,
                SelectivityTest::complex,
                SelectivityTest::simple,
                SelectivityTest::ragged));
    InSilico run =
        InSilico.open(
            folder,
            List.of("orientation"),
            Settings.DEFAULTS,
            units,
            null,
            Map.of(),
            false,
            Study.Existing.CONTINUE,
            Progress.NONE);
    run.run();
    Outcome r = new Outcome(run.results()).of("orientation_tuning");
    double[] variance = r.column("circular_variance", State.EXCITATORY, 0);
    double[] preferred = r.column("preferred_deg", State.EXCITATORY, 0);
    assertTrue(Double.isNaN(variance[0]), "an excess of 0.004 is no response: " + variance[0]);
    assertEquals(0.5, variance[1], 1e-6, "the blank is not subtracted");
    assertEquals(30, preferred[1], 1e-4);
    assertEquals(0.5, variance[2], 1e-6, "of the modulation by phase");
    assertEquals(60, preferred[2], 1e-4);
    JsonNode rows = r.node().path("units").path("rows");
    List<String> columns = new java.util.ArrayList<>();
    r.node().path("units").path("columns").forEach(c -> columns.add(c.asText()));
    boolean[][] expected = {{false, false}, {true, false}, {true, true}, {true, false}};
    for (int u = 0; u < 4; u++) {
      JsonNode row = rows.get(u);
      assertEquals(expected[u][0], row.get(columns.indexOf("responsive")).asBoolean(), "unit " + u);
      assertEquals(expected[u][1], row.get(columns.indexOf("simple")).asBoolean(), "unit " + u);
    }
    assertEquals(3, r.number("n_responsive"));
    // A sinusoid has a half width of 45°, at a bound of the fit; the ragged curve is not fitted.
    assertEquals("[null,null,null]", r.node().path("half_width_deg_quartiles").toString());
    assertTrue(
        r.node().path("tuning_curve").path("channel").asInt() != 0, "no example of no response");
    double[] blank = r.y("orientation_tuning", "population", "excitatory");
    assertEquals(13, blank.length);
  }
}
