package org.gammanet.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The right to write into a folder, which one run has at a time. The lock is the system's: a
 * process that is killed loses it.
 */
public final class FolderLock implements AutoCloseable {
  private static final String NAME = ".gammanet.lock";

  /** Folders of this process: a second file of the same name would end the first one's lock. */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path folder;
  private final FileChannel channel;
  private final OutputFolder output;

  private FolderLock(Path folder, FileChannel channel, OutputFolder output) {
    this.folder = folder;
    this.channel = channel;
    this.output = output;
  }

  /**
   * Takes the lock of a folder, which is created if it is missing.
   *
   * @throws DataException if another run has it
   * @throws IOException if the folder cannot be written
   */
  public static FolderLock take(Path folder) throws IOException {
    OutputFolder output = OutputFolder.open(folder);
    Path real = folder.toRealPath();
    if (!HELD.add(real)) {
      throw inUse(folder);
    }
    FileChannel channel = null;
    try {
      channel = locked(real.resolve(NAME));
      if (channel == null) {
        throw inUse(folder);
      }
      return new FolderLock(real, channel, output);
    } finally {
      if (channel == null) {
        HELD.remove(real);
      }
    }
  }

  /** Whether a file is the lock of its folder. */
  public static boolean isLock(Path file) {
    return file.endsWith(NAME);
  }

  private static DataException inUse(Path folder) {
    return new DataException(
        "another run is writing into " + folder + ": wait for it, or choose another folder");
  }

  /** The file, locked; null where another process has it. */
  private static @Nullable FileChannel locked(Path file) throws IOException {
    while (true) {
      FileChannel channel =
          FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      try {
        if (channel.tryLock() == null) {
          channel.close();
          return null;
        }
        // Whoever had the lock before may have deleted this file and left the name to another one.
        long size = ThreadLocalRandom.current().nextLong(1, 1 << 20);
        channel.truncate(0);
        channel.write(ByteBuffer.allocate(1), size - 1);
        if (Files.exists(file) && Files.size(file) == size) {
          return channel;
        }
        channel.close();
      } catch (IOException e) {
        channel.close();
        throw e;
      }
    }
  }

  /** Releases the folder; one that was created for this and is empty is removed. */
  @Override
  public void close() throws IOException {
    Files.deleteIfExists(folder.resolve(NAME));
    channel.close();
    HELD.remove(folder);
    output.close();
  }
}
