package org.gammanet.model;

/**
 * A network's output is not finite: with its weights, the recurrence diverges on this input. The
 * message is one sentence.
 */
public final class DivergenceException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  /** A failure described by one sentence. */
  public DivergenceException(String message) {
    super(message);
  }
}
