package org.gammanet.cli;

/** Options that contradict each other or make no sense (exit status 2). */
final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  UsageException(String message) {
    super(message);
  }
}
