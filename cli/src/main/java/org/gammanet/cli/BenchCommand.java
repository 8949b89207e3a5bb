package org.gammanet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.fused.Kernels;
import org.gammanet.io.Npy;
import org.gammanet.javacell.JavaCell;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Segment;
import org.gammanet.nn.Tape;
import org.gammanet.simd.Simd;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Times cells and networks. */
@Command(
    name = "bench",
    header = "Compare native, composed and Java code on this machine.",
    description = {
      "Times a step of cells of four widths by native kernels, composed of LibTorch's operators, in"
          + " Java with the Vector API and in scalar Java; then a whole network by native kernels"
          + " and composed. Takes less than a minute on two cores."
    },
    footer = {"Example:", "  gammanet bench --json"})
final class BenchCommand implements Callable<Integer> {
  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "160",
      converter = Converters.Pixels.class,
      description =
          "Height and width of the network's image, and half of those of the cells' maps; default:"
              + " ${DEFAULT-VALUE}.")
  int size = 160;

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "3",
      converter = Converters.Count.class,
      description = "Measurements, whose median counts; default: ${DEFAULT-VALUE}.")
  int runs = 3;

  @Option(names = "--json", description = "Print JSON instead of tables.")
  boolean json;

  /** Single passes, for programs that measure. */
  static final class Passes {
    @Option(
        names = "--serve",
        description =
            "Run one pass for each line on standard input and answer with a line of JSON, so that"
                + " another program can take turns.")
    boolean serve;

    @Option(
        names = "--train",
        description =
            "Time forward and backward passes of the mean logit: --runs of them, or with --serve"
                + " one for each line; a line of JSON for each.")
    boolean train;

    @Option(
        names = "--recompute",
        paramLabel = "WHAT",
        defaultValue = "none",
        completionCandidates = OptoCommand.Recomputes.class,
        description =
            "What the backward pass recomputes: one of ${COMPLETION-CANDIDATES}; default:"
                + " ${DEFAULT-VALUE}.")
    Recompute recompute = Recompute.NONE;

    @Option(names = "--composed", description = "Run these passes without native kernels.")
    boolean composed;

    @Option(
        names = "--input",
        paramLabel = "FILE",
        description = "Image batch (N, 3, H, W), float32, as .npy, in place of --size.")
    @Nullable Path input;

    @Option(names = "--write", paramLabel = "FILE", description = "Write the logits as .npy.")
    @Nullable Path write;
  }

  @ArgGroup(exclusive = false, heading = "%nSingle passes:%n")
  Passes single = new Passes();

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  BenchCommand() {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    boolean passes = single.serve || single.train;
    if (!passes && (single.input != null || single.write != null || single.composed)) {
      throw new UsageException("--input, --write and --composed go with --serve or --train");
    }
    if (single.recompute == Recompute.AUTO) {
      throw new UsageException("--recompute must be none, cells or timesteps");
    }
    model.weights.random |= model.weights.checkpoint == null; // times do not depend on them
    try (GammaNet net = compute.applyTo(model.open(compute, console));
        var scope = TensorScope.open()) {
      Network network = net.network();
      network.requiresGrad(single.train);
      if (passes) {
        passes(network);
        return 0;
      }
      int least = network.minimumSize();
      if (size < least) {
        throw new UsageException("--size must be at least " + least);
      }
      ObjectNode root = new ObjectMapper().createObjectNode();
      try (var noGrad = Autograd.noGrad()) {
        cells(network, root.putArray("cell"));
        root.set("model", network(network));
      }
      print(root);
    }
    return 0;
  }

  // ---- Comparison ----

  private void cells(Network network, ArrayNode rows) {
    List<Integer> done = new ArrayList<>();
    for (CellSite place : network.sites()) {
      FgruCell cell = place.cell();
      // Twice the network's size, so that a step takes long enough; smaller where VGG16 is wider.
      int side = 2 * size * 64 / Math.max(64, cell.channels());
      if (done.contains(cell.channels()) || place.block() == null || side < 1) {
        continue;
      }
      done.add(cell.channels());
      Terminal.draw(cell.channels() + " channels");
      ObjectNode row = rows.addObject();
      row.put("channels", cell.channels());
      row.put("height", side);
      row.put("width", side);
      Segment kernel = Kernels.lower(cell);
      try (var scope = TensorScope.open()) {
        Tensor[] inputs = new Tensor[1 + cell.states()];
        for (int k = 0; k < inputs.length; k++) {
          Tensor map =
              Tensor.of(noise(k, cell.channels() * side * side), 1, cell.channels(), side, side);
          inputs[k] = map.to(network.device());
        }
        boolean kernels = network.fallbackReason() == null;
        ForwardContext context = ForwardContext.plain();
        row.put("fused_ms", kernels ? cellTime(kernel::forward, context, inputs, true) : null);
        row.put("composed_ms", cellTime(cell::step, context, inputs, false));
        boolean vectors = Simd.bits() > 0;
        row.put("vector_ms", vectors ? javaTime(cell, side, true) : null);
        row.put("scalar_ms", javaTime(cell, side, false));
      }
    }
    Terminal.clear();
  }

  /** A step of a cell from its drive and states. */
  private interface Step {
    Tensor[] run(ForwardContext context, Tensor[] inputs);
  }

  private Double cellTime(Step step, ForwardContext context, Tensor[] maps, boolean channelsLast) {
    try (var scope = TensorScope.open()) {
      Tensor[] inputs =
          Arrays.stream(maps)
              .map(map -> channelsLast ? Ops.channelsLast(map) : map)
              .toArray(Tensor[]::new);
      return 1e3
          * median(
              () -> {
                try (var inner = TensorScope.open()) {
                  waitFor(step.run(context, inputs)[0]);
                }
              });
    }
  }

  /** Null where the Java cell lacks an option of this cell's. */
  private @Nullable Double javaTime(FgruCell cell, int side, boolean vector) {
    if (cell.states() != 2) {
      return null;
    }
    JavaCell java;
    try {
      java =
          new JavaCell(
              cell.config(), cell.channels(), cell.kernelSize(), name -> value(cell, name), vector);
    } catch (IllegalArgumentException e) {
      return null;
    }
    int n = cell.channels() * side * side;
    float[] x = noise(0, n);
    float[] e = noise(1, n);
    float[] i = noise(2, n);
    int threads = LibTorch.threads();
    // Compiles the loops on a few rows first.
    int few = cell.channels() * side * Math.min(side, 8);
    float[] small = new float[few];
    for (int k = 0; k < 10; k++) {
      java.step(small, small, small, small, small.clone(), 1, Math.min(side, 8), side, threads);
    }
    if (vector) {
      return 1e3 * median(() -> java.step(x, e, i, e, i, 1, side, side, threads));
    }
    long start = System.nanoTime(); // seconds each: once is enough
    java.step(x, e, i, e, i, 1, side, side, threads);
    return (System.nanoTime() - start) / 1e6;
  }

  private static float[] value(FgruCell cell, String name) {
    return cell.parameters().stream()
        .filter(p -> p.name().equals(cell.name() + "." + name))
        .findFirst()
        .orElseThrow()
        .tensor()
        .toFloatArray();
  }

  private static float[] noise(long seed, int n) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = random.nextFloat();
    }
    return values;
  }

  private ObjectNode network(Network network) throws IOException {
    ObjectNode row = new ObjectMapper().createObjectNode();
    int steps = network.config().timesteps();
    row.put("size", size);
    row.put("timesteps", steps);
    try (var scope = TensorScope.open()) {
      Tensor image = image().to(network.device());
      ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(steps);
      Terminal.draw("network");
      boolean resets = resetPeakMemory();
      row.put(
          "fused_s",
          network.fallbackReason() == null ? (Double) pass(network, image, options) : null);
      Double peak = resets && network.fallbackReason() == null ? peakMemory() : null;
      row.put("composed_s", pass(network, image, options.withComposedOnly()));
      row.put("peak_rss_mb", peak != null ? peak : peakMemory());
      row.put("floor_s", floor(network, size, size, steps));
    }
    Terminal.clear();
    return row;
  }

  private double pass(Network network, Tensor image, ForwardOptions options) {
    return median(
        () -> {
          try (var inner = TensorScope.open()) {
            waitFor(network.forward(image, options).logits());
          }
        });
  }

  /** Seconds; the first of the runs warms up and does not count. */
  private double median(Runnable body) {
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
  private double floor(Network network, long height, long width, int steps) {
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
            double seconds = median(() -> waitFor(Ops.conv2d(x, weight, null, 1, 1)));
            fastest = Math.max(fastest, 9.0 * c * c * side * side / seconds);
          }
        }
      }
    }
    return LayerSummary.macs(network.summary(height, width), steps) / fastest;
  }

  /** Forgets the largest memory so far (Linux). */
  private static boolean resetPeakMemory() {
    try {
      Files.writeString(Path.of("/proc/self/clear_refs"), "5");
      return true;
    } catch (IOException | SecurityException e) {
      return false;
    }
  }

  /** Largest resident memory in MiB; null where the system does not tell (it does on Linux). */
  private static @Nullable Double peakMemory() throws IOException {
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

  private void print(ObjectNode root) throws IOException {
    if (json) {
      console.print(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(root));
      return;
    }
    console.printf("kernels  %s%n", NativeKernels.describe());
    console.printf("java     %s; %d threads%n%n", Simd.describe(), LibTorch.threads());
    String line = "%-16s %12s %12s %12s %12s%n";
    console.printf(line, "cell, ms", "native", "composed", "vector java", "scalar java");
    for (var row : root.get("cell")) {
      console.printf(
          line,
          "%sx%sx%s".formatted(row.get("channels"), row.get("height"), row.get("width")),
          number(row, "fused_ms", 1),
          number(row, "composed_ms", 1),
          number(row, "vector_ms", 1),
          number(row, "scalar_ms", 1));
    }
    var row = root.get("model");
    console.printf("%n" + line, "network, s", "native", "composed", "", "");
    console.printf(
        line,
        "%sx%s, T=%s".formatted(row.get("size"), row.get("size"), row.get("timesteps")),
        number(row, "fused_s", 3),
        number(row, "composed_s", 3),
        "",
        "");
    console.printf(
        "%npeak memory %s MiB; at the speed of LibTorch's fastest convolution: %s s%n",
        number(row, "peak_rss_mb", 0), number(row, "floor_s", 3));
  }

  private static String number(JsonNode row, String key, int digits) {
    var value = row.get(key);
    return value == null || value.isNull()
        ? "-"
        : String.format(Locale.ROOT, "%." + digits + "f", value.asDouble());
  }

  // ---- Taking turns with another program ----

  private void passes(Network network) throws IOException {
    Tensor image = image().to(network.device());
    if (!single.serve) {
      for (int i = 0; i < runs; i++) {
        pass(network, image);
      }
      return;
    }
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.strip().equals("floor")) {
        int steps = network.config().timesteps();
        double floor = floor(network, image.size(2), image.size(3), steps) * image.size(0);
        console.printf("{\"floor_seconds\": %.6f}%n", floor);
      } else {
        pass(network, image);
      }
    }
  }

  private Tensor image() {
    Path file = single.input;
    if (file == null) {
      return Tensor.of(noise(5, 3 * size * size), 1, 3, size, size);
    }
    Npy array = Npy.read(file);
    long[] shape = new long[array.shape().length];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = array.shape()[i];
    }
    return Tensor.of(array.floats(), shape);
  }

  private static void waitFor(Tensor result) {
    try (Tensor largest = TensorScope.detach(Ops.amax(result, 0, 1, 2, 3))) {
      largest.item();
    }
  }

  private void pass(Network network, Tensor image) throws IOException {
    ForwardOptions options = ForwardOptions.DEFAULTS;
    if (single.composed) {
      options = options.withComposedOnly();
    }
    try (var scope = TensorScope.open();
        var tape = new Tape(single.recompute);
        var recording = single.train ? Autograd.enableGrad() : Autograd.noGrad()) {
      if (single.train) {
        options = options.withExecutor(tape);
        network.parameters().forEach(p -> p.tensor().zeroGrad());
      }
      long start = System.nanoTime();
      Tensor logits = network.forward(image, options).logits();
      if (single.train) {
        double fraction = 1.0 / logits.numel(); // of a pixel in the mean
        tape.backward(
            logits, Tensor.full(fraction, logits.dtype(), logits.device(), logits.shape()));
      }
      waitFor(logits);
      double seconds = (System.nanoTime() - start) / 1e9;
      console.printf("{\"seconds\": %.6f", seconds);
      if (single.train) {
        console.printf(", \"gradient_norm\": %.9g", gradientNorm(network));
      }
      Double peak = peakMemory();
      if (peak != null) {
        console.printf(", \"peak_rss_mb\": %.0f", peak);
      }
      console.print("}");
      if (single.write != null) {
        long[] shape = logits.shape();
        Npy.write(
            single.write,
            logits.toFloatArray(),
            (int) shape[0],
            (int) shape[1],
            (int) shape[2],
            (int) shape[3]);
      }
    }
  }

  private static double gradientNorm(Network network) {
    double sum = 0;
    for (Parameter parameter : network.parameters()) {
      Tensor gradient = parameter.tensor().grad();
      if (gradient != null) {
        sum += Ops.sum(Ops.square(gradient)).item();
      }
    }
    return Math.sqrt(sum);
  }
}
