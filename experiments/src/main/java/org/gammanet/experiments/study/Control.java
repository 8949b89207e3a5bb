package org.gammanet.experiments.study;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.jspecify.annotations.Nullable;

/**
 * A network that the same experiments are run on, and with which the results are compared.
 *
 * @param kind how it differs
 * @param number seed of random or shuffled weights, from 1; 0 for a lesion
 * @param lesion what is lesioned; null for other kinds
 */
public record Control(Kind kind, int number, @Nullable Lesion lesion) implements Serializable {
  /** How a control differs from the network. */
  public enum Kind {
    /** The same architecture with untrained weights. */
    RANDOM,
    /** The same values in each kernel, at other positions. */
    SHUFFLED,
    /** The same network without a part of its circuit. */
    LESION
  }

  /**
   * Controls from text.
   *
   * @param texts {@code random:N}, {@code shuffled:N}, or {@code lesion:} with the parts, each of
   *     which is a control: {@code lesion:horizontal+top_down+inhibition}
   * @throws IllegalArgumentException for anything else
   */
  public static List<Control> parse(List<String> texts) {
    List<Control> out = new ArrayList<>();
    for (String text : texts) {
      String[] parts = text.split(":", 2);
      Kind kind = word(Kind.values(), parts[0], text);
      if (parts.length < 2 || parts[1].isEmpty()) {
        throw wrong(text);
      }
      if (kind == Kind.LESION) {
        for (String part : parts[1].split("\\+", -1)) {
          out.add(new Control(kind, 0, word(Lesion.values(), part, text)));
        }
      } else {
        if (!parts[1].matches("[1-9][0-9]{0,3}")) {
          throw wrong(text);
        }
        for (int i = 1; i <= Integer.parseInt(parts[1]); i++) {
          out.add(new Control(kind, i, null));
        }
      }
    }
    return out.stream().distinct().toList();
  }

  private static <E extends Enum<E>> E word(E[] values, String word, String text) {
    return Arrays.stream(values)
        .filter(v -> Json.name(v).equals(word.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(() -> wrong(text));
  }

  private static IllegalArgumentException wrong(String text) {
    return new IllegalArgumentException(
        "a control is random:N, shuffled:N or lesion:horizontal+top_down+inhibition, not " + text);
  }

  /** As in {@link #parse}. */
  String text() {
    return Json.name(kind) + ":" + (lesion == null ? "" + number : Json.name(lesion));
  }

  /** The name of its folder, such as {@code random-1} or {@code lesion-top_down}. */
  public String name() {
    return Json.name(kind) + "-" + (lesion == null ? "" + number : Json.name(lesion));
  }

  /** What its results are summarized with: all random networks are one group, a lesion is one. */
  public String group() {
    return lesion == null ? Json.name(kind) : lesion.words();
  }
}
