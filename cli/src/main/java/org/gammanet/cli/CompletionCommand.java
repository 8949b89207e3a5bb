package org.gammanet.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Prints the completion script for bash and zsh. */
@Command(
    name = "completion",
    header = "Print a script that completes commands and options in bash and zsh.",
    description =
        "Evaluate its output in your shell, or in ~/.bashrc or ~/.zshrc to have it always.",
    footer = {"Example:", "  source <(gammanet completion)"})
final class CompletionCommand implements Runnable {
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  CompletionCommand() {}

  @Override
  public void run() {
    new Console(spec).print(AutoComplete.bash("gammanet", spec.root().commandLine()));
  }
}
