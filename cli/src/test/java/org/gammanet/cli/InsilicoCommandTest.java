package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.experiments.insilico.InSilico;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class InsilicoCommandTest {
  private static final String SMALL =
      " --set model.layers=[conv1_1,conv1_2,pool1,conv2_1,conv2_2,pool2]"
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
        run("insilico --experiment orientation --size 48 --output-dir " + folder + "/a" + small);
    assertEquals(0, status, err.toString());
    assertTrue(out.toString().contains("report.html"), out.toString());
    assertTrue(Files.readString(folder.resolve("a/report.html")).contains("untrained"));
    Path results = file(folder.resolve("a"));

    assertEquals(
        0, run("insilico --repeat " + results + " --output-dir " + folder + "/b"), err.toString());
    assertEquals(
        InSilico.read(results).path("orientation_tuning").path("units"),
        InSilico.read(folder.resolve("b")).path("orientation_tuning").path("units"));

    assertEquals(0, run("insilico --resume " + folder + "/a"), err.toString());
    assertEquals(1, run("insilico --resume " + folder + "/a --seed 5" + SMALL));
    assertTrue(err.toString().contains("weights are not those of the run"), err.toString());
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
    assertEquals(0, run("insilico --experiment kapadia,contrast --preview --output-dir " + folder));
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
        "insilico --experiment orientation --layer fgru_8 --output-dir " + folder + SMALL,
        "there is no layer fgru_8; this network has block1_conv, block2_conv, fgru_0, fgru_1,");
  }

  @Test
  void aStimulusThatDoesNotFitIsNamed(@TempDir Path folder) {
    fails(
        "insilico --experiment orientation --size 64 --aperture 99 --output-dir " + folder + SMALL,
        "does not fit into an image of 64 x 64 pixels");
  }

  @Test
  void aFolderThatCannotBeWrittenIsNoticedFirst(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    fails(
        "insilico --experiment orientation --size 64 --output-dir " + file + "/sub" + SMALL,
        "file");
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
