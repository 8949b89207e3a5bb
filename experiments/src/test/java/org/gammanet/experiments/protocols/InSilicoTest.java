package org.gammanet.experiments.protocols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Experiments;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.NetworkPreparation;
import org.gammanet.experiments.study.Preparation;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.RunContext;
import org.gammanet.experiments.study.Settings;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.Npy;
import org.gammanet.model.Network;
import org.gammanet.testing.DeterministicWeights;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs: files, resuming, repeating, and what is refused. */
class InSilicoTest {
  private static Network network() {
    var config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]",
                "model.hidden_channels=8",
                "model.timesteps=2"));
    Network network = Network.create(config.model());
    DeterministicWeights.fill(network, 5);
    return network;
  }

  private static JsonNode without(JsonNode results, String... names) {
    ObjectNode copy = results.deepCopy();
    copy.remove("metadata");
    copy.forEach(e -> ((ObjectNode) e).remove("seconds"));
    return copy;
  }

  private static InSilico open(
      Path folder, List<String> names, Settings settings, Preparation preparation, boolean save)
      throws IOException {
    return InSilico.open(
        folder,
        names,
        settings,
        preparation,
        null,
        Map.of("version", "1"),
        save,
        Study.Existing.CONTINUE,
        Progress.NONE);
  }

  @Test
  void aRunOfANetworkWritesEverythingAndTheSameAgain(@TempDir Path folder) throws IOException {
    long before = Tensor.liveHandles();
    try (Network network = network()) {
      var preparation = new NetworkPreparation(network, "fgru_0", 72, 0, 32, false);
      List<String> names = List.of("texture_boundary", "contrast");
      InSilico first =
          open(folder.resolve("a"), names, Settings.DEFAULTS.withProbes(2), preparation, true);
      assertEquals(
          List.of("orientation", "contrast_response", "texture_boundary"),
          List.copyOf(first.plan().keySet()));
      first.run();
      for (String file :
          new String[] {
            "report.html",
            "orientation_units.csv",
            "orientation_figures.csv",
            "contrast_response.svg",
            "contrast_response.png",
            "texture_boundary.png",
            "responses/contrast_response_fgru_0_inhibitory.npy",
            "responses/contrast_response_stimuli.npy"
          }) {
        assertTrue(Files.size(folder.resolve("a").resolve(file)) > 0, file);
      }
      List<String> rows =
          Files.readAllLines(folder.resolve("a/responses/contrast_response_stimuli.csv"));
      assertEquals(1 + 2 * 8 * 4 + 1, rows.size(), "probes, contrasts, phases, a blank");
      assertTrue(rows.getFirst().startsWith("row,condition,type,orientation_modulation_deg,"));
      assertTrue(
          rows.get(1).startsWith("0,\"Condition[probe=0, contrast=0.01, phase=0]\","), rows.get(1));
      assertEquals(
          List.of(65, 72, 72),
          Arrays.stream(
                  Npy.read(folder.resolve("a/responses/contrast_response_stimuli.npy")).shape())
              .boxed()
              .toList());
      assertFalse(Files.exists(folder.resolve("a/.partial")), "nothing is left over");
      String report = Files.readString(folder.resolve("a/report.html"));
      assertTrue(report.contains("untrained"), "a warning");
      assertFalse(report.matches("(?s).*(src|href)=\"(?!#|data:).*"), "nothing is loaded");
      JsonNode saved = InSilico.read(folder.resolve("a"));
      assertEquals(Json.MAPPER.readTree(first.results().toString()), saved);
      assertTrue(saved.path("metadata").path("orientation_convention").asText().contains("modul"));
      String csv = Files.readString(folder.resolve("a/orientation_units.csv"));
      assertTrue(csv.startsWith("layer,state,channel,step,responsive,simple,"), csv);
      assertEquals(1 + 8 * 2 * 2, csv.lines().count(), "channels, states, timesteps");

      InSilico second =
          open(
              folder.resolve("b"),
              names,
              Json.read(saved.path("metadata").path("settings"), Settings.class),
              preparation,
              false);
      second.run();
      assertEquals(without(first.results()), without(second.results()), "the same numbers");
    }
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  /** Stops after so many recordings, as a power cut would. */
  private static final class Fragile extends EnergyBank {
    int left;

    Fragile(EnergyBank bank, int left) {
      super(bank.units, Double.POSITIVE_INFINITY, 0, 1);
      this.left = left;
    }

    @Override
    public Responses record(
        StimulusSet set,
        Pooling pooling,
        InputScaling scaling,
        boolean withOutput,
        java.util.function.IntConsumer progress) {
      if (left-- <= 0) {
        throw new IllegalStateException("power cut");
      }
      return super.record(set, pooling, scaling, withOutput, progress);
    }
  }

  @Test
  void anInterruptedRunGoesOnWhereItWas(@TempDir Path folder) throws IOException {
    EnergyBank bank = EnergyBank.of(6, 0, new double[] {6.4}, 0.4);
    var fragile =
        new Fragile(bank, 19); // 13 chunks of orientation, 5 of contrast, 1 of size tuning
    InSilico run =
        open(
            folder, List.of("size_tuning", "contrast_response"), Settings.DEFAULTS, fragile, false);
    assertThrows(IllegalStateException.class, run::run);
    JsonNode half = InSilico.read(folder);
    assertTrue(half.has("orientation_tuning") && half.has("contrast_response"));
    assertFalse(half.has("size_tuning") || half.path("metadata").path("complete").asBoolean());
    try (Stream<Path> kept = Files.list(folder.resolve(".partial"))) {
      assertEquals(1, kept.count(), "what was recorded of the experiment that failed");
    }
    int shown = fragile.recorded();
    fragile.left = 100;
    InSilico rest = open(folder, List.of("size_tuning"), Settings.DEFAULTS, fragile, false);
    assertEquals(List.of("size_tuning"), new ArrayList<>(rest.plan().keySet()));
    rest.run();
    assertEquals(225 - 32, fragile.recorded() - shown, "only what was missing is recorded");
    assertTrue(InSilico.read(folder).path("metadata").path("complete").asBoolean());
    assertFalse(Files.exists(folder.resolve(".partial")));

    InSilico whole =
        open(
            folder.resolve("whole"),
            List.of("size_tuning", "contrast_response"),
            Settings.DEFAULTS,
            bank,
            false);
    whole.run();
    assertEquals(without(whole.results()), without(rest.results()), "as if nothing had happened");
    assertTrue(Files.readString(rest.report()).contains("Size tuning"));
  }

  @Test
  void silentUnitsAreNotPerturbed(@TempDir Path folder) throws IOException {
    try (Network network = network()) {
      network.parameters().forEach(p -> silence(p.tensor()));
      var preparation = new NetworkPreparation(network, "fgru_0", 48, 0, 32, false);
      InSilico run =
          open(
              folder, List.of("perturbation"), Settings.DEFAULTS.withProbes(1), preparation, false);
      run.run();
      String found = run.results().path("perturbation").toString();
      assertTrue(found.contains("no unit responds to a probe grating"), found);
    }
  }

  private static void silence(Tensor weight) {
    try (var silent = Autograd.noGrad()) {
      var unused = weight.zero_();
    }
  }

  private static void refused(String part, org.junit.jupiter.api.function.Executable what) {
    Exception e = assertThrows(Exception.class, what);
    assertTrue(String.valueOf(e.getMessage()).contains(part), e.toString());
  }

  @Test
  void whatCannotBeRunIsRefused(@TempDir Path folder) throws IOException {
    EnergyBank bank = EnergyBank.of(3, 0, new double[] {6.4}, 0.4);
    refused(
        "there is no experiment tuning; there are orientation, contrast_response,",
        () -> open(folder, List.of("tuning"), Settings.DEFAULTS, bank, false));
    assertEquals(
        "orientation",
        Experiments.named(List.of("orientation_tuning"), Mode.OWN).getFirst().name());
    refused("at least 1 probe", () -> Settings.DEFAULTS.withProbes(0));
    refused("contrast must lie", () -> Settings.DEFAULTS.withContrast(1.5));
    refused(
        "does not fit into an image of 128 x 128",
        () ->
            new OrientationExperiment()
                .design(RunContext.preview(128, Settings.DEFAULTS.withAperture(200))));
    refused(
        "at least 18 x 18 are needed",
        () -> new KapadiaExperiment().design(RunContext.preview(16, Settings.DEFAULTS)));
    refused("there is no insilico_results", () -> InSilico.read(folder));
    Path damaged = Files.writeString(folder.resolve("insilico_results_1.json"), "{\"metadata\"");
    refused("damaged", () -> InSilico.read(damaged));
    Files.writeString(damaged, "[]");
    refused("no settings", () -> InSilico.read(damaged));
    Path file = Files.writeString(folder.resolve("file"), "");
    InSilico unwritable =
        open(file.resolve("results"), List.of("orientation"), Settings.DEFAULTS, bank, false);
    int before = bank.recorded();
    assertThrows(IOException.class, unwritable::run);
    assertEquals(before, bank.recorded(), "that is noticed before anything is recorded");
    try (Network network = network()) {
      refused(
          "there is no layer fgru_7; this network has block1_conv",
          () -> new NetworkPreparation(network, "fgru_7", 64, 0, 1, false));
      refused(
          "too small for this network",
          () -> new NetworkPreparation(network, "fgru_0", 1, 0, 1, false));
    }
  }
}
