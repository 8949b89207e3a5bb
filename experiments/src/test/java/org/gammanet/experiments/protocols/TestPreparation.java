package org.gammanet.experiments.protocols;

import java.util.List;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.study.Preparation;
import org.jspecify.annotations.Nullable;

/** Units without a network: an excitatory population that is seen in images of 128 pixels. */
abstract class TestPreparation implements Preparation {
  static final int SIZE = 128;

  private final String layer;
  private final int channels;
  private final int timesteps;

  TestPreparation(String layer, int channels, int timesteps) {
    this.layer = layer;
    this.channels = channels;
    this.timesteps = timesteps;
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public String layer() {
    return layer;
  }

  @Override
  public List<State> states() {
    return List.of(State.EXCITATORY);
  }

  @Override
  public int channels() {
    return channels;
  }

  @Override
  public int timesteps() {
    return timesteps;
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
  public @Nullable Preparation lesioned(Lesion lesion) {
    return null;
  }

  @Override
  public boolean trained() {
    return true;
  }
}
