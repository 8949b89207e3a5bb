package org.gammanet.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Files that are there completely or not at all: written under a temporary name beside the target,
 * forced to the disk, then renamed. Whatever interrupts the writing, a file that was there before
 * stays whole.
 */
public final class AtomicFile {
  /** Writes the file's content. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything to the channel, which is at position 0 of an empty file. */
    void writeTo(FileChannel file) throws IOException;
  }

  /** What is being written, to be removed when the program is interrupted. */
  private static final Set<Path> UNFINISHED = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(AtomicFile::removeUnfinished));
  }

  private AtomicFile() {}

  private static void removeUnfinished() {
    for (Path temporary : UNFINISHED) {
      try {
        Files.deleteIfExists(temporary);
      } catch (IOException e) {
        // It stays behind under its temporary name; there is nobody left to tell.
      }
    }
  }

  /**
   * Writes a file, replacing one that is there. The folder must exist.
   *
   * @throws IOException when something cannot be written, naming the file; nothing is left behind
   *     then
   */
  public static void write(Path target, Content content) throws IOException {
    // A rename would replace a symbolic link instead of the file that it stands for.
    Path real = Files.isSymbolicLink(target) ? target.toRealPath() : target.toAbsolutePath();
    Path temporary =
        real.resolveSibling("." + real.getFileName() + "." + UUID.randomUUID() + ".tmp");
    UNFINISHED.add(temporary);
    try {
      try (FileChannel file =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        content.writeTo(file);
        file.force(true);
      }
      try {
        Files.move(temporary, real, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(temporary, real, StandardCopyOption.REPLACE_EXISTING);
      }
    } catch (Throwable e) {
      try {
        Files.deleteIfExists(temporary);
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      if (e.getClass() == IOException.class) { // of a channel, which does not know its file's name
        FileSystemException named =
            new FileSystemException(target.toString(), null, e.getMessage());
        named.initCause(e);
        throw named;
      }
      throw e;
    } finally {
      UNFINISHED.remove(temporary);
    }
    Path folder = real.getParent();
    if (folder != null) {
      forceFolder(folder);
    }
  }

  /** Makes the new name itself survive a power failure, where the system can do that. */
  private static void forceFolder(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Windows cannot open folders; the rename has been done all the same.
    }
  }
}
