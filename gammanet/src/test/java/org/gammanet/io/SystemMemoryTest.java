package org.gammanet.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemMemoryTest {
  @TempDir Path root;

  private void file(String name, String text) throws IOException {
    Path file = root.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  @Test
  void theKernelSaysWhatIsThere() throws IOException {
    file("proc/meminfo", "MemTotal:  2000 kB\nMemAvailable:   1000 kB\n");
    assertEquals(1000 << 10, SystemMemory.available(root));
  }

  @Test
  void aControlGroupLimitsIt() throws IOException {
    file("proc/meminfo", "MemAvailable: 9000000 kB\n");
    file("proc/self/cgroup", "0::/a/b\n");
    file("sys/fs/cgroup/a/b/memory.max", "max\n");
    file("sys/fs/cgroup/a/b/memory.current", "5\n");
    assertEquals(9000000L << 10, SystemMemory.available(root));
    file("sys/fs/cgroup/a/memory.max", "1000000\n");
    file("sys/fs/cgroup/a/memory.current", "700000\n");
    file("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 100000\n");
    assertEquals(400_000, SystemMemory.available(root), "the parent's limit counts too");
  }

  @Test
  void anOldControlGroupLimitsIt() throws IOException {
    file("proc/meminfo", "MemAvailable: 9000000 kB\n");
    file("proc/self/cgroup", "3:cpu:/x\n7:memory:/c\n");
    file("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1000000\n");
    file("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "700000\n");
    assertEquals(300_000, SystemMemory.available(root));
  }

  @Test
  void thisMachineHasSome() {
    assertTrue(SystemMemory.available() > 0);
  }
}
