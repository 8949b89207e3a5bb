package org.gammanet.config;

/** A configuration that cannot be used; the message is one sentence for the person who wrote it. */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** With a message that names the file, the key, what was found and what is accepted. */
  public ConfigException(String message) {
    super(message);
  }

  /** As above, for an error that a parser or the file system reported. */
  public ConfigException(String message, Throwable cause) {
    super(message, cause);
  }
}
