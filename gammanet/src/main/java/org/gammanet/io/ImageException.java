package org.gammanet.io;

import java.io.IOException;

/** An image file that cannot be used; the message is one sentence that begins with its name. */
public final class ImageException extends IOException {
  private static final long serialVersionUID = 1;

  /** With a message that names the file and says what is wrong with it. */
  public ImageException(String message) {
    super(message);
  }

  /** As above, for an error that a decoder reported. */
  public ImageException(String message, Throwable cause) {
    super(message, cause);
  }
}
