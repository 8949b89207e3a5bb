package org.gammanet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.gammanet.GammaNet;
import org.gammanet.fused.Kernels;
import org.gammanet.javacell.JavaCell;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.model.CellSite;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.FgruCell;
import org.gammanet.nn.ForwardContext;
import org.gammanet.nn.Segment;
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
    model.weights.random |= model.weights.checkpoint == null; // times do not depend on them
    try (GammaNet net = compute.applyTo(model.open(compute, console));
        var scope = TensorScope.open()) {
      Network network = net.network();
      network.requiresGrad(false);
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
              Tensor.of(
                  Timing.noise(k, cell.channels() * side * side), 1, cell.channels(), side, side);
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
          * Timing.median(
              runs,
              () -> {
                try (var inner = TensorScope.open()) {
                  Timing.waitFor(step.run(context, inputs)[0]);
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
    float[] x = Timing.noise(0, n);
    float[] e = Timing.noise(1, n);
    float[] i = Timing.noise(2, n);
    int threads = LibTorch.threads();
    // Compiles the loops on a few rows first.
    int few = cell.channels() * side * Math.min(side, 8);
    float[] small = new float[few];
    for (int k = 0; k < 10; k++) {
      java.step(small, small, small, small, small.clone(), 1, Math.min(side, 8), side, threads);
    }
    if (vector) {
      return 1e3 * Timing.median(runs, () -> java.step(x, e, i, e, i, 1, side, side, threads));
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

  private ObjectNode network(Network network) throws IOException {
    ObjectNode row = new ObjectMapper().createObjectNode();
    int steps = network.config().timesteps();
    row.put("size", size);
    row.put("timesteps", steps);
    try (var scope = TensorScope.open()) {
      Tensor image =
          Tensor.of(Timing.noise(5, 3 * size * size), 1, 3, size, size).to(network.device());
      ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(steps);
      Terminal.draw("network");
      boolean resets = Timing.resetPeakMemory();
      row.put(
          "fused_s",
          network.fallbackReason() == null ? (Double) pass(network, image, options) : null);
      Double peak = resets && network.fallbackReason() == null ? Timing.peakMemory() : null;
      row.put("composed_s", pass(network, image, options.withComposedOnly()));
      row.put("peak_rss_mb", peak != null ? peak : Timing.peakMemory());
      row.put("floor_s", Timing.floor(runs, network, size, size, steps));
    }
    Terminal.clear();
    return row;
  }

  private double pass(Network network, Tensor image, ForwardOptions options) {
    return Timing.median(
        runs,
        () -> {
          try (var inner = TensorScope.open()) {
            Timing.waitFor(network.forward(image, options).logits());
          }
        });
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
}
