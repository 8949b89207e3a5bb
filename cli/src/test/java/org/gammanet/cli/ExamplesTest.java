package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.gammanet.PretrainedModel;
import org.gammanet.cli.Examples.Example;
import org.gammanet.detection.FrameWriter;
import org.gammanet.io.Images;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What README, docs and help tell users to type, run in a folder that has what they name: small
 * data, the bundled network, a short run of training. Sizes are cut down by further options; the
 * words of the examples stay.
 */
@EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
class ExamplesTest {
  @TempDir static Path folder;

  private static final String TINY =
      " --set model.layers=[conv1_1,conv1_2] --set model.hidden_channels=3 --set model.timesteps=1";
  private static final String SHORT =
      " --set data.augmentation.random_crop=16 --set training.samples_per_epoch=2"
          + " --set training.batch_size=1 --set training.num_workers=1";

  /** What makes a command quick, option by option, where the example does not say it itself. */
  private static final Map<String, List<String>> QUICK =
      Map.of(
          "train", List.of("--max-steps 1", "--set training.stages=[]" + SHORT),
          "ablate",
              List.of(
                  "--max-steps 1", "--set model.timesteps=1" + SHORT.replace("crop=16", "crop=32")),
          "insilico", List.of("--size 72", "--timesteps 1", "--probes 1"),
          "opto",
              List.of(
                  "--size 48",
                  "--timesteps 2", // one after which an optimum perturbs
                  "--steps 1",
                  "--starts 1",
                  "--frequencies 5",
                  "--contrasts 1",
                  "--phases 1",
                  "--orientations 0,90",
                  "--no-gate"),
          "bench", List.of("--size 32", "--runs 1"));

  static Stream<Example> examples() throws IOException {
    return Stream.concat(Examples.ofDocs().stream(), Examples.ofHelp().stream())
        .filter(
            example -> !example.words().getFirst().equals("view")); // it runs until it is stopped
  }

  private static Path prepared() {
    return folder.resolve("prepared");
  }

  @BeforeAll
  static void prepare() throws Exception {
    Path p = Files.createDirectories(prepared());
    for (String data : List.of("BSDS500", "my-images", "subset")) {
      for (String split : List.of("train", "val", "test")) {
        Squares.write(p.resolve(data), split);
      }
    }
    for (String kind : List.of("images", "groundTruth")) { // p6 is one that --split held-out has
      Path train = p.resolve("BSDS500").resolve(kind).resolve("train");
      copy(train.resolve("p0.png"), train.resolve("p6.png"));
    }
    copy(p.resolve("BSDS500/maps"), p.resolve("my-maps"));
    copy(p.resolve("BSDS500/maps"), p.resolve("maps"));
    copy(p.resolve("BSDS500/maps"), p.resolve("maps/hed"));
    copy(p.resolve("BSDS500/images/test"), p.resolve("photos"));
    copy(
        p.resolve("photos/p0.png"),
        Files.createDirectories(p.resolve("samples")).resolve("chelsea.png"));
    ImageIO.write(
        Images.read(p.resolve("photos/p0.png")).toBufferedImage(),
        "jpg",
        p.resolve("photo.jpg").toFile());
    Files.writeString(p.resolve("mine.yaml"), "training: {learning_rate: 1.0e-4}\n");
    Files.writeString(
        p.resolve("measured.csv"), "distance,response,se\n0,1,0.1\n1,0.6,0.1\n2,0.9,0.2\n");
    run(p, words("train -d BSDS500 -o runs/first --max-steps 2 --random" + TINY + SHORT));
    copy(p.resolve("runs/first"), p.resolve("runs/mine"));
    copy(p.resolve("runs/first"), p.resolve("runs/second"));
    for (int seed = 1; seed <= 3; seed++) {
      copy(p.resolve("runs/first"), p.resolve("runs/seed" + seed));
    }
    copy(p.resolve("photos"), p.resolve("gratings"));
    Files.copy(
        p.resolve("photo.jpg"),
        Files.createDirectories(p.resolve("photos/trip")).resolve("photo.jpg"));
    Files.copy(p.resolve("photo.jpg"), p.resolve("photos/photo.jpg"));
    try (FrameWriter clip = FrameWriter.open(p.resolve("clip.gif"), 10)) {
      for (String photo : List.of("p0.png", "p1.png")) {
        clip.add(Images.read(p.resolve("gratings").resolve(photo)));
      }
      clip.finish();
    }
    Squares.writeRecording(p);
    protocols(p.resolve("config/protocols"));
    run(p, words("evaluate -d BSDS500 --maps maps -o eval_results"));
    run(p, words("evaluate -d BSDS500 --baseline canny -o other_results"));
    for (String shard : List.of("1/2", "2/2")) {
      run(p, words("evaluate -d BSDS500 --maps maps -o eval_shards --shard " + shard));
    }
    run(p, words("detect gratings -o a --shard 1/2"));
    run(p, words("detect gratings -o b --shard 2/2"));
    run(p, words("convert runs/first/checkpoints/last.safetensors checkpoint_best.pth"));
    PretrainedModel.find().orElseThrow().load().save(p.resolve("model.safetensors"));
    // A file has precedence over the module that is not there.
    Files.copy(p.resolve("model.safetensors"), p.resolve(PretrainedModel.FULL));
    run(p, words("convert model.safetensors model.pt"));
    run(p, words("insilico -e orientation --size 48 --timesteps 1"));
    run(
        p,
        words(
            "ablate full no_gates -d BSDS500 --max-steps 1 --set model.timesteps=1"
                + SHORT.replace("crop=16", "crop=32")));
  }

