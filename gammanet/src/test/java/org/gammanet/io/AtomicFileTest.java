package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir Path folder;

  private static ByteBuffer text(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void writesAndReplaces() throws IOException {
    Path file = folder.resolve("a");
    AtomicFile.write(file, out -> out.write(text("one")));
    AtomicFile.write(file, out -> out.write(text("two")));
    assertEquals("two", Files.readString(file));
    assertEquals(List.of("a"), names());
  }

  @Test
  void failureKeepsTheOldFileAndLeavesNothing() throws IOException {
    Path file = folder.resolve("a");
    AtomicFile.write(file, out -> out.write(text("one")));
    for (Throwable failure : List.of(new IOException("full"), new OutOfMemoryError("x"))) {
      Throwable thrown =
          assertThrows(
              Throwable.class,
              () ->
                  AtomicFile.write(
                      file,
                      out -> {
                        out.write(text("tw"));
                        if (failure instanceof IOException e) {
                          throw e;
                        }
                        throw (Error) failure;
                      }));
      if (failure instanceof IOException) {
        assertEquals(file + ": full", thrown.getMessage());
        assertEquals(failure, thrown.getCause());
      } else {
        assertEquals(failure, thrown);
      }
      assertEquals("one", Files.readString(file));
      assertEquals(List.of("a"), names());
    }
  }

  @Test
  void aSymbolicLinkStays() throws IOException {
    Path real = Files.writeString(folder.resolve("real"), "old");
    Path link = Files.createSymbolicLink(folder.resolve("link"), real);
    AtomicFile.write(link, out -> out.write(text("new")));
    assertTrue(Files.isSymbolicLink(link));
    assertEquals("new", Files.readString(real));
  }

  @Test
  void aMissingFolderIsAnError() {
    assertThrows(
        NoSuchFileException.class,
        () -> AtomicFile.write(folder.resolve("no/file"), out -> out.write(text("x"))));
  }
}
