package org.gammanet.cli;

import java.util.ListResourceBundle;

/**
 * What options of several commands mean to one of them: their descriptions have it as {@code
 * ${bundle:KEY}}. No key is the name of an option, for which it would be the description.
 */
final class CommandWords extends ListResourceBundle {
  private final String command;

  /**
   * The words of a command.
   *
   * @param command its name
   */
  CommandWords(String command) {
    this.command = command;
  }

  @Override
  protected Object[][] getContents() {
    return new Object[][] {
      {"default-weights", is("train") || is("bench") ? "random weights" : "bundled"},
      {"more-weights", is("insilico") ? "; several times, or a folder of networks" : ""},
      {
        "default-layer",
        switch (command) {
          case "record" -> "fgru_0";
          case "responses" -> "every layer but the output";
          case "insilico" -> "; with --parity the second's, fgru_1";
          default -> "";
        }
      },
      {"default-seed", is("maps") ? "1" : "the configuration's seed"},
      {"default-size", is("insilico") ? "128; 256 with --parity" : "256"}
    };
  }

  private boolean is(String name) {
    return command.equals(name);
  }
}
