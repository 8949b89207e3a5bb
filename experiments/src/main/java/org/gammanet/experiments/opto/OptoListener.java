package org.gammanet.experiments.opto;

/** Hears how long work goes on, and may end it. Called on the thread that works. */
public interface OptoListener {
  /** Silent, never cancelled. */
  OptoListener NONE = new OptoListener() {};

  /**
   * Some of the work is done.
   *
   * @param what is being done, such as {@code rescue 0°, 30°}
   * @param done parts done, from 0
   * @param total parts in all
   * @param loss current loss; NaN where there is none
   */
  default void progress(String what, int done, int total, double loss) {}

  /**
   * Asked after each part. Once true, what is done is saved where a folder was given, and the call
   * ends with a {@link java.util.concurrent.CancellationException}.
   */
  default boolean cancelled() {
    return false;
  }
}
