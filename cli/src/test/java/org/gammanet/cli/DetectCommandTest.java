package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.gammanet.detection.FrameReader;
import org.gammanet.detection.FrameWriter;
import org.gammanet.io.EdgeMap;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Names, pipes, formats and videos of the command detect, by a small untrained network. */
class DetectCommandTest {
  @TempDir Path folder = Path.of("");
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path photo = Path.of("");

  private int run(Object... arguments) {
    List<String> words = new ArrayList<>(List.of("detect", "--random", "--timesteps", "1"));
    words.addAll(List.of("--set", "model.use_backbone=false"));
    Arrays.stream(arguments).forEach(a -> words.add(a.toString()));
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(words.toArray(String[]::new));
  }

  private static RgbImage square(int left) {
    byte[] samples = new byte[3 * 48 * 40];
    for (int y = 10; y < 30; y++) {
      Arrays.fill(samples, 3 * (y * 48 + left), 3 * (y * 48 + left + 16), (byte) 220);
    }
    return new RgbImage(48, 40, samples);
  }

  @BeforeEach
  void photo() throws IOException {
    photo = folder.resolve("photo.png");
    Images.writePng(photo, square(12));
  }

  @Test
  void aFileOneAPipeAndAPatternGiveTheSameMap() throws IOException {
    Path file = folder.resolve("deep/er/e.png");
    assertEquals(0, run(photo, "-o", file), err.toString());
    byte[] expected = Files.readAllBytes(file);
    assertEquals(0, run(photo, "-o", folder.resolve("{stem}/{name}.png")), err.toString());
    assertArrayEquals(expected, Files.readAllBytes(folder.resolve("photo/photo.png.png")));

    InputStream in = System.in;
    PrintStream stdout = System.out;
    var piped = new ByteArrayOutputStream();
    try {
      System.setIn(new ByteArrayInputStream(Files.readAllBytes(photo)));
      System.setOut(new PrintStream(piped));
      assertEquals(0, run("-", "--output", "-"), err.toString());
    } finally {
      System.setIn(in);
      System.setOut(stdout);
    }
    assertArrayEquals(expected, piped.toByteArray());
  }

  /**
   * The signal comes while the command waits for its image, which then would pass in nine tiles.
   */
  @Test
  void aSignalStopsBetweenTiles() throws Exception {
    Path edges = folder.resolve("edges.png");
    Path large = folder.resolve("large.png");
    Images.writePng(large, square(12).resize(600, 500));
    List<String> words = new ArrayList<>(List.of("detect", "-", "-o", edges.toString()));
    words.addAll(List.of("--random", "--timesteps", "1", "--set", "model.use_backbone=false"));
    words.addAll(List.of("--max-side", "none", "--tile-size", "288", "--threads", "1"));
    Process process = Launched.command(words).start();
    try (BufferedReader said = process.errorReader();
        OutputStream in = process.getOutputStream()) {
      assumeTrue(process.supportsNormalTermination(), "this system knows no SIGTERM");
      String note;
      do {
        note = said.readLine();
        assertNotNull(note);
      } while (!note.contains("untrained"));
      process.toHandle().destroy(); // Process.destroy would close the streams
      Thread.sleep(200); // the signal is handled by a thread of its own
      Files.copy(large, in);
      in.close();
      assertEquals(
          "gammanet: interrupted; 0 of 1 done, --skip-existing leaves them out", last(said));
      assertEquals(143, process.waitFor());
      assertFalse(Files.exists(edges));
      try (Stream<Path> files = Files.list(folder)) {
        assertEquals(List.of(large, photo), files.sorted().toList(), "temporary files");
      }
    } finally {
      process.destroyForcibly();
    }
  }

  private static String last(BufferedReader lines) {
    return lines.lines().reduce("", (a, b) -> b);
  }

  @Test
  void foldersInFoldersKeepTheirNames() throws IOException {
    Path in = folder.resolve("in");
    Files.createDirectories(in.resolve("a/b"));
    Files.copy(photo, in.resolve("photo.png"));
    Files.copy(photo, in.resolve("a/b/photo.png"));
    Path edges = folder.resolve("edges");
    assertEquals(0, run(in, "--recursive", "-o", edges), err.toString());
    assertTrue(Images.isResult(edges.resolve("photo-edges.png")));
    Path deep = edges.resolve("a/b/photo-edges.png");
    assertTrue(Images.isResult(deep));

    FileTime old = FileTime.fromMillis(1_000_000);
    Files.setLastModifiedTime(deep, old);
    Files.delete(edges.resolve("photo-edges.png"));
    assertEquals(0, run(in + "/**.png", "-o", edges, "--skip-existing"), err.toString());
    assertEquals(old, Files.getLastModifiedTime(deep), "skipped");
    assertTrue(Images.isResult(edges.resolve("photo-edges.png")), "made again");
    assertEquals(1, run(in + "/*.jpg", "-o", edges));
    assertTrue(err.toString().contains("no file matches"), err.toString());

    Path pattern = folder.resolve("{dir}/{stem}.svg");
    assertEquals(0, run(in + "/**/*.png", "-o", pattern), err.toString());
    assertTrue(Files.exists(folder.resolve("photo.svg")), "in no folder");
    assertTrue(Files.exists(folder.resolve("a/b/photo.svg")), "in two");
  }

