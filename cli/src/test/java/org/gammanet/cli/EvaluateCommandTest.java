package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.FolderLock;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.testing.Fixtures;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class EvaluateCommandTest {
  private static final int W = Squares.WIDTH;
  private static final int H = Squares.HEIGHT;

  @TempDir Path folder = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... arguments) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    List<String> words = new ArrayList<>(List.of("evaluate"));
    Arrays.stream(arguments).forEach(a -> words.add(a.toString()));
    return line.execute(words.toArray(String[]::new));
  }

  @BeforeEach
  void data() throws IOException {
    Squares.write(folder, "test");
  }

  private Object[] maps(Object... more) {
    List<Object> all =
        new ArrayList<>(
            List.of("--maps", folder.resolve("maps"), "--data-dir", folder, "--output", results()));
    all.addAll(Arrays.asList(more));
    return all.toArray();
  }

  private Path results() {
    return folder.resolve("results");
  }

  private JsonNode json() throws IOException {
    return new ObjectMapper().readTree(results().resolve("eval.json").toFile());
  }

  @Test
  void perfectMapsScoreOneAndEverythingIsWritten() throws IOException {
    assertEquals(
        0,
        run(maps("--thresholds", 9, "--no-thinning", "--json", folder.resolve("copy.json"))),
        err.toString());
    assertTrue(out.toString().contains("ODS 1.0000"), out.toString());
    for (String parameter :
        List.of("thresholds", "max. distance", "nms", "thinning", "resize", "sha256", "random")) {
      assertTrue(out.toString().contains(parameter), parameter);
    }
    for (String name :
        List.of(
            "eval_bdry.txt",
            "eval_bdry_thr.txt",
            "eval_bdry_img.txt",
            "images.csv",
            "pr_curve.svg",
            "pr_curve.png",
            "report.html",
            "p0_ev1.txt")) {
      assertTrue(Files.size(results().resolve(name)) > 0, name);
    }
    JsonNode root = json();
    for (String key : List.of("ods", "ois")) {
      assertEquals(1, root.get(key).asDouble(), 1e-9, key);
    }
    // The curve is a single point, so there is no area below it: that is how it is defined.
    assertEquals(0, root.get("ap").asDouble());
    assertEquals(3, root.get("images").size());
    assertEquals("p1", root.get("images").get(1).get("id").asText());
    assertEquals(9, root.at("/metadata/settings/thresholds").asInt());
    assertEquals(root, new ObjectMapper().readTree(folder.resolve("copy.json").toFile()));
    assertEquals(4, Files.readAllLines(results().resolve("images.csv")).size());
    String page = Files.readString(results().resolve("report.html"));
    assertTrue(page.contains("data:image/jpeg;base64,"), "photos");
    assertFalse(page.contains("PiDiNet"), "published results are about other images");
  }

  @Test
  void countsAreTakenFromAnInterruptedRun() throws IOException {
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    Path counts = results().resolve("p1_ev1.txt");
    FileTime old = FileTime.fromMillis(1_000_000);
    Files.setLastModifiedTime(counts, old);
    Files.delete(results().resolve("p2_ev1.txt"));
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    assertEquals(old, Files.getLastModifiedTime(counts));
    assertTrue(Files.exists(results().resolve("p2_ev1.txt")));
    assertEquals(1, run(maps("--thresholds", 7)), err.toString());
    assertTrue(err.toString().contains("another run (thresholds 9,"), err.toString());
    assertEquals(9, json().at("/metadata/settings/thresholds").asInt());
    assertEquals(0, run(maps("--thresholds", 7, "--force")), err.toString());
    assertEquals(7, Files.readAllLines(counts).size());
  }

  private List<Path> kept() throws IOException {
    try (Stream<Path> files = Files.list(results().resolve(".partial"))) {
      return files.sorted().toList();
    }
  }

  @Test
  void onlyWhatHasChangedIsCountedAgain() throws IOException {
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    List<Path> before = kept();
    assertEquals(3, before.size());
    Files.copy(
        folder.resolve("maps/p1.png"),
        folder.resolve("maps/p0.png"),
        StandardCopyOption.REPLACE_EXISTING);
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    assertTrue(json().get("ods").asDouble() < 0.999, "the map of another image");
    List<Path> after = new ArrayList<>(kept());
    after.removeAll(before);
    assertEquals(1, after.size(), "one image was counted");
  }

  @Test
  void damagedCountsAreCountedAgainAndTablesAreNeverRead() throws IOException {
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    double ods = json().get("ods").asDouble();
    Path table = results().resolve("p0_ev1.txt");
    String counts = Files.readString(table);
    Files.writeString(table, Files.readString(results().resolve("p1_ev1.txt")).replace('1', '2'));
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    assertEquals(ods, json().get("ods").asDouble());
    assertEquals(counts, Files.readString(table));
    Files.write(table, new byte[] {(byte) 0xFC}); // no UTF-8
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    assertEquals(counts, Files.readString(table));
    Files.writeString(kept().getFirst(), "damaged");
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    assertTrue(err.toString().contains("computed again"), err.toString());
    assertEquals(ods, json().get("ods").asDouble());
  }

  /** A run of few images grows into the whole one; other weights or settings are refused. */
  @Test
  void aLimitedRunGrowsInItsFolder() throws IOException {
    assertEquals(0, run(maps("--thresholds", 9, "--limit", 2)), err.toString());
    assertEquals(2, json().get("images").size());
    assertTrue(json().at("/metadata/manifest/data").asText().contains("only the first 2"));
    assertEquals(0, run(maps("--thresholds", 9)), err.toString());
    assertEquals(3, json().get("images").size());
    assertTrue(json().at("/metadata/manifest/data").asText().contains("3 images"));
    assertTrue(json().at("/metadata/complete").asBoolean());
  }

  @Test
  void badImagesAreNamedAndTheOthersScored() throws IOException {
    byte[] picture = Files.readAllBytes(folder.resolve("maps/p0.png"));
    Files.write(folder.resolve("maps/p0.png"), Arrays.copyOf(picture, picture.length / 2));
    Files.delete(folder.resolve("maps/p1.png"));
    Npy.write(folder.resolve("maps/q.npy"), new float[] {0.5f}, 1, 1);
    Files.copy(folder.resolve("groundTruth/test/p0.png"), folder.resolve("groundTruth/test/r.png"));
    float[] wrong = new float[W * H];
    wrong[W + 2] = Float.NaN;
    Npy.write(folder.resolve("maps/r.npy"), wrong, H, W);
    Files.writeString(folder.resolve("groundTruth/test/s.mat"), "MATLAB 5.0 MAT-file, not");
    Files.copy(folder.resolve("maps/p2.png"), folder.resolve("maps/s.png"));
    Images.writePng8(folder.resolve("maps/t.png"), new EdgeMap(2, 2, new float[4]));
    Files.copy(folder.resolve("groundTruth/test/p2.png"), folder.resolve("groundTruth/test/t.png"));
    assertEquals(1, run(maps("--thresholds", 3)));
    assertEquals(1, json().get("images").size());
    JsonNode failures = json().get("failures");
    assertEquals(6, failures.size(), failures.toString());
    assertTrue(failures.get("p0").asText().contains("p0.png"), "truncated");
    assertTrue(failures.get("p1").asText().contains("p1.png"), "missing");
    assertTrue(failures.get("q").asText().contains("no ground truth"), "no drawing");
    assertTrue(failures.get("r").asText().contains("column 2, row 1 is NaN"), "not a number");
    assertTrue(failures.get("s").asText().contains("s.mat"), "damaged drawing");
    assertTrue(failures.get("t").asText().contains("2x2"), "another size");
    failures.fieldNames().forEachRemaining(id -> assertTrue(err.toString().contains(id), id));
    assertTrue(Files.readString(results().resolve("report.html")).contains("Images without"));
  }

  @Test
  void nothingToScoreIsAnError() throws IOException {
    for (int i = 0; i < 3; i++) {
      Files.writeString(folder.resolve("maps/p" + i + ".png"), "no picture");
    }
    assertEquals(1, run(maps()));
    assertTrue(err.toString().contains("no image could be scored"), err.toString());
    assertFalse(Files.exists(results().resolve("eval_bdry.txt")));
    Squares.write(folder, "test");
    assertEquals(0, run(maps("--thresholds", 9)), "other settings: there is nothing to lose");
  }

  @Test
  void wrongUsageAndMissingFolders() {
    assertEquals(2, run("--maps", folder.resolve("maps")));
    assertTrue(err.toString().contains("--data-dir"), err.toString());
    assertEquals(1, run("--maps", folder.resolve("none"), "--data-dir", folder));
    assertEquals(1, run("--maps", folder.resolve("maps"), "--data-dir", folder.resolve("none")));
    assertEquals(1, run(maps("--split", "val")));
    assertEquals(1, run(maps("--json", folder)));
    assertTrue(err.toString().contains(folder + ": a folder"), err.toString());
    assertEquals(1, run(maps("--json", folder.resolve("none/eval.json"))));
    assertTrue(err.toString().contains("no file or folder " + folder.resolve("none")));
    assertEquals(2, run(maps("--baseline", "canny")));
    assertEquals(2, run(maps("--thresholds", 0)));
    assertEquals(2, run(maps("--max-dist", "NaN")));
    assertEquals(2, run(maps("--nms", "thick")));
    assertEquals(2, run(maps("--tta")));
    assertEquals(2, run(maps("--sigma", 2)));
    assertEquals(2, run("--baseline", "canny", "--sigma", 0, "--data-dir", folder));
    assertEquals(1, run("--checkpoint", folder, "--epoch", 3, "--data-dir", folder));
    assertTrue(err.toString().contains("checkpoint_epoch_3"), err.toString());
  }

  @Test
  void baselinesFindTheSquare() throws IOException {
    for (String name : List.of("sobel", "canny")) {
      Object[] arguments = {
        "--baseline",
        name,
        "--sigma",
        1,
        "--data-dir",
        folder,
        "--output",
        results(),
        "--thresholds",
        19,
        "--max-dist",
        0.03,
        "--force" // canny's in place of sobel's
      };
      assertEquals(0, run(arguments), err.toString());
      assertTrue(json().get("ods").asDouble() > 0.95, name + " " + json().get("ods"));
    }
  }

  @Test
  void networksAreScoredAndTheirMapsScoreEqually() throws IOException {
    long before = Tensor.liveHandles();
    Object[] arguments = {
      "--random",
      "--set",
      "model.use_backbone=false",
      "--timesteps",
      2,
      "--tta",
      "--data-dir",
      folder,
      "--output",
      results(),
      "--save-maps",
      "--thresholds",
      19,
      "--nms",
      "none"
    };
    assertEquals(0, run(arguments), err.toString());
    assertTrue(out.toString().contains("random weights"), out.toString());
    double ods = json().get("ods").asDouble();
    assertEquals(before, Tensor.liveHandles(), "live handles");
    Path saved = results().resolve("maps");
    assertEquals(W, Images.readEdgeMap(saved.resolve("p0.png")).width());
    Files.delete(saved.resolve("p1.png"));
    assertEquals(0, run(arguments), err.toString());
    assertTrue(Files.exists(saved.resolve("p1.png")), "missing maps are made again");
    assertEquals(
        0,
        run(
            "--maps",
            saved,
            "--data-dir",
            folder,
            "--output",
            results(),
            "--thresholds",
            19,
            "--force"),
        err.toString());
    assertEquals(ods, json().get("ods").asDouble(), 0.02);
  }

  @Test
  void eachTimestepIsScored() throws IOException {
    Object[] arguments = {
      "--random",
      "--set",
      "model.use_backbone=false",
      "--timesteps",
      2,
      "--all-timesteps",
      "--data-dir",
      folder,
      "--output",
      results(),
      "--thresholds",
      9
    };
    assertEquals(0, run(arguments), err.toString());
    List<String> lines = Files.readAllLines(results().resolve("timesteps.csv"));
    assertEquals("timestep,ods,ois,ap,r50", lines.getFirst());
    assertEquals(3, lines.size(), lines.toString());
    for (int t = 1; t <= 2; t++) {
      JsonNode json =
          new ObjectMapper().readTree(results().resolve("t" + t + "/eval.json").toFile());
      assertEquals(Integer.toString(t), json.at("/metadata/manifest/timesteps").asText());
      assertEquals(
          json.get("ods").asDouble(), Double.parseDouble(lines.get(t).split(",")[1]), 5e-5);
    }
    assertEquals(2, run("--baseline", "canny", "--all-timesteps", "--data-dir", folder));
    assertTrue(err.toString().contains("are for networks"), err.toString());
  }

  /** The official example with its five thresholds, by the command. */
  @Test
  void officialExample() throws IOException {
    Path example = Fixtures.folder("bsds-eval");
    assertEquals(
        0,
        run(
            "--maps",
            example.resolve("png"),
            "--data-dir",
            example,
            "--thresholds",
            5,
            "--output",
            results()),
        err.toString());
    double[] official = row(example.resolve("expected/eval_bdry.txt"));
    double[] ours = row(results().resolve("eval_bdry.txt"));
    for (int i = 0; i < official.length; i++) {
      assertEquals(official[i], ours[i], 0.002, "column " + i);
    }
    assertTrue(Files.readString(results().resolve("report.html")).contains("PiDiNet"));
  }

  private static double[] row(Path file) throws IOException {
    return Arrays.stream(Files.readString(file).strip().split("\\s+"))
        .mapToDouble(Double::parseDouble)
        .toArray();
  }

  @Test
  void oneRunWritesIntoAFolderAtATime() throws IOException {
    try (FolderLock other = FolderLock.take(results())) {
      int status =
          run("--maps", folder.resolve("maps"), "--data-dir", folder, "--output", results());
      assertEquals(1, status);
      assertTrue(err.toString().contains("another run is writing into"), err.toString());
    }
  }

  @Test
  void aLimitedRunIsMarked() throws IOException {
    assertEquals(
        0,
        run(
            "--maps",
            folder.resolve("maps"),
            "--data-dir",
            folder,
            "--output",
            results(),
            "--thresholds",
            3,
            "--limit",
            2),
        err.toString());
    String report = Files.readString(results().resolve("report.html"));
    assertTrue(report.contains("Only the first 2 of 3 images were scored"), report);
    assertTrue(report.contains("Protocol: maps as they are, each cut thinned"), report);
    assertTrue(out.toString().contains("only the first 2 of 3 images"), out.toString());
  }
}
