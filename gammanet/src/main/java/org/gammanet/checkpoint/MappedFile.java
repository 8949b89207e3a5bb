package org.gammanet.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A file of any size in memory, read by the system as its parts are used. Buffers reach 2 GiB only,
 * so a larger file is mapped in overlapping windows; a part of up to 1 GiB lies in one of them.
 */
final class MappedFile {
  private static final int WINDOW_SHIFT = 30;

  private final String file;
  private final long size;

  /** Null for bytes that are in memory already, all in the first window. */
  private final @Nullable FileChannel channel;

  private final @Nullable ByteBuffer[] windows;

  private MappedFile(String file, @Nullable FileChannel channel, long size) {
    this.file = file;
    this.channel = channel;
    this.size = size;
    this.windows = new @Nullable ByteBuffer[Math.toIntExact((size >> WINDOW_SHIFT) + 1)];
  }

  /** Reads a file's content while it is open. */
  @FunctionalInterface
  interface Reader<T> {
    T read(MappedFile file) throws IOException;
  }

  /**
   * Opens a file for the time of {@code reader}; parts that were taken in that time stay valid.
   *
   * @throws CheckpointException when it cannot be read or is empty
   */
  static <T> T read(Path file, Reader<T> reader) {
    if (Files.isDirectory(file)) {
      throw new CheckpointException(file + " is a folder, not a checkpoint");
    }
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new CheckpointException(
          file + " is a device or a pipe: a checkpoint must be a file, of which parts are read");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size == 0) {
        throw new CheckpointException(file + " is empty");
      }
      return reader.read(new MappedFile(file.toString(), channel, size));
    } catch (IOException e) {
      throw failure("read", file, e);
    }
  }

  /**
   * Reads bytes that are in memory.
   *
   * @param name what messages call them
   * @throws CheckpointException as above
   */
  static <T> T read(String name, byte[] bytes, Reader<T> reader) {
    if (bytes.length == 0) {
      throw new CheckpointException(name + " is empty");
    }
    MappedFile file = new MappedFile(name, null, bytes.length);
    file.windows[0] = ByteBuffer.wrap(bytes).asReadOnlyBuffer();
    try {
      return reader.read(file);
    } catch (IOException e) {
      throw new CheckpointException("cannot read " + name + ": " + e.getMessage(), e);
    }
  }

  /** The error for a file that the system does not let us read or write. */
  static CheckpointException failure(String verb, Path file, IOException e) {
    String reason =
        switch (e) {
          case NoSuchFileException n ->
              n.getFile().equals(file.toString())
                  ? "there is no such file"
                  : "there is no folder for it";
          case AccessDeniedException a -> "permission denied";
          case FileSystemException f when f.getReason() != null -> f.getReason();
          default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    return new CheckpointException("cannot " + verb + " " + file + ": " + reason, e);
  }

  /** Number of bytes. */
  long size() {
    return size;
  }

  /** The file's name for messages. */
  @Override
  public String toString() {
    return file;
  }

  /**
   * A part of the file, read-only and little-endian.
   *
   * @throws CheckpointException when the part is not inside the file, or larger than a buffer
   */
  ByteBuffer slice(long position, long length) throws IOException {
    if (position < 0 || length < 0 || length > size - position) {
      throw new CheckpointException(
          "%s is cut off: it has %s bytes, but %s bytes from %s on should be there"
              .formatted(file, size, length, position));
    }
    if (length > Integer.MAX_VALUE) {
      throw new CheckpointException(
          file + " holds more than 2 GiB in one piece, which is not supported");
    }
    ByteBuffer part =
        length <= 1L << WINDOW_SHIFT || channel == null
            ? window((int) (position >> WINDOW_SHIFT))
                .slice((int) (position & ((1L << WINDOW_SHIFT) - 1)), (int) length)
            : channel.map(FileChannel.MapMode.READ_ONLY, position, length);
    return part.order(ByteOrder.LITTLE_ENDIAN);
  }

  private ByteBuffer window(int index) throws IOException {
    ByteBuffer window = windows[index];
    if (window == null) {
      long start = (long) index << WINDOW_SHIFT;
      long length = Math.min(Integer.MAX_VALUE, size - start);
      window =
          length == 0
              ? ByteBuffer.allocate(0)
              : Objects.requireNonNull(channel).map(FileChannel.MapMode.READ_ONLY, start, length);
      windows[index] = window;
    }
    return window;
  }
}
