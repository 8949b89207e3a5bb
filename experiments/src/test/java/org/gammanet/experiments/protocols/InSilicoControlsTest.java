package org.gammanet.experiments.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.Aperture;
import org.gammanet.experiments.stimuli.Frame;
import org.gammanet.experiments.stimuli.Grating;
import org.gammanet.experiments.stimuli.MaskedGrating;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Experiments on units of known tuning must find what is known. */
class InSilicoControlsTest {
  private static Outcome run(EnergyBank bank, String experiment, Path folder) throws IOException {
    InSilico run =
        InSilico.open(
            folder,
            List.of(experiment),
            Settings.DEFAULTS.withProbes(6),
            bank,
            null,
            Map.of("model", "Gabor energies"),
            false,
            Study.Existing.CONTINUE,
            Progress.NONE);
    run.run();
    return new Outcome(run.results());
  }

  @Test
  void orientationAndBandwidth(@TempDir Path folder) throws IOException {
    EnergyBank bank = EnergyBank.of(11, 3.7, new double[] {6.4, 12.8}, 0.3);
    Outcome r = run(bank, "orientation", folder).of("orientation_tuning");
    double[] vector = r.column("preferred_deg", State.EXCITATORY, 1);
    double[] fitted = r.column("fit_preferred_deg", State.EXCITATORY, 1);
    double[] width = r.column("fit_half_width_deg", State.EXCITATORY, 1);
    double[] frequency = r.column("best_cycles_per_image", State.EXCITATORY, 1);
    double worstAngle = 0;
    double worstWidth = 0;
    for (int u = 0; u < bank.units.size(); u++) {
      EnergyBank.Unit unit = bank.units.get(u);
      assertEquals(128 / unit.wavelength(), frequency[u], 1e-9, "frequency of unit " + u);
      worstAngle =
          Math.max(worstAngle, Math.abs(Orientation.difference(vector[u], unit.modulation())));
      worstAngle =
          Math.max(worstAngle, Math.abs(Orientation.difference(fitted[u], unit.modulation())));
      worstWidth = Math.max(worstWidth, Math.abs(width[u] / halfWidth(unit) - 1));
    }
    System.out.printf(
        "largest error: preferred %.3f of 1 degree, bandwidth %.2f of 5 %%%n",
        worstAngle, 100 * worstWidth);
    assertTrue(worstAngle < 1, "preferred orientation off by " + worstAngle);
    assertTrue(worstWidth < 0.05, "bandwidth off by a fraction of " + worstWidth);
  }

  /** Where exp(-σ² |k - k₀|²) has come down to half between peak and trough. */
  private static double halfWidth(EnergyBank.Unit unit) {
    double a = Math.pow(2 * Math.PI / unit.wavelength() * unit.sigma(), 2);
    java.util.function.DoubleUnaryOperator curve =
        d ->
            Math.exp(-2 * a * (1 - Math.cos(Math.toRadians(d))))
                + Math.exp(-2 * a * (1 + Math.cos(Math.toRadians(d))));
    double level = (curve.applyAsDouble(0) + curve.applyAsDouble(90)) / 2;
    double d = 0;
    while (curve.applyAsDouble(d) > level) {
      d += 0.001;
    }
    return d;
  }

  /** The seed of the run is that of every interval. */
  @Test
  void theSeedReachesEveryPanel(@TempDir Path folder) throws IOException {
    EnergyBank bank = EnergyBank.of(8, 5, new double[] {6.4, 12.8}, 0.5).saturating(0.3);
    List<JsonNode> figures = new ArrayList<>();
    for (long seed : new long[] {1, 2}) {
      InSilico run =
          InSilico.open(
              folder.resolve("seed" + seed),
              List.of("size_tuning"),
              Settings.DEFAULTS.withProbes(8).withSeed(seed),
              bank,
              null,
              Map.of(),
              false,
              Study.Existing.CONTINUE,
              Progress.NONE);
      run.run();
      figures.add(run.results().at("/size_tuning/figures/size_tuning/panels"));
    }
    for (int p = 0; p < 3; p++) {
      JsonNode first = figures.getFirst().at("/%d/series/0".formatted(p));
      JsonNode second = figures.getLast().at("/%d/series/0".formatted(p));
      assertEquals(first.path("y"), second.path("y"), "panel " + p);
      assertNotEquals(
          first.path("low") + " " + first.path("high"),
          second.path("low") + " " + second.path("high"),
          "panel " + p);
    }
  }

  @Test
  void suppressionByLargeStimuli(@TempDir Path folder) throws IOException {
    EnergyBank bank =
        EnergyBank.of(6, 0, new double[] {6.4}, 0.7).saturating(0.3).suppressed(1.5, 16);
    Outcome r = run(bank, "size_tuning", folder).of("size_tuning");
    double[] index = r.column("suppression_index", State.EXCITATORY, 1);
    double[] preferred = r.column("preferred_diameter_px", State.EXCITATORY, 1);
    assertEquals(6, index.length);
    double worst = 0;
    for (int u = 0; u < index.length; u++) {
      EnergyBank.Unit unit = bank.units.get(u);
      double most = 0;
      double last = 0;
      for (double d = 3; d <= 85; d += 1) {
        float[] image =
            new Grating(
                    Frame.of(128, 128),
                    Sine.of(unit.modulation(), 128 / unit.wavelength()).contrast(0.5),
                    Aperture.disc(d))
                .draw();
        last = bank.response(unit, image, 64, 64);
        most = Math.max(most, last);
      }
      worst = Math.max(worst, Math.abs(index[u] - (1 - last / most)));
      assertTrue(preferred[u] > 5 && preferred[u] < 45, "preferred diameter " + preferred[u]);
      assertTrue(index[u] > 0.2, "a suppressed unit: " + index[u]);
    }
    System.out.printf("largest error: suppression index %.4f of 0.02%n", worst);
    assertTrue(worst < 0.02, "suppression index off by " + worst);
  }

