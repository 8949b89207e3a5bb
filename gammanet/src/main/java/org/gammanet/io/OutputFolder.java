package org.gammanet.io;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A folder for results. When it was created for them and has received none, closing removes it. */
public final class OutputFolder implements AutoCloseable {
  private final Path folder;
  private final boolean created;

  private OutputFolder(Path folder, boolean created) {
    this.folder = folder;
    this.created = created;
  }

  /**
   * Creates a folder if it is missing.
   *
   * @throws AccessDeniedException if it cannot be written
   */
  public static OutputFolder open(Path folder) throws IOException {
    boolean missing = Files.notExists(folder);
    Files.createDirectories(folder);
    if (!Files.isWritable(folder)) {
      throw new AccessDeniedException(folder.toString());
    }
    return new OutputFolder(folder, missing);
  }

  @Override
  public void close() throws IOException {
    if (created) {
      try {
        Files.deleteIfExists(folder);
      } catch (DirectoryNotEmptyException e) {
        // It has results.
      }
    }
  }
}
