package org.gammanet.cli;

/** Work that was ended by a signal; the message says what became of it. */
final class InterruptedByUser extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int signal;

  InterruptedByUser(int signal, String message) {
    super(message);
    this.signal = signal;
  }

  /** Exit status as of a program that the signal ended. */
  int status() {
    return 128 + signal;
  }
}
