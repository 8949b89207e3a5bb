package org.gammanet.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.gammanet.GammaNet;
import org.gammanet.detection.DetectionMemory;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.torch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What detect takes to fit, against the resident memory that it takes. */
@EnabledIfSystemProperty(named = "gammanet.slow", matches = "true")
@EnabledOnOs(OS.LINUX)
class DetectMemoryTest {
  @TempDir Path folder;

  /** Largest resident memory in bytes of a process that detects edges in an image of this size. */
  private long peak(int width, int height) throws Exception {
    Path image = folder.resolve("%sx%s.png".formatted(width, height));
    byte[] blobs = new byte[3 * 12 * 9];
    new Random(1).nextBytes(blobs);
    Images.writePng(image, new RgbImage(12, 9, blobs).resize(width, height));
    List<String> words = new ArrayList<>(List.of("detect", image.toString()));
    words.addAll(List.of("--max-side", "none", "--tile-size", "none", "-o", folder.toString()));
    Process process = Launched.command(words).redirectErrorStream(true).start();
    Path status = Path.of("/proc", Long.toString(process.pid()), "status");
    long most = 0;
    while (process.isAlive()) {
      most = Math.max(most, highWaterMark(status));
      Thread.sleep(5);
    }
    assertEquals(0, process.exitValue(), () -> new String(read(process)));
    return most;
  }

  private static byte[] read(Process process) {
    try {
      return process.getInputStream().readAllBytes();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** 0 once the process is ending. */
  private static long highWaterMark(Path status) {
    try {
      for (String line : Files.readAllLines(status)) {
        if (line.startsWith("VmHWM:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
        }
      }
    } catch (IOException e) {
      return 0;
    }
    return 0;
  }

  @Test
  void theEstimateIsTrueWithinAFifth() throws Exception {
    long rest = peak(32, 32); // the JVM, LibTorch, the weights
    try (GammaNet net = GammaNet.pretrained(Device.CPU)) {
      DetectionMemory memory = new DetectionMemory(net.network());
      for (int[] size : new int[][] {{800, 600}, {1024, 1024}, {1600, 1200}}) {
        double taken = peak(size[0], size[1]) - rest;
        double estimated = memory.bytes(size[1], size[0]);
        System.out.printf(
            "%s × %s: %.0f MB, estimated %.0f%n", size[0], size[1], taken / 1e6, estimated / 1e6);
        assertEquals(taken, estimated, 0.2 * taken, size[0] + " × " + size[1]);
      }
    }
  }
}
