package org.gammanet.cli;

import org.gammanet.GammaNet;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.kernels.Precision;
import org.gammanet.torch.Device;
import org.gammanet.torch.LibTorch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a command computes, and from which seed. */
class ComputeOptions {
  static final String HEADING = "%nComputation:%n";

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      description = "auto, cpu, cuda or cuda:N; default: ${DEFAULT-VALUE}.")
  String device = "auto";

  @Option(
      names = {"-j", "--threads"},
      paramLabel = "N",
      converter = Converters.Threads.class,
      description = "Threads of the processor; default: one per physical core.")
  @Nullable Integer threads;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of everything random; default: ${bundle:default-seed}.")
  @Nullable Long seed;

  /** The device, with the number of threads of an operator set. */
  Device open() {
    try {
      if (threads != null) {
        LibTorch.setThreads(threads);
      }
      return Device.parse(device);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  /** Workers of what runs beside operators. */
  int workers() {
    return threads == null ? Runtime.getRuntime().availableProcessors() : threads;
  }

  long seed(GammaNetConfig config) {
    return seed == null ? config.seed() : seed;
  }

  /** The same for commands that leave weights as they are, which may compute in bfloat16. */
  static final class Inference extends ComputeOptions {
    @Option(
        names = "--precision",
        paramLabel = "TYPE",
        defaultValue = "float32",
        converter = Converters.PrecisionWord.class,
        completionCandidates = Converters.PrecisionWords.class,
        description = {
          "One of ${COMPLETION-CANDIDATES}: bf16 rounds the factors of products to bfloat16, which"
              + " is faster and less exact; default: ${DEFAULT-VALUE}."
        })
    Precision precision = Precision.FLOAT32;

    /** Sets the precision; a network that cannot have it is closed. */
    GammaNet applyTo(GammaNet net) {
      try {
        net.network().setPrecision(precision);
        return net;
      } catch (UnsupportedOperationException e) {
        net.close();
        throw new CommandException(String.valueOf(e.getMessage()));
      } catch (RuntimeException e) {
        net.close();
        throw e;
      }
    }
  }
}
