package org.gammanet.torch;

/**
 * A LibTorch call failed, or LibTorch could not be loaded. For a failed operator the message holds
 * its name, the shapes, types and devices of its arguments, and LibTorch's own text.
 */
public final class TorchException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A failure described by one sentence. */
  public TorchException(String message) {
    super(message);
  }

  /** A failure described by one sentence, caused by another. */
  public TorchException(String message, Throwable cause) {
    super(message, cause);
  }
}
