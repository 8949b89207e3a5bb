package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.gammanet.data.Images;
import org.gammanet.data.RgbImage;
import org.gammanet.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
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
  private static final Object[] SMALL = {"--set", "model.use_backbone=false"};

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
                "--all-timesteps",
                "--timesteps",
                2,
                "--probabilities",
                "png16"));
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
        "detect", "detect --timesteps x.png", "detect x.png --set model.nokey=1",
        "detect x.png --device gpu", "nonsense", "architecture --size 3"
      })
  void wrongUsageIsTwo(String words) {
    assertEquals(2, run((Object[]) words.split(" ")), err.toString());
    assertTrue(err.toString().startsWith("gammanet: "), err.toString());
  }

  @Test
  void architectureCountsTheDefaultNetwork() {
    assertEquals(0, run("architecture", "--size", 320, "--set", "model.timesteps=8"));
    assertTrue(out.toString().contains("42,793,473 parameters"), out.toString());
    assertTrue(out.toString().contains("968.6 GMAC"), out.toString());
  }

  @Test
  void infoNamesTheLibrary() {
    assertEquals(0, run("info"));
    assertTrue(out.toString().contains("libtorch"), out.toString());
  }
}
