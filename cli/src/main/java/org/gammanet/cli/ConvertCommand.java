package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** From PyTorch's files to safetensors and back. */
@Command(
    name = "convert",
    header = "Convert a checkpoint between PyTorch's format and safetensors.",
    description = {
      "The ending of OUT decides: .safetensors, or .pt and .pth for a file that"
          + " torch.load(weights_only=True) reads. Weights are copied bit for bit, unless --dtype"
          + " rounds them, under their names. Configuration, epoch, metric and Adam's state are"
          + " copied, too. Nothing in IN is executed. OUT is written completely or not at all."
    },
    footer = {
      "Examples:",
      "  gammanet convert checkpoint_best.pth model.safetensors",
      "  gammanet convert model.safetensors model.pt --weights-only",
      "  gammanet convert runs/first small.safetensors --weights-only --dtype f16"
    })
final class ConvertCommand implements Callable<Integer> {
  @Parameters(
      index = "0",
      paramLabel = "IN",
      description =
          "Checkpoint: .safetensors, .pt or .pth, an HDF5 file with Keras' or HED's VGG16, which"
              + " are recognized by their content; the folder of a training run; bundled; or full.")
  Path in = Path.of("");

  @Parameters(
      index = "1",
      paramLabel = "OUT",
      description = "File to write: .safetensors, .pt or .pth.")
  Path out = Path.of("");

  @Option(
      names = "--weights-only",
      description =
          "Leave out epoch, metric and optimizer; a .pt file is a bare state_dict then, while"
              + " .safetensors keeps the configuration.")
  boolean weightsOnly;

  /** Types of weights in OUT. */
  enum Type {
    F32(ElementType.F32),
    BF16(ElementType.BF16),
    F16(ElementType.F16);

    private final ElementType stored;

    Type(ElementType stored) {
      this.stored = stored;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description =
          "Round the weights to ${COMPLETION-CANDIDATES}: the two of 16 bits halve the file."
              + " Programs compute with them as with other weights.")
  @Nullable Type dtype;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description =
          "Put this configuration (YAML) into OUT instead of the one in IN, for checkpoints that"
              + " carry none.")
  @Nullable Path config;

  @Option(
      names = {"-f", "--force"},
      description = "Replace OUT if it exists.")
  boolean force;

  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  ConvertCommand() {}

  @Override
  public Integer call() throws IOException {
    Console console = new Console(spec);
    String name = String.valueOf(out.getFileName()).toLowerCase(Locale.ROOT);
    boolean torch = name.endsWith(".pt") || name.endsWith(".pth");
    if (!torch && !name.endsWith(".safetensors")) {
      throw new UsageException(
          "OUT must end in .safetensors, .pt or .pth, and " + out + " does not");
    }
    Checkpoint checkpoint = NetworkOptions.load(in);
    if (!force && Files.exists(out)) {
      throw new CommandException(out + " exists already: --force replaces it");
    }
    checkpoint.remarks().forEach(console::note);
    Map<String, String> metadata = new LinkedHashMap<>(checkpoint.metadata());
    if (weightsOnly) {
      metadata.keySet().retainAll(torch ? List.of() : List.of("config"));
    }
    if (config != null) {
      if (torch && weightsOnly) {
        throw new UsageException("a bare state_dict has no place for --config");
      }
      GammaNetConfig read = GammaNetConfig.load(config, List.of(), console::note);
      metadata.put("config", checkpoint.fitted(read, console::note).toJson());
    }
    Map<String, StoredTensor> weights = new LinkedHashMap<>(checkpoint.weights());
    if (dtype != null) {
      ElementType to = dtype.stored;
      weights.replaceAll((key, tensor) -> tensor.rounded(to));
    }
    Checkpoint converted =
        Checkpoint.of(weights, weightsOnly ? Map.of() : checkpoint.optimizer(), metadata);
    if (torch) {
      converted.saveTorch(out);
    } else {
      converted.save(out);
    }
    console.print(
        "%s: %s weights, %s"
            .formatted(out, converted.weights().size(), Terminal.bytes(Files.size(out))));
    return 0;
  }
}
