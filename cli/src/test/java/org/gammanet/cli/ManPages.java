package org.gammanet.cli;

import java.io.File;
import java.io.IOException;
import picocli.CommandLine;
import picocli.codegen.docgen.manpage.ManPageGenerator;

/** Writes the manual of each command as AsciiDoc, which a release turns into man pages. */
final class ManPages {
  private ManPages() {}

  /** Writes into the folder {@code arguments[0]} the manual of version {@code arguments[1]}. */
  public static void main(String[] arguments) throws IOException {
    CommandLine line = GammanetCommand.commandLine();
    setVersion(line, "gammanet " + arguments[1]);
    int status =
        ManPageGenerator.generateManPage(
            new File(arguments[0]), null, new boolean[0], true, line.getCommandSpec());
    if (status != 0) {
      throw new IOException("no manual pages were written");
    }
  }

  /** Instead of the version provider's, which names the Java of this machine. */
  private static void setVersion(CommandLine line, String version) {
    line.getCommandSpec().versionProvider(null).version(version);
    line.getSubcommands().values().forEach(command -> setVersion(command, version));
  }
}
