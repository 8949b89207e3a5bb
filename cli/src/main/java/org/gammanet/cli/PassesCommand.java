package org.gammanet.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gammanet.GammaNet;
import org.gammanet.checkpoint.SafeTensors;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.io.Npy;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.nn.Tape;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Single passes of a network, for the scripts in {@code benchmarks} that take turns with PyTorch.
 */
@Command(
    name = "passes",
    hidden = true,
    header = "Run single passes of a network and print the time of each as a line of JSON.",
    description =
        "Runs a pass for each line on standard input: for \"floor\", it prints the seconds that the"
            + " pass would take at the speed of LibTorch's fastest convolution. With --runs, it"
            + " runs that many passes and reads nothing.")
final class PassesCommand implements Callable<Integer> {
  @Option(
      names = "--runs",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "Run this many passes, in place of one for each line.")
  @Nullable Integer runs;

  @Option(
      names = "--size",
      paramLabel = "N",
      defaultValue = "160",
      converter = Converters.Pixels.class,
      description = "Height and width of the image; default: ${DEFAULT-VALUE}.")
  int size = 160;

  @Option(
      names = "--input",
      paramLabel = "FILE",
      description = "Image batch (N, 3, H, W), float32, as .npy, in place of --size.")
  @Nullable Path input;

  @Option(names = "--write", paramLabel = "FILE", description = "Write the logits as .npy.")
  @Nullable Path write;

  @Option(
      names = "--write-gradients",
      paramLabel = "FILE",
      description = "Write the parameters' gradients as .safetensors; with --train.")
  @Nullable Path writeGradients;

  @Option(names = "--composed", description = "Run without native kernels.")
  boolean composed;

  @Option(names = "--train", description = "Run forward and backward passes of the mean logit.")
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

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions model = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions.Inference compute = new ComputeOptions.Inference();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  PassesCommand() {}

  @Override
  public Integer call() throws IOException {
    console = new Console(spec);
    if (recompute == Recompute.AUTO) {
      throw new UsageException("--recompute must be none, cells or timesteps");
    }
    model.weights.random |= model.weights.checkpoint == null; // times do not depend on them
    try (GammaNet net = compute.applyTo(model.open(compute, console));
        var scope = TensorScope.open()) {
      Network network = net.network();
      network.requiresGrad(train);
      Tensor image = image().to(network.device());
      Integer count = runs;
      if (count != null) {
        for (int i = 0; i < count; i++) {
          pass(network, image);
        }
        return 0;
      }
      var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.strip().equals("floor")) {
          int steps = network.config().timesteps();
          double one = Timing.floor(3, network, image.size(2), image.size(3), steps);
          console.printf("{\"floor_seconds\": %.6f}%n", one * image.size(0));
        } else {
          pass(network, image);
        }
      }
    }
    return 0;
  }

  private Tensor image() {
    Path file = input;
    if (file == null) {
      return Tensor.of(Timing.noise(5, 3 * size * size), 1, 3, size, size);
    }
    Npy array = Npy.read(file);
    return Tensor.of(array.floats(), Arrays.stream(array.shape()).asLongStream().toArray());
  }

  private void pass(Network network, Tensor image) throws IOException {
    ForwardOptions options = ForwardOptions.DEFAULTS;
    if (composed) {
      options = options.withComposedOnly();
    }
    try (var scope = TensorScope.open();
        var tape = new Tape(recompute);
        var recording = train ? Autograd.enableGrad() : Autograd.noGrad()) {
      if (train) {
        options = options.withExecutor(tape);
        network.parameters().forEach(p -> p.tensor().zeroGrad());
      }
      long start = System.nanoTime();
      double cpu = Timing.cpuSeconds();
      Tensor logits = network.forward(image, options).logits();
      if (train) {
        double fraction = 1.0 / logits.numel(); // of a pixel in the mean
        tape.backward(
            logits, Tensor.full(fraction, logits.dtype(), logits.device(), logits.shape()));
      }
      Timing.waitFor(logits);
      double seconds = (System.nanoTime() - start) / 1e9;
      console.printf(
          "{\"seconds\": %.6f, \"cpu_seconds\": %.6f", seconds, Timing.cpuSeconds() - cpu);
      if (train) {
        console.printf(", \"gradient_norm\": %.9g", gradientNorm(network));
      }
      Double peak = Timing.peakMemory();
      if (peak != null) {
        console.printf(", \"peak_rss_mb\": %.0f", peak);
      }
      console.print("}");
      if (train && writeGradients != null) {
        writeGradients(writeGradients, network);
      }
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

  private static void writeGradients(Path file, Network network) {
    Map<String, StoredTensor> gradients = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      Tensor gradient = parameter.tensor().grad();
      if (gradient != null) {
        gradients.put(parameter.name(), StoredTensor.of(gradient));
      }
    }
    SafeTensors.write(file, gradients, Map.of());
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
