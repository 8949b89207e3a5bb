package org.gammanet.cli;

import java.io.File;
import java.io.IOException;
import picocli.CommandLine;
import picocli.codegen.docgen.manpage.ManPageGenerator;

/** Writes the manual of each command as AsciiDoc, which a release turns into man pages. */
final class ManPages {
  private ManPages() {}

  /** Writes into the folder {@code arguments[0]}. */
  public static void main(String[] arguments) throws IOException {
    CommandLine line = GammanetCommand.commandLine();
    line.getCommandSpec().version(GammanetCommand.Version.program()); // not this machine's Java
    int status =
        ManPageGenerator.generateManPage(
            new File(arguments[0]), null, new boolean[0], true, line.getCommandSpec());
    if (status != 0) {
      throw new IOException("no manual pages were written");
    }
  }
}
