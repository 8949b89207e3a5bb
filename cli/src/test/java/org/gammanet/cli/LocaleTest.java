package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Numbers in files are written with the same digits whatever language the machine speaks. */
class LocaleTest {
  private final Locale before = Locale.getDefault();

  @TempDir Path folder;

  @BeforeEach
  void persian() {
    Locale.setDefault(Locale.forLanguageTag("fa-IR"));
  }

  @AfterEach
  void restore() {
    Locale.setDefault(before);
  }

  private void run(String... words) {
    StringWriter err = new StringWriter();
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(new StringWriter(), true));
    line.setErr(new PrintWriter(err, true));
    assertEquals(0, line.execute(words), err.toString());
  }

  @Test
  void filesHaveLatinDigits() throws IOException {
    Squares.write(folder, "test");
    String data = folder.toString();
    run("evaluate", "-d", data, "--maps", data + "/maps", "-o", data + "/a", "--thresholds", "5");
    run("evaluate", "-d", data, "--all-timesteps", "-o", data + "/b", "--thresholds", "5");
    run("detect", data + "/images/test", "-o", data + "/c", "--format", "svg,geojson,png");
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file :
          files
              .filter(f -> f.toString().matches(".*\\.(txt|csv|json|jsonl|svg|geojson|html)"))
              .toList()) {
        List<String> foreign =
            Files.readAllLines(file).stream()
                .filter(l -> l.codePoints().anyMatch(c -> c > 127 && Character.isDigit(c)))
                .toList();
        assertEquals(List.of(), foreign, file.toString());
      }
    }
  }
}
