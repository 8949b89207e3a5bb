package org.gammanet.io;

import org.jspecify.annotations.Nullable;

/** A data file or folder is missing, damaged or inconsistent; the message names it. */
public final class DataException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** A one-sentence account that names the file. */
  public DataException(String message) {
    super(message);
  }

  /** A one-sentence account that names the file, and what was thrown below. */
  public DataException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
