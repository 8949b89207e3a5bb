package org.gammanet.cli;

import java.io.PrintWriter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/**
 * What a command prints: results on standard output; notes, errors and progress on standard error.
 */
final class Console {
  private static final long LINE_NANOS = 30_000_000_000L;
  private static final long DRAW_NANOS = 100_000_000;

  private final CommandLine line;
  private final boolean notes;
  private @Nullable String task;
  private long began;
  private long first;
  private long shown;

  Console(CommandSpec spec) {
    this(spec, true);
  }

  private Console(CommandSpec spec, boolean notes) {
    line = spec.commandLine();
    this.notes = notes;
  }

  /** A console without notes, which another process shows. */
  static Console silent(CommandSpec spec) {
    return new Console(spec, false);
  }

  PrintWriter out() {
    return line.getOut();
  }

  /**
   * Prints a line of results.
   *
   * @throws CommandException if nobody can receive it: the disk is full, or the reader has gone
   */
  void print(Object text) {
    Terminal.clear();
    out().println(text);
    flush();
  }

  /** Prints formatted results, with digits and signs of no particular language. */
  void printf(String format, Object... values) {
    Terminal.clear();
    out().printf(Locale.ROOT, format, values);
    flush();
  }

  private void flush() {
    if (out().checkError()) {
      throw new CommandException(Failures.OUTPUT_LOST);
    }
  }

  void note(String sentence) {
    if (notes) {
      error("note: " + sentence);
    }
  }

  /** Reports what went wrong where the work continues. */
  void error(String sentence) {
    Terminal.clear();
    line.getErr().println("gammanet: " + VisibleWriter.visible(sentence));
  }

  /**
   * Shows how far a task is: a bar on a terminal, a line every 30 seconds elsewhere.
   *
   * @param done parts of the task done; the time left is extrapolated from the first call on
   * @param detail more to show, or an empty text
   */
  void progress(String name, long done, long total, String detail) {
    long now = System.nanoTime();
    if (!name.equals(task)) {
      task = name;
      began = now;
      first = done;
      shown = Terminal.errIsTerminal() ? 0 : now;
    }
    boolean terminal = Terminal.errIsTerminal();
    if (now - shown < (terminal ? DRAW_NANOS : LINE_NANOS) && (!terminal || done < total)) {
      return;
    }
    shown = now;
    double left = done > first ? (now - began) / 1e9 / (done - first) * (total - done) : Double.NaN;
    String text =
        "%s/%s%s%s"
            .formatted(
                done,
                total,
                detail.isEmpty() ? "" : "  " + detail,
                Double.isNaN(left) ? "" : "  " + Terminal.clock(left) + " left");
    String head = name.isEmpty() ? "" : name + " ";
    if (terminal) {
      Terminal.draw(head + Terminal.bar(total == 0 ? 1 : (double) done / total) + " " + text);
    } else {
      line.getErr().println(VisibleWriter.visible(head + text));
    }
  }
}
