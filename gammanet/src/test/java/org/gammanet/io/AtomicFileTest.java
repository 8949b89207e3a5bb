package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.function.Executable;
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
    Path file = folder.resolve("no/file");
    NoSuchFileException e =
        assertThrows(
            NoSuchFileException.class, () -> AtomicFile.write(file, out -> out.write(text("x"))));
    assertEquals(folder.resolve("no").toString(), e.getFile());
  }

  @Test
  void aFolderInPlaceOfTheFileIsNamed() throws IOException {
    for (Executable refused :
        List.<Executable>of(
            () -> AtomicFile.requireWritable(folder),
            () -> AtomicFile.write(folder, out -> out.write(text("x"))))) {
      FileSystemException e = assertThrows(FileSystemException.class, refused);
      assertEquals(folder.toString(), e.getFile());
      assertTrue(String.valueOf(e.getReason()).contains("a folder"), e.getReason());
    }
    assertEquals(List.of(), names());
  }

  @Test
  void aNameAsLongAsTheSystemAllows() throws IOException {
    Path file = folder.resolve("x".repeat(251) + ".png");
    AtomicFile.write(file, out -> out.write(text("one")));
    assertEquals("one", Files.readString(file));
  }

  /** Another process may write into the same folder, from another machine or container, too. */
  @Test
  void whatKilledProcessesLeftBehindGoesAndWhatOthersWriteStays() throws Exception {
    Process writer =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                Writer.class.getName(),
                folder.resolve("theirs").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertEquals('+', writer.getInputStream().read());
    List<String> unfinished = names();
    assertEquals(1, unfinished.size());
    Files.createFile(folder.resolve(".gammanet-1234-1.tmp"));
    Files.createFile(folder.resolve(".mine.tmp"));
    AtomicFile.write(folder.resolve("a"), out -> out.write(text("one")));
    assertEquals(List.of(unfinished.getFirst(), ".mine.tmp", "a"), names());
    writer.getOutputStream().close();
    assertEquals(0, writer.waitFor());
    assertEquals(List.of(".mine.tmp", "a", "theirs"), names());
  }

  /** Writes a file until standard input ends. */
  static final class Writer {
    private Writer() {}

    public static void main(String[] args) throws IOException {
      AtomicFile.write(
          Path.of(args[0]),
          out -> {
            out.write(text("half"));
            System.out.write('+');
            System.out.flush();
            System.in.read();
          });
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aPipeIsWrittenToAndStays() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    Process reader = new ProcessBuilder("cat", pipe.toString()).start();
    AtomicFile.write(pipe, out -> out.write(text("one")));
    assertEquals("one", new String(reader.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    assertFalse(Files.isRegularFile(pipe));
    assertEquals(List.of("pipe"), names());
  }
}