  @Test
  void suppressionByAnOrthogonalMask(@TempDir Path folder) throws IOException {
    EnergyBank bank =
        EnergyBank.of(6, 0, new double[] {6.4}, 0.4).saturating(0.3).suppressed(1.5, 16);
    Outcome all = run(bank, "cross_orientation", folder);
    Preferences preferences =
        Json.read(all.of("orientation_tuning").node().path("probes"), Preferences.class);
    double[] found = all.of("cross_orientation").column("suppression_equal", State.EXCITATORY, 1);
    assertEquals(6, found.length);
    for (int u = 0; u < found.length; u++) {
      Preferences.Probe p = preferences.probeOf(u);
      double[] response = new double[2];
      for (int i = 0; i < 2 * Probed.PHASES; i++) {
        float[] image =
            new MaskedGrating(
                    Frame.of(128, 128),
                    p.modulation(),
                    p.cycles(),
                    Probed.phase(i / 2),
                    0.25,
                    p.modulation() + 90,
                    0.25 * (i % 2))
                .draw();
        response[i % 2] += bank.response(bank.units.get(u), image, 64, 64);
      }
      assertEquals(1 - response[1] / response[0], found[u], 1e-5);
      assertTrue(found[u] > 0.2, "the mask's contrast energy suppresses: " + found[u]);
    }
  }

  @Test
  void semiSaturation(@TempDir Path folder) throws IOException {
    EnergyBank linear = EnergyBank.of(6, 0, new double[] {12.8}, 0.4);
    Outcome all = run(linear.saturating(0.2), "contrast_response", folder);
    Outcome r = all.of("contrast_response");
    Preferences preferences =
        Json.read(all.of("orientation_tuning").node().path("probes"), Preferences.class);
    double[] c50 = r.column("c50", State.EXCITATORY, 1);
    double[] exponent = r.column("exponent", State.EXCITATORY, 1);
    for (int u = 0; u < c50.length; u++) {
      Preferences.Probe probe = preferences.probes().get(preferences.probe()[u]);
      float[] image = probe.grating(Frame.of(128, 128), 1, null).draw();
      double energy = linear.response(linear.units.get(u), image, 64, 64);
      assertEquals(0.2 / Math.sqrt(energy), c50[u], 0.01);
      assertEquals(2, exponent[u], 0.05);
    }
  }

  @Test
  void noTiltIllusionWithoutContext(@TempDir Path folder) throws IOException {
    EnergyBank bank = EnergyBank.of(12, 0, new double[] {8, 12.8, 20}, 0.3).saturating(0.3);
    // A ring begins at 16 px or more, where the largest window is 0.0003.
    EnergyBank compact =
        new EnergyBank(
            bank.units.stream()
                .map(
                    u ->
                        new EnergyBank.Unit(u.modulation(), u.wavelength(), Math.min(u.sigma(), 4)))
                .toList(),
            0.3,
            0,
            1);
    Outcome r = run(compact, "tilt_illusion", folder).of("tilt_illusion");
    System.out.printf(
        "decoder error %.2f degrees, largest repulsion %.4f, attraction %.4f%n",
        r.number("decoder_mean_error_deg"),
        r.number("peak_repulsion_deg"),
        r.number("peak_attraction_deg"));
    assertTrue(
        r.node().path("qualified").asBoolean(),
        "decoder error " + r.number("decoder_mean_error_deg"));
    for (double bias : r.y("tilt_illusion", "bias", "intact")) {
      assertEquals(0, bias, 0.05, "bias");
    }
  }

  @Test
  void noContextNoModulation(@TempDir Path folder) throws IOException {
    EnergyBank bank = EnergyBank.of(8, 0, new double[] {6.4}, 0.4);
    Outcome surround = run(bank, "kinoshita", folder.resolve("k")).of("kinoshita");
    assertEquals(0, surround.number("suppression_iso"), 0.02);
    assertEquals(0, surround.number("iso_cross_index"), 0.02);
    Outcome bars = run(bank, "kapadia", folder.resolve("b")).of("kapadia");
    assertEquals(0, bars.number("facilitation_collinear"), 0.02);
    Outcome gain = run(bank, "trott_born", folder.resolve("t")).of("trott_born");
    assertEquals(1, gain.number("scale_iso"), 0.02);
    assertEquals(0, gain.number("plaid_shift_away_deg"), 0.5);
    Outcome texture = run(bank, "texture_boundary", folder.resolve("x")).of("texture_boundary");
    double[] profile = texture.y("texture_boundary", "profile", "difference 90°");
    assertEquals(1, profile[0], 0.02, "far from the boundary");
    assertTrue(
        texture.node().at("/modulation_at90/n").asDouble() <= texture.number("n"),
        "a unit counts once, however many textures it is shown");
  }
}
