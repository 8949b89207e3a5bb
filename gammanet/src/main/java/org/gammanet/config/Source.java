package org.gammanet.config;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where a value was written.
 *
 * @param label what errors call it: a file's path or a command-line option
 * @param folder what relative paths in it are relative to; null leaves them as they are
 */
record Source(String label, @Nullable Path folder) {
  Path resolve(String path) {
    return folder == null ? Path.of(path) : folder.resolve(path).normalize();
  }
}
