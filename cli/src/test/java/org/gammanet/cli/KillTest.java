package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.checkpoint.Checkpoint;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Commands that are killed (SIGKILL) at random moments and started again write what they write when
 * nobody kills them, and nothing else. {@code mvn -Pslow -pl cli -am verify
 * -Dsurefire.failIfNoSpecifiedTests=false -Dtest=KillTest}; {@code -Dgammanet.kills=N} of each.
 * {@code -Dgammanet.killed=TRAIN|OPTO} chooses.
 */
@EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
class KillTest {
  private static final int KILLS = Integer.getInteger("gammanet.kills", 20);

  /** Runs in one folder before it must end, so that kills also meet resumed runs. */
  private static final int MOST_IN_A_ROW = 5;

  private static final String SMALL =
      " --random --seed 4 --timesteps 1 --set model.hidden_channels=4"
          + " --set model.layers=[conv1_1,conv1_2,pool1,conv2_1,conv2_2,pool2]";

  /** A command with DATA and OUT for its folders, and how it goes on. */
  private enum Command {
    TRAIN(
        "train -d DATA -o OUT --num-epochs 4 --set model.layers=[conv1_1,conv1_2] --set"
            + " model.timesteps=2 --set model.hidden_channels=3 --set"
            + " data.augmentation.random_crop=16 --set training.samples_per_epoch=4 --set"
            + " training.num_workers=1 --set logging.tensorboard=false",
        "checkpoints/last.safetensors",
        "train --resume OUT"),
    EVALUATE("evaluate -d DATA -o OUT --thresholds 9", "", ""),
    INSILICO("insilico --experiment orientation --size 48 -o OUT" + SMALL, "", ""),
    OPTO(
        "opto --size 48 --frequencies 5 --contrasts 1 --phases 1 --orientations 0,90 --steps 2"
            + " --starts 2 --no-gate -o OUT"
            + SMALL,
        "",
        ""),
    DETECT("detect DATA/images/test --skip-existing -o OUT", "", "");

    final String first;
    final String resumable;
    final String resume;

    Command(String first, String resumable, String resume) {
      this.first = first;
      this.resumable = resumable;
      this.resume = resume;
    }

    String words(Path out) {
      boolean resumes = !resumable.isEmpty() && Files.exists(out.resolve(resumable));
      return resumes ? resume : first;
    }
  }

  @TempDir Path folder;

  private Process start(Command command, Path out, Path log) throws IOException {
    List<String> words = new ArrayList<>();
    for (String word : command.words(out).split(" ")) {
      words.add(word.replace("DATA", folder + "/data").replace("OUT", out.toString()));
    }
    return Launched.command(words)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
        .start();
  }

  private void finish(Command command, Path out, Path log) throws Exception {
    Process process = start(command, out, log);
    assertEquals(0, process.waitFor(), () -> text(log));
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @EnumSource
  void killedAndStartedAgainItWritesTheSame(Command command) throws Exception {
    assumeTrue(command.name().matches(System.getProperty("gammanet.killed", ".*")));
    for (String split : List.of("train", "val", "test")) {
      Squares.write(folder.resolve("data"), split);
    }
    Path log = folder.resolve("log");
    Path whole = folder.resolve("whole");
    long start = System.nanoTime();
    finish(command, whole, log);
    long millis = (System.nanoTime() - start) / 1_000_000;

    Random random = new Random(command.ordinal());
    int kills = 0;
    for (int run = 0; kills < KILLS; run++) {
      Path out = folder.resolve("run" + run);
      for (int in = 0; in < MOST_IN_A_ROW && kills < KILLS; in++) {
        Process process = start(command, out, log);
        // Nothing is written during the first part, in which Java and LibTorch start.
        long wait = (long) (millis * (0.25 + 0.75 * random.nextDouble()));
        if (process.waitFor(wait, TimeUnit.MILLISECONDS)) {
          assertEquals(0, process.exitValue(), () -> text(log));
          break;
        }
        process.destroyForcibly().waitFor();
        kills++;
      }
      finish(command, out, log);
      assertSameFiles(whole, out);
    }
    System.out.printf("%s: %d kills, results equal%n", command, kills);
  }

  /** Files by name; the time of a run is part of some names. */
  private static TreeMap<String, Path> files(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .collect(
              Collectors.toMap(
                  f -> root.relativize(f).toString().replaceAll("[0-9]{8}_[0-9]{6}", "TIME"),
                  f -> f,
                  (a, b) -> {
                    throw new AssertionError(a + " and " + b);
                  },
                  TreeMap::new));
    }
  }

  private static void assertSameFiles(Path expected, Path actual) throws IOException {
    TreeMap<String, Path> left = files(expected);
    TreeMap<String, Path> right = files(actual);
    assertEquals(left.keySet(), right.keySet());
    for (String name : left.keySet()) {
      Path a = left.get(name);
      Path b = right.get(name);
      if (name.endsWith(".safetensors")) {
        assertSameTensors(a, b);
      } else if (name.matches(".*\\.jsonl?")) {
        assertEquals(json(a), json(b), name);
      } else if (name.matches(".*\\.(html|txt)")) {
        assertEquals(lines(a, expected), lines(b, actual), name);
      } else {
        assertArrayEquals(Files.readAllBytes(a), Files.readAllBytes(b), name);
      }
    }
  }

  private static void assertSameTensors(Path a, Path b) {
    Checkpoint left = Checkpoint.load(a);
    Checkpoint right = Checkpoint.load(b);
    assertEquals(left.weights().keySet(), right.weights().keySet());
    if (left.weights().isEmpty()) { // kept work, as numbers in the metadata
      assertEquals(left.metadata(), right.metadata());
    }
    left.weights()
        .forEach((name, t) -> assertEquals(t.data(), right.weights().get(name).data(), name));
    assertEquals(left.metadata().get("global_step"), right.metadata().get("global_step"));
  }

  private static List<JsonNode> json(Path file) throws IOException {
    List<JsonNode> values = new ArrayList<>();
    for (var it = new ObjectMapper().readerFor(JsonNode.class).readValues(file.toFile());
        it.hasNext(); ) {
      values.add(withoutTimes((JsonNode) it.next()));
    }
    return values;
  }

  /** Without what differs between any two runs: how long they took, when and where. */
  private static JsonNode withoutTimes(JsonNode node) {
    if (node instanceof ObjectNode object) {
      object.remove(
          object.properties().stream()
              .map(e -> e.getKey())
              .filter(k -> k.matches(".*(seconds|started|finished|created|date|time|duration).*"))
              .filter(k -> !k.contains("timestep"))
              .toList());
      if (object.path("files") instanceof ArrayNode files) { // in the order of writing
        List<String> names = new ArrayList<>();
        files.forEach(f -> names.add(f.asText().replaceAll("[0-9]{8}_[0-9]{6}", "TIME")));
        files.removeAll();
        names.stream().sorted().forEach(files::add);
      }
      object.forEach(KillTest::withoutTimes);
    } else if (node instanceof ArrayNode array) {
      array.forEach(KillTest::withoutTimes);
    }
    return node;
  }

  private static List<String> lines(Path file, Path folder) throws IOException {
    return Files.readAllLines(file).stream()
        .map(l -> l.replace(folder.toString(), "OUT"))
        .filter(
            l -> !l.matches("(?i).*([0-9]{8}_[0-9]{6}|[0-9]{4}-[0-9]{2}-[0-9]{2}|seconds| s<).*"))
        .toList();
  }
}
