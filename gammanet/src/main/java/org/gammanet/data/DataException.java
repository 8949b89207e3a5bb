package org.gammanet.data;

import org.jspecify.annotations.Nullable;

/** Images or annotations are missing, damaged or do not fit together; the message says which. */
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
