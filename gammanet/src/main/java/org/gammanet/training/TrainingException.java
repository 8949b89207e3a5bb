package org.gammanet.training;

/** Training that cannot start or go on; the message is one sentence for the user. */
public final class TrainingException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public TrainingException(String message) {
    super(message);
  }

  /** With the sentence and the reason. */
  public TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
