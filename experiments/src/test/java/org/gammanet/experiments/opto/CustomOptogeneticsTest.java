package org.gammanet.experiments.opto;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of custom optogenetic experiments in the README, on a small network. */
class CustomOptogeneticsTest {

  // Between these lines stands the README's text, but for the size and the folder.
  static MultiOrientationResult example(GammaNet model, int size, Path folder) throws IOException {
    // [README]
    StimulusSet crfGratings = // in the classical field: train the decoder
        GratingStimuli.builder()
            .size(size, size)
            .orientations(0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165)
            .spatialFrequencies(size / 10.0) // cycles per image: a wavelength of 10 pixels
            .diameter(5)
            .build()
            .generate();
    StimulusSet gratings = // in the extra-classical field: optimize
        GratingStimuli.builder()
            .size(size, size)
            .orientations(0, 30, 60, 90, 120, 150)
            .spatialFrequencies(size / 10.0)
            .diameter(37)
            .build()
            .generate();

    var opto = OptogeneticPerturbation.forModel(model).patchSize(5).seed(1).build();
    opto.trainDecoder(crfGratings, DecoderOptions.layer("fgru_0").epochs(100));
    MultiOrientationResult result =
        opto.optimizeMultiOrientation(
            gratings, RescueOptions.layer("fgru_0").factor(1.5).steps(50).ecrfRadius(18));
    OptoFigures.multiOrientation(result)
        .showIndividual(true)
        .aggregation(Aggregation.MEAN)
        .write(folder.resolve("optimization_results.png"));
    // [/README]
    return result;
  }

  @Test
  void theExampleRuns(@TempDir Path folder) throws IOException {
    GammaNetConfig config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2]", "model.hidden_channels=4", "model.timesteps=2"));
    try (GammaNet model = GammaNet.random(config, 1, Device.CPU)) {
      MultiOrientationResult result = example(model, 56, folder);
      assertEquals(6, result.rescues().size());
      assertTrue(Files.size(folder.resolve("optimization_results.png")) > 10_000);
      assertTrue(Files.exists(folder.resolve("optimization_results.svg")));
    }
  }

  @Test
  void theReadmeShowsThisCode() throws IOException {
    Path readme = null;
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (readme == null && Files.exists(at.resolve("README.md"))) {
        readme = at.resolve("README.md");
      }
    }
    Path here = Path.of("src/test/java/org/gammanet/experiments/opto/CustomOptogeneticsTest.java");
    assumeTrue(Files.exists(here), "not in the module's folder");
    String code = Files.readString(here);
    int from = code.indexOf("// [README]\n") + "// [README]\n".length();
    String shown =
        code.substring(from, code.indexOf("    // [/README]"))
            .stripTrailing()
            .stripIndent()
            .replace(
                "folder.resolve(\"optimization_results.png\")",
                "Path.of(\"optimization_results.png\")");
    assertTrue(
        readme == null || Files.readString(readme).contains(shown),
        "README.md does not show:\n" + shown);
  }
}
