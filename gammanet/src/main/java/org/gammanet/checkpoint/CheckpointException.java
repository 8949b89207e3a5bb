package org.gammanet.checkpoint;

import java.util.Collection;
import java.util.List;

/**
 * A checkpoint cannot be read, written or used; the message is one sentence with the file's name.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** How many of many names a message shows. */
  private static final int SHOWN = 4;

  private final transient List<String> details;

  /** A failure described by one sentence. */
  public CheckpointException(String message) {
    this(message, List.of());
  }

  /** A failure described by one sentence, and lines for those who want to know everything. */
  public CheckpointException(String message, List<String> details) {
    super(message);
    this.details = List.copyOf(details);
  }

  /** A failure described by one sentence, caused by another. */
  public CheckpointException(String message, Throwable cause) {
    super(message, cause);
    this.details = List.of();
  }

  /** What the message leaves out, such as all names of weights that do not fit; maybe nothing. */
  public List<String> details() {
    return details == null ? List.of() : details;
  }

  /** The first few of many names for a message. */
  public static String some(Collection<String> names) {
    return String.join(", ", names.stream().limit(SHOWN).toList())
        + (names.size() > SHOWN ? ", …" : "");
  }
}
