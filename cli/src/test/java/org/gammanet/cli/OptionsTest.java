package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** The same thing has the same name in every command, and the help can be read. */
class OptionsTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(int width, String... words) {
    CommandLine line = GammanetCommand.commandLine();
    line.setUsageHelpWidth(width);
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(words);
  }

  private static Map<String, CommandLine> commands() {
    Map<String, CommandLine> commands =
        new LinkedHashMap<>(GammanetCommand.commandLine().getSubcommands());
    commands.remove("help");
    return commands;
  }

  @Test
  void anOptionHasOneMeaning() {
    Map<String, String> meaning = new LinkedHashMap<>();
    commands()
        .forEach(
            (name, command) -> {
              for (OptionSpec option : command.getCommandSpec().options()) {
                String names =
                    Arrays.stream(option.names()).sorted().collect(Collectors.joining(" "));
                for (String one : option.names()) {
                  String before = meaning.putIfAbsent(one, names);
                  assertTrue(before == null || before.equals(names), name + ": " + names);
                }
              }
            });
    for (String old : List.of("--output-dir", "--batch", "--repeats", "--mode", "--no-resume")) {
      assertFalse(meaning.containsKey(old), old);
    }
  }

  /** A folder, a batch or a seed is called the same wherever there is one. */
  @Test
  void whatIsCommonIsThere() {
    Map<String, List<String>> expected =
        Map.of(
            "--output", List.of("detect", "train", "evaluate", "ablate", "opto", "insilico"),
            "--batch-size", List.of("detect", "train", "opto", "insilico"),
            "--force", List.of("detect", "evaluate", "convert", "opto", "insilico"),
            "--seed", List.of("detect", "train", "evaluate", "ablate", "opto", "insilico", "bench"),
            "--timesteps", List.of("detect", "train", "evaluate", "opto", "insilico", "bench"),
            "--data-dir", List.of("train", "evaluate", "ablate"),
            "--layer", List.of("opto", "insilico"),
            "--resume", List.of("train", "insilico"));
    expected.forEach(
        (option, names) ->
            names.forEach(
                name ->
                    assertTrue(
                        commands().get(name).getCommandSpec().optionsMap().containsKey(option),
                        name + " " + option)));
  }

  @ParameterizedTest
  @ValueSource(ints = {60, 80})
  void theHelpFits(int width) {
    Stream.concat(Stream.of(""), commands().keySet().stream())
        .forEach(
            name -> {
              out.getBuffer().setLength(0);
              assertEquals(0, name.isEmpty() ? run(width, "--help") : run(width, name, "--help"));
              out.toString().lines().forEach(l -> assertTrue(l.length() <= width, name + ": " + l));
            });
  }

  @Test
  void helpOfACommand() {
    assertEquals(0, run(80, "help", "detect"), err.toString());
    assertTrue(out.toString().contains("Usage: gammanet detect [OPTIONS]"), out.toString());
    assertTrue(out.toString().contains("Network:"), out.toString());
    assertTrue(out.toString().contains("143"), out.toString());
  }

  @Test
  void theDefaultsInTheHelpAreThoseInUse() {
    assertEquals(0, run(80, "evaluate", "--help"));
    String help = out.toString().replaceAll("\\s+", " ");
    assertTrue(help.contains("fraction of the image's diagonal; default: 0.0075."), help);
    assertTrue(help.contains("one of none, plain, smooth"), help);
    assertFalse(help.contains("null"), help);
    assertFalse(help.contains("${"), help);
  }

  /** What an option means to other commands is not in the help of one. */
  @Test
  void theHelpOfACommandIsAboutThatCommand() {
    Map<String, String> defaults =
        Map.of(
            "detect", "of its own). Default: bundled.",
            "train", "of its own). Default: random weights.",
            "insilico", "of its own); several times, or a folder of networks. Default: bundled.",
            "record", "commas between several; default: fgru_0.",
            "compare responses", "several; default: every layer but the output.",
            "compare maps", "Seed of everything random; default: 1.",
            "opto", "one of excitatory, inhibitory, both, the last each in turn.");
    defaults.forEach(
        (command, sentence) -> {
          out.getBuffer().setLength(0);
          assertEquals(0, run(80, (command + " --help").split(" ")));
          String help = out.toString().replaceAll("\\s+", " ");
          assertTrue(help.contains(sentence), help);
          assertFalse(help.contains("${"), help);
        });
  }

  @Test
  void optionsThatExcludeEachOtherAreNamed() {
    assertEquals(2, run(80, "detect", "x.png", "--size", "9", "--max-side", "9"));
    assertTrue(
        err.toString().startsWith("gammanet: --size and --max-side exclude each other"),
        err.toString());
  }

  /** What stands in the docs is accepted, whatever has been renamed. */
  @Test
  void theExamplesOfTheDocsParse() throws IOException {
    List<Examples.Example> examples = Examples.ofDocs();
    for (Examples.Example example : examples) {
      try {
        GammanetCommand.commandLine().parseArgs(example.words().toArray(String[]::new));
      } catch (CommandLine.ParameterException e) {
        throw new AssertionError(example + ": " + e.getMessage(), e);
      }
    }
    assertTrue(examples.size() > 20, "examples: " + examples);
  }
}
