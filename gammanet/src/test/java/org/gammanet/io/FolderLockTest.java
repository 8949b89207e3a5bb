package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {
  @TempDir Path temp;

  @Test
  void oneRunWritesAtATime() throws IOException {
    Path folder = temp.resolve("new/run");
    try (FolderLock first = FolderLock.take(folder)) {
      DataException e = assertThrows(DataException.class, () -> FolderLock.take(folder));
      assertTrue(String.valueOf(e.getMessage()).contains("another run is writing into"));
    }
    try (FolderLock again = FolderLock.take(folder)) {
      assertTrue(Files.isDirectory(folder));
    }
    assertTrue(Files.notExists(folder), "nothing was written, so nothing is left");
    try (FolderLock used = FolderLock.take(folder)) {
      Files.createFile(folder.resolve("result"));
    }
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(1, left.count());
    }
  }

  /** What a run that was killed leaves behind locks nobody out. */
  @Test
  void aLockFileAloneIsNoLock() throws IOException {
    Files.writeString(temp.resolve(".gammanet.lock"), "4711");
    try (FolderLock lock = FolderLock.take(temp)) {
      assertTrue(Files.exists(temp.resolve(".gammanet.lock")));
    }
  }
}
