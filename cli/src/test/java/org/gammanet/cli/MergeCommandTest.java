package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.gammanet.experiments.study.InSilico;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.testing.Mutations;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Shards of a run, merged, are the run. */
class MergeCommandTest {
  private static final int WIDTH = 30;
  private static final int HEIGHT = 22;
  private static final int DAMAGED = Integer.getInteger("gammanet.fuzz.inputs", 30);
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... arguments) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(Arrays.stream(arguments).map(Object::toString).toArray(String[]::new));
  }

  private int run(List<Object> arguments, Object... more) {
    List<Object> all = new ArrayList<>(arguments);
    all.addAll(Arrays.asList(more));
    return run(all.toArray());
  }

  /** Random photos, drawings and maps, of which one map is damaged. */
  private void data(int images) throws IOException {
    var random = new Random(4);
    for (String name : List.of("images/test", "groundTruth/test", "maps")) {
      Files.createDirectories(folder.resolve(name));
    }
    for (int i = 0; i < images; i++) {
      byte[] photo = new byte[3 * WIDTH * HEIGHT];
      random.nextBytes(photo);
      float[] drawn = new float[WIDTH * HEIGHT];
      float[] map = new float[drawn.length];
      for (int k = 0; k < drawn.length; k++) {
        drawn[k] = random.nextInt(6) == 0 ? 1 : 0;
        map[k] = Math.clamp(drawn[k] * random.nextFloat() + 0.3f * random.nextFloat(), 0, 1);
      }
      String name = "p%02d.png".formatted(i);
      Images.writePng(
          folder.resolve("images/test").resolve(name), new RgbImage(WIDTH, HEIGHT, photo));
      Images.writePng8(
          folder.resolve("groundTruth/test").resolve(name), new EdgeMap(WIDTH, HEIGHT, drawn));
      Images.writePng8(folder.resolve("maps").resolve(name), new EdgeMap(WIDTH, HEIGHT, map));
    }
  }

  private List<Object> evaluate(Path output, int thresholds) {
    return List.of(
        "evaluate",
        "--maps",
        folder.resolve("maps"),
        "--data-dir",
        folder,
        "--thresholds",
        thresholds,
        "--output",
        output);
  }

  private static JsonNode json(Path file) throws IOException {
    return JSON.readTree(file.toFile());
  }

  private void shards(List<Object> command, int of) {
    for (int k = 1; k <= of; k++) {
      int status = run(command, "--shard", k + "/" + of);
      assertEquals(0, status, err.toString());
    }
  }

  /** Without the time at which a run began. */
  private static String text(Path file) throws IOException {
    return Files.readString(file).replaceAll("\\d{8}_\\d{6}", "TIME");
  }

  private static void equalTexts(Path a, Path b, String... names) throws IOException {
    for (String name : names) {
      assertEquals(text(a.resolve(name)), text(b.resolve(name)), name);
    }
  }

  @Test
  void sevenShardsOfAnEvaluationAreTheWholeRun() throws IOException {
    data(20);
    Files.writeString(folder.resolve("maps/p05.png"), "no picture");
    Path whole = folder.resolve("whole");
    Path parts = folder.resolve("parts");
    assertEquals(1, run(evaluate(whole, 9)));
    for (int k = 1; k <= 7; k++) {
      assertEquals(k == 6 ? 1 : 0, run(evaluate(parts, 9), "--shard", k + "/7"), err.toString());
    }
    assertFalse(Files.exists(parts.resolve("shard-3-of-7/report.html")), "a part has no scores");
    assertEquals(1, run("merge", parts), "one image has no score");
    assertTrue(out.toString().contains("1 of 20 images have no score"), out.toString());
    equalTexts(
        whole,
        parts,
        "eval_bdry.txt",
        "eval_bdry_thr.txt",
        "eval_bdry_img.txt",
        "images.csv",
        "report.html",
        "p07_ev1.txt");
    ObjectNode a = (ObjectNode) json(whole.resolve("eval.json"));
    ObjectNode b = (ObjectNode) json(parts.resolve("eval.json"));
    Set<String> files = new TreeSet<>();
    a.path("metadata").path("files").forEach(f -> files.add(f.asText()));
    b.path("metadata").path("files").forEach(f -> assertTrue(files.remove(f.asText()), f.asText()));
    assertEquals(Set.of(), files);
    assertEquals(
        a.at("/metadata/run_sha256").asText(), b.at("/metadata/run_sha256").asText(), "one run");
    a.remove("metadata");
    b.remove("metadata");
    assertEquals(a, b);

    // The merged folder is that of a run, which goes on where it was.
    assertEquals(1, run(evaluate(parts, 9)), err.toString());
    assertEquals(a.path("ods"), json(parts.resolve("eval.json")).path("ods"));
    assertEquals(1, run("merge", parts), "and again");
  }

  @Test
  void shardsOfAnotherFolderAndFewerImagesThanShards() throws IOException {
    data(3);
    Path whole = folder.resolve("whole");
    assertEquals(0, run(evaluate(whole, 3)), err.toString());
    List<Object> merge = new ArrayList<>(List.of("merge", "--output", folder.resolve("merged")));
    for (int k = 5; k >= 1; k--) {
      Path own = folder.resolve("task" + k);
      assertEquals(0, run(evaluate(own, 3), "--shard", k + "/5"), err.toString());
      merge.add(own.resolve("shard-" + k + "-of-5"));
    }
    assertEquals(0, run(merge.toArray()), err.toString());
    equalTexts(whole, folder.resolve("merged"), "eval_bdry.txt", "images.csv", "report.html");
  }

  @Test
  void wrongMergesAreRefused() throws IOException {
    data(4);
    Path parts = folder.resolve("parts");
    shards(evaluate(parts, 3), 3);
    Path second = parts.resolve("shard-2-of-3");
    Path away = folder.resolve("away");
    Files.move(second, away);
    refused("of 3 shards one is missing: 2/3", parts);
    refused("are the same shard, 1/3", parts, parts.resolve("shard-1-of-3"), copy(parts, "twin"));
    Path foreign = Files.createDirectories(folder.resolve("foreign"));
    refused("foreign is not the folder of a shard", parts.resolve("shard-1-of-3"), foreign);
    refused("there is no folder", folder.resolve("nowhere"));
    assertEquals(0, run(evaluate(folder.resolve("whole"), 3)));
    refused("holds the results of a whole run", folder.resolve("whole"), away);
    assertEquals(0, run(evaluate(folder.resolve("other"), 5), "--shard", "2/3"));
    refused("different runs (thresholds 3, not 5)", parts, folder.resolve("other"));
    assertEquals(0, run(evaluate(folder.resolve("fewer"), 3), "--shard", "2/3", "--limit", "3"));
    refused("different runs (4 units of work, not 3)", parts, folder.resolve("fewer"));
    assertEquals(0, run(evaluate(folder.resolve("four"), 3), "--shard", "2/4"));
    refused("different runs (3 shards, not 4)", parts, folder.resolve("four"));

    Path json = away.resolve("eval.json");
    String complete = Files.readString(json);
    Files.writeString(json, complete.replace("\"complete\" : true", "\"complete\" : false"));
    refused("is not complete: run it again with --shard 2/3", parts, away);
    Files.writeString(json, complete.substring(0, complete.length() / 2));
    refused("it is damaged", parts, away);
    Files.writeString(json, complete);
    assertFalse(Files.exists(folder.resolve("merged/eval_bdry.txt")));
    assertEquals(0, run("merge", "-o", folder.resolve("merged"), parts, away), err.toString());
  }

  private static Path copy(Path parts, String name) throws IOException {
    Path to = Files.createDirectories(parts.resolveSibling(name));
    Files.copy(parts.resolve("shard-1-of-3/eval.json"), to.resolve("eval.json"));
    return to;
  }

  private void refused(String sentence, Path... folders) {
    List<Object> all = new ArrayList<>(List.of("merge", "-o", folder.resolve("merged")));
    all.addAll(List.of(folders));
    err.getBuffer().setLength(0);
    assertEquals(1, run(all.toArray()), sentence);
    assertTrue(err.toString().contains(sentence), sentence + ": " + err);
    assertEquals(1, err.toString().lines().count(), err.toString());
  }

  @Test
  void otherWeightsAreNoPartOfTheRun() throws IOException {
    data(2);
    for (int k = 1; k <= 2; k++) {
      assertEquals(0, detect(folder.resolve("images/test"), k, k + "/2"), err.toString());
    }
    assertEquals(1, run("merge", folder.resolve("edges")));
    assertTrue(err.toString().contains("other weights)"), err.toString());
  }

  private int detect(Path images, int seed, String shard) {
    List<Object> words =
        new ArrayList<>(List.of("detect", images, "--random", "--timesteps", 1, "--seed", seed));
    words.addAll(List.of("--format", "png,npy"));
    words.addAll(List.of("--set", "model.layers=[conv1_1,conv1_2,pool1,conv2_1,conv2_2,pool2]"));
    words.addAll(List.of("--set", "model.hidden_channels=4"));
    if (shard.isEmpty()) {
      words.addAll(List.of("-o", folder.resolve("whole")));
    } else {
      words.addAll(List.of("-o", folder.resolve("edges"), "--shard", shard));
    }
    return run(words.toArray());
  }

  private static TreeMap<String, byte[]> files(Path folder) throws IOException {
    TreeMap<String, byte[]> out = new TreeMap<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        String name = folder.relativize(file).toString().replaceFirst("tfevents.*", "tfevents");
        if (!name.startsWith("shard-")) {
          out.put(name, Files.readAllBytes(file));
        }
      }
    }
    return out;
  }

  @Test
  void threeShardsOfMapsAreTheWholeRun() throws IOException {
    data(5);
    Path images = folder.resolve("images/test");
    Files.writeString(images.resolve("p09.png"), "no picture");
    assertEquals(1, detect(images, 3, ""));
    assertEquals(0, detect(images, 3, "1/3"), err.toString());
    assertEquals(0, detect(images, 3, "2/3"), err.toString());
    assertEquals(1, detect(images, 3, "3/3"));
    err.getBuffer().setLength(0);
    assertEquals(1, run("merge", folder.resolve("edges")));
    assertTrue(err.toString().contains("p09.png"), err.toString());
    TreeMap<String, byte[]> whole = files(folder.resolve("whole"));
    TreeMap<String, byte[]> merged = files(folder.resolve("edges"));
    assertEquals(whole.keySet(), merged.keySet());
    assertEquals(10, whole.size());
    whole.forEach((name, bytes) -> assertArrayEquals(bytes, merged.get(name), name));

    assertEquals(2, run("detect", images, "-o", folder.resolve("a.gif"), "--shard", "1/2"));
    Path others = folder.resolve("edges/p00-edges.png");
    Files.delete(others);
    Files.writeString(others, "of somebody else");
    assertEquals(1, run("merge", folder.resolve("edges")));
    assertTrue(err.toString().contains("--force replaces it"), err.toString());
    assertEquals(1, run("merge", "--force", folder.resolve("edges")));
    assertArrayEquals(whole.get("p00-edges.png"), Files.readAllBytes(others));
  }

  /** Videos have no mark by which they could be known as results. */
  @ParameterizedTest
  @ValueSource(strings = {"clip-edges.mp4", "clip-edges.gif", "clip-edges.png"})
  void aFileOfOthersStays(String name) throws IOException {
    data(2);
    Path images = folder.resolve("images/test");
    Path edges = folder.resolve("edges");
    assertEquals(0, detect(images, 3, "1/2"), err.toString());
    assertEquals(0, detect(images, 3, "2/2"), err.toString());
    Files.writeString(edges.resolve("shard-1-of-2").resolve(name), "edges");
    Path there = Files.writeString(edges.resolve(name), "another's");
    assertEquals(1, run("merge", edges));
    assertTrue(err.toString().contains(name + " exists"), err.toString());
    assertEquals("another's", Files.readString(there));
    assertFalse(Files.exists(edges.resolve("p00-edges.png")), "nothing is merged");
    assertEquals(0, run("merge", edges, "--force"), err.toString());
    assertEquals("edges", Files.readString(there));
    assertEquals(0, run("merge", edges), "the same file stays: " + err);
  }

  private static final String SMALL =
      "--random --set model.layers=[conv1_1,conv1_2,pool1,conv2_1,conv2_2,pool2]"
          + " --set model.hidden_channels=4 --set model.timesteps=1 --seed 4";

  private static void withoutTimes(JsonNode node) {
    if (node instanceof ObjectNode object) {
      object.remove(List.of("seconds", "timestamp", "files", "started"));
    }
    node.forEach(MergeCommandTest::withoutTimes);
  }

  @Test
  @EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
  void threeShardsOfExperimentsAreTheWholeRun() throws IOException {
    List<Object> command =
        new ArrayList<>(List.of("insilico", "-e", "orientation,size_tuning", "--size", 48));
    command.addAll(List.of("--control", "random:1,lesion:horizontal"));
    command.addAll(List.of((Object[]) SMALL.split(" ")));
    Path whole = folder.resolve("whole");
    Path parts = folder.resolve("parts");
    assertEquals(0, run(command, "--output", whole), err.toString());
    command.addAll(List.of("--output", parts));
    shards(command, 3);
    assertEquals(0, run("merge", parts), err.toString());
    TreeMap<String, byte[]> a = files(whole);
    TreeMap<String, byte[]> b = files(parts);
    a.keySet().removeIf(n -> n.contains("insilico_results_") || n.endsWith("report.html"));
    b.keySet().removeIf(n -> n.contains("insilico_results_") || n.endsWith("report.html"));
    assertEquals(a.keySet(), b.keySet());
    a.forEach((name, bytes) -> assertArrayEquals(bytes, b.get(name), name));
    for (String below : List.of("", "controls/random-1", "controls/lesion-horizontal")) {
      JsonNode one = InSilico.read(whole.resolve(below));
      JsonNode other = InSilico.read(parts.resolve(below));
      withoutTimes(one);
      withoutTimes(other);
      assertEquals(one, other, below);
    }
    equalTexts(whole, parts, "report.html");
    assertEquals(0, run("insilico", "--resume", parts), "a merged run is a run: " + err);
    assertEquals(2, run(command, "--preview", "--shard", "1/2"));
  }

  @Test
  @EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
  void threeShardsOfNetworksAreTheWholeComparison() throws IOException {
    for (String split : List.of("train", "val", "test")) {
      Squares.write(folder, split);
    }
    List<Object> command =
        new ArrayList<>(List.of("ablate", "full", "honly", "ffonly", "--max-steps", 1));
    command.addAll(List.of("--data-dir", folder, "--thresholds", 5));
    command.addAll(List.of("--set", "model.timesteps=2"));
    command.addAll(List.of("--set", "data.augmentation.random_crop=32"));
    Path whole = folder.resolve("whole");
    Path parts = folder.resolve("parts");
    assertEquals(0, run(command, "--output", whole), err.toString());
    command.addAll(List.of("--output", parts));
    shards(command, 3);
    assertEquals(0, run("merge", parts), err.toString());
    JsonNode one = json(whole.resolve("comparison.json"));
    JsonNode other = json(parts.resolve("comparison.json"));
    for (JsonNode root : List.of(one, other)) {
      withoutTimes(root);
      root.path("networks")
          .forEach(
              n -> ((ObjectNode) n).remove(List.of("seconds_per_update", "seconds_per_image")));
    }
    assertEquals(one, other);
    assertEquals(files(whole).keySet(), files(parts).keySet());
    equalTexts(whole, parts, "ffonly/evaluation/eval_bdry.txt");
    assertEquals(0, run(command), "a merged run is a run: " + err);
    assertTrue(out.toString().contains("trained already"), out.toString());
  }

  /** What a crashed disk, or somebody's editor, leaves of a results file. */
  @Test
  void damagedResultsEndInASentence() throws IOException {
    data(3);
    Path parts = folder.resolve("parts");
    shards(evaluate(parts, 3), 2);
    Path file = parts.resolve("shard-2-of-2/eval.json");
    byte[] good = Files.readAllBytes(file);
    var damaged =
        new Mutations.Target() {
          @Override
          public List<byte[]> seeds() {
            return List.of(good);
          }

          @Override
          public void read(byte[] input) throws IOException {
            Files.write(file, input);
            err.getBuffer().setLength(0);
            run("merge", parts, "-o", folder.resolve("joined"), "--force");
            if (err.toString().contains("fault")) {
              throw new AssertionError(err);
            }
          }

          @Override
          public Mutations.Declared declared(byte[] input) {
            return new Mutations.Declared(0, 64 << 20); // a report with its figures
          }
        };
    assertEquals(List.of(), new Mutations(damaged, 5).run(DAMAGED, Long.MAX_VALUE).faults());
    Files.writeString(
        file, new String(good, StandardCharsets.UTF_8).replace("\"kept\"", "\"lost\""));
    refused("the results are damaged", parts);
    Files.writeString(
        file,
        new String(good, StandardCharsets.UTF_8).replaceAll("\"of\" : 2", "\"of\" : 2000000000"));
    refused("different runs (2 shards, not 2000000000)", parts);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0/3", "4/3", "3", "1/0", "a/b", "slurm", "-1/2", "1/99999999999"})
  void wrongShards(String shard) throws IOException {
    data(1);
    assertEquals(2, run(evaluate(folder.resolve("x"), 3), "--shard", shard));
    assertTrue(err.toString().contains("shard"), err.toString());
    assertFalse(Files.exists(folder.resolve("x")));
  }
}
