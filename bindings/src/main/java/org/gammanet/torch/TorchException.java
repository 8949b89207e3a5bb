package org.gammanet.torch;

import org.gammanet.torch.internal.Native;

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

  /** Throws with LibTorch's text when a status is not 0. */
  static void check(int status, String what) {
    if (status != 0) {
      throw new TorchException(what + " failed: " + Native.lastError());
    }
  }
}
