package org.gammanet.experiments.protocols;

import java.util.List;
import java.util.function.IntConsumer;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.Stimulus;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.experiments.study.Preparation;

/** Units whose responses are given functions of the stimulus. */
record PlantedUnits(List<Unit> units) implements Preparation {
  /** A unit. */
  interface Unit {
    double response(Stimulus stimulus);
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

  @Override
  public int size() {
    return 128;
  }

  @Override
  public String layer() {
    return "planted";
  }

  @Override
  public List<State> states() {
    return List.of(State.EXCITATORY);
  }

  @Override
  public int channels() {
    return units.size();
  }

  @Override
  public int timesteps() {
    return 1;
  }

  @Override
  public int fieldDiameter() {
    return 0;
  }

  @Override
  public int stride() {
    return 1;
  }

  @Override
  public Preparation lesioned(Lesion lesion) {
    return this;
  }

  @Override
  public boolean trained() {
    return true;
  }
}
