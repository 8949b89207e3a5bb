package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gammanet.PretrainedModel;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class OptoCommandTest {
  private static final String QUICK =
      "opto --size 48 --timesteps 1 --frequencies 5 --contrasts 1 --phases 1 --orientations 0,90"
          + " --steps 2 --starts 1 --no-gate --output ";

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String words) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(words.split(" "));
  }

  @Test
  void theTrainedNetworkIsTheDefault(@TempDir Path folder) throws IOException {
    String name = PretrainedModel.find().orElseThrow().name();
    assertEquals(0, run(QUICK + folder), err.toString());
    assertTrue(out.toString().contains("network: " + name), out.toString());
    JsonNode metadata =
        new ObjectMapper().readTree(folder.resolve("results.json").toFile()).path("metadata");
    assertEquals(InsilicoCommandTest.bundledDigest(), metadata.path("weights_sha256").asText());
    GammaNetConfig config =
        PretrainedModel.find().orElseThrow().load().config(GammaNetConfig.defaults(), note -> {});
    assertEquals(
        config.seed(),
        metadata.at("/settings/seed").asLong(),
        "the configuration's, as the help says");
    String summary = Files.readString(folder.resolve("summary.txt"));
    assertTrue(summary.contains(name) && !summary.contains("untrained"), summary);
    assertTrue(Files.readString(folder.resolve("report.html")).contains(name));

    // The same again, and with another start, continues; what gives other numbers does not.
    assertEquals(0, run(QUICK + folder + " --seed " + config.seed()), err.toString());
    assertEquals(0, run(QUICK.replace("--starts 1", "--starts 2") + folder), err.toString());
    assertEquals(1, run(QUICK + folder + " --factor 0"));
    assertTrue(err.toString().contains("factor 1.5, not 0.0"), err.toString());
    if (NativeKernels.supports(Precision.BFLOAT16)) {
      assertEquals(1, run(QUICK + folder + " --precision bf16"));
      assertTrue(err.toString().contains("precision float32, not bfloat16"), err.toString());
    }
    assertEquals(0, run(QUICK + folder + " --factor 0 --random --force"), err.toString());
    summary = Files.readString(folder.resolve("summary.txt"));
    assertTrue(summary.contains("WARNING: Untrained network"), summary);
  }

  private void fails(int status, String words, String sentence) {
    assertEquals(status, run(words), err.toString());
    assertTrue(err.toString().contains(sentence), err.toString());
    assertFalse(err.toString().contains("fault"), err.toString());
  }

  @Test
  void badInputIsNamed(@TempDir Path folder) throws IOException {
    Path cut = Files.write(folder.resolve("cut.safetensors"), new byte[] {9, 0, 0, 0, 0});
    fails(1, QUICK + folder + "/a --checkpoint " + cut, "cut.safetensors");
    fails(1, QUICK + folder + "/a --checkpoint " + folder + "/none.pt", "none.pt");
    fails(2, QUICK + folder + "/a --set model.hiden_channels=8", "hiden_channels");
    fails(1, QUICK + folder + "/a --layer fgru_9", "there is no layer fgru_9");
    Files.createDirectories(folder.resolve("b"));
    Files.writeString(folder.resolve("b/results.json"), "{");
    fails(1, QUICK + folder + "/b", "results.json is not the results file of a run: it is damaged");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " --contrast-grid --grid-contrasts 0.5,1"})
  void withoutADecoderNothingIsOptimized(String more, @TempDir Path folder) throws IOException {
    // Gratings of 48 px in a disc of 5 px: the decoder sees little but the phase.
    String words =
        QUICK
            .replace(" --no-gate", more)
            .replace("--frequencies 5", "--frequencies 1")
            .replace("--phases 1", "--phases 4");
    fails(1, words + folder, "The decoder does not decode orientation");
    String summary = Files.readString(folder.resolve("summary.txt"));
    assertTrue(summary.contains("No states were optimized"), summary);
    assertTrue(Files.exists(folder.resolve("report.html")));
    try (var files = Files.walk(folder)) {
      assertTrue(files.noneMatch(f -> f.toString().contains("optimization_results")));
    }
  }

  @Test
  void aPopulationIsPerturbed(@TempDir Path folder) throws IOException {
    String words =
        "opto --perturb inhibitory --multiply 0.3,0 --radius 7 --inner-radius 2 --from 1 --to 1"
            + " --size 48 --timesteps 2 --control random:1 --output "
            + folder;
    assertEquals(0, run(words), err.toString());
    Path results;
    try (var files = Files.list(folder)) {
      results =
          files
              .filter(f -> f.getFileName().toString().matches("insilico.*json"))
              .findFirst()
              .orElseThrow();
    }
    JsonNode found = new ObjectMapper().readTree(results.toFile()).path("perturbation");
    assertEquals(7, found.path("radius_px").asDouble());
    assertEquals(1, found.at("/stimulation/from").asInt());
    assertEquals(0, found.path("excitatory_activation_on_inhibitory").path("n").asInt());
    assertTrue(found.path("inhibitory_inactivation_on_excitatory").path("n").asInt() > 0);
    assertTrue(found.path("sham_on_excitatory").path("n").asInt() > 0);
    assertEquals(
        "random", found.at("/controls/inhibitory_inactivation_on_excitatory/0/group").asText());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "opto --add 1",
        "opto --perturb all",
        "opto --perturb both --multiply 2",
        "opto --perturb both --add 0",
        "opto --perturb both --radius 5 --inner-radius 6",
        "opto --perturb both --from 3 --to 1",
        "opto --perturb both --contrast-grid",
        "opto --perturb both --parity",
        "opto --perturb both --control mice:3",
        "opto --steps 0",
        "opto --contrasts 2",
        "opto --grid-contrasts 1",
        "opto --decoder other",
        "opto --random --checkpoint x.pt"
      })
  void wrongUsageIsTwo(String words) {
    assertEquals(2, run(words), err.toString());
    assertTrue(err.toString().startsWith("gammanet: "), err.toString());
  }
}
