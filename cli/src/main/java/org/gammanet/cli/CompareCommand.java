package org.gammanet.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Comparisons of several detectors or networks with one another. */
@Command(
    name = "compare",
    header = "Compare detectors or networks with one another.",
    synopsisSubcommandLabel = "WHAT",
    commandListHeading = "%nWhat is compared:%n",
    subcommands = {CompareMapsCommand.class, CompareResponsesCommand.class},
    footer = {
      "Examples:",
      "  gammanet compare maps bundled canny -d BSDS500",
      "  gammanet compare responses X.npy --stimuli stimuli.csv"
    })
final class CompareCommand implements Runnable {
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  CompareCommand() {}

  @Override
  public void run() {
    throw new UsageException(
        "say what to compare: " + String.join(" or ", spec.subcommands().keySet()));
  }
}
