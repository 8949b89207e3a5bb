package org.gammanet.experiments.study;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
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

  private static final Pattern FORM = Pattern.compile("([a-z]+)([:-])(.+)");

  /**
   * Controls from text.
   *
   * @param texts {@code random:N} and {@code shuffled:N} for numbers 1 to N; {@code lesion:} with
   *     the parts, each of which is a control: {@code lesion:horizontal+top_down+inhibition}; or
   *     the {@link #name} of a single one
   * @throws IllegalArgumentException for anything else
   */
  public static List<Control> parse(List<String> texts) {
    List<Control> out = new ArrayList<>();
    for (String text : texts) {
      Matcher form = FORM.matcher(text);
      if (!form.matches()) {
        throw wrong(text);
      }
      Kind kind = word(Kind.values(), form.group(1), text);
      String which = form.group(3);
      if (kind == Kind.LESION) {
        for (String part : which.split("\\+", -1)) {
          out.add(new Control(kind, 0, word(Lesion.values(), part, text)));
        }
      } else {
        if (!which.matches("[1-9][0-9]{0,3}")) {
          throw wrong(text);
        }
        int last = Integer.parseInt(which);
        for (int i = form.group(2).equals("-") ? last : 1; i <= last; i++) {
          out.add(new Control(kind, i, null));
        }
      }
    }
    return out.stream().distinct().toList();
  }

  /**
   * The same controls for one of several networks that are a sample. Random and shuffled ones get
   * other numbers for each network, so that no two networks are compared with the same weights.
   *
   * @param controls those of the first network
   * @param index of the network, from 0
   */
  public static List<Control> ofNetwork(List<Control> controls, int index) {
    Map<Kind, Integer> last =
        controls.stream().collect(Collectors.toMap(Control::kind, Control::number, Math::max));
    return controls.stream()
        .map(c -> new Control(c.kind, c.number + index * last.getOrDefault(c.kind, 0), c.lesion))
        .toList();
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

  /** The name of its folder, such as {@code random-1} or {@code lesion-top_down}. */
  public String name() {
    return Json.name(kind) + "-" + (lesion == null ? "" + number : Json.name(lesion));
  }

  /** What its results are summarized with: all random networks are one group, a lesion is one. */
  public String group() {
    return lesion == null ? Json.name(kind) : lesion.words();
  }
}
