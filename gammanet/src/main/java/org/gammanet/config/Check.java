package org.gammanet.config;

import java.util.Arrays;
import java.util.Collection;
import java.util.stream.Collectors;

/** The rules of the records' constructors; messages begin with the key as a file spells it. */
final class Check {
  private Check() {}

  static void that(boolean holds, String key, Object value, String expected) {
    if (!holds) {
      throw new IllegalArgumentException(key + " is " + value + ", but must be " + expected);
    }
  }

  static void atLeast(String key, int value, int minimum) {
    that(value >= minimum, key, value, "at least " + minimum);
  }

  /** A count that sizes what is allocated or how long a pass takes. */
  static void count(String key, int value, int maximum) {
    atLeast(key, value, 1);
    that(value <= maximum, key, value, "at most " + maximum);
  }

  static void atLeast(String key, double value, double minimum) {
    that(Double.isFinite(value) && value >= minimum, key, value, "at least " + minimum);
  }

  static void positive(String key, double value) {
    that(Double.isFinite(value) && value > 0, key, value, "greater than 0");
  }

  static void oddKernel(String key, int value) {
    that(value >= 1 && value % 2 == 1 && value <= 63, key, value, "an odd number from 1 to 63");
  }

  static <E extends Enum<E> & Word> void oneOf(String key, E value, Collection<E> accepted) {
    that(
        accepted.contains(value),
        key,
        value.word(),
        Spelling.choice(accepted.stream().map(Word::word).collect(Collectors.toList())));
  }

  @SafeVarargs
  static <E extends Enum<E> & Word> void oneOf(String key, E value, E... accepted) {
    oneOf(key, value, Arrays.asList(accepted));
  }
}
