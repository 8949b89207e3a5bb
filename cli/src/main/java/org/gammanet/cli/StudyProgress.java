package org.gammanet.cli;

import java.nio.file.Path;
import java.util.List;
import org.gammanet.experiments.study.Progress;

/** Shows the progress of a study, prints a line per step, and ends the study when interrupted. */
final class StudyProgress implements Progress {
  private final Console console;
  private final Interrupt interrupt;
  private String place = "";
  private long began;

  StudyProgress(Console console, Interrupt interrupt) {
    this.console = console;
    this.interrupt = interrupt;
  }

  @Override
  public void begin(String step, int number, int of) {
    place = of > 1 ? number + "/" + of + "  " : "";
    began = System.nanoTime();
  }

  @Override
  public void advance(String step, int done, int total, String detail) {
    console.progress(place + step, done, total, detail);
  }

  @Override
  public void finish(String step, List<Path> files) {
    console.printf("%s%s: %.0f s%n", place, step, (System.nanoTime() - began) / 1e9);
  }

  @Override
  public void note(String sentence) {
    console.note(sentence);
  }

  @Override
  public boolean canceled() {
    return interrupt.happened();
  }
}
