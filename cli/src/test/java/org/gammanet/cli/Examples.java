package org.gammanet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine;

/** The command lines that users copy: from the README, the docs and the help. */
final class Examples {
  private Examples() {}

  /**
   * A command line.
   *
   * @param where page or command whose help shows it
   * @param line as it stands there
   * @param words of it, without {@code gammanet}, up to a comment, a pipe or a redirection
   */
  record Example(String where, String line, List<String> words) {
    static Example of(String where, String line) {
      return new Example(where, line, split(line.replaceFirst("^(cli/)?gammanet ", "")));
    }

    @Override
    public String toString() {
      return where + ": " + line;
    }
  }

  /** Those in blocks of shell commands. */
  static List<Example> ofDocs() throws IOException {
    List<Path> pages = new ArrayList<>(List.of(Path.of("../README.md")));
    pages.add(Path.of("../pretrained/README.md"));
    try (Stream<Path> docs = Files.list(Path.of("../docs"))) {
      docs.filter(f -> f.toString().endsWith(".md")).sorted().forEach(pages::add);
    }
    List<Example> examples = new ArrayList<>();
    for (Path page : pages) {
      String text = Files.readString(page).replaceAll("\\\\\\R\\s*", " ");
      Matcher block = Pattern.compile("(?s)```sh\\R(.*?)```").matcher(text);
      while (block.find()) {
        block
            .group(1)
            .lines()
            .filter(line -> line.matches("(cli/)?gammanet [a-z].*"))
            .forEach(line -> examples.add(Example.of(String.valueOf(page.getFileName()), line)));
      }
    }
    return examples;
  }

  /** Those at the end of each command's help. */
  static List<Example> ofHelp() {
    List<Example> examples = new ArrayList<>();
    for (String command : GammanetCommand.commandLine().getSubcommands().keySet()) {
      StringWriter help = new StringWriter();
      CommandLine line = GammanetCommand.commandLine();
      line.setUsageHelpWidth(200);
      line.setOut(new PrintWriter(help, true));
      if (!command.equals("help") && line.execute(command, "--help") == 0) {
        help.toString()
            .lines()
            .map(String::strip)
            .filter(l -> l.startsWith("gammanet " + command))
            .forEach(l -> examples.add(Example.of(command + " --help", l)));
      }
    }
    return examples;
  }

  private static List<String> split(String line) {
    List<String> words = new ArrayList<>();
    Matcher word = Pattern.compile("'([^']*)'|\"([^\"]*)\"|([^\\s'\"]+)").matcher(line);
    while (word.find()) {
      String plain = word.group(3);
      if (plain != null && plain.matches("[#|<>&;].*")) {
        break;
      }
      words.add(plain != null ? plain : word.group(1) != null ? word.group(1) : word.group(2));
    }
    return words;
  }
}
