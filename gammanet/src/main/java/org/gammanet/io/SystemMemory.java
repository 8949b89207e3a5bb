package org.gammanet.io;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** The memory of the machine, or of the container that the program runs in. */
public final class SystemMemory {
  private SystemMemory() {}

  /**
   * Available memory in bytes: MemAvailable on Linux, within the limit of the control group;
   * elsewhere four times the largest heap, which by default is a quarter of the memory.
   */
  public static long available() {
    return available(Path.of("/"));
  }

  static long available(Path root) {
    long kernel =
        field(root.resolve("proc/meminfo"), "MemAvailable:").stream()
            .map(kib -> kib << 10)
            .findFirst()
            .orElse(4 * Runtime.getRuntime().maxMemory());
    long left = kernel;
    for (Path group : groups(root)) {
      left = Math.min(left, room(group, "memory.max", "memory.current", "inactive_file"));
      left =
          Math.min(
              left,
              room(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
    }
    return left;
  }

  /** Folders of the control groups that the process is in, parents included. */
  private static List<Path> groups(Path root) {
    List<Path> groups = new ArrayList<>();
    try {
      Path all = root.resolve("sys/fs/cgroup");
      for (String line : Files.readAllLines(root.resolve("proc/self/cgroup"))) {
        String[] parts = line.split(":", 3); // number, controllers, path
        if (parts.length == 3 && (parts[1].isEmpty() || parts[1].contains("memory"))) {
          Path mount = parts[1].isEmpty() ? all : all.resolve("memory");
          Path group = mount.resolve(parts[2].replaceFirst("^/+", "")).normalize();
          while (group.startsWith(mount)) {
            groups.add(group);
            group = group.resolveSibling("").normalize();
            if (group.equals(mount.getParent())) {
              break;
            }
          }
        }
      }
    } catch (IOException e) {
      return groups; // not Linux
    }
    return groups;
  }

  /** What a control group has left: files in the page cache that nobody uses give way. */
  private static long room(Path group, String limit, String usage, String cache) {
    OptionalLong most = number(group.resolve(limit));
    OptionalLong used = number(group.resolve(usage));
    if (most.isEmpty() || used.isEmpty()) {
      return Long.MAX_VALUE;
    }
    long idle = field(group.resolve("memory.stat"), cache).orElse(0);
    return Math.max(0, most.getAsLong() - used.getAsLong() + idle);
  }

  private static OptionalLong number(Path file) {
    try {
      return OptionalLong.of(Long.parseLong(Files.readString(file).strip()));
    } catch (IOException | NumberFormatException e) {
      return OptionalLong.empty(); // "max", or no such group
    }
  }

  private static OptionalLong field(Path file, String name) {
    try {
      for (String line : Files.readAllLines(file, StandardCharsets.US_ASCII)) {
        String[] words = line.split("\\s+");
        if (words.length > 1 && words[0].equals(name)) {
          return OptionalLong.of(Long.parseLong(words[1]));
        }
      }
    } catch (IOException | NumberFormatException e) {
      return OptionalLong.empty();
    }
    return OptionalLong.empty();
  }
}
