package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What a terminal would obey is shown, and what nobody can receive is noticed. */
class VisibleWriterTest {
  @Test
  void controlCharactersAreShown() {
    StringWriter text = new StringWriter();
    PrintWriter out = new VisibleWriter(text);
    out.printf("a\u001b[2J\tb\u009b\u202ec\n");
    assertEquals("a\\u001b[2J\tb\\u009b\\u202ec\n", text.toString());
  }

  private static final class Full extends Writer {
    @Override
    public void write(char[] buffer, int offset, int length) throws IOException {
      throw new IOException("No space left on device");
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  @Test
  void aFullDiskBehindStandardOutputIsAFailure() {
    for (String[] words : new String[][] {{"architecture", "--json"}, {"completion"}, {"info"}}) {
      CommandLine line = GammanetCommand.commandLine();
      StringWriter err = new StringWriter();
      line.setOut(new PrintWriter(new Full(), true));
      line.setErr(new PrintWriter(err, true));
      assertEquals(1, line.execute(words), words[0]);
      assertTrue(err.toString().contains("standard output cannot be written"), err.toString());
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void namesOfFilesInErrorsAreShown(@TempDir Path folder) throws IOException {
    Path sly = Files.createFile(folder.resolve("a\u001b[31mb.png"));
    CommandLine line = GammanetCommand.commandLine();
    StringWriter err = new StringWriter();
    line.setErr(new PrintWriter(err, true));
    assertEquals(1, line.execute("inspect", sly.toString()));
    assertFalse(err.toString().contains("\u001b"), err.toString());
    assertTrue(err.toString().contains("\\u001b[31m"), err.toString());
  }
}
