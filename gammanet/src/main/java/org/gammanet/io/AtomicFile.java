package org.gammanet.io;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Files that are there completely or not at all: written under a temporary name beside the target,
 * forced to the disk, then renamed. Whatever interrupts the writing, a file that was there before
 * stays whole. What a process that was killed has left behind goes when the next one writes into
 * the same folder.
 *
 * <p>Devices and pipes are written to as they are: a rename would replace them.
 */
public final class AtomicFile {
  @FunctionalInterface
  public interface Content {
    /** Writes everything to the channel, which is at position 0 of an empty file. */
    void writeTo(FileChannel file) throws IOException;
  }

  /** What is being written, to be removed when the program is interrupted. */
  private static final Set<Path> UNFINISHED = ConcurrentHashMap.newKeySet();

  /** Folders that this process has cleared of what others left behind. */
  private static final Set<Path> SWEPT = ConcurrentHashMap.newKeySet();

  /** Temporary names: short, since the target's may be as long as the system allows. */
  private static final String TEMPORARY = ".gammanet-%s.tmp";

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
   * Refuses a file that {@link #write} could not write, before the work that it is to receive.
   *
   * @throws IOException if it is a folder, or lies in none that can be written
   */
  public static void requireWritable(Path target) throws IOException {
    if (isStream(target)) {
      return;
    }
    if (Files.isDirectory(target)) {
      throw new FileSystemException(target.toString(), null, "a folder, where a file is needed");
    }
    Path folder = real(target).getParent();
    if (folder != null && !Files.isWritable(folder)) {
      throw Files.exists(folder)
          ? new AccessDeniedException(folder.toString())
          : new NoSuchFileException(folder.toString());
    }
  }

  /** A rename would replace a symbolic link instead of the file that it stands for. */
  private static Path real(Path target) throws IOException {
    return Files.isSymbolicLink(target) ? target.toRealPath() : target.toAbsolutePath();
  }

  /**
   * Writes a file, replacing one that is there. The folder must exist. A device or a pipe receives
   * the content directly.
   *
   * @throws IOException when something cannot be written, naming the file; nothing is left behind
   *     then
   */
  public static void write(Path target, Content content) throws IOException {
    if (isStream(target)) {
      try {
        writeStream(target, content);
      } catch (IOException e) {
        throw named(target, e);
      }
      return;
    }
    requireWritable(target);
    Path real = real(target);
    Path folder = real.getParent();
    if (folder != null && SWEPT.add(folder)) {
      sweep(folder);
    }
    while (!writeLocked(real, target, content)) {
      // Another process swept the name away before it was locked.
    }
    if (folder != null) {
      forceFolder(folder);
    }
  }

  /** Writes under a new temporary name and renames; false if that name was lost at once. */
  private static boolean writeLocked(Path real, Path target, Content content) throws IOException {
    Path temporary =
        real.resolveSibling(
            TEMPORARY.formatted(Long.toHexString(ThreadLocalRandom.current().nextLong())));
    UNFINISHED.add(temporary);
    try (FileChannel file =
        FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      if (!lock(file) || Files.notExists(temporary)) {
        return false;
      }
      content.writeTo(file);
      file.force(true);
      try {
        Files.move(temporary, real, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(temporary, real, StandardCopyOption.REPLACE_EXISTING);
      }
      return true;
    } catch (Throwable e) {
      try {
        Files.deleteIfExists(temporary);
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      if (e instanceof IOException io) {
        throw named(target, io);
      }
      throw e;
    } finally {
      UNFINISHED.remove(temporary);
    }
  }

  /** Locks a file for this process's life; false if another process has it. */
  private static boolean lock(FileChannel file) {
    try {
      return file.tryLock() != null;
    } catch (IOException e) {
      return true; // A file system without locks.
    }
  }

  /**
   * Writes a text file in UTF-8, as {@link #write(Path, Content)}.
   *
   * @throws IOException when it cannot be written
   */
  public static void write(Path target, String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    write(
        target,
        channel -> {
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  /** An error with the name of its file, which a channel does not know. */
  public static IOException named(Path target, IOException e) {
    if (e.getClass() != IOException.class) {
      return e;
    }
    FileSystemException named = new FileSystemException(target.toString(), null, e.getMessage());
    named.initCause(e);
    return named;
  }

  private static boolean isStream(Path target) {
    return Files.exists(target) && !Files.isRegularFile(target) && !Files.isDirectory(target)
        || standard(target) != null;
  }

  /** The standard stream that a path names; null if it names none. */
  private static @Nullable FileDescriptor standard(Path target) {
    return switch (target.normalize().toString()) {
      case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1" -> FileDescriptor.out;
      case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2" -> FileDescriptor.err;
      default -> null;
    };
  }

  private static void writeStream(Path target, Content content) throws IOException {
    FileDescriptor standard = standard(target);
    if (standard == null) {
      try (FileChannel file = FileChannel.open(target, StandardOpenOption.WRITE)) {
        content.writeTo(file);
      }
      return;
    }
    // Through the file that is open: opened anew, it would be written from its beginning. The
    // stream stays open, and with it the channel.
    System.out.flush();
    content.writeTo(new FileOutputStream(standard).getChannel());
  }

  /**
   * Removes temporary files that nobody has locked. The number of a process would not tell whether
   * it still writes: containers and other machines have the same ones.
   */
  private static void sweep(Path folder) {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, TEMPORARY.formatted("*"))) {
      for (Path file : files) {
        // The same folder may have several names.
        boolean own =
            UNFINISHED.stream().anyMatch(name -> name.endsWith(String.valueOf(file.getFileName())));
        if (own || !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
          continue;
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
          if (channel.tryLock() != null) {
            Files.deleteIfExists(file);
          }
        }
      }
    } catch (IOException | DirectoryIteratorException | OverlappingFileLockException e) {
      // They stay; the file itself can be written all the same.
    }
  }

  /** Forces the new name to the disk, where the system can do that. */
  private static void forceFolder(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Windows cannot open folders; the rename has been done all the same.
    }
  }
}
