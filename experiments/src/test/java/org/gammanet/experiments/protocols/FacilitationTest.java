package org.gammanet.experiments.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.stimuli.FlankedBars;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Facilitation from outside the receptive field is told from summation within it. */
class FacilitationTest {
  /** A unit to which a target evokes 1, flankers alone and both as given. */
  private static PlantedUnits.Unit unit(double flankers, double both) {
    return s -> response(s, flankers, both);
  }

  private static double response(Stimulus s, double flankers, double both) {
    return switch (s) {
      case Grating g -> 2 + Math.cos(Math.toRadians(2 * g.sine().orientation()));
      case FlankedBars b -> b.flankers() == null ? 1 : b.target() == null ? flankers : both;
      default -> 0;
    };
  }

  private static Outcome run(Path folder, PlantedUnits.Unit... units) throws IOException {
    InSilico run =
        InSilico.open(
            folder,
            List.of("kapadia"),
            Settings.DEFAULTS,
            new PlantedUnits(List.of(units)),
            null,
            Map.of(),
            false,
            Study.Existing.CONTINUE,
            Progress.NONE);
    run.run();
    return new Outcome(run.results()).of("kapadia");
  }

  @Test
  void flankersWithinTheFieldDoNotFacilitate(@TempDir Path folder) throws IOException {
    Outcome r =
        run(
            folder.resolve("a"),
            unit(0, 1.5), // facilitated
            unit(0, 0.5), // suppressed
            unit(0.5, 1.5)); // the sum of both
    assertEquals(3, r.number("n"));
    assertEquals(2, r.number("units_outside_field"));
    assertEquals(0.5, r.number("fraction_facilitated"));
    assertEquals((0.5 / 2.5 - 0.5 / 1.5) / 2, r.number("facilitation_index_outside_field"), 1e-6);

    Outcome none = run(folder.resolve("b"), unit(0.5, 1.5), unit(0.4, 1.6));
    assertTrue(Double.isNaN(none.number("fraction_facilitated")), "no unit qualifies");
    assertTrue(
        Files.readString(folder.resolve("b/report.html"))
            .contains("not measurable: 0 of 2 units outside"));
  }
}
