package org.gammanet.experiments.protocols;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.protocols.FieldExperiment.Condition;
import org.gammanet.experiments.stimuli.Occluded;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Design;
import org.gammanet.experiments.study.RunContext;

/** The occluded gratings of {@link FieldExperiment} in a run; lengths in pixels. */
record OcclusionStimuli(RunContext context) {
  /** How far squares lie from the center. */
  private int reach() {
    int size = context.size();
    return Math.min(Math.max(12, context.fieldDiameter() * 3 / 2), size / 2 - 1);
  }

  /** Between neighboring squares. */
  int step() {
    return Math.max(1, reach() / (context.settings().full() ? 8 : 4));
  }

  int side() {
    return step() + 2;
  }

  /** The probes with the most units: one, or all. */
  List<Integer> probes() {
    Preferences preferences = Preferences.of(context);
    return IntStream.range(0, preferences.probes().size())
        .boxed()
        .sorted(Comparator.comparingInt(p -> -preferences.testedWith(p).length))
        .limit(context.settings().full() ? Integer.MAX_VALUE : 1)
        .toList();
  }

  StimulusSet squares(int probe) {
    Preferences.Probe grating = Preferences.of(context).probes().get(probe);
    return Occluded.grid(
        grating.grating(context.frame(), context.settings().contrast(), null),
        side(),
        reach(),
        step());
  }

  Design<Condition> design() {
    var design = new Design<Condition>();
    for (int probe : probes()) {
      int square = 0;
      for (Stimulus s : squares(probe).stimuli()) {
        design.add(new Condition(probe, square++), s);
      }
    }
    return design;
  }
}
