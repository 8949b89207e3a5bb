package org.gammanet.cli;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.ConfigException;
import org.gammanet.io.DataException;
import org.gammanet.model.DivergenceException;
import org.gammanet.torch.TorchException;
import org.gammanet.training.TrainingException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** What the user sees when something goes wrong: one sentence, and the exit status. */
final class Failures {
  static final int FAILED = 1;
  static final int WRONG_USAGE = 2;

  private Failures() {}

  /** Handles arguments that the parser, or a command's own check of them, refuses. */
  static int wrongUsage(ParameterException e, String[] args) {
    CommandLine line = e.getCommandLine();
    print(line, oneLine(String.valueOf(e.getMessage())));
    if (!UnmatchedArgumentException.printSuggestions(e, line.getErr())) {
      line.getErr().println("Try '" + line.getCommandSpec().qualifiedName() + " --help'.");
    }
    return WRONG_USAGE;
  }

  /** Handles what a command throws. */
  static int failed(Exception e, CommandLine line, ParseResult parsed) {
    return report(e, line);
  }

  /** Handles what no command expects: too little memory, damaged installations, faults. */
  static int error(Throwable e, CommandLine line) {
    Terminal.clear();
    return report(e, line);
  }

  private static int report(Throwable e, CommandLine line) {
    String sentence = sentence(e);
    boolean verbose = isVerbose(line);
    if (sentence == null) {
      StackTraceElement[] trace = e.getStackTrace();
      print(
          line,
          "this is a fault in gammanet: "
              + oneLine(e.toString())
              + (trace.length > 0 ? " at " + trace[0] : "")
              + (verbose ? "" : "; please report it with the output of --verbose"));
    } else {
      print(line, sentence);
    }
    if (verbose) {
      e.printStackTrace(line.getErr());
    }
    return switch (e) {
      case ConfigException c -> WRONG_USAGE;
      case InterruptedByUser i -> i.status();
      default -> FAILED;
    };
  }

  private static void print(CommandLine line, String sentence) {
    line.getErr().println("gammanet: " + sentence);
  }

  static boolean isVerbose(CommandLine line) {
    CommandLine root = line;
    while (root.getParent() != null) {
      root = root.getParent();
    }
    return root.getCommandSpec().userObject() instanceof GammanetCommand command && command.verbose;
  }

  /** The sentence for errors that are not faults of the program; null for those. */
  static @Nullable String sentence(Throwable e) {
    return switch (e) {
      case InterruptedByUser i -> oneLine(String.valueOf(i.getMessage()));
      case CommandException c -> oneLine(String.valueOf(c.getMessage()));
      case ConfigException c -> oneLine(String.valueOf(c.getMessage()));
      case CheckpointException c -> oneLine(String.valueOf(c.getMessage()));
      case TrainingException t -> oneLine(String.valueOf(t.getMessage()));
      case DataException d -> oneLine(String.valueOf(d.getMessage()));
      case TorchException t -> oneLine(String.valueOf(t.getMessage()));
      case UncheckedIOException u when u.getCause() != null -> sentence(u.getCause());
      case DivergenceException d -> oneLine(String.valueOf(d.getMessage()));
      case OutOfMemoryError o ->
          "Java's memory of %d MB is used up: give it more with GAMMANET_JAVA_OPTS=-Xmx8g"
              .formatted(Runtime.getRuntime().maxMemory() >> 20);
      case NoSuchFileException f -> "there is no file or folder " + f.getFile();
      case FileNotFoundException f -> oneLine(String.valueOf(f.getMessage()));
      case AccessDeniedException f -> f.getFile() + ": permission denied";
      case FileAlreadyExistsException f -> f.getFile() + " exists already";
      case NotDirectoryException f -> f.getFile() + " is not a folder";
      case FileSystemException f ->
          oneLine(
              f.getFile()
                  + ": "
                  + (f.getReason() == null ? "input or output error" : f.getReason()));
      case IOException i ->
          i.getMessage() == null ? i.getClass().getSimpleName() : oneLine(i.getMessage());
      default -> null;
    };
  }

  /** Messages of other libraries may explain over several lines; the first is the reason. */
  private static String oneLine(String message) {
    String line = message.strip().lines().findFirst().orElse("");
    return line.isEmpty() ? "unknown error" : line;
  }
}
