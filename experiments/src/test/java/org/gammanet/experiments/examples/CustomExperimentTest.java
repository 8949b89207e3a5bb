package org.gammanet.experiments.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.TuningTable;
import org.gammanet.experiments.responses.RecordingPlan;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.Style;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's example of an experiment of one's own, word for word. */
class CustomExperimentTest {
  private static TuningTable measure(GammaNet model, Path folder) throws IOException {
    // README: custom experiment
    StimulusSet set =
        GratingStimuli.builder()
            .size(64, 64)
            .orientations(0, 30, 60, 90, 120, 150) // degrees of modulation: 0 is vertical stripes
            .spatialFrequencies(5.0, 10.0) // cycles per image height
            .contrasts(0.5)
            .diameter(37) // px
            .build()
            .generate();

    var extractor = ResponseExtractor.forModel(model).build();
    Responses responses = extractor.extract(set, RecordingPlan.layer("fgru_0"));

    TuningTable tuning = new OrientationTuning().compute(responses, set);
    for (TuningTable.Row unit : tuning.rows()) {
      System.out.printf(
          "channel %d prefers %.0f°, circular variance %.2f%n",
          unit.unit(), unit.measures().preferredVector(), unit.measures().circularVariance());
    }

    var figure = new Figure(8, 6);
    figure
        .panel(0, 0)
        .x(Axis.linear("Orientation (deg)"))
        .y(Axis.linear("Response"))
        .line(tuning.orientations(), tuning.row(0).curve(), Style.EXCITATORY);
    figure.write(folder.resolve("tuning")); // tuning.svg and tuning.png
    // README: end
    return tuning;
  }

  @Test
  void theExampleRuns(@TempDir Path folder) throws IOException {
    var config =
        GammaNetConfig.shipped(
            "default",
            List.of(
                "model.layers=[conv1_1, conv1_2, pool1, conv2_1, conv2_2, pool2]",
                "model.hidden_channels=8"));
    try (GammaNet model = GammaNet.random(config, 1, Device.CPU)) {
      TuningTable tuning = measure(model, folder);
      assertEquals(8, tuning.rows().size());
      assertTrue(Files.exists(folder.resolve("tuning.svg")));
    }
  }

  /** The README shows these lines, at another indentation. */
  @Test
  void theReadmeShowsIt() throws IOException {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve("README.md"))) {
      root = java.util.Objects.requireNonNull(root.getParent(), "no README.md above");
    }
    String source =
        Files.readString(
            root.resolve(
                "experiments/src/test/java/org/gammanet/experiments/examples/CustomExperimentTest.java"));
    String from = "// README: custom experiment";
    int begin = source.indexOf(from) + from.length();
    String example = source.substring(begin, source.indexOf("// README: end", begin));
    assertTrue(
        squeezed(Files.readString(root.resolve("README.md"))).contains(squeezed(example)),
        "README.md does not show the example as it is tested");
  }

  private static String squeezed(String text) {
    return text.lines()
        .map(String::strip)
        .filter(l -> !l.isEmpty())
        .reduce("", (a, b) -> a + "\n" + b);
  }
}
