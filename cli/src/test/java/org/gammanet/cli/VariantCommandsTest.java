package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.gammanet.config.Ablation;
import org.gammanet.experiments.study.InSilico;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** Commands accept every network of the family. */
class VariantCommandsTest {
  @TempDir Path folder = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  static Stream<String> names() {
    return Stream.concat(
        Stream.of("VGG16GammaNetV2", "VGG16GammaNet", "GammaNetBackbone", "GammaNet"),
        Arrays.stream(Ablation.values()).map(Ablation::modelName));
  }

  private int run(String... words) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(words);
  }

  @ParameterizedTest
  @MethodSource("names")
  void architecture(String name) {
    assertEquals(0, run("architecture", "--random", "--set", "model.name=" + name), err.toString());
    assertTrue(out.toString().contains(name), out.toString());
  }

  /** Without GammaNetBackbone, which has one width only and is trained in VariantsTest. */
  static Stream<String> quickNames() {
    return names().filter(name -> !name.equals("GammaNetBackbone"));
  }

  @ParameterizedTest
  @MethodSource("quickNames")
  void detectAndEvaluate(String name) throws IOException {
    Squares.write(folder, "test");
    boolean vgg = name.startsWith("VGG");
    String model = "model.name=" + name;
    // Full width takes seconds to fill with random weights.
    String size = vgg ? "model.layers=[conv1_1, conv1_2]" : "model.skip_connections=true";
    String output = folder.resolve("out").toString();
    String image = folder.resolve("images/test/p0.png").toString();
    assertEquals(
        0,
        run(
            "detect",
            image,
            "--random",
            "--output",
            output,
            "--set",
            model,
            "--set",
            size,
            "--timesteps",
            "1"),
        err.toString());
    assertTrue(Files.exists(folder.resolve("out/p0-edges.png")));
    assertEquals(
        0,
        run(
            "evaluate",
            "--random",
            "--data-dir",
            folder.toString(),
            "--output",
            output,
            "--set",
            model,
            "--set",
            size,
            "--timesteps",
            "1",
            "--thresholds",
            "3",
            "--limit",
            "1"),
        err.toString());
  }

  /** Small networks of each kind, with the layer that is recorded unless another is named. */
  static Stream<Arguments> recorded() {
    String layers =
        "model.layers=["
            + "{features: 4, pool: true, h_kernel: 3}, {features: 5, pool: false, h_kernel: 1}, "
            + "{features: 4, pool: false, h_kernel: 1}]";
    return Stream.of(
        Arguments.of("VGG16GammaNet", "model.layers=[conv1_1, conv1_2]", "fgru_block1"),
        Arguments.of("GammaNet", layers, "encoder_layers.0.h_fgru"),
        Arguments.of("GammaNetHOnly", layers, "encoder_layers.0.h_fgru"),
        Arguments.of("GammaNetFFOnly", layers, "decoder_layers.0.td_fgru"),
        Arguments.of("GammaNetBottomUpOnly", layers, "output"));
  }

  @ParameterizedTest
  @MethodSource("recorded")
  void insilico(String name, String layers, String recorded) throws IOException {
    assertEquals(
        0,
        run(
            "insilico",
            "--random",
            "--experiment",
            "orientation",
            "--size",
            "32",
            "--output",
            folder.toString(),
            "--set",
            "model.name=" + name,
            "--set",
            layers,
            "--timesteps",
            "1"),
        err.toString());
    assertEquals(recorded, InSilico.read(folder).path("metadata").path("target_layer").asText());
  }

  @ParameterizedTest
  @MethodSource("recorded")
  void optoNeedsAnInhibitoryState(String name, String layers, String recorded) {
    assertEquals(
        1,
        run(
            "opto",
            "--random",
            "--output",
            folder.resolve("opto").toString(),
            "--set",
            "model.name=" + name,
            "--set",
            layers));
    assertTrue(err.toString().contains("there is no inhibitory state to optimize"), err.toString());
  }
}
