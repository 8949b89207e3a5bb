package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.Images;
import org.gammanet.io.Npy;
import org.gammanet.io.RgbImage;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.torch.Device;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class CommandsTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... arguments) {
    CommandLine line = GammanetCommand.commandLine();
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    String[] words = new String[arguments.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = arguments[i].toString();
    }
    return line.execute(words);
  }

  /** A network that is quick to make and to run. */
  private static final Object[] SMALL = {"--random", "--set", "model.use_backbone=false"};

  private static Object[] with(Object[] first, Object... more) {
    Object[] all = new Object[first.length + more.length];
    System.arraycopy(first, 0, all, 0, first.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }

  private static Path photo(Path folder) throws IOException {
    byte[] samples = new byte[48 * 40 * 3];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (byte) (i * 7);
    }
    Path file = folder.resolve("photo.png");
    Images.writePng(file, new RgbImage(48, 40, samples));
    return file;
  }

  @Test
  void detectWritesThePictureAndSaysThatWeightsAreRandom(@TempDir Path folder) throws IOException {
    long before = Tensor.liveHandles();
    int status =
        run(
            with(
                with(new Object[] {"detect"}, SMALL),
                photo(folder),
                "--output",
                folder,
                "--side-by-side",
                "--all-timesteps",
                "--timesteps",
                2,
                "--format",
                "png,png16"));
    assertEquals(0, status, err.toString());
    assertTrue(err.toString().contains("random"), err.toString());
    RgbImage picture = Images.read(folder.resolve("photo-edges.png"));
    assertTrue(picture.width() > 2 * 48, "image and edges side by side");
    assertEquals(48, Images.readEdgeMap(folder.resolve("photo-edges-16.png")).width());
    assertEquals(40, Images.readEdgeMap(folder.resolve("photo-edges-t2.png")).height());
    assertEquals(before, Tensor.liveHandles(), "live handles");
  }

  @Test
  void unreadableImagesAreReportedAndOthersDone(@TempDir Path folder) throws IOException {
    Path empty = Files.createFile(folder.resolve("empty.png"));
    int status =
        run(
            with(
                with(new Object[] {"detect"}, SMALL),
                empty,
                photo(folder),
                "--output",
                folder,
                "--timesteps",
                1));
    assertEquals(1, status);
    assertTrue(err.toString().contains("empty.png"), err.toString());
    assertTrue(Files.exists(folder.resolve("photo-edges.png")));
  }

  @Test
  void anEmptyCheckpointIsNamed(@TempDir Path folder) throws IOException {
    Path empty = Files.createFile(folder.resolve("empty.safetensors"));
    assertEquals(1, run("detect", photo(folder), "--checkpoint", empty));
    assertTrue(err.toString().contains("empty.safetensors is empty"), err.toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "detect",
        "detect --timesteps x.png",
        "detect PHOTO --set model.nokey=1",
        "detect PHOTO --device gpu",
        "detect PHOTO --device cuda:99",
        "detect PHOTO --threads 0",
        "detect PHOTO --batch-size 0",
        "detect PHOTO --threads 20000",
        "detect PHOTO --timesteps 2147483647",
        "detect PHOTO --size 60000",
        "detect PHOTO --checkpoint PHOTO --random",
        "detect PHOTO --output edges.jpg",
        "detect PHOTO --output - --json",
        "detect PHOTO --output edges.png --format npy",
        "detect PHOTO --output edges.png --format png,npy",
        "detect PHOTO PHOTO2 --output edges.png",
        "detect PHOTO --output {stam}.png",
        "detect PHOTO --threshold 2",
        "detect PHOTO --color pink-ish",
        "detect PHOTO --alpha 2",
        "detect PHOTO --overlay --invert",
        "detect PHOTO --overlay --transparent",
        "detect PHOTO --carry-states --batch-size 2",
        "detect PHOTO --rate 0",
        "detect PHOTO --config PHOTO --random",
        "detect PHOTO --set model.layers=[conv1_1,conv1_2]",
        "detect PHOTO --size -3",
        "detect PHOTO --size 9 --max-side 9",
        "detect PHOTO --probabilities bmp",
        "convert one.pt",
        "convert one.pt two.txt",
        "inspect",
        "inspect a b",
        "nonsense",
        "architecture --size 3",
        "detect PHOTO --precision half",
        "passes --recompute auto",
        "bench --runs 0"
      })
  void wrongUsageIsTwo(String words, @TempDir Path folder) throws IOException {
    String photo = photo(folder).toString();
    String other = Files.copy(Path.of(photo), folder.resolve("other.png")).toString();
    assertEquals(
        2,
        run((Object[]) words.replace("PHOTO2", other).replace("PHOTO", photo).split(" ")),
        err.toString());
    assertTrue(err.toString().startsWith("gammanet: "), err.toString());
    assertTrue(err.toString().lines().count() <= 3, err.toString());
  }

  @Test
  void anUnknownKeyIsNamedWithItsFileAndTheAcceptedOnes(@TempDir Path folder) throws IOException {
    Path config = Files.writeString(folder.resolve("my.yaml"), "model: {timestep: 4}\n");
    assertEquals(2, run("detect", photo(folder), "--config", config));
    assertTrue(err.toString().contains("my.yaml"), err.toString());
    assertTrue(err.toString().contains("timestep"), err.toString());
    assertTrue(err.toString().contains("timesteps"), err.toString());
  }

  @Test
  void aFolderIsDoneInBatchesWithTheSameResults(@TempDir Path folder) throws IOException {
    Path photos = Files.createDirectory(folder.resolve("photos"));
    for (int i = 0; i < 5; i++) {
      byte[] samples = new byte[3 * 40 * 36];
      Arrays.fill(samples, (byte) (40 * i));
      Arrays.fill(samples, 0, 1000 + 300 * i, (byte) 255);
      RgbImage image = i < 3 ? new RgbImage(40, 36, samples) : new RgbImage(36, 40, samples);
      Images.writePng(photos.resolve("p" + i + ".png"), image);
    }
    Files.writeString(photos.resolve("notes.txt"), "not looked at");
    Path single = folder.resolve("single");
    Path batches = folder.resolve("batches");
    Object[] common =
        with(new Object[] {"detect", photos, "--timesteps", 2, "--probabilities", "npy"}, SMALL);
    assertEquals(0, run(with(common, "--output", single)), err.toString());
    assertEquals(0, run(with(common, "--output", batches, "--batch-size", 2)), err.toString());
    for (int i = 0; i < 5; i++) {
      String name = "p" + i + "-edges.npy";
      Npy one = Npy.read(single.resolve(name));
      assertArrayEquals(i < 3 ? new int[] {36, 40} : new int[] {40, 36}, one.shape());
      assertArrayEquals(one.floats(), Npy.read(batches.resolve(name)).floats());
      assertEquals(one.shape()[1], Images.read(single.resolve("p" + i + "-edges.png")).width());
    }
  }

  @Test
  void resultsNeverOverwriteEachOther(@TempDir Path folder) throws IOException {
    Path photo = photo(folder);
    Files.copy(photo, folder.resolve("photo.jpg")); // whatever its name says
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Object[] common = with(new Object[] {"detect", "--timesteps", 1, "--output", folder}, SMALL);
    assertEquals(0, run(with(common, photo, folder.resolve("photo.jpg"))), err.toString());
    assertTrue(Files.exists(folder.resolve("photo.png-edges.png")));
    assertTrue(Files.exists(folder.resolve("photo.jpg-edges.png")));
    assertEquals(1, run(with(common, photo, Files.copy(photo, elsewhere.resolve("photo.png")))));
    assertTrue(err.toString().contains("would both be written to"), err.toString());
  }

  @Test
  void sizesAreAskedFor(@TempDir Path folder) throws IOException {
    Object[] common =
        with(new Object[] {"detect", photo(folder), "--timesteps", 1, "--json"}, SMALL);
    assertEquals(0, run(with(common, "--output", folder, "--size", 33)), err.toString());
    RgbImage square = Images.read(folder.resolve("photo-edges.png"));
    assertEquals("33×33", square.width() + "×" + square.height());
    assertEquals(0, run(with(common, "--output", folder, "--max-side", 36)), err.toString());
    RgbImage shrunk = Images.read(folder.resolve("photo-edges.png"));
    assertEquals("48×40", shrunk.width() + "×" + shrunk.height(), "the image's size");
    assertTrue(
        out.toString().contains("\"working_width\":36,\"working_height\":30"), out.toString());
  }

  @Test
  void anOutputThatIsNoFolderIsNamed(@TempDir Path folder) throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertEquals(1, run("detect", photo(folder), "--output", file));
    assertTrue(err.toString().contains(file.toString()), err.toString());
    assertEquals(1, err.toString().lines().count(), err.toString());
  }

  /** Weights that are not finite, as a training that went wrong leaves them. */
  @Test
  void aNetworkThatRunsAwayIsReported(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("bad.safetensors");
    GammaNetConfig config =
        GammaNetConfig.shipped("default", List.of("model.use_backbone=false", "model.timesteps=1"));
    try (GammaNet net = GammaNet.random(config, 1, Device.CPU)) {
      Tensor bias = net.network().parameters().getLast().tensor();
      try (Tensor nan = Tensor.full(Double.NaN, bias.shape())) {
        bias.copy_(nan);
      }
      net.save(file);
    }
    assertEquals(1, run("detect", photo(folder), "--checkpoint", file, "--output", folder));
    String expected = "photo.png: the network diverges on this image: its output is not finite";
    assertTrue(err.toString().contains(expected), err.toString());
  }

  private static Path saved(Path folder) {
    Path file = folder.resolve("model.safetensors");
    GammaNetConfig config =
        GammaNetConfig.shipped("default", List.of("model.use_backbone=false", "model.timesteps=3"));
    try (GammaNet net = GammaNet.random(config, 1, Device.CPU)) {
      net.save(file);
    }
    return file;
  }

  @Test
  void singleKeysWinOverTheCheckpointsConfiguration(@TempDir Path folder) throws IOException {
    Object[] common =
        new Object[] {
          "detect",
          photo(folder),
          "--checkpoint",
          saved(folder),
          "--output",
          folder,
          "--all-timesteps"
        };
    assertEquals(0, run(common), err.toString());
    assertTrue(Files.exists(folder.resolve("photo-edges-t3.png")));
    assertEquals(0, run(with(common, "--set", "model.timesteps=5")), err.toString());
    assertTrue(Files.exists(folder.resolve("photo-edges-t5.png")));
  }

  @Test
  void convertThereAndBackChangesNothing(@TempDir Path folder) throws IOException {
    Path original = saved(folder);
    Path torch = folder.resolve("model.pt");
    Path back = folder.resolve("back.safetensors");
    assertEquals(0, run("convert", original, torch), err.toString());
    assertEquals(0, run("convert", torch, back), err.toString());
    Checkpoint first = Checkpoint.load(original);
    Checkpoint last = Checkpoint.load(back);
    assertEquals(Checkpoint.Format.TORCH_ZIP, Checkpoint.load(torch).format());
    assertEquals(List.copyOf(first.weights().keySet()), List.copyOf(last.weights().keySet()));
    first
        .weights()
        .forEach((name, t) -> assertEquals(t.data(), last.weights().get(name).data(), name));
    assertEquals(
        first.config(GammaNetConfig.defaults(), n -> {}).toJson(),
        last.config(GammaNetConfig.defaults(), n -> {}).toJson());

    assertEquals(1, run("convert", original, torch));
    assertTrue(err.toString().contains("--force"), err.toString());
    assertEquals(0, run("convert", original, torch, "--force", "--weights-only"));
    assertTrue(Checkpoint.load(torch).metadata().isEmpty());
    assertEquals(1, run("convert", original, folder.resolve("no/such/folder.pt")));
    assertTrue(err.toString().contains("there is no folder for it"), err.toString());
  }

  @Test
  void convertRoundsWeightsToSixteenBits(@TempDir Path folder) throws IOException {
    Path half = folder.resolve("half.safetensors");
    assertEquals(0, run("convert", "bundled", half, "--dtype", "f16"), err.toString());
    long exact = PretrainedModel.get(PretrainedModel.BUNDLED).open().readAllBytes().length;
    assertTrue(Files.size(half) < 0.52 * exact, Files.size(half) + " of " + exact);
    Checkpoint.load(half)
        .weights()
        .forEach((name, tensor) -> assertEquals(ElementType.F16, tensor.type(), name));
    Path photo = photo(folder);
    for (String checkpoint : List.of("bundled", half.toString())) {
      Path to = folder.resolve(checkpoint.equals("bundled") ? "exact.npy" : "half.npy");
      assertEquals(
          0,
          run("detect", photo, "--checkpoint", checkpoint, "-o", to, "--format", "npy"),
          err.toString());
    }
    float[] a = Npy.read(folder.resolve("exact.npy")).floats();
    float[] b = Npy.read(folder.resolve("half.npy")).floats();
    for (int i = 0; i < a.length; i++) {
      assertEquals(a[i], b[i], 0.02);
    }
    assertEquals(2, run("convert", "bundled", half, "--dtype", "i8"));
  }

  @Test
  void theFullNetworkIsAModuleOfItsOwn(@TempDir Path folder) throws IOException {
    assumeTrue(PretrainedModel.find(PretrainedModel.FULL).isEmpty());
    assertEquals(1, run("detect", photo(folder), "--checkpoint", "full"));
    assertTrue(err.toString().contains("mvn -Pfull -DskipTests -pl cli -am package"));
  }

  @Test
  void inspectShowsNetworkConfigurationAndTensors(@TempDir Path folder) throws IOException {
    Path file = saved(folder);
    assertEquals(0, run("inspect", file), err.toString());
    String text = out.toString();
    assertTrue(text.contains("GammaNet, timesteps 3"), text);
    assertTrue(text.contains("212 tensors with 694,481 elements"), text);
    assertTrue(text.contains("encoder_layers.0.h_fgru.W_exc"), text);
    assertTrue(text.contains("normalization_type: layer"), text);
    assertEquals("", err.toString());

    out.getBuffer().setLength(0);
    assertEquals(0, run("inspect", file, "--json", "--statistics"), err.toString());
    JsonNode json = new ObjectMapper().readTree(out.toString());
    assertEquals(694_481, json.get("parameters").asLong());
    assertEquals(212, json.get("weights").size());
    assertEquals(0, json.at("/weights/0/not_finite").asInt());
    assertEquals(3, json.at("/metadata/config/model/timesteps").asInt());
  }

  @Test
  void damagedCheckpointsAreRefusedByEveryCommand(@TempDir Path folder) throws IOException {
    byte[] whole = Files.readAllBytes(saved(folder));
    Path cut = folder.resolve("cut.safetensors");
    Files.write(cut, Arrays.copyOf(whole, whole.length / 2));
    Path empty = Files.createFile(folder.resolve("empty.pt"));
    Path text = Files.writeString(folder.resolve("text.pth"), "These are no weights.");
    for (Path file : List.of(cut, empty, text, folder.resolve("none.pt"), folder)) {
      for (Object[] command :
          List.of(
              new Object[] {"inspect", file},
              new Object[] {"convert", file, folder.resolve("x.pt")},
              new Object[] {
                "detect", photo(folder), "--checkpoint", file, "--output", folder.resolve("maps")
              })) {
        err.getBuffer().setLength(0);
        assertEquals(1, run(command), file.toString());
        assertEquals(1, err.toString().lines().count(), err.toString());
        assertTrue(err.toString().contains(file.toString()), err.toString());
      }
    }
    assertFalse(Files.exists(folder.resolve("x.pt")));
    assertFalse(Files.exists(folder.resolve("maps")));
  }

  /** What is printed comes from a file: it must not reach the terminal's own language. */
  @Test
  void inspectPrintsNoControlCharacters(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("sly.safetensors");
    String header =
        "{\"a\\u001b[2Jb\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
            + "\"__metadata__\":{\"k\":\"v\\u001b[31m\"}}";
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(12 + json.length).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(file, bytes.putLong(json.length).put(json).array());
    assertEquals(0, run("inspect", file), err.toString());
    assertFalse(out.toString().contains("\u001b"), out.toString());
    assertTrue(out.toString().contains("\\u001b[2J"), out.toString());
  }

  @Test
  void allNamesThatDoNotFitAreShownOnRequest(@TempDir Path folder) throws IOException {
    Map<String, StoredTensor> weights = new LinkedHashMap<>();
    for (int i = 0; i < 9; i++) {
      weights.put("x" + i, new StoredTensor(ElementType.F32, new long[0], ByteBuffer.allocate(4)));
    }
    Path file = folder.resolve("other.safetensors");
    Checkpoint.of(weights, Map.of(), Map.of()).save(file);
    Object[] detect = {
      "detect", photo(folder), "--checkpoint", file, "--config", folder + "/c.yaml"
    };
    Files.writeString(folder.resolve("c.yaml"), "model: {timesteps: 1}\n");
    assertEquals(1, run(detect));
    assertTrue(
        err.toString().contains("9 unexpected: x0, x1, x2, x3, …; --verbose lists all"),
        err.toString());
    assertFalse(err.toString().contains("x7"), err.toString());
    assertEquals(1, run(with(detect, "--verbose")));
    assertTrue(err.toString().contains("  unexpected: x7"), err.toString());
  }

  static Stream<String> commands() {
    return GammanetCommand.commandLine().getSubcommands().entrySet().stream()
        .filter(command -> !command.getValue().getCommandSpec().usageMessage().hidden())
        .map(Map.Entry::getKey)
        .filter(name -> !name.equals("help"));
  }

  @ParameterizedTest
  @MethodSource("commands")
  void helpHasAnExampleThatParses(String command) {
    assertEquals(0, run(command, "--help"));
    String help = out.toString();
    assertTrue(help.contains("Usage: gammanet " + command), help);
    List<String> examples =
        help.lines().map(String::strip).filter(l -> l.startsWith("gammanet " + command)).toList();
    assertFalse(
        examples.isEmpty() && !help.contains("(gammanet " + command + ")"), "no example:\n" + help);
    for (String example : examples) {
      String[] words = example.replaceFirst(" [|>].*", "").split(" +");
      GammanetCommand.commandLine().parseArgs(Arrays.copyOfRange(words, 1, words.length));
    }
  }

  @Test
  void completionKnowsEveryCommand() {
    assertEquals(0, run("completion"));
    commands().forEach(c -> assertTrue(out.toString().contains(c), c));
  }

  @Test
  void architectureCountsTheDefaultNetwork() {
    assertEquals(0, run("architecture", "--random", "--size", 320, "--timesteps", 8));
    assertTrue(out.toString().contains("42,793,473 parameters"), out.toString());
    assertTrue(out.toString().contains("968.6 GMAC"), out.toString());
  }

  @Test
  void infoNamesTheLibrary() {
    assertEquals(0, run("info"));
    assertTrue(out.toString().contains("libtorch"), out.toString());
    assertTrue(out.toString().contains("kernels     " + NativeKernels.describe()), out.toString());
  }

  @Test
  void architectureSaysWhoComputes() {
    assertEquals(0, run(with(new Object[] {"architecture"}, SMALL)));
    assertTrue(out.toString().contains("composed of LibTorch's operators: "), out.toString());
    assertEquals(0, run(with(new Object[] {"architecture", "--json"}, SMALL)));
    assertTrue(out.toString().contains("\"native_kernels\" : false"), out.toString());
  }

  @Test
  void precisionThatIsNotThereIsRefusedWithAReason(@TempDir Path folder) throws IOException {
    Object[] words = {"detect", photo(folder), "--precision", "bf16", "--output", folder};
    assertEquals(1, run(with(words, SMALL)));
    assertTrue(err.toString().contains("bfloat16 is not available: "), err.toString());
    assertTrue(Files.notExists(folder.resolve("photo-edges.png")));
  }

  @Test
  void benchComparesAndAnswersInJson() {
    Object[] words = {"bench", "--json", "--size", 32, "--timesteps", 1, "--runs", 1};
    assertEquals(0, run(with(words, SMALL)), err.toString());
    for (String key : new String[] {"cell", "model", "fused_s", "composed_s", "peak_rss_mb"}) {
      assertTrue(out.toString().contains("\"" + key + "\""), out.toString());
    }
  }

  /** A folder run takes no result for a photo, and no photo for a result. */
  @Test
  void resultsAreKeptApartFromOtherFiles(@TempDir Path folder) throws IOException {
    photo(folder);
    Files.writeString(folder.resolve("clip.MP4"), "no image");
    Files.createDirectory(folder.resolve("more"));
    Object[] all = with(with(new Object[] {"detect", folder, "-o", folder}, SMALL), "-t", 1);
    assertEquals(0, run(all), err.toString());
    assertTrue(err.toString().contains("left out 1 .mp4, 1 folder"), err.toString());
    assertEquals(0, run(with(all, "--skip-existing")), err.toString());
    assertTrue(err.toString().contains("1 edge map"), err.toString());
    assertTrue(Files.notExists(folder.resolve("photo-edges-edges.png")));
    assertEquals(folder.resolve("photo-edges.png") + "\n", out.toString(), "once");

    Path other = folder.resolve("photo-edges.png");
    Files.copy(folder.resolve("photo.png"), other, StandardCopyOption.REPLACE_EXISTING);
    Object[] one =
        with(
            with(new Object[] {"detect", folder.resolve("photo.png"), "-o", folder}, SMALL),
            "-t",
            1);
    assertEquals(1, run(one));
    assertTrue(err.toString().contains("--force replaces it"), err.toString());
    assertEquals(48, Images.read(other).width());
    assertEquals(0, run(with(one, "--force")), err.toString());
    assertTrue(Images.isResult(other));
  }

  @Test
  void architectureShowsTheCheckpointItIsGiven(@TempDir Path folder) throws IOException {
    assertEquals(0, run("architecture", "-c", saved(folder)), err.toString());
    assertTrue(out.toString().contains("694,481 parameters, 3 timesteps"), out.toString());
    assertEquals(1, run("architecture", "-c", folder.resolve("none.safetensors")));
    assertTrue(err.toString().contains("none.safetensors"), err.toString());
  }

  @Test
  void aSeedDoesNotReplaceTrainedWeights(@TempDir Path folder) throws IOException {
    Object[] detect = {"detect", photo(folder), "-o", folder};
    assertEquals(0, run(detect), err.toString());
    byte[] without = Files.readAllBytes(folder.resolve("photo-edges.png"));
    assertEquals(0, run(with(detect, "--seed", 5)), err.toString());
    assertFalse(err.toString().contains("random"), err.toString());
    assertArrayEquals(without, Files.readAllBytes(folder.resolve("photo-edges.png")));
  }

  @Test
  void aRecordingHasItsShapeInTheManifest(@TempDir Path folder) throws IOException {
    photo(folder);
    Path to = folder.resolve("recording");
    String layer = "encoder_layers.0.h_fgru";
    Object[] words = {
      "record", "--images", folder, "-l", layer, "-t", 2, "--at", "grid:2", "-o", to
    };
    assertEquals(0, run(with(words, SMALL)), err.toString());
    JsonNode shape = new ObjectMapper().readTree(to.resolve("manifest.json").toFile());
    int[] found = Npy.read(to.resolve(layer + "_excitatory.npy")).shape();
    assertEquals(1, found[0]);
    assertEquals(2, found[1]);
    assertEquals(4, found[3]);
    assertEquals(Arrays.toString(found).replace(" ", ""), shape.at("/files/0/shape").toString());
    assertArrayEquals(new int[] {1, 40, 48}, Npy.read(to.resolve("stimuli.npy")).shape());
  }

  /** None of them runs the network. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "-l encoder_layers.0.h_fgru -t 10000 --at grid:99; units at 10000 timesteps for 30 stimuli;"
            + " 30",
        "-l encoder_layers.0.h_fgru -t 1000 --at grid:99 --format mat; a .mat file can hold; 10",
        "-l encoder_layers.0.h_fgru -t 1000 --at grid:99 --format nwb; an array of a .nwb file can"
            + " hold; 10",
        "-t 1 --size 10000; 30 stimuli of 10000 x 10000 pixels; 30"
      })
  void recordingsThatCannotBeWrittenAreNotMade(
      String options, String reason, int images, @TempDir Path folder) throws IOException {
    Path photo = photo(folder);
    for (int i = 1; i < images; i++) {
      Files.copy(photo, folder.resolve(i + ".png"));
    }
    Path to = folder.resolve("recording");
    Object[] words = {"record", "--images", folder, "-o", to};
    assertEquals(1, run(with(with(words, SMALL), (Object[]) options.split(" "))));
    String said = err.toString().lines().filter(l -> l.startsWith("gammanet: ")).toList().getLast();
    assertTrue(said.contains(reason), err.toString());
    assertFalse(Files.exists(to));
  }

  @Test
  void anArrayOfAnotherSizeIsNotRecorded(@TempDir Path folder) throws IOException {
    Npy.write(folder.resolve("x.npy"), new float[16], 4, 4);
    Object[] words = {"record", "--images", folder, "--size", 8, "-o", folder.resolve("out")};
    assertEquals(1, run(with(words, SMALL)));
    String sentence = "gammanet: %s has 4 x 4 pixels (height x width), not 8 x 8%n";
    assertEquals(sentence.formatted(folder.resolve("x.npy")), err.toString());
  }

  @Test
  void recordedResponsesThatAreNoneAreRefused(@TempDir Path folder) throws IOException {
    Squares.writeRecording(folder);
    Path recorded = folder.resolve("X.npy");
    Object[] words = {
      "compare",
      "responses",
      recorded,
      "--stimuli",
      folder.resolve("stimuli.csv"),
      "-o",
      folder.resolve("comparison.json")
    };
    for (int[] shape : new int[][] {{0, 12, 2}, {12, 0}, {2, 12, 0}, {12, 0, 2}}) {
      err.getBuffer().setLength(0);
      Npy.write(recorded, new float[0], shape);
      assertEquals(1, run(with(words, SMALL)));
      assertEquals(
          "gammanet: %s has the shape %s: it holds no responses%n"
              .formatted(recorded, Arrays.toString(shape)),
          err.toString());
    }
    Npy.write(recorded, new float[24], 12, 2);
    Npy.write(folder.resolve("stimuli.npy"), new float[0], 12, 0, 32);
    assertEquals(1, run(with(words, SMALL)));
    assertTrue(
        err.toString().contains("stimuli.npy has the shape [12, 0, 32], not (12, height, width)"),
        err.toString());
  }

  @Test
  void namesMayBeAsLongAsTheSystemAllows(@TempDir Path folder) throws IOException {
    Path in = Files.createDirectory(folder.resolve("in"));
    Files.move(photo(folder), in.resolve("ü".repeat(125) + ".png")); // 254 bytes
    Object[] words = {"detect", in, "-o", folder.resolve("out"), "-t", 1};
    assertEquals(0, run(with(words, SMALL)), err.toString());
    try (Stream<Path> written = Files.list(folder.resolve("out"))) {
      assertTrue(written.allMatch(Images::isResult));
    }
  }
}
