package org.gammanet.cli;

import java.io.FilterWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.Locale;

/**
 * Shows control characters instead of sending them to a terminal, which would obey them: names of
 * files, tensors and keys come from others.
 */
final class VisibleWriter extends PrintWriter {
  private static final boolean WINDOWS = System.lineSeparator().contains("\r");

  VisibleWriter(Writer out) {
    super(new Escaping(out), true);
  }

  private static final class Escaping extends FilterWriter {
    Escaping(Writer out) {
      super(out);
    }

    @Override
    public void write(int c) throws IOException {
      write(Character.toString((char) c));
    }

    @Override
    public void write(char[] buffer, int offset, int length) throws IOException {
      write(new String(buffer, offset, length));
    }

    @Override
    public void write(String text, int offset, int length) throws IOException {
      out.write(visible(text.substring(offset, offset + length)));
    }

    @Override
    public void flush() throws IOException {
      super.flush();
      if (out instanceof PrintWriter writer && writer.checkError()) {
        throw new IOException("cannot write"); // which a PrintWriter keeps to itself
      }
    }
  }

  /** The text with control characters but line ends and tabs as \u001b. */
  static String visible(String text) {
    if (text.chars().noneMatch(VisibleWriter::isControl)) {
      return text;
    }
    StringBuilder shown = new StringBuilder();
    text.chars()
        .forEach(
            c -> {
              if (isControl(c)) {
                shown.append(String.format(Locale.ROOT, "\\u%04x", c));
              } else {
                shown.append((char) c);
              }
            });
    return shown.toString();
  }

  /** Control characters, and those that turn the direction of what follows. */
  private static boolean isControl(int c) {
    return Character.isISOControl(c) && c != '\n' && c != '\t' && !(c == '\r' && WINDOWS)
        || c >= 0x202a && c <= 0x202e
        || c >= 0x2066 && c <= 0x2069;
  }
}
