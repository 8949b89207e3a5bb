package org.gammanet.nn;

import org.jspecify.annotations.Nullable;

/** Closes several owners as one. */
public final class Resources {
  private Resources() {}

  /**
   * Closes all, whatever fails, then throws the first failure with the others suppressed.
   *
   * @throws IllegalStateException in place of a checked exception
   */
  public static void closeAll(Iterable<? extends AutoCloseable> owners) {
    RuntimeException first = null;
    for (AutoCloseable owner : owners) {
      try {
        owner.close();
      } catch (Exception e) {
        first = add(first, e);
      }
    }
    if (first != null) {
      throw first;
    }
  }

  private static RuntimeException add(@Nullable RuntimeException first, Exception next) {
    if (first != null) {
      first.addSuppressed(next);
      return first;
    }
    return next instanceof RuntimeException unchecked
        ? unchecked
        : new IllegalStateException("closing failed", next);
  }
}
