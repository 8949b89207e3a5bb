package org.gammanet.experiments.study;

import java.nio.file.Path;
import java.util.List;

/** Follows a run, and may end it. Called on the thread that works. */
public interface Progress {
  /** Silent; never cancels. */
  Progress NONE = new Progress() {};

  /** A step begins: number {@code number} of {@code of}, from 1. */
  default void begin(String step, int number, int of) {}

  /**
   * Some of a step's work is done.
   *
   * @param done parts done, from 0
   * @param total parts in all; may grow where a step finds more to do
   * @param detail what else there is to say, such as a loss; may be empty
   */
  default void advance(String step, int done, int total, String detail) {}

  /** A step has ended; {@code files} are those that it wrote. */
  default void finish(String step, List<Path> files) {}

  /** Something the user should know. */
  default void note(String sentence) {}

  /**
   * Asked after each part of the work. Once true, the run ends with a {@link
   * java.util.concurrent.CancellationException}; finished work is on disk by then.
   */
  default boolean canceled() {
    return false;
  }
}
