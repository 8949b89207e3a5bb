package org.gammanet.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.io.Sha256;
import org.gammanet.torch.Device;
import org.gammanet.torch.LibTorch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** Options that name a network and where it runs. */
final class ModelOptions {
  @Option(
      names = "--checkpoint",
      paramLabel = "FILE",
      description =
          "Weights: .safetensors, .pt or .pth. Without it detect, evaluate, insilico and opto take"
              + " the small trained network that comes with this program, unless --random, --config"
              + " or a --set (of detect and evaluate also --seed) describes another one; other"
              + " commands take random weights.")
  @Nullable Path checkpoint;

  @Option(names = "--random", description = "An untrained network with random weights.")
  boolean random;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description =
          "Configuration (YAML); default: the checkpoint's own, else the shipped"
              + " config/default.yaml.")
  @Nullable Path config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Overrides one key, such as model.timesteps=8. May be repeated.")
  List<String> overrides = new ArrayList<>();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Seed of random weights, and of what a command draws itself; default: the"
              + " configuration's.")
  @Nullable Long seed;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      description = "auto, cpu, cuda or cuda:N; default: auto.")
  String device = "auto";

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of an operator; default: the number of physical cores.")
  @Nullable Integer threads;

  @Spec(Target.MIXEE)
  CommandSpec spec;

  private @Nullable PretrainedModel pretrained;

  @SuppressWarnings("NullAway.Init")
  ModelOptions() {}

  GammaNetConfig readConfig() {
    return config == null
        ? GammaNetConfig.shipped("default", overrides)
        : GammaNetConfig.load(config, overrides, this::note);
  }

  /** Prints a remark to the error stream. */
  void note(String sentence) {
    spec.commandLine().getErr().println("gammanet: note: " + sentence);
  }

  Device openDevice() {
    return openDevice(spec, device, threads);
  }

  /** The device of that name, with the number of threads of an operator set. */
  static Device openDevice(CommandSpec spec, String device, @Nullable Integer threads) {
    try {
      if (threads != null) {
        LibTorch.setThreads(threads);
      }
      return Device.parse(device);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * Where no checkpoint is named, the trained network that comes with the program, if there is one
   * and no option describes another network; else as {@link #open}.
   *
   * @param seedOfWeights whether --seed is one of those options; else it is about something else
   */
  GammaNet openTrained(boolean seedOfWeights) {
    if (checkpoint != null || random) {
      return open();
    }
    PretrainedModel model = PretrainedModel.find().orElse(null);
    if (model == null) {
      return open();
    }
    if (config != null || (seedOfWeights && seed != null) || describesNetwork()) {
      return open("options describe another network than the trained one: ");
    }
    Device where = openDevice();
    Checkpoint loaded = model.load();
    GammaNet net = GammaNet.of(loaded, configOf(loaded), where);
    pretrained = model;
    return net;
  }

  /** Whether the weights of the network that was opened come from training, as far as is known. */
  boolean trained() {
    return checkpoint != null || pretrained != null;
  }

  /** The network that was opened, for people: a file's name, or that its weights are random. */
  String network() {
    PretrainedModel model = pretrained;
    if (model != null) {
      return model.name() + ", the trained network that comes with the program";
    }
    return checkpoint != null ? checkpoint.toString() : "random weights, untrained";
  }

  /** The same in few words, for headings. */
  String title() {
    PretrainedModel model = pretrained;
    Path file = checkpoint;
    return model != null
        ? model.name()
        : file != null ? String.valueOf(file.getFileName()) : "random weights";
  }

  /** SHA-256 of the file that the network was opened from; null for random weights. */
  @Nullable String fileHash() throws IOException {
    PretrainedModel model = pretrained;
    Path file = checkpoint;
    if (model != null) {
      try (InputStream in = model.open()) {
        return Sha256.of(in);
      }
    }
    return file == null ? null : Sha256.of(file);
  }

  /** Whether a --set is about what only weights trained for it can follow. */
  private boolean describesNetwork() {
    return overrides.stream()
        .anyMatch(o -> o.startsWith("model.") && !o.matches("model\\.(num_)?timesteps=.*"));
  }

  /** The network with the checkpoint's weights, or with random ones, which is said. */
  GammaNet open() {
    return open("no --checkpoint: ");
  }

  private GammaNet open(String why) {
    if (checkpoint != null && random) {
      throw new ParameterException(
          spec.commandLine(), "--checkpoint and --random exclude each other");
    }
    Device where = openDevice();
    if (checkpoint != null) {
      Checkpoint loaded = Checkpoint.load(checkpoint);
      return GammaNet.of(loaded, configOf(loaded), where);
    }
    GammaNetConfig read = readConfig();
    note((random ? "" : why) + "the weights are random, so what it finds means nothing yet");
    return GammaNet.random(read, seed == null ? read.seed() : seed, where);
  }

  /**
   * What a network of a checkpoint is built from: --config or else what the file carries, then
   * --set, then the structure that the weights have.
   */
  GammaNetConfig configOf(Checkpoint loaded) {
    if (config != null) {
      return loaded.fitted(readConfig(), this::note);
    }
    GammaNetConfig stored = loaded.config(GammaNetConfig.defaults(), this::note);
    return overrides.isEmpty() ? stored : loaded.fitted(stored.with(overrides), this::note);
  }
}
