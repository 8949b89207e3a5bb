package org.gammanet.view;

/** What a page asked for is not possible; the message is a sentence for its user. */
final class ViewException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int status;

  /**
   * A refusal.
   *
   * @param status of HTTP
   */
  ViewException(int status, String message) {
    super(message);
    this.status = status;
  }

  /** A request that cannot be understood. */
  static ViewException bad(String message) {
    return new ViewException(400, message);
  }

  int status() {
    return status;
  }
}
