package org.gammanet.checkpoint;

/**
 * A checkpoint cannot be read, written or used; the message is one sentence with the file's name.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A failure described by one sentence. */
  public CheckpointException(String message) {
    super(message);
  }

  /** A failure described by one sentence, caused by another. */
  public CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
