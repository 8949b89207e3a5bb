package org.gammanet.distributed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.gammanet.training.LostRankException;
import org.gammanet.training.ProcessGroup;
import org.gammanet.training.Rendezvous;
import org.gammanet.training.TrainingException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Groups of processes, each a Java of its own. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class GlooGroupTest {
  /** A rank: prints sums; the last one ends without a word before the third. */
  static final class Rank {
    private Rank() {}

    public static void main(String[] arguments) {
      ProcessGroup group = ProcessGroup.join(Rendezvous.of(System.getenv()));
      System.out.println("sum " + group.sum(group.rank(), 0.5)[0] + " " + group.size());
      System.out.println("first " + group.ofFirst(7 + group.rank(), Double.NaN)[0]);
      if (group.rank() == group.size() - 1) {
        Runtime.getRuntime().halt(9);
      }
      try {
        group.sum(1);
      } catch (LostRankException e) {
        System.out.println(e.getMessage());
      }
      System.exit(0);
    }
  }

  private static Process start(int rank, int size, int port) throws IOException {
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    var builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx256m",
            "-Dgammanet.threads=1",
            "-cp",
            path,
            Rank.class.getName());
    builder.environment().put("RANK", "" + rank);
    builder.environment().put("WORLD_SIZE", "" + size);
    builder.environment().put("MASTER_ADDR", "localhost");
    builder.environment().put("MASTER_PORT", "" + port);
    return builder.redirectErrorStream(true).start();
  }

  @Test
  void processesAddUpAndNoticeTheEndOfOne() throws Exception {
    int port;
    try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    List<Process> ranks = new ArrayList<>();
    for (int rank = 0; rank < 3; rank++) {
      ranks.add(start(rank, 3, port));
    }
    for (int rank = 0; rank < 3; rank++) {
      Process process = ranks.get(rank);
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), out);
      assertTrue(out.contains("sum 3.0 3"), out);
      assertTrue(out.contains("first 7.0"), out);
      assertEquals(rank < 2, out.contains("another rank is lost (Connection closed"), out);
      assertEquals(rank < 2 ? 0 : 9, process.exitValue(), out);
    }
  }

  @Test
  void placesThatAreNoneAreNamed() {
    var nowhere = new Rendezvous(1, 2, 0, 1, "no.such.host.invalid", 29500, false, "0");
    TrainingException e = assertThrows(TrainingException.class, () -> ProcessGroup.join(nowhere));
    assertTrue(e.getMessage().contains("have not met at no.such.host.invalid"), e.getMessage());
    var port = new Rendezvous(1, 2, 0, 1, "localhost", 0, false, "0");
    e = assertThrows(TrainingException.class, () -> ProcessGroup.join(port));
    assertTrue(e.getMessage().contains("MASTER_PORT"), e.getMessage());
  }
}