  @Test
  void aRingOfLinksIsNotFollowed() throws IOException {
    Path in = folder.resolve("in");
    Path inner = Files.createDirectories(in.resolve("a/b"));
    Files.copy(photo, inner.resolve("photo.png"));
    Files.createSymbolicLink(inner.resolve("up.png"), Path.of(".."));
    Files.createSymbolicLink(inner.resolve("gone.png"), Path.of("nowhere"));
    Path edges = folder.resolve("edges");
    assertEquals(0, run(in, "--recursive", "-o", edges), err.toString());
    assertTrue(err.toString().contains("left out 1 broken link, 1 folder"), err.toString());
    try (Stream<Path> files = Files.walk(edges)) {
      List<Path> pictures = files.filter(Files::isRegularFile).toList();
      assertEquals(List.of(edges.resolve("a/b/photo-edges.png")), pictures);
    }
  }

  @Test
  void everyFormatIsWrittenAndListed() throws IOException {
    Path edges = folder.resolve("edges");
    Object[] all = {photo, "-o", edges, "--format", "png16,npy,svg,geojson,png", "--json"};
    assertEquals(0, run(all), err.toString());
    ObjectMapper mapper = new ObjectMapper();
    JsonNode line = mapper.readTree(out.toString());
    assertEquals(48, line.get("width").asInt());
    EdgeMap map = Images.readEdgeMap(edges.resolve("photo-edges-16.png"));
    double sum = 0;
    for (float value : map.values()) {
      sum += value;
    }
    assertEquals(sum / map.values().length, line.get("mean").asDouble(), 1e-5);
    assertTrue(line.get("seconds").asDouble() >= 0);
    assertEquals(5, line.get("files").size());
    for (JsonNode file : line.get("files")) {
      assertTrue(Files.size(Path.of(file.asText())) > 0, file.asText());
    }
    JsonNode geo = mapper.readTree(edges.resolve("photo-edges.geojson").toFile());
    assertEquals("FeatureCollection", geo.get("type").asText());
    Path svg = folder.resolve("lines.svg");
    assertEquals(0, run(photo, "-o", svg), err.toString());
    assertTrue(Files.readString(svg).startsWith("<svg "));

    out.getBuffer().setLength(0);
    assertEquals(1, run(folder.resolve("none.png"), photo, "-o", edges, "--json"));
    Path broken = Files.writeString(folder.resolve("broken.png"), "no picture");
    assertEquals(1, run(broken, "-o", edges, "--json"));
    assertTrue(out.toString().contains("\"error\":"), out.toString());
  }

  @Test
  void anImageThatCannotHaveASizeIsNamed() throws IOException {
    Path high = folder.resolve("high.png");
    Images.writePng(high, new RgbImage(1, 100_000, new byte[300_000]));
    assertEquals(1, run(high, "--size", 10_000, "-o", folder));
    String sentence = high + ": cannot resize 1×100000 pixels to 10000×10000";
    assertTrue(err.toString().contains(sentence), err.toString());
  }

