package org.gammanet.experiments.study;

import java.util.List;
import java.util.function.IntConsumer;
import org.gammanet.experiments.responses.Pooling;
import org.gammanet.experiments.responses.Responses;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.stimuli.InputScaling;
import org.gammanet.experiments.stimuli.StimulusSet;
import org.gammanet.kernels.Precision;
import org.jspecify.annotations.Nullable;

/** What a report says of units whose responses have been measured; nothing can be recorded. */
record RecordedUnits(
    int size,
    String layer,
    List<State> states,
    int channels,
    int timesteps,
    int fieldDiameter,
    int stride,
    boolean trained,
    String digest,
    Precision precision)
    implements Preparation {
  static RecordedUnits of(Preparation p) {
    return new RecordedUnits(
        p.size(),
        p.layer(),
        p.states(),
        p.channels(),
        p.timesteps(),
        p.fieldDiameter(),
        p.stride(),
        p.trained(),
        p.digest(),
        p.precision());
  }

  @Override
  public Responses record(
      StimulusSet set,
      Pooling pooling,
      InputScaling scaling,
      boolean withOutput,
      IntConsumer progress) {
    throw new IllegalStateException("the network is not there: nothing can be recorded");
  }

  @Override
  public @Nullable Preparation lesioned(Lesion lesion) {
    return null;
  }
}
