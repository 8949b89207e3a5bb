package org.gammanet.cli;

import java.io.PrintWriter;
import java.lang.module.ModuleDescriptor;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** Entry point of the {@code gammanet} command. */
@Command(
    name = "gammanet",
    mixinStandardHelpOptions = true,
    versionProvider = GammanetCommand.Version.class,
    scope = ScopeType.INHERIT,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      DetectCommand.class,
      TrainCommand.class,
      EvaluateCommand.class,
      InspectCommand.class,
      ConvertCommand.class,
      AblateCommand.class,
      OptoCommand.class,
      InsilicoCommand.class,
      ArchitectureCommand.class,
      InfoCommand.class,
      BenchCommand.class,
      CompletionCommand.class
    },
    header = "Find edges with a recurrent model of visual cortex, train it, and experiment on it.",
    commandListHeading = "%nCommands:%n",
    optionListHeading = "%nOptions:%n",
    parameterListHeading = "%nParameters:%n",
    descriptionHeading = "%n",
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {"0:done", "1:the work failed", "2:wrong usage", "130:interrupted"},
    footerHeading = "%n",
    usageHelpAutoWidth = true)
public final class GammanetCommand implements Runnable {
  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Show details, and where in the program an error arose.")
  boolean verbose;

  @Spec CommandSpec spec;

  /** What the launcher knows and a JVM cannot ask for; see {@link Terminal}. */
  @SuppressWarnings("NullAway.Init")
  GammanetCommand() {}

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  /** Runs the command line and exits with its status. */
  public static void main(String[] args) {
    CommandLine line = commandLine();
    int status;
    try {
      status = line.execute(args);
    } catch (Throwable e) { // picocli hands over exceptions, but not errors
      status = Failures.error(e, line);
    }
    System.out.flush();
    System.exit(status);
  }

  /** The parser with all commands, error handling and colours. */
  static CommandLine commandLine() {
    CommandLine line = new CommandLine(new GammanetCommand());
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setOverwrittenOptionsAllowed(false);
    line.setColorScheme(
        CommandLine.Help.defaultColorScheme(
            Terminal.outIsTerminal() ? CommandLine.Help.Ansi.ON : CommandLine.Help.Ansi.OFF));
    line.setOut(new PrintWriter(System.out, true));
    line.setErr(new PrintWriter(System.err, true));
    line.setParameterExceptionHandler(Failures::wrongUsage);
    line.setExecutionExceptionHandler(Failures::failed);
    return line;
  }

  /** Version of this program and of the Java that runs it. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"gammanet " + program() + " (Java " + Runtime.version() + ")"};
    }

    static String program() {
      return Optional.ofNullable(GammanetCommand.class.getModule().getDescriptor())
          .flatMap(ModuleDescriptor::rawVersion)
          .orElse("development");
    }
  }
}
