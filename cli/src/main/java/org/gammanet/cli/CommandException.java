package org.gammanet.cli;

/** Work that cannot be done; the message is the one sentence that the user sees (exit status 1). */
final class CommandException extends RuntimeException {
  private static final long serialVersionUID = 1;

  CommandException(String message) {
    super(message);
  }

  CommandException(String message, Throwable cause) {
    super(message, cause);
  }
}
