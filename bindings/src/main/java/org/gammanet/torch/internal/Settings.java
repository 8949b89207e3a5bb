package org.gammanet.torch.internal;

import org.jspecify.annotations.Nullable;

/** System properties and environment variables. */
public final class Settings {
  private Settings() {}

  /** The system property, else the environment variable; null when neither has a text. */
  public static @Nullable String text(String property, String variable) {
    String value = System.getProperty(property);
    if (value == null || value.isBlank()) {
      value = System.getenv(variable);
    }
    return value == null || value.isBlank() ? null : value;
  }

  /**
   * An integer in a system property.
   *
   * @throws IllegalArgumentException when it is not one, or out of range
   */
  public static int integer(String property, int absent, int least, int most) {
    String value = System.getProperty(property);
    if (value == null || value.isBlank()) {
      return absent;
    }
    try {
      int number = Integer.parseInt(value.strip());
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new IllegalArgumentException(
        "%s must be an integer from %s to %s, not '%s'".formatted(property, least, most, value));
  }

  /** MiB of freed memory that are kept for reuse. */
  public static int keptMiB() {
    return integer("gammanet.keepFreedMemory", 2047, 0, 1 << 24);
  }
}
