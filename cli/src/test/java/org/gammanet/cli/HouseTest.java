package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every package uses only those below it, and native files are small and include no circle. */
class HouseTest {
  private static final Path ROOT = Path.of("..");

  /** All packages from the lowest up. A new package has a place in this list. */
  private static final List<String> FLOORS =
      Stream.of(
              "torch.gen torch.internal torch kernels",
              "io config simd data checkpoint nn fused model .",
              "evaluation detection training distributed pretrained pretrained.full figures",
              "experiments experiments.stimuli experiments.responses experiments.export",
              "experiments.analysis.simd",
              "experiments.analysis experiments.study experiments.opto experiments.protocols",
              "parity javacell benchmarks view spark cli")
          .flatMap(line -> Stream.of(line.split(" ")))
          .map(name -> name.equals(".") ? "org.gammanet" : "org.gammanet." + name)
          .toList();

  private static final Pattern PACKAGE = Pattern.compile("(?m)^package ([\\w.]+);");
  private static final Pattern USE =
      Pattern.compile("(?<![\\w.])(org\\.gammanet(?:\\.[a-z]\\w*)*)\\.[A-Z]");
  private static final Pattern INCLUDE = Pattern.compile("(?m)^#include \"([^\"]+)\"");

  /** What would write digits, or change letters, as the machine's language has them. */
  private static final Pattern LOCAL =
      Pattern.compile(
          "\"[^\"\\n]*%[-,+# 0-9.]*[dfeg](?:\\\\.|[^\"\\\\\\n])*\"\\s*"
              + "(?:\\+\\s*\"(?:\\\\.|[^\"\\\\\\n])*\"\\s*)*\\)?\\s*\\.formatted\\("
              + "|String\\.format\\(\\s*\"|\\.to(?:Lower|Upper)Case\\(\\)");

  /** Lines of a native file. */
  private static final int MOST_LINES = 600;

  private static List<Path> files(Path folder, String ending) {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(f -> f.toString().matches(".*\\.(" + ending + ")"))
          .filter(f -> !f.toString().contains("target") && !f.toString().contains("build"))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Code without comments and string constants. */
  private static String code(Path file) throws IOException {
    return Files.readString(file)
        .replaceAll("(?s)/\\*.*?\\*/", "")
        .replaceAll("\"(?:\\\\.|[^\"\\\\\\n])*\"", "\"\"")
        .replaceAll("//.*", "");
  }

  @Test
  void packagesUseOnlyThoseBelowThem() throws IOException {
    List<String> upward = new ArrayList<>();
    Set<String> found = new TreeSet<>();
    try (Stream<Path> modules = Files.list(ROOT)) {
      for (Path module : modules.sorted().toList()) {
        for (String folder : List.of("src/main/java", "src/generated/java")) {
          Path sources = module.resolve(folder);
          if (!Files.isDirectory(sources)) {
            continue;
          }
          for (Path file : files(sources, "java")) {
            String name = file.getFileName().toString();
            if (name.equals("module-info.java")) {
              continue;
            }
            String code = code(file);
            String own =
                PACKAGE.matcher(code).results().map(m -> m.group(1)).findFirst().orElse("");
            found.add(own);
            for (MatchResult use : USE.matcher(code).results().toList()) {
              if (FLOORS.indexOf(use.group(1)) > FLOORS.indexOf(own)) {
                upward.add(file + " uses " + use.group(1));
              }
            }
          }
        }
      }
    }
    assertEquals(new TreeSet<>(FLOORS), found);
    assertEquals("", String.join("\n", upward));
  }

  /** Integers are {@code %s}, all else is formatted with {@code Locale.ROOT}. */
  @Test
  void textIsTheSameInAllLanguages() throws IOException {
    List<String> local = new ArrayList<>();
    try (Stream<Path> modules = Files.list(ROOT)) {
      for (Path sources : modules.map(m -> m.resolve("src/main/java")).sorted().toList()) {
        if (Files.isDirectory(sources)) {
          for (Path file : files(sources, "java")) {
            LOCAL
                .matcher(Files.readString(file))
                .results()
                .forEach(m -> local.add(file + ": " + m.group()));
          }
        }
      }
    }
    assertEquals("", String.join("\n", local));
  }

  @Test
  void nativeFilesAreSmallAndIncludeNoCircle() throws IOException {
    Map<String, Set<String>> includes = new HashMap<>();
    List<Path> all = files(ROOT.resolve("native/src"), "cpp|h|cu");
    assertTrue(all.size() > 30, "native sources are searched");
    for (Path file : all) {
      String text = Files.readString(file);
      long lines = text.lines().count();
      assertTrue(lines <= MOST_LINES, file + " has " + lines + " lines");
      Set<String> of = new LinkedHashSet<>();
      for (MatchResult m : INCLUDE.matcher(text).results().toList()) {
        Path beside = file.resolveSibling(m.group(1)).normalize();
        of.add(
            (Files.exists(beside) ? beside : ROOT.resolve("native/src").resolve(m.group(1)))
                .normalize()
                .toString());
      }
      includes.put(file.normalize().toString(), of);
    }
    Set<String> done = new TreeSet<>();
    for (String file : includes.keySet()) {
      visit(file, includes, new ArrayList<>(), done);
    }
  }

  private static void visit(
      String file, Map<String, Set<String>> includes, List<String> path, Set<String> done) {
    assertTrue(!path.contains(file), () -> "a circle: " + path + " includes " + file);
    if (done.contains(file)) {
      return;
    }
    path.add(file);
    for (String next : includes.getOrDefault(file, Set.of())) {
      visit(next, includes, path, done);
    }
    path.removeLast();
    done.add(file);
  }
}
