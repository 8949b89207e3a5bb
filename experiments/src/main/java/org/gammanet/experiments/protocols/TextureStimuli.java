package org.gammanet.experiments.protocols;

import org.gammanet.experiments.protocols.TextureExperiment.Condition;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.stimuli.Sine;
import org.gammanet.experiments.stimuli.TextureBoundary;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;

/** The boundaries of {@link TextureExperiment} in a run. */
record TextureStimuli(RunContext context) {
  private static final double[] DIFFERENCES = {0, 30, 60, 90};
  private static final double[] ALL_DIFFERENCES = {0, 15, 30, 45, 60, 75, 90};

  double[] differences() {
    return context.settings().full() ? ALL_DIFFERENCES : DIFFERENCES;
  }

  /** Orientations at the recorded units, degrees of modulation. */
  double[] textures() {
    return context.settings().full() ? new double[] {0, 45, 90, 135} : new double[] {0, 90};
  }

  Design<Condition> design(double[] differences) {
    double cycles = Preferences.of(context).commonFrequency();
    var design = new Design<Condition>();
    for (double texture : textures()) {
      for (double difference : differences) {
        for (int p = 0; p < Probed.PHASES; p++) {
          var first = new Sine(texture, cycles, Probed.phase(p), context.settings().contrast());
          design.add(
              new Condition(texture, difference, p),
              new TextureBoundary(
                  context.frame(),
                  first,
                  // jumps of 0, 0, 90 and 270 degrees
                  first.rotated(difference).phase(Probed.phase(p * (p + 1) / 2)),
                  TextureBoundary.Boundary.VERTICAL,
                  0));
        }
      }
    }
    return design.pooling(Pooling.units(BoundaryPositions.of(context).points(context.size())));
  }
}
