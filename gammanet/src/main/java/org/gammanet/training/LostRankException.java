package org.gammanet.training;

/** A process of the group has ended or cannot be reached; the message is part of a sentence. */
public final class LostRankException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** With what the engine says, and its exception. */
  public LostRankException(String message, Throwable cause) {
    super(message, cause);
  }
}
