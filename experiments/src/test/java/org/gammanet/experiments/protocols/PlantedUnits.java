package org.gammanet.experiments.protocols;

import java.util.List;
import java.util.function.IntConsumer;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;

/** Units whose responses are given functions of the stimulus. */
class PlantedUnits extends TestPreparation {
  /** A unit. */
  interface Unit {
    double response(Stimulus stimulus);
  }

  private final List<? extends Unit> units;

  PlantedUnits(List<? extends Unit> units) {
    super("planted", units.size(), 1);
    this.units = units;
  }

  @Override
  public Responses record(
      StimulusSet set,
      Pooling pooling,
      InputScaling scaling,
      boolean withOutput,
      IntConsumer progress) {
    var out = new Responses(set.size(), List.of(0), 1).add(layer(), State.EXCITATORY, channels());
    for (int s = 0; s < set.size(); s++) {
      float[] row = new float[channels()];
      for (int u = 0; u < row.length; u++) {
        row[u] = (float) units.get(u).response(set.stimuli().get(s));
      }
      out.set(layer(), State.EXCITATORY, s, 0, row);
    }
    return out;
  }
}
