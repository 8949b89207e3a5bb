package org.gammanet.spark;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** All combinations of values of some keys. */
final class Grid {
  private Grid() {}

  /**
   * The points of a grid.
   *
   * @param axes {@code KEY=VALUE,VALUE,…} each
   * @return values by key, the last axis running fastest; a single empty point for no axes
   * @throws IllegalArgumentException for an axis that is written otherwise, or named twice
   */
  static List<Map<String, String>> points(List<String> axes) {
    List<Map<String, String>> points = new ArrayList<>();
    points.add(new LinkedHashMap<>());
    for (String axis : axes) {
      int equals = axis.indexOf('=');
      if (equals < 1 || axis.length() == equals + 1) {
        throw new IllegalArgumentException(
            "'%s' is no axis of a grid: write KEY=VALUE,VALUE".formatted(axis));
      }
      String key = axis.substring(0, equals);
      List<Map<String, String>> more = new ArrayList<>();
      for (Map<String, String> point : points) {
        for (String value : axis.substring(equals + 1).split(",", -1)) {
          Map<String, String> next = new LinkedHashMap<>(point);
          if (next.put(key, value) != null) {
            throw new IllegalArgumentException(key + " is varied twice");
          }
          more.add(next);
        }
      }
      points = more;
    }
    return points;
  }

  /** The name of a point: {@code contrast=0.5 model.timesteps=4}. */
  static String name(Map<String, String> point) {
    return point.entrySet().stream()
        .map(e -> e.getKey() + "=" + e.getValue())
        .collect(Collectors.joining(" "));
  }
}
