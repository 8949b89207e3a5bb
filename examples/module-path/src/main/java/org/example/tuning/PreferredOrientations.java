package org.example.tuning;

import org.gammanet.GammaNet;
import org.gammanet.experiments.analysis.OrientationTuning;
import org.gammanet.experiments.analysis.TuningTable;
import org.gammanet.experiments.responses.RecordingPlan;
import org.gammanet.experiments.responses.ResponseExtractor;
import org.gammanet.experiments.stimuli.GratingStimuli;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.torch.Device;

/** Prints the preferred orientations of the first layer of the bundled network. */
public final class PreferredOrientations {
  private PreferredOrientations() {}

  public static void main(String[] arguments) {
    System.out.println("kernels: " + NativeKernels.describe());
    StimulusSet gratings =
        GratingStimuli.builder()
            .size(32, 32)
            .orientations(0, 30, 60, 90, 120, 150)
            .spatialFrequencies(4.0)
            .build()
            .generate();
    try (GammaNet model = GammaNet.pretrained(Device.CPU)) {
      var responses =
          ResponseExtractor.forModel(model)
              .build()
              .extract(gratings, RecordingPlan.layer("fgru_0"));
      TuningTable tuning = new OrientationTuning().compute(responses, gratings);
      for (TuningTable.Row unit : tuning.rows()) {
        System.out.printf(
            "channel %d prefers %.0f degrees%n", unit.unit(), unit.measures().preferredVector());
      }
    }
  }
}
