package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/** How times and memory are measured. */
final class Timing {
  private Timing() {}

  /** Waits until a tensor has its values, which a GPU computes later than it is asked. */
  static void waitFor(Tensor result) {
    try (Tensor largest = TensorScope.detach(Ops.amax(result, 0, 1, 2, 3))) {
      largest.item();
    }
  }

  /** Median seconds of a number of runs; the first of the runs warms up and does not count. */
  static double median(int runs, Runnable body) {
    body.run();
    double[] seconds = new double[runs];
    for (int i = 0; i < runs; i++) {
      long start = System.nanoTime();
      body.run();
      seconds[i] = (System.nanoTime() - start) / 1e9;
    }
    Arrays.sort(seconds);
    return (seconds[(runs - 1) / 2] + seconds[runs / 2]) / 2;
  }

  /**
   * Seconds that the multiply-accumulates of a pass would take at the speed of the fastest 3x3
   * convolution of LibTorch among VGG16's sizes.
   */
  static double floor(int runs, Network network, long height, long width, int steps) {
    double fastest = 0;
    try (var scope = TensorScope.open();
        var noGrad = Autograd.noGrad()) {
      for (int c = 64; c <= 512; c *= 2) {
        try (var inner = TensorScope.open()) {
          int side = 160 * 64 / c;
          Tensor weight = Tensor.ones(c, c, 3, 3).to(network.device());
          Tensor rows = Tensor.ones(1, c, side, side).to(network.device());
          Tensor last = Ops.channelsLast(rows);
          for (Tensor x : List.of(rows, last)) {
            double seconds = median(runs, () -> waitFor(Ops.conv2d(x, weight, null, 1, 1)));
            fastest = Math.max(fastest, 9.0 * c * c * side * side / seconds);
          }
        }
      }
    }
    return LayerSummary.macs(network.summary(height, width), steps) / fastest;
  }

  /** Forgets the largest memory so far (Linux). */
  static boolean resetPeakMemory() {
    try {
      Files.writeString(Path.of("/proc/self/clear_refs"), "5");
      return true;
    } catch (IOException | SecurityException e) {
      return false;
    }
  }

  /** Largest resident memory in MiB; null where the system does not tell (it does on Linux). */
  static @Nullable Double peakMemory() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.isReadable(status)) {
      return null;
    }
    for (String line : Files.readAllLines(status)) {
      if (line.startsWith("VmHWM:")) {
        return Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024;
      }
    }
    return null;
  }

  /** CPU time of this process so far; 0 where the system does not tell. */
  static double cpuSeconds() {
    return ProcessHandle.current()
        .info()
        .totalCpuDuration()
        .map(time -> time.toNanos() / 1e9)
        .orElse(0.0);
  }

  /** Random values in [0, 1), always the same for a seed. */
  static float[] noise(long seed, int n) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = random.nextFloat();
    }
    return values;
  }
}
