package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.gammanet.checkpoint.Checkpoint;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Training with several processes by the command, of which some are ended. */
@EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class TrainRanksTest {
  private static final int MANY = 100_000;

  @TempDir Path folder = Path.of("");

  @BeforeEach
  void data() throws IOException {
    Squares.write(folder, "train");
    Squares.write(folder, "val");
  }

  private List<String> words(String output, int updates) {
    return new ArrayList<>(
        List.of(
            ("train -d %s -o %s/%s -b 4 --max-steps %d --threads 1 --set"
                    + " model.layers=[conv1_1,conv1_2] --set model.hidden_channels=4 --set"
                    + " model.timesteps=2 --set data.augmentation.random_crop=16 --set"
                    + " training.samples_per_epoch=400000 --set training.num_workers=1 --set"
                    + " logging.tensorboard=false --set training.vgg_learning_rate=1e-5")
                .formatted(folder, folder, output, updates)
                .split(" ")));
  }

  private Process start(List<String> words, int rank, int port, Path log) throws IOException {
    ProcessBuilder builder = Launched.command(words);
    if (port > 0) {
      builder.environment().put("RANK", "" + rank);
      builder.environment().put("WORLD_SIZE", "2");
      builder.environment().put("MASTER_PORT", "" + port);
    }
    return builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
  }

  private static int free() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private Path last(String output) {
    return folder.resolve(output).resolve("checkpoints/last.safetensors");
  }

  private static String text(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private long updates(String output) {
    return Long.parseLong(Checkpoint.load(last(output)).metadata().get("global_step"));
  }

  /** Waits until training goes on: each rank has loaded its networks, and they have met. */
  private void waitForUpdates(Path log, Process... ranks) throws Exception {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(240);
    while (!Files.exists(folder.resolve("run/config.yaml"))) {
      for (Process rank : ranks) {
        assertTrue(rank.isAlive(), Files.readString(log));
      }
      assertTrue(System.nanoTime() < until, Files.readString(log));
      Thread.sleep(100);
    }
    Thread.sleep(3000);
  }

  private void ends(int victim, boolean kill) throws Exception {
    int port = free();
    Path[] logs = {folder.resolve("log0"), folder.resolve("log1")};
    Process[] ranks = new Process[2];
    for (int r = 0; r < 2; r++) {
      ranks[r] = start(words("run", MANY), r, port, logs[r]);
    }
    waitForUpdates(logs[0], ranks);
    long from = System.nanoTime();
    if (kill) {
      ranks[victim].destroyForcibly();
    } else {
      ranks[victim].destroy();
    }
    for (int r = 0; r < 2; r++) {
      assertTrue(ranks[r].waitFor(30, TimeUnit.SECONDS), Files.readString(logs[r]));
      assertNotEquals(0, ranks[r].exitValue());
      if (!kill || r != victim) {
        List<String> errors =
            Files.readAllLines(logs[r]).stream().filter(l -> l.startsWith("gammanet:")).toList();
        assertEquals(1, errors.size(), Files.readString(logs[r]));
        System.out.println(errors + " after " + (System.nanoTime() - from) / 1e9 + " s");
      }
    }
  }

  private void resumes() throws Exception {
    long reached = updates("run");
    assertTrue(reached > 0);
    Path log = folder.resolve("log");
    List<String> again = new ArrayList<>(List.of("train", "--resume", folder + "/run"));
    again.addAll(List.of("--max-steps", "" + (reached + 3), "--threads", "1"));
    Process one = start(again, 0, 0, log);
    assertEquals(0, one.waitFor(), () -> text(log));
    assertEquals(reached + 3, updates("run"));
  }

  @Test
  void aKilledRankEndsTheOther() throws Exception {
    ends(1, true);
    resumes();
  }

  @Test
  void aRankThatIsAskedToEndEndsBoth() throws Exception {
    ends(0, false);
    resumes();
  }

  @Test
  void ranksOnOneMachineAreOneProcess() throws Exception {
    Path log = folder.resolve("log");
    assertEquals(0, start(words("one", 20), 0, 0, log).waitFor());
    List<String> words = words("two", 20);
    words.addAll(List.of("--nproc", "2"));
    assertEquals(0, start(words, 0, 0, log).waitFor(), () -> text(log));
    assertTrue(Files.readString(log).contains("of gradients in an update"), Files.readString(log));
    var one = Checkpoint.load(last("one")).weights();
    var two = Checkpoint.load(last("two")).weights();
    one.forEach(
        (name, tensor) -> {
          for (int i = 0; i < tensor.numel(); i++) {
            assertEquals(tensor.get(i), two.get(name).get(i), 1e-4, name);
          }
        });
  }
}
