package org.gammanet.experiments.study;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A part of a run's units of work, such as its images, which is done by a process of its own. The
 * results of all shards are joined by {@link Shards}.
 *
 * @param number from 1
 * @param of number of shards
 */
public record Shard(int number, int of) {
  /** Stands for the numbers that Slurm gives the tasks of an array. */
  public static final String SLURM = "slurm";

  private static final String TASK = "SLURM_ARRAY_TASK_";

  /** Checks the range. */
  public Shard {
    if (number < 1 || number > of) {
      throw new IllegalArgumentException(
          "a shard is K/N with K from 1 to N, not %s/%s".formatted(number, of));
    }
  }

  /**
   * A shard from text.
   *
   * @param text {@code K/N}, or {@link #SLURM}
   * @param environment the process's, in which Slurm's numbers are
   * @throws IllegalArgumentException for anything else
   */
  public static Shard parse(String text, Map<String, String> environment) {
    if (text.equals(SLURM)) {
      int step = environment.containsKey(TASK + "STEP") ? slurm(environment, "STEP") : 1;
      int distance = slurm(environment, "ID") - slurm(environment, "MIN");
      int count = slurm(environment, "COUNT");
      if (step < 1 || distance < 0 || distance % step != 0 || distance / step >= count) {
        throw new IllegalArgumentException(
            "the numbers of the array's tasks must follow each other, as in --array=1-7");
      }
      return new Shard(distance / step + 1, count);
    }
    if (!text.matches("[0-9]{1,9}/[0-9]{1,9}")) {
      throw new IllegalArgumentException(
          "a shard is K/N, such as 3/7, or %s, not '%s'".formatted(SLURM, text));
    }
    String[] parts = text.split("/");
    return new Shard(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
  }

  private static int slurm(Map<String, String> environment, String name) {
    String value = environment.get(TASK + name);
    if (value == null || !value.matches("[0-9]{1,9}")) {
      throw new IllegalArgumentException(
          "--shard %s is for the tasks of a Slurm array: %s is %s"
              .formatted(SLURM, TASK + name, value == null ? "not set" : "'" + value + "'"));
    }
    return Integer.parseInt(value);
  }

  /** The folder of this shard's results below the output of the whole run. */
  public Path folder(Path output) {
    return output.resolve("shard-%s-of-%s".formatted(number, of));
  }

  /** Every N-th unit, for units that take about equally long. */
  public <T> List<T> every(List<T> units) {
    return IntStream.range(0, units.size())
        .filter(i -> i % of == number - 1)
        .<T>mapToObj(units::get)
        .toList();
  }

  /** Neighboring units, for those that have work in common. */
  public <T> List<T> block(List<T> units) {
    return units.subList(bound(units.size(), number - 1), bound(units.size(), number));
  }

  private int bound(int units, int shards) {
    return (int) ((long) units * shards / of);
  }

  @Override
  public String toString() {
    return number + "/" + of;
  }
}
