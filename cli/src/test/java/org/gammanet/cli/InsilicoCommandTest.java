package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.regex.Pattern;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Study;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class InsilicoCommandTest {
  private static final String SMALL =
      " --random --set model.layers=[conv1_1,conv1_2,pool1,conv2_1,conv2_2,pool2]"
          + " --set model.hidden_channels=4 --set model.timesteps=1";

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String words) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(words.split(" "));
  }

  @Test
  void aRunIsRepeatedAndResumedFromItsResults(@TempDir Path folder) throws IOException {
    String small = SMALL + " --seed 4";
    int status =
        run("insilico --experiment orientation --size 48 --output " + folder + "/a" + small);
    assertEquals(0, status, err.toString());
    assertTrue(out.toString().contains("report.html"), out.toString());
    assertTrue(Files.readString(folder.resolve("a/report.html")).contains("untrained"));
    Path results = file(folder.resolve("a"));

    assertEquals(
        0, run("insilico --repeat " + results + " --output " + folder + "/b"), err.toString());
    assertEquals(
        InSilico.read(results).path("orientation_tuning").path("units"),
        InSilico.read(folder.resolve("b")).path("orientation_tuning").path("units"));

    assertEquals(0, run("insilico --resume " + folder + "/a"), err.toString());
    assertEquals(1, run("insilico --resume " + folder + "/a --seed 5" + SMALL));
    assertTrue(err.toString().contains("weights are not those of the run"), err.toString());
  }

  @Test
  void aRunInBfloat16SaysSoAndIsContinuedInIt(@TempDir Path folder) throws IOException {
    assumeTrue(NativeKernels.supports(Precision.BFLOAT16));
    String command = " --size 48 --output " + folder + SMALL + " --seed 4";
    String controls = " --control random:1 --precision bf16";
    assertEquals(0, run("insilico -e orientation" + controls + command), err.toString());
    String report = Files.readString(folder.resolve("report.html"));
    assertTrue(report.contains("rounded to bfloat16"), report);
    fails("insilico -e contrast" + command, "precision bfloat16, not float32");
    assertEquals(0, run("insilico --resume " + folder), err.toString());
    fails("insilico --resume " + folder + " --precision float32", "precision bfloat16");
  }

  @Test
  void eachOfSeveralNetworksHasControlsOfItsOwn(@TempDir Path folder) throws IOException {
    String command = "insilico -e cross --size 48 --control random:2,shuffled:1 -o " + folder;
    for (int seed = 1; seed <= 2; seed++) {
      Path file = folder.resolve("n" + seed + ".safetensors");
      save(file, "[conv1_1, conv1_2, pool1]", seed);
      command += " -c " + file;
    }
    assertEquals(0, run(command), err.toString());
    for (String control : List.of("n1/controls/random-2", "n1/controls/shuffled-1")) {
      assertTrue(Files.isDirectory(folder.resolve("networks/" + control)), control);
    }
    for (String control : List.of("random-3", "random-4", "shuffled-2")) {
      assertTrue(Files.isDirectory(folder.resolve("networks/n2/controls/" + control)), control);
    }
    assertFalse(Files.exists(folder.resolve("networks/n2/controls/random-1")));
    assertEquals(0, run("insilico --resume " + folder + "/networks/n2"), err.toString());
    assertFalse(Files.exists(folder.resolve("networks/n2/controls/random-1")));
    assertTrue(Files.exists(folder.resolve("networks.json")));
  }

  /** The second network may be found to be wrong hours after the first one was begun. */
  @Test
  void severalNetworksAreCheckedBeforeTheFirstIsMeasured(@TempDir Path folder) throws IOException {
    Path deep = folder.resolve("deep.safetensors");
    Path shallow = folder.resolve("shallow.safetensors");
    save(deep, "[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]", 1);
    save(shallow, "[conv1_1, conv1_2, pool1]", 1);
    byte[] all = Files.readAllBytes(shallow);
    Path cut = Files.write(folder.resolve("cut.safetensors"), Arrays.copyOf(all, all.length / 2));
    Path output = folder.resolve("out");
    String command = "insilico -e cross --size 48 -o " + output + " -c " + deep + " -c ";
    fails(command + cut, "cut.safetensors");
    fails(command + folder.resolve("none.safetensors"), "none.safetensors");
    fails(command + shallow + " --layer fgru_1", "shallow.safetensors: there is no layer fgru_1");
    assertFalse(Files.exists(output));
  }

  private static void save(Path file, String layers, int seed) throws IOException {
    var config =
        GammaNetConfig.defaults()
            .with(
                List.of("model.layers=" + layers, "model.hidden_channels=4", "model.timesteps=1"));
    try (GammaNet net = GammaNet.random(config, seed, Device.CPU)) {
      net.save(file);
    }
  }

  /** CrossExperiment and its stimulus are classes outside the library, found as services. */
  @Test
  void anExperimentFromOutsideRunsByName(@TempDir Path folder) throws IOException {
    assertEquals(
        0, run("insilico --experiment cross --size 48 --output " + folder + SMALL), err.toString());
    JsonNode cross = InSilico.read(folder).path("cross");
    assertEquals("[4.0,8.0,16.0]", cross.path("arms_px").toString());
    assertEquals(
        "[\"layer\",\"state\",\"channel\",\"step\",\"smallest\",\"largest\"]",
        cross.path("units").path("columns").toString());
    assertTrue(Files.exists(folder.resolve("cross_units.csv")));
    assertTrue(Files.exists(folder.resolve("cross.svg")));
    assertTrue(Files.readString(folder.resolve("report.html")).contains("Crosses"));
    assertEquals(0, run("insilico --help"));
    assertTrue(Pattern.compile("\\bcross\\b").matcher(out.toString()).find(), out.toString());
    assertTrue(out.toString().contains("receptive_field"), out.toString());
    assertEquals(
        0, run("insilico --experiment cross --preview --output " + folder), err.toString());
    assertTrue(Files.exists(folder.resolve("cross_stimuli.png")));
  }

  @Test
  void anInterruptedRunIsResumed(@TempDir Path folder) throws IOException {
    // Also by programs: this is what the command does.
    String words = "insilico --experiment cross --size 48 --seed 4 --output " + folder + SMALL;
    assertEquals(0, run(words), err.toString());
    JsonNode before = InSilico.read(folder);
    try (GammaNet net = InSilico.source(folder).open(Device.CPU, note -> {})) {
      InSilico again =
          InSilico.repeat(
              folder,
              folder.resolve("again"),
              net.network(),
              32,
              Study.Existing.CONTINUE,
              new Progress() {
                @Override
                public boolean canceled() {
                  return true;
                }
              });
      assertThrows(CancellationException.class, again::run);
      assertFalse(
          InSilico.read(folder.resolve("again")).path("metadata").path("complete").asBoolean());
      InSilico.resume(folder.resolve("again"), net.network(), 32, Progress.NONE).run();
    }
    JsonNode after = InSilico.read(folder.resolve("again"));
    assertEquals(before.path("cross").path("units"), after.path("cross").path("units"));
    assertTrue(after.path("metadata").path("complete").asBoolean());
  }

  /** By which runs of all commands are joined. */
  static String bundledDigest() {
    var checkpoint = PretrainedModel.find().orElseThrow().load();
    var config = checkpoint.config(GammaNetConfig.defaults(), note -> {});
    try (GammaNet net = GammaNet.of(checkpoint, config, Device.CPU)) {
      return net.network().digest();
    }
  }

  @Test
  void theTrainedNetworkIsTheDefault(@TempDir Path folder) throws IOException {
    String name = PretrainedModel.find().orElseThrow().name();
    String quick = "insilico --experiment orientation --size 48 --timesteps 1 --output ";
    assertEquals(0, run(quick + folder + "/a --seed 3"), err.toString());
    assertTrue(out.toString().contains("network: " + name), out.toString());
    String report = Files.readString(folder.resolve("a/report.html"));
    assertTrue(report.contains(name) && !report.contains("untrained"));
    JsonNode metadata = InSilico.read(folder.resolve("a")).path("metadata");
    assertTrue(metadata.path("trained").asBoolean());
    assertEquals(bundledDigest(), metadata.path("weights_sha256").asText());
    assertEquals(3, metadata.path("settings").path("seed").asInt());
    assertEquals(0, run("insilico --resume " + folder + "/a"), err.toString());

    assertEquals(1, run(quick + folder + "/a --random"));
    assertTrue(err.toString().contains("other weights"), err.toString());
    assertEquals(2, run(quick + folder + "/a --random --checkpoint x.safetensors"));
  }

  @Test
  void aSecondRunAddsExperimentsAndOthersAreRefused(@TempDir Path folder) throws IOException {
    String command = " --size 48 --output " + folder + SMALL + " --seed 4";
    assertEquals(0, run("insilico --experiment orientation" + command), err.toString());
    Path first = file(folder);
    JsonNode orientation = InSilico.read(first).path("orientation_tuning");
    Path curve = folder.resolve("points.csv");
    Files.writeString(curve, "contrast,response,se\n10,0.2,0.1\n30,0.5,0.1\n90,0.9,0.1\n");
    String contrast = "insilico --experiment contrast" + command;
    assertEquals(0, run(contrast + " --curve contrast=" + curve), err.toString());
    assertEquals(first, file(folder));
    JsonNode both = InSilico.read(first);
    assertEquals(orientation, both.path("orientation_tuning"));
    JsonNode comparison = both.path("contrast_response").path("comparison");
    assertEquals("points.csv", comparison.path("reference").asText());
    assertEquals(3, comparison.path("conditions").asInt());
    assertTrue(comparison.path("rmse").asDouble() > 0, comparison.toString());
    assertTrue(Files.exists(folder.resolve("contrast_response_comparison.svg")));
    assertTrue(Files.exists(folder.resolve("contrast_response.png")));

    fails(contrast + " --contrast 0.9", "contrast 0.5, not 0.9");
    fails(contrast + " --curve kapadia=" + curve, "no curve of kapadia");
    fails(contrast + " --curve contrast=" + folder.resolve("none.csv"), "none.csv");
    fails("insilico --repeat " + first + " --output " + folder, "holds results already");
    assertEquals(
        0, run("insilico --experiment orientation --contrast 0.9 --force" + command), "" + err);
    assertFalse(Files.exists(folder.resolve("contrast_response.png")));
    assertEquals(
        0.9,
        InSilico.read(file(folder)).path("metadata").path("settings").path("contrast").asDouble());
  }

  @Test
  void receptiveFieldsAreMapped(@TempDir Path folder) throws IOException {
    String command = "insilico --experiment receptive_field --size 64 --output " + folder;
    assertEquals(0, run(command + SMALL), err.toString());
    JsonNode field = InSilico.read(folder).path("receptive_field");
    assertEquals(1, field.path("gradient_extent_px").size()); // one timestep
    int extent = field.path("gradient_extent_px").path(0).asInt();
    assertTrue(extent >= 3 && extent <= 7, "fgru_0 sees 5 px and a ring of its kernel: " + extent);
    assertTrue(Files.exists(folder.resolve("receptive_field.svg")));
  }

  private static Path file(Path folder) throws IOException {
    List<Path> found = new ArrayList<>();
    try (var files = Files.list(folder)) {
      files.filter(f -> f.toString().endsWith(".json")).forEach(found::add);
    }
    assertEquals(1, found.size());
    return found.get(0);
  }

  @Test
  void previewDrawsStimuliWithoutANetwork(@TempDir Path folder) {
    assertEquals(0, run("insilico --experiment kapadia,contrast --preview --output " + folder));
    assertTrue(Files.exists(folder.resolve("kapadia_stimuli.png")));
    assertTrue(Files.exists(folder.resolve("contrast_response_stimuli.svg")));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "insilico",
        "insilico --experiment nothing",
        "insilico --experiment tilt_illusion --parity",
        "insilico --experiment all --contrast 2",
        "insilico --experiment all --probes 0",
        "insilico --experiment all --mode other",
        "insilico --experiment all --resume x",
        "insilico --experiment all --parity --mode own"
      })
  void wrongUsageIsTwo(String words) {
    assertEquals(2, run(words), err.toString());
    assertTrue(err.toString().startsWith("gammanet: "), err.toString());
  }

  private void fails(String words, String sentence) {
    assertEquals(1, run(words), err.toString());
    assertTrue(err.toString().contains(sentence), err.toString());
    assertFalse(err.toString().contains("fault"), err.toString());
  }

  @Test
  void anUnknownLayerListsThoseThereAre(@TempDir Path folder) {
    fails(
        "insilico --experiment orientation --layer fgru_8 --output " + folder + SMALL,
        "there is no layer fgru_8; this network has block1_conv, block2_conv, fgru_0, fgru_1,");
  }

  @Test
  void aStimulusThatDoesNotFitIsNamed(@TempDir Path folder) {
    fails(
        "insilico --experiment orientation --size 64 --aperture 99 --output " + folder + SMALL,
        "does not fit into an image of 64 x 64 pixels");
  }

  @Test
  void aFolderThatCannotBeWrittenIsNoticedFirst(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    fails("insilico --experiment orientation --size 64 --output " + file + "/sub" + SMALL, "file");
  }

  @Test
  void damagedResultsAreNamed(@TempDir Path folder) throws IOException {
    fails("insilico --resume " + folder + "/none", "there is no file or folder");
    Path file = Files.writeString(folder.resolve("insilico_results_1.json"), "{\"metadata\": {");
    fails("insilico --resume " + folder, "damaged");
    Files.writeString(file, "{\"metadata\": {\"settings\": {}}}");
    fails("insilico --repeat " + file + SMALL, "");
  }
}
