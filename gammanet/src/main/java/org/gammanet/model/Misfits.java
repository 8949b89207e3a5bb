package org.gammanet.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.gammanet.nn.Parameter;

/**
 * What keeps values by name from fitting the parameters that they are meant for.
 *
 * @param names by what is wrong: {@code missing}, {@code unexpected}, {@code of another shape}
 */
record Misfits(Map<String, Collection<String>> names) {
  /**
   * Compares names, then shapes and types.
   *
   * @param fits whether a value of the right name is of the right shape and type
   */
  static <V> Misfits of(
      List<Parameter> parameters, Map<String, V> values, BiPredicate<Parameter, V> fits) {
    List<String> missing = new ArrayList<>();
    List<String> misshaped = new ArrayList<>();
    Set<String> unexpected = new LinkedHashSet<>(values.keySet());
    for (Parameter parameter : parameters) {
      String name = parameter.name();
      unexpected.remove(name);
      V value = values.get(name);
      if (value == null) {
        missing.add(name);
      } else if (!fits.test(parameter, value)) {
        misshaped.add(
            "%s (%s instead of %s)".formatted(name, value, Arrays.toString(parameter.shape())));
      }
    }
    Map<String, Collection<String>> names = new LinkedHashMap<>();
    names.put("missing", missing);
    names.put("unexpected", unexpected);
    names.put("of another shape or type", misshaped);
    names.values().removeIf(Collection::isEmpty);
    return new Misfits(names);
  }

  boolean isEmpty() {
    return names.isEmpty();
  }

  /** Numbers and names, such as {@code 1 missing: fgru_0.alpha}. */
  String text(Function<Collection<String>, String> list) {
    return names.entrySet().stream()
        .map(e -> "%s %s: %s".formatted(e.getValue().size(), e.getKey(), list.apply(e.getValue())))
        .collect(Collectors.joining("; "));
  }

  /** A line for each name. */
  List<String> lines() {
    return names.entrySet().stream()
        .flatMap(e -> e.getValue().stream().map(name -> e.getKey() + ": " + name))
        .toList();
  }
}
