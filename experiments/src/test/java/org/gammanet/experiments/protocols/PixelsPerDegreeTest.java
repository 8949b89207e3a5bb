package org.gammanet.experiments.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.study.Experiment;
import org.gammanet.experiments.study.Experiments;
import org.gammanet.experiments.study.Protocol;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Settings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pixels per degree scale the stimuli of every experiment. */
class PixelsPerDegreeTest {
  /** Squares that cover a stimulus are as large as the units' receptive fields, not as degrees. */
  private static final Set<String> NOT_IN_DEGREES = Set.of("receptive_field");

  /** An image of twice the size at twice the pixels per degree shows the same, finer. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void twiceThePixelsShowTheSame(boolean full) {
    Settings settings = Settings.DEFAULTS.withFull(full).withProbes(3);
    for (Experiment<?> e : Experiments.all(Mode.OWN)) {
      if (e.getClass().getName().startsWith("org.gammanet") && !NOT_IN_DEGREES.contains(e.name())) {
        List<Stimulus> coarse = stimuli(e, 176, settings.withPixelsPerDegree(24));
        List<Stimulus> fine = stimuli(e, 352, settings.withPixelsPerDegree(48));
        assertEquals(coarse.size(), fine.size(), e.name());
        for (int i = 0; i < coarse.size(); i += Math.max(1, coarse.size() / 12)) {
          assertSame(coarse.get(i), fine.get(i), e.name() + " " + coarse.get(i).meta());
        }
      }
    }
  }

  private static List<Stimulus> stimuli(Experiment<?> e, int size, Settings settings) {
    return e.design(RunContext.preview(size, settings)).stimuli().stimuli();
  }

  private static void assertSame(Stimulus coarse, Stimulus fine, String what) {
    int n = coarse.frame().width();
    float[] a = coarse.draw();
    float[] b = fine.draw();
    int different = 0;
    for (int y = 1; y < n; y++) { // the first row and column have no counterpart in the middle
      for (int x = 1; x < n; x++) {
        different += Math.abs(a[y * n + x] - b[2 * y * 2 * n + 2 * x]) > 1e-4 ? 1 : 0;
      }
    }
    // Smooth edges of bars are one pixel wide in both.
    double allowed = what.startsWith("kapadia") ? 400 : 0;
    assertTrue(different <= allowed, what + ": " + different + " pixels differ");
  }

  @Test
  void aProtocolScalesItsStimuli() {
    var settings =
        new Protocol.Stimuli(null, null, null, null, 15.0, null).apply(Settings.DEFAULTS);
    RunContext context = RunContext.preview(128, settings);
    assertEquals(128 / 6.4, context.cycles(12.8));
    assertEquals(10, context.pixels(20));
  }

  @Test
  void wavelengthsThatTheImageCannotShowAreRefused() {
    RunContext context = RunContext.preview(128, Settings.DEFAULTS.withPixelsPerDegree(4));
    var e = assertThrows(IllegalArgumentException.class, () -> context.cycles(12.8));
    assertEquals(
        "a grating of 0.427 deg has a wavelength of 1.7 px at 4.00 pixels per degree; at least 2 px"
            + " are needed",
        e.getMessage());
  }
}
