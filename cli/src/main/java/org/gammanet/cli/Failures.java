package org.gammanet.cli;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.ConfigException;
import org.gammanet.io.DataException;
import org.gammanet.model.DivergenceException;
import org.gammanet.torch.TorchException;
import org.gammanet.training.TrainingException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.MaxValuesExceededException;
import picocli.CommandLine.MutuallyExclusiveArgsException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** What the user sees when something goes wrong: one sentence, and the exit status. */
final class Failures {
  static final int FAILED = 1;
  static final int WRONG_USAGE = 2;

  /** The statuses for people, as {@code --help} lists them. */
  static final List<String> STATUSES =
      List.of(
          "0:done",
          "1:the work failed",
          "2:wrong usage or configuration",
          "129:ended by SIGHUP, when the terminal closes",
          "130:ended by SIGINT (Ctrl-C)",
          "143:ended by SIGTERM");

  static final String OUTPUT_LOST = "standard output cannot be written: it is full or closed";

  private static final Pattern OPTION = Pattern.compile("(?<=[{\\s,])--[a-z-]+(?=[=},]|$)");

  private Failures() {}

  /** Handles arguments that the parser, or a command's own check of them, refuses. */
  static int wrongUsage(ParameterException e, String[] args) {
    CommandLine line = e.getCommandLine();
    print(
        line,
        e instanceof MutuallyExclusiveArgsException || e instanceof MaxValuesExceededException
            ? exclusive(String.valueOf(e.getMessage()))
            : oneLine(String.valueOf(e.getMessage())));
    if (!UnmatchedArgumentException.printSuggestions(e, line.getErr())) {
      line.getErr().println("Try '" + line.getCommandSpec().qualifiedName() + " --help'.");
    }
    return WRONG_USAGE;
  }

  /** The parser shows whole groups; what matters are the two options that were given. */
  private static String exclusive(String message) {
    int values = message.indexOf('{');
    List<String> given =
        OPTION
            .matcher(values < 0 ? " " + message : message.substring(values))
            .results()
            .map(MatchResult::group)
            .distinct()
            .toList();
    return given.size() < 2
        ? oneLine(message)
        : String.join(" and ", given) + " exclude each other: choose one";
  }

  /** Handles what a command throws. */
  static int failed(Exception e, CommandLine line, ParseResult parsed) {
    return report(e, line);
  }

  /** Handles what no command expects: too little memory, damaged installations, faults. */
  static int error(Throwable e, CommandLine line) {
    return report(e, line);
  }

  private static int report(Throwable e, CommandLine line) {
    Terminal.clear();
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
      List<String> details = e instanceof CheckpointException c ? c.details() : List.of();
      boolean more = sentence.contains("…") && !details.isEmpty() && !verbose;
      print(line, sentence + (more ? "; --verbose lists all" : ""));
      if (verbose) {
        details.forEach(detail -> line.getErr().println("  " + VisibleWriter.visible(detail)));
      }
    }
    if (e instanceof UsageException) {
      line.getErr().println("Try '" + line.getCommandSpec().qualifiedName() + " --help'.");
    }
    if (verbose) {
      e.printStackTrace(line.getErr());
    }
    return status(e);
  }

  /** The exit status that an exception means. */
  static int status(Throwable e) {
    return switch (e) {
      case ConfigException c -> WRONG_USAGE;
      case UsageException u -> WRONG_USAGE;
      case ParameterException p -> WRONG_USAGE;
      case InterruptedByUser i -> i.status();
      default -> FAILED;
    };
  }

  private static void print(CommandLine line, String sentence) {
    line.getErr().println("gammanet: " + VisibleWriter.visible(sentence));
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
      case UsageException u -> oneLine(String.valueOf(u.getMessage()));
      case ConfigException c -> oneLine(String.valueOf(c.getMessage()));
      case CheckpointException c -> oneLine(String.valueOf(c.getMessage()));
      case TrainingException t -> oneLine(String.valueOf(t.getMessage()));
      case DataException d -> oneLine(String.valueOf(d.getMessage()));
      case TorchException t -> oneLine(String.valueOf(t.getMessage()));
      case UncheckedIOException u when u.getCause() != null -> sentence(u.getCause());
      case DivergenceException d -> oneLine(String.valueOf(d.getMessage()));
      case OutOfMemoryError o ->
          "Java's memory of %s MB is used up: give it more with GAMMANET_JAVA_OPTS=-Xmx8g"
              .formatted(Runtime.getRuntime().maxMemory() >> 20);
      case NoSuchFileException f -> "there is no file or folder " + f.getFile();
      case FileNotFoundException f -> oneLine(String.valueOf(f.getMessage()));
      case AccessDeniedException f -> f.getFile() + ": permission denied";
      case FileAlreadyExistsException f -> f.getFile() + " is a file, where a folder is needed";
      case NotDirectoryException f -> f.getFile() + " is not a folder";
      case FileSystemException f ->
          f.getFile() + ": " + (f.getReason() == null ? "input or output error" : f.getReason());
      case IOException i ->
          i.getMessage() == null ? i.getClass().getSimpleName() : oneLine(i.getMessage());
      default -> null;
    };
  }

  /** Messages of other libraries may explain over several lines; the first is the reason. */
  private static String oneLine(String message) {
    String line = message.strip().lines().findFirst().orElse("").replaceFirst("^Error: ", "");
    return line.isEmpty() ? "unknown error" : line;
  }
}