  /** The templates, for small images and a single control. */
  private static void protocols(Path folder) throws IOException {
    Files.createDirectories(folder);
    try (Stream<Path> all = Files.list(Path.of("../config/protocols"))) {
      for (Path file : all.toList()) {
        Files.writeString(
            folder.resolve(file.getFileName()),
            Files.readString(file)
                .replace("size: 128", "size: 72")
                .replace("probes: 8", "probes: 1")
                .replace("random:19", "random:1"));
      }
    }
  }

  private static List<String> words(String line) {
    return List.of(line.split(" +"));
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(from.relativize(file)), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  private static void delete(Path root) throws IOException {
    if (Files.exists(root)) {
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.toList().reversed()) {
          Files.delete(file);
        }
      }
    }
  }

  private static void run(Path where, List<String> arguments) throws Exception {
    Path log = folder.resolve("log");
    Process process =
        Launched.command(arguments)
            .directory(where.toFile())
            .redirectInput(where.resolve("photo.jpg").toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    int status = process.waitFor();
    // An image may be among it.
    String said = Files.readString(log, StandardCharsets.ISO_8859_1);
    assertEquals(0, status, arguments + "\n" + said);
    assertTrue(!said.contains("fault") && !said.contains("Exception"), arguments + "\n" + said);
  }

  private static List<String> quick(List<String> words, Path where) throws IOException {
    List<String> all = new ArrayList<>();
    for (String word : words) {
      all.add(
          switch (word) {
            case "random:5,lesion:top_down", "random:3,lesion:top_down" ->
                "random:1,lesion:top_down";
            case "96" -> "48";
            case "8" -> "1"; // timesteps
            case "50", "2000" -> "1"; // updates
            case "clip.mp4" -> "clip.gif"; // without ffmpeg
            default -> word.contains("…") ? results(where, word) : word;
          });
    }
    boolean controls = all.contains("--control");
    all.replaceAll(word -> word.equals("all") && controls ? "orientation" : word);
    boolean given =
        all.contains("--resume")
            || all.contains("--repeat")
            || all.contains("--preview")
            || all.contains("--protocol");
    for (String options : QUICK.getOrDefault(words.getFirst(), List.of())) {
      String first = options.split(" ")[0];
      boolean there =
          all.contains(first) && !first.equals("--set")
              || first.equals("--max-steps") && all.contains("--no-train");
      if (!there && !(given && words.getFirst().equals("insilico")) && !all.contains("--dry-run")) {
        all.addAll(words(options));
      }
    }
    return all;
  }

  /** The results file that an example abbreviates. */
  private static String results(Path where, String word) throws IOException {
    Path path = where.resolve(word);
    try (Stream<Path> files = Files.list(path.getParent())) {
      return files
          .map(where::relativize)
          .map(Path::toString)
          .filter(f -> f.matches(word.replace(".", "\\.").replace("…", ".*")))
          .findFirst()
          .orElseThrow();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  @ParameterizedTest
  @MethodSource("examples")
  void runs(Example example) throws Exception {
    Path where = folder.resolve("here");
    delete(where);
    copy(prepared(), where);
    List<String> words = quick(example.words(), where);
    if (words.getFirst().equals("convert")) {
      Files.deleteIfExists(where.resolve(words.get(2)));
    }
    if (words.equals(List.of("merge", "eval_results"))) {
      delete(where.resolve("eval_results"));
      Files.move(where.resolve("eval_shards"), where.resolve("eval_results"));
    }
    int output = Math.max(words.indexOf("-o"), words.indexOf("--output"));
    if (output >= 0) {
      delete(where.resolve(words.get(output + 1)));
    } else if (Stream.of("--resume", "--repeat", "--no-train").noneMatch(words::contains)) {
      delete(
          where.resolve(
              switch (words.getFirst()) {
                case "evaluate" -> "eval_results";
                case "ablate" -> "ablation_results";
                default -> words.getFirst() + "_results";
              }));
    }
    run(where, words);
  }
}