  @Test
  void aFolderThatReceivesNothingIsRemoved() throws IOException {
    Path cut = folder.resolve("cut.png");
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(photo), 60));
    Path edges = folder.resolve("edges");
    assertEquals(1, run(cut, "-o", edges));
    assertFalse(Files.exists(edges), "created for nothing");
    Files.createDirectory(edges);
    assertEquals(1, run(cut, "-o", edges));
    assertTrue(Files.exists(edges), "it was there before");
  }

  @Test
  void filesOfOthersStay() throws IOException {
    Path svg = Files.writeString(folder.resolve("drawing.svg"), "<svg>mine</svg>");
    assertEquals(1, run(photo, "-o", svg));
    assertEquals("<svg>mine</svg>", Files.readString(svg));
    assertEquals(0, run(photo, "-o", svg, "--force"), err.toString());
    assertEquals(0, run(photo, "-o", svg), "its own is replaced");

    Path npy = folder.resolve("array.npy");
    Npy.write(npy, new float[] {0.5f}, 1, 1);
    assertEquals(1, run(photo, "-o", npy));
    assertArrayEquals(new float[] {0.5f}, Npy.read(npy).floats());
    assertEquals(0, run(photo, "-o", npy, "--force"), err.toString());
    assertEquals(0, run(photo, "-o", npy), "its own is replaced");
    assertArrayEquals(new int[] {40, 48}, Npy.read(npy).shape());
  }

  @Test
  void picturesLookAsAskedFor() throws IOException {
    Path file = folder.resolve("e.png");
    assertEquals(0, run(photo, "-o", file, "--threshold", 0, "--overlay", "--color", "0072b2"));
    assertEquals(0x72, Images.read(file).sample(0, 0, 1), "all is edge at a threshold of 0");
    assertEquals(0, run(photo, "-o", file, "--threshold", "auto", "--invert"), err.toString());
    for (float value : Images.readEdgeMap(file).values()) {
      assertTrue(value == 0 || value == 1, "" + value);
    }
    assertEquals(0, run(photo, "-o", file, "--side-by-side"), err.toString());
    assertEquals(2 * 48 + 8, Images.read(file).width());
    assertEquals(0, run(photo, "-o", file, "--transparent", "--color", "red"), err.toString());
    assertEquals(0, run(photo, "-o", file, "--thin"), err.toString());
    assertEquals(48, Images.readEdgeMap(file).width());
  }

  private Path clip() throws IOException {
    Path clip = folder.resolve("clip.gif");
    try (FrameWriter writer = FrameWriter.open(clip, 5)) {
      for (int left : new int[] {12, 12, 20}) {
        writer.add(square(left));
      }
      writer.finish();
    }
    return clip;
  }

  private static List<RgbImage> frames(Path video) throws IOException {
    List<RgbImage> frames = new ArrayList<>();
    try (FrameReader reader = FrameReader.open(video)) {
      assertEquals(5, reader.rate(), 0.01);
      for (RgbImage f = reader.next(); f != null; f = reader.next()) {
        frames.add(f);
      }
    }
    return frames;
  }

  @Test
  void anAnimatedGifGivesOneWithTheEdgesOfEachFrame() throws IOException {
    long before = Tensor.liveHandles();
    Path clip = clip();
    assertEquals(0, run(clip, "-o", folder), err.toString());
    List<RgbImage> edges = frames(folder.resolve("clip-edges.gif"));
    assertEquals(3, edges.size());
    assertEquals(edges.get(0), edges.get(1), "equal frames, equal edges");
    assertNotEquals(edges.get(0), edges.get(2));

    assertEquals(1, run(clip, "-o", folder));
    assertTrue(err.toString().contains("--force replaces it"), err.toString());
    assertEquals(0, run(clip, "-o", folder, "--force", "--carry-states"), err.toString());
    List<RgbImage> carried = frames(folder.resolve("clip-edges.gif"));
    assertEquals(edges.get(0), carried.get(0), "the first frame starts at rest");
    assertNotEquals(carried.get(0), carried.get(1), "the second one does not");

    assertEquals(0, run(clip, "-o", folder, "--frames"), err.toString());
    Path last = folder.resolve("clip-edges/000003.png");
    assertEquals(edges.get(2), Images.readEdgeMap(last).toImage());
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  @Test
  void whatAVideoCannotBeIsSaid() throws IOException {
    Path clip = clip();
    assertEquals(1, run(clip, "-o", folder, "--format", "svg"));
    assertTrue(err.toString().contains("clip.gif: a video has no --format: --frames"), "" + err);
    assertEquals(1, run(clip, "-o", folder, "--all-timesteps"));
    assertTrue(err.toString().contains("--all-timesteps is for images"), "" + err);
    assertFalse(Files.exists(folder.resolve("clip-edges.gif")));
    Path video = folder.resolve("all.gif");
    assertEquals(2, run(photo, "-o", video, "--format", "svg"));
    assertEquals(2, run(photo, "-o", video, "--transparent"));
    assertEquals(2, run(photo, "-o", video, "--frames"));
    Path wide = folder.resolve("wide.png");
    Images.writePng(wide, square(12).resize(96, 40));
    assertEquals(1, run(photo, wide, "-o", video));
    String sentence = wide + ": a frame of 96×40 pixels follows frames of 48×40";
    assertTrue(err.toString().contains(sentence), err.toString());
    assertFalse(Files.exists(video));
  }

  @Test
  void aVideoTakesStandardInput() throws IOException {
    Path video = folder.resolve("all.gif");
    InputStream in = System.in;
    try {
      System.setIn(new ByteArrayInputStream(Files.readAllBytes(photo)));
      assertEquals(0, run(photo, "-", "-o", video, "--rate", 5, "--json"), err.toString());
    } finally {
      System.setIn(in);
    }
    List<RgbImage> edges = frames(video);
    assertEquals(2, edges.size());
    assertEquals(edges.get(0), edges.get(1));
    JsonNode line = new ObjectMapper().readTree(out.toString());
    assertEquals(2, line.get("frames").asInt());
    assertEquals(video.toString(), line.get("files").get(0).asText());
  }

  @Test
  void imagesBecomeAVideoOrASequence() throws IOException {
    Path frames = Files.createDirectory(folder.resolve("frames"));
    for (int i = 0; i < 3; i++) {
      Images.writePng(frames.resolve(i + ".png"), square(12));
    }
    Path video = folder.resolve("all.gif");
    assertEquals(0, run(frames, "-o", video, "--rate", 5), err.toString());
    assertEquals(3, frames(video).size());
    Path edges = folder.resolve("edges");
    assertEquals(0, run(frames, "-o", edges, "--carry-states"), err.toString());
    assertFalse(
        Arrays.equals(
            Files.readAllBytes(edges.resolve("0-edges.png")),
            Files.readAllBytes(edges.resolve("1-edges.png"))));
    Images.writePng(frames.resolve("3.png"), new RgbImage(40, 40, new byte[4800]));
    assertEquals(1, run(frames, "-o", edges, "--carry-states"));
    assertTrue(err.toString().contains("states carry over between frames of one size"));
  }

  /** The first image of a size finds room for eight at once, the fourth one for two. */
  @Test
  void aGroupPassesInPartsOnceLessMemoryIsLeft() {
    var waiting = new DetectImages.Waiting<Integer>(32);
    List<Integer> size = List.of(48, 40);
    for (int i = 0; i < 3; i++) {
      assertEquals(List.of(), waiting.add(size, i, 8));
    }
    List<Integer> group = waiting.add(size, 3, 2);
    assertEquals(List.of(0, 1, 2, 3), group);
    assertEquals(List.of(List.of(0, 1), List.of(2, 3)), DetectImages.parts(group, 2));
    assertEquals(List.of(List.of(0, 1, 2), List.of(3)), DetectImages.parts(group, 3));
    assertEquals(4, DetectImages.parts(group, 0).size(), "one at a time");
    assertTrue(waiting.rest().isEmpty());
    for (int i = 0; i < 31; i++) {
      assertEquals(List.of(), waiting.add(List.of(i, i), i, 8));
    }
    assertEquals(List.of(0), waiting.add(size, 31, 8), "the oldest of many sizes");
  }

  private static void script(Path file, String... lines) throws IOException {
    Files.writeString(file, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
    assertTrue(file.toFile().setExecutable(true));
  }

  /** A program in the place of ffmpeg breaks off in two of three videos. */
  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void aVideoThatBreaksOffTakesNoOtherWithIt() throws Exception {
    Path programs = Files.createDirectory(folder.resolve("programs"));
    script(programs.resolve("ffprobe"), "echo 25/1,2");
    script(
        programs.resolve("ffmpeg"),
        "case \"$*\" in",
        "*/header.mp4*) printf 'P6\\n48';;",
        "*/frame.mp4*) printf 'P6\\n48 40\\n255\\nabc';;",
        "*/latin.mp4*) printf 'f\\374r\\n' >&2; exit 1;;",
        "*) printf 'P6\\n48 40\\n255\\n'; head -c 5760 /dev/zero;;",
        "esac");
    List<String> words = new ArrayList<>(List.of("detect", "--random", "-t", "1", "--frames"));
    words.addAll(List.of("--set", "model.use_backbone=false", "-o", folder.toString()));
    for (String name : List.of("header.mp4", "frame.mp4", "latin.mp4", "whole.mp4")) {
      words.add(Files.createFile(folder.resolve(name)).toString());
    }
    ProcessBuilder builder = Launched.command(words).redirectErrorStream(true);
    builder.environment().merge("PATH", "", (path, none) -> programs + ":" + path);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(1, process.waitFor(), said);
    assertTrue(said.contains("header.mp4 ends inside a frame"), said);
    assertTrue(said.contains("frame.mp4 ends inside a frame"), said);
    assertTrue(said.contains("latin.mp4 cannot be read or written by ffmpeg: f"), said);
    assertEquals(48, Images.read(folder.resolve("whole-edges/000001.png")).width());
  }
}
