package org.gammanet.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** Entry point of the {@code gammanet} command. */
@Command(
    name = "gammanet",
    mixinStandardHelpOptions = true,
    versionProvider = GammanetCommand.Version.class,
    scope = ScopeType.INHERIT,
    synopsisSubcommandLabel = "COMMAND",
    abbreviateSynopsis = true,
    subcommands = {
      DetectCommand.class,
      ViewCommand.class,
      TrainCommand.class,
      EvaluateCommand.class,
      CompareCommand.class,
      InspectCommand.class,
      ConvertCommand.class,
      AblateCommand.class,
      OptoCommand.class,
      InsilicoCommand.class,
      MergeCommand.class,
      RecordCommand.class,
      ArchitectureCommand.class,
      InfoCommand.class,
      BenchCommand.class,
      PassesCommand.class,
      CompletionCommand.class,
      HelpCommand.class
    },
    header = "Find edges with a recurrent model of visual cortex, train it, and experiment on it.",
    commandListHeading = "%nCommands:%n",
    optionListHeading = "%nOptions:%n",
    parameterListHeading = "%nParameters:%n",
    descriptionHeading = "%n",
    exitCodeListHeading = "%nExit status:%n",
    footerHeading = "%n")
public final class GammanetCommand implements Runnable {
  @Option(
      names = {"-v", "--verbose"},
      scope = ScopeType.INHERIT,
      description = "Show details, and where in the program an error arose.")
  boolean verbose;

  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  GammanetCommand() {}

  @Override
  public void run() {
    CommandLine line = spec.commandLine();
    line.usage(line.getErr(), line.getColorScheme());
    throw new UsageException("a command is missing");
  }

  /** Runs the command line and exits with its status. */
  public static void main(String[] args) {
    // Files and numbers for programs are the same in every language.
    Locale.setDefault(Locale.ROOT);
    CommandLine line = commandLine();
    int status;
    try {
      status = line.execute(args);
    } catch (Throwable e) { // picocli hands over exceptions, but not errors
      status = Failures.error(e, line);
    }
    if (System.out.checkError() && status == 0) {
      line.getErr().println("gammanet: " + Failures.OUTPUT_LOST);
      status = Failures.FAILED;
    }
    System.exit(status);
  }

  /** The parser with all commands, error handling and colors. */
  static CommandLine commandLine() {
    CommandLine line = new CommandLine(new GammanetCommand());
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setOverwrittenOptionsAllowed(false);
    line.setUsageHelpWidth(Math.clamp(Terminal.width(), 55, 100));
    line.setColorScheme(
        CommandLine.Help.defaultColorScheme(Terminal.outIsTerminal() ? Ansi.ON : Ansi.OFF));
    line.setOut(writer(System.out));
    line.setErr(writer(System.err));
    line.setExecutionStrategy(
        parsed -> {
          Integer help = CommandLine.executeHelpRequest(parsed);
          if (help != null) {
            return help;
          }
          if (!(line.getOut() instanceof VisibleWriter)) { // colors of the help have passed
            line.setOut(new VisibleWriter(line.getOut()));
          }
          return new CommandLine.RunLast().execute(parsed);
        });
    line.setParameterExceptionHandler(Failures::wrongUsage);
    line.setExecutionExceptionHandler(Failures::failed);
    line.setExitCodeExceptionMapper(Failures::status);
    exitCodes(line);
    words(line);
    return line;
  }

  /** Gives the help of each command its own words for what options of several commands mean. */
  private static void words(CommandLine command) {
    command.getCommandSpec().resourceBundle(new CommandWords(command.getCommandName()));
    command.getSubcommands().values().forEach(GammanetCommand::words);
  }

  private static void exitCodes(CommandLine command) {
    Map<String, String> statuses = new LinkedHashMap<>();
    for (String status : Failures.STATUSES) {
      int colon = status.indexOf(':');
      statuses.put(status.substring(0, colon), status.substring(colon + 1));
    }
    command.getCommandSpec().usageMessage().exitCodeList(statuses);
    command.getSubcommands().values().forEach(GammanetCommand::exitCodes);
  }

  private static PrintWriter writer(PrintStream stream) {
    return new PrintWriter(
        stream, true, stream.charset() == null ? StandardCharsets.UTF_8 : stream.charset());
  }

  /** Version of this program, the commit that it was built from, and the Java that runs it. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {
        "gammanet %s (%sJava %s)".formatted(program(), commit(), Runtime.version())
      };
    }

    /** The commit in words, followed by a comma; empty where the build had no Git repository. */
    private static String commit() {
      Properties git = new Properties();
      try (InputStream in = GammanetCommand.class.getResourceAsStream("git.properties")) {
        if (in != null) {
          git.load(in);
        }
      } catch (IOException e) {
        return "";
      }
      String id = git.getProperty("git.commit.id.abbrev", "");
      boolean changed = "true".equals(git.getProperty("git.dirty"));
      return id.isEmpty() ? "" : "commit " + id + (changed ? " with changes, " : ", ");
    }

    static String program() {
      return Optional.ofNullable(GammanetCommand.class.getModule().getDescriptor())
          .flatMap(ModuleDescriptor::rawVersion)
          .orElse("development");
    }
  }
}
