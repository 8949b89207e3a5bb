package org.gammanet.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Npy;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.model.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.training.Tape;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Times a network. */
@Command(
    name = "bench",
    header = "Time a network's passes.",
    description =
        "Prints one line of JSON for each pass: its seconds; when training, the norm of all"
            + " gradients together; and on Linux the most memory that the process has had so far."
            + " The first passes warm up the machine.",
    footer = {"Example:", "  gammanet bench --size 160 --timesteps 2 --repeats 5"})
final class BenchCommand implements Callable<Integer> {
  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "160",
      description = "Height and width of the image; default: 160.")
  int size = 160;

  @Option(
      names = "--timesteps",
      paramLabel = "N",
      description = "Timesteps; default: the configuration's.")
  int timesteps;

  @Option(
      names = "--repeats",
      paramLabel = "N",
      defaultValue = "3",
      description = "Passes; default: 3.")
  int repeats = 3;

  @Option(
      names = "--input",
      paramLabel = "FILE",
      description = "Image batch (N, 3, H, W), float32, as .npy, in place of --size.")
  @Nullable Path input;

  @Option(
      names = "--write",
      paramLabel = "FILE",
      description = "Write the last pass's logits as .npy.")
  @Nullable Path write;

  @Option(names = "--train", description = "Forward and backward pass of the mean logit.")
  boolean train;

  @Option(
      names = "--recompute",
      paramLabel = "MODE",
      defaultValue = "none",
      description =
          "What the backward pass computes again: none, cells or timesteps; default: none.")
  String recompute = "none";

  @Option(
      names = "--serve",
      description = "Make one pass for each line read, until the input ends.")
  boolean serve;

  @Option(
      names = "--precision",
      paramLabel = "float32",
      defaultValue = "float32",
      description = "float32.")
  String precision = "float32";

  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  BenchCommand() {}

  @Override
  public Integer call() throws IOException {
    if (!precision.equals("float32")) {
      throw new ParameterException(spec.commandLine(), "--precision must be float32");
    }
    if (size < 1 || repeats < 1 || timesteps < 0) {
      throw new ParameterException(
          spec.commandLine(), "--size, --repeats and --timesteps must be at least 1");
    }
    try (GammaNet net = model.open();
        var scope = TensorScope.open()) {
      Network network = net.network();
      network.requiresGrad(train);
      Tensor image = image().to(network.device());
      if (serve) {
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (lines.readLine() != null) {
          pass(network, image);
        }
      } else {
        for (int i = 0; i < repeats; i++) {
          pass(network, image);
        }
      }
    }
    return 0;
  }

  private Tensor image() {
    Path file = input;
    if (file == null) {
      float[] grey = new float[3 * size * size];
      for (int i = 0; i < grey.length; i++) {
        grey[i] = (float) Math.sin(i * 0.1);
      }
      return Tensor.of(grey, 1, 3, size, size);
    }
    Npy array = Npy.read(file);
    long[] shape = new long[array.shape().length];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = array.shape()[i];
    }
    return Tensor.of(array.floats(), shape);
  }

  private void pass(Network network, Tensor image) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    ForwardOptions options = ForwardOptions.DEFAULTS.withTimesteps(timesteps);
    try (var scope = TensorScope.open();
        var tape = new Tape(mode());
        var recording = train ? Autograd.enableGrad() : Autograd.noGrad()) {
      if (train) {
        options = options.withExecutor(tape);
        network.parameters().stream()
            .filter(p -> !p.isBuffer())
            .forEach(p -> p.tensor().zeroGrad());
      }
      long start = System.nanoTime();
      Tensor logits = network.forward(image, options).logits();
      if (train) {
        double share = 1.0 / logits.numel(); // of a pixel in the mean
        tape.backward(logits, Tensor.full(share, logits.dtype(), logits.device(), logits.shape()));
      }
      Ops.amax(logits, false, 0, 1, 2, 3).item(); // waits for the device
      double seconds = (System.nanoTime() - start) / 1e9;
      out.printf(Locale.ROOT, "{\"seconds\": %.6f", seconds);
      if (train) {
        out.printf(Locale.ROOT, ", \"gradient_norm\": %.9g", gradientNorm(network));
      }
      long peak = peakMemory();
      if (peak > 0) {
        out.printf(Locale.ROOT, ", \"peak_rss_mb\": %d", peak >> 20);
      }
      out.println("}");
      out.flush();
      if (write != null) {
        long[] shape = logits.shape();
        Npy.write(
            write,
            logits.toFloatArray(),
            (int) shape[0],
            (int) shape[1],
            (int) shape[2],
            (int) shape[3]);
      }
    }
  }

  private Recompute mode() {
    for (Recompute mode : List.of(Recompute.NONE, Recompute.CELLS, Recompute.TIMESTEPS)) {
      if (mode.word().equals(recompute)) {
        return mode;
      }
    }
    throw new ParameterException(
        spec.commandLine(), "--recompute must be none, cells or timesteps, not " + recompute);
  }

  /** Bytes of resident memory at their most; 0 where the system does not tell. */
  private static long peakMemory() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
          .findFirst()
          .orElse(0);
    } catch (IOException | UncheckedIOException e) {
      return 0;
    }
  }

  private static double gradientNorm(Network network) {
    double sum = 0;
    for (Parameter parameter : network.parameters()) {
      Tensor gradient = parameter.isBuffer() ? null : parameter.tensor().grad();
      if (gradient != null) {
        sum += Ops.sum(Ops.square(gradient)).item();
      }
    }
    return Math.sqrt(sum);
  }
}
