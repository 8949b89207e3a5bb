package org.gammanet.experiments.responses;

import java.io.IOException;

/** Takes recordings as they are made. */
@FunctionalInterface
public interface ResponseSink {
  /**
   * One signal of one layer at one timestep, for one stimulus.
   *
   * @param stimulus index in the set
   * @param layer its name
   * @param state the signal
   * @param step timestep, from 0
   * @param values channels x height x width
   * @param channels C
   * @param height 1 for pooled signals; the number of points for {@link Pooling.Units}
   * @param width 1 for pooled signals
   */
  record Recording(
      int stimulus,
      String layer,
      State state,
      int step,
      float[] values,
      int channels,
      int height,
      int width) {}

  /** Takes one recording, whose values it may keep. */
  void accept(Recording recording) throws IOException;
}
