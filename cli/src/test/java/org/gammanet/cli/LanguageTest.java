package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Sources, docs and help are in American spelling and without phrases that nobody would write. */
class LanguageTest {
  private static final Path ROOT = Path.of("..");
  private static final Pattern FILES =
      Pattern.compile(
          ".*\\.(java|md|cpp|h|cu|cuh|yaml|py|xml|def|cff|js|mjs|html|css|sh|bat)|.*/cli/gammanet");

  /** Folders without sources of ours. */
  private static final Set<String> LEFT_OUT =
      Set.of("target", ".git", ".fast", "build", "node_modules");

  /** Calques and riddles, with what to write instead where that is not obvious. */
  private static final List<String> PHRASES =
      List.of(
          "None of this is done otherwise",
          "network that comes along", // bundled network
          "network that comes with",
          "stands in its model card", // is described in
          "canonical map is to be had",
          "restore what is read",
          "restore what a place reads", // restore the decoded orientation at a site
          "for half as much again",
          "Of the drive:",
          "Of the grid:",
          "Of the sweep",
          "Of such a pass",
          "Of dlopen",
          "can take turns with it",
          "--seed is that of",
          "units that it evokes",
          "Distance of the middles", // center-to-center distance
          "Fall of the response", // response reduction
          "Both signs together", // folded
          "people, sketch",
          "stem from no recording", // illustrative values, not data
          "what it finds means nothing",
          "that survive anything",
          "anybody's maps",
          "is told by `inputs",
          "not to be had on this machine",
          "unless told", // default
          "So many equally spaced",
          "So many numbers",
          "hears of each",
          "Hears how training goes on",
          "Is told the number",
          "gives a changed copy",
          "with this one's experiments added",
          "whoever reports a p",
          "of which one is NaN",
          "the system would end us",
          "allocator says so itself",
          "elsewhere four heaps",
          "A time during which the calling thread",
          "and what is wanted of it",
          "hooks had their say",
          "What one cut of a map is worth",
          "Tells right from wrong",
          "Whoever cancelled knows",
          "keys that nobody asked for",
          "something of its own when the value goes",
          "in their native places",
          "What a digest has come to",
          "new name itself survive",
          "Of a parameter that the cell has",
          "configuration describes; they win",
          "no cell is named whose output is wanted",
          "must be told what to compute again",
          "its zip directory is no directory",
          "of a type that is none",
          "which has no place here",
          "decides from here on",
          "is not a way of recomputing",
          "the Vector API is not there",
          "is there a circle?",
          "What it is and how it was made stands",
          "it reads within",
          "In place of the comparison",
          "leaves behind are states",
          "Bytes that new work may take",
          "This run, or, where its folder",
          "Pairs without those",
          "are made with it",
          "update %d left out", // skipped
          "not possible here",
          "files name each other",
          "Share of", // fraction
          "share of the",
          "whyComposed", // fallbackReason
          "whyAbsent",
          "whyExact",
          "countChange", // bumpVersion
          "CellPlace", // site
          "CellParts",
          "emptyMap(", // empty feature map
          "asWished",
          "byItself(",
          "silently(");

  /** British spellings; API names that we do not own are exempt. */
  private static final Pattern BRITISH =
      Pattern.compile(
          "(?i)[a-z_]*(?:(?:normal|optim(?!is(?:m|t))|initial|organ(?!ism)|recogn|summar|standard|minim|maxim|general"
              + "|linear|regular|visual|serial|symmetr|discret|quant|random|parametr|synchron|categor|real(?!is[mt])"
              + "|util|emphas|character|raster|vector|local|stabil|equal|final|penal|special|util)is"
              + "(?:e|ed|es|er|ers|ing|ation|ations)(?![a-z])"
              + "|colour|grey|centre|neighbour|behaviour|favour|labell(?!edby)|modell|artefact|licence"
              + "|catalogue|analys(?:e|ed|ing)(?![a-z])|fulfil(?![l])|honour|learnt|towards|whilst"
              + "|(?<!is)cancelle|levelle|travelle|signalle)[a-z_]*");

  /** Keys of golden data, which are as they are. */
  private static final Pattern KEY = Pattern.compile("\"[a-z0-9_]*\"|\\[\"centre\"\\]");

  private static Map<Path, String> texts() {
    Map<Path, String> texts = new LinkedHashMap<>();
    try {
      Files.walkFileTree(
          ROOT,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes attributes) {
              return LEFT_OUT.contains(dir.getFileName().toString())
                  ? FileVisitResult.SKIP_SUBTREE
                  : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              String name = file.toString().replace('\\', '/');
              // The glossary has a column of words to avoid, and this class a list of them.
              if (FILES.matcher(name).matches()
                  && !name.endsWith("glossary.md")
                  && !name.endsWith("LanguageTest.java")) {
                try {
                  texts.put(file, Files.readString(file));
                } catch (MalformedInputException e) {
                  return FileVisitResult.CONTINUE; // no text
                }
              }
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return texts;
  }

  /** Comments of Java that begin with "Of ..." and lack their subject. */
  private static final Pattern FRAGMENT = Pattern.compile("(?:/\\*\\*|//)\\s*(?:\\* )?Of [a-z]");

  /** Without the breaks of lines, comments and string constants. */
  private static String joined(String text) {
    return text.replaceAll("\"\\s*\\+\\s*\"", "").replaceAll("\\s*\\R\\s*(?:\\*|//|#)?\\s*", " ");
  }

  @Test
  void noPhraseThatNobodyWouldWrite() {
    List<String> found = new ArrayList<>();
    Map<Path, String> texts = texts();
    assertTrue(texts.size() > 100, "sources are searched");
    texts.forEach(
        (file, text) -> {
          String joined = joined(text);
          PHRASES.stream().filter(joined::contains).forEach(p -> found.add(file + ": " + p));
          if (file.toString().endsWith(".java")) {
            FRAGMENT.matcher(text).results().forEach(m -> found.add(file + ": " + m.group()));
          }
        });
    assertEquals("", String.join("\n", found));
  }

  @Test
  void americanSpelling() {
    List<String> found = new ArrayList<>();
    texts()
        .forEach(
            (file, text) -> {
              String words =
                  BRITISH
                      .matcher(KEY.matcher(text).replaceAll(""))
                      .results()
                      .map(MatchResult::group)
                      .distinct()
                      .collect(Collectors.joining(", "));
              if (!words.isEmpty()) {
                found.add(file + ": " + words);
              }
            });
    assertEquals("", String.join("\n", found));
  }

  @Test
  void helpIsInTheSameLanguage() {
    for (String command : GammanetCommand.commandLine().getSubcommands().keySet()) {
      StringWriter out = new StringWriter();
      CommandLine line = GammanetCommand.commandLine();
      line.setOut(new PrintWriter(out, true));
      line.execute("help", command);
      String help = out.toString().replaceAll("\\s+", " ");
      PHRASES.forEach(p -> assertTrue(!help.contains(p), command + ": " + p));
      Matcher british = BRITISH.matcher(help.toLowerCase(Locale.ROOT));
      assertTrue(!british.find(), () -> command + ": " + british.group());
    }
  }
}
