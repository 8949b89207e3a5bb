package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.gammanet.GammaNet;
import org.gammanet.PretrainedModel;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** Which network: its weights, its configuration, its timesteps. */
final class NetworkOptions {
  static final String HEADING = "%nNetwork:%n";

  private static final List<String> ENDINGS = List.of(".safetensors", ".pt", ".pth");
  private static final List<String> RUN = List.of("best_model", "last");

  /** Where the weights come from. */
  static final class Weights {
    /** The first of --checkpoint. */
    @Nullable Path checkpoint;

    /** All of them; several for insilico only. */
    List<Path> checkpoints = List.of();

    @Option(
        names = {"-c", "--checkpoint"},
        paramLabel = "FILE",
        description =
            "Weights: a file (safetensors or PyTorch), the folder of a training run, bundled, or"
                + " full (the network of the paper, a module of its own)${bundle:more-weights}."
                + " Default: ${bundle:default-weights}.")
    void checkpoints(List<Path> files) {
      checkpoints = List.copyOf(files);
      checkpoint = files.isEmpty() ? null : files.getFirst();
    }

    @Option(names = "--random", description = "Untrained network with random weights.")
    boolean random;
  }

  @ArgGroup(exclusive = true)
  Weights weights = new Weights();

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "Configuration (YAML); default: the one stored with the weights.")
  @Nullable Path config;

  @Option(
      names = {"-s", "--set"},
      paramLabel = "KEY=VALUE",
      description = "Override a key of the configuration, as in --set seed=7. Repeatable.")
  List<String> overrides = new ArrayList<>();

  @Option(
      names = {"-t", "--timesteps"},
      paramLabel = "N",
      converter = Converters.Timesteps.class,
      description = "Timesteps of the recurrence; default: the configuration's.")
  @Nullable Integer timesteps;

  /** The network that ships with the program, where it was opened. */
  private @Nullable PretrainedModel shipped;

  /** The overrides of --set and of the options that stand for one. */
  List<String> overrides() {
    List<String> all = new ArrayList<>(overrides);
    if (timesteps != null) {
      all.add("model.timesteps=" + timesteps);
    }
    return all;
  }

  /** The configuration of a network without weights: that of --config, or the default. */
  GammaNetConfig readConfig(Consumer<String> note) {
    return config == null
        ? GammaNetConfig.shipped("default", overrides())
        : GammaNetConfig.load(config, overrides(), note);
  }

  /** The file of --checkpoint; of a run's folder its best weights, else its last. */
  @Nullable Path checkpoint() {
    if (weights.checkpoints.size() > 1) {
      throw new UsageException("this command takes a single --checkpoint");
    }
    return weights.checkpoint == null ? null : checkpoint(weights.checkpoint);
  }

  /**
   * The networks of --checkpoint: a folder that is no run stands for the networks in it.
   *
   * @return files, or folders of runs
   */
  List<Path> networks() throws IOException {
    List<Path> all = new ArrayList<>();
    for (Path path : weights.checkpoints) {
      if (!Files.isDirectory(path) || isRun(path)) {
        all.add(path);
        continue;
      }
      List<Path> inside;
      try (Stream<Path> entries = Files.list(path)) {
        inside =
            entries
                .filter(p -> Files.isDirectory(p) ? isRun(p) : ENDINGS.stream().anyMatch(ends(p)))
                .sorted()
                .toList();
      }
      if (inside.isEmpty()) {
        throw new CommandException(
            "there is no network in " + path + ": no weights, and no folder of a training run");
      }
      all.addAll(inside);
    }
    return all;
  }

  private static Predicate<String> ends(Path path) {
    return String.valueOf(path.getFileName())::endsWith;
  }

  private static boolean isRun(Path folder) {
    return find(folder, RUN) != null;
  }

  /** The weights that a path names: itself, or those in the folder of a run. */
  static Path checkpoint(Path path) {
    return Files.isDirectory(path) ? inRun(path, RUN) : path;
  }

  /**
   * The first of these checkpoints that the folder of a run has.
   *
   * @throws CommandException where it has none
   */
  static Path inRun(Path run, List<String> names) {
    Path file = find(run, names);
    if (file == null) {
      throw new CommandException(
          "there is no %s.safetensors, .pt or .pth in %s"
              .formatted(String.join(" or ", names), inside(run)));
    }
    return file;
  }

  private static @Nullable Path find(Path run, List<String> names) {
    for (String name : names) {
      for (String ending : ENDINGS) {
        Path file = inside(run).resolve(name + ending);
        if (Files.isRegularFile(file)) {
          return file;
        }
      }
    }
    return null;
  }

  private static Path inside(Path run) {
    Path folder = run.resolve("checkpoints");
    return Files.isDirectory(folder) ? folder : run;
  }

  /**
   * The network that ships with the program and has this word for a name, unless a file has it.
   *
   * @return null for anything else
   * @throws CheckpointException for one that is not installed
   */
  static @Nullable PretrainedModel shipped(@Nullable Path name) {
    String word = String.valueOf(name);
    boolean known = word.equals(PretrainedModel.BUNDLED) || word.equals(PretrainedModel.FULL);
    return known && !Files.exists(Path.of(word)) ? PretrainedModel.get(word) : null;
  }

  /** The weights that a path of --checkpoint stands for. */
  static Checkpoint load(Path name) {
    PretrainedModel model = shipped(name);
    return model == null ? Checkpoint.load(checkpoint(name)) : model.load();
  }

  /**
   * The network: with the weights of --checkpoint, with random ones for --random, otherwise the
   * bundled one.
   */
  GammaNet open(ComputeOptions compute, Console console) {
    return open(compute, console, () -> {});
  }

  /**
   * The same.
   *
   * @param meanwhile done while LibTorch is being loaded
   */
  GammaNet open(ComputeOptions compute, Console console, Runnable meanwhile) {
    try (var loading = LibTorchLoading.begin()) {
      meanwhile.run();
      return openWeights(compute, console);
    }
  }

  private GammaNet openWeights(ComputeOptions compute, Console console) {
    Path file = checkpoint();
    shipped = shipped(file);
    if (file == null && !weights.random) {
      shipped = PretrainedModel.find().orElse(null);
      if (shipped == null) {
        console.note("there is no bundled network");
      }
    }
    PretrainedModel model = shipped;
    Checkpoint loaded;
    if (model != null) {
      loaded = model.load();
    } else if (file != null) {
      loaded = Checkpoint.load(file);
    } else {
      console.note("the network is untrained: its weights are random");
      GammaNetConfig read = readConfig(console::note);
      return GammaNet.random(read, compute.seed(read), compute.open());
    }
    GammaNetConfig asked = configOf(loaded, file == null, console);
    return GammaNet.of(loaded, asked, compute.open());
  }

  /**
   * What a network of a checkpoint is built from: --config or else what the file carries, then
   * --set, then the structure that the weights have.
   *
   * @param exact whether other structure is refused, since nobody has named these weights
   */
  private GammaNetConfig configOf(Checkpoint loaded, boolean exact, Console console) {
    if (exact) {
      GammaNetConfig stored = loaded.config(console::note);
      GammaNetConfig asked = config == null ? stored.with(overrides()) : readConfig(console::note);
      requireSameNetwork(
          "the options describe another network than the bundled one: name its weights with"
              + " --checkpoint, or add --random for untrained ones",
          stored.model(),
          asked.model());
      return asked;
    }
    return config(loaded, console);
  }

  /**
   * Requires that two configurations describe one network, however it is spelled.
   *
   * @throws UsageException with the sentence and the first keys that differ
   */
  static void requireSameNetwork(String sentence, ModelConfig is, ModelConfig described) {
    List<String> differences = is.differencesFrom(described);
    if (!differences.isEmpty()) {
      int more = differences.size() - 3;
      throw new UsageException(
          "%s (%s%s)"
              .formatted(
                  sentence,
                  String.join("; ", differences.stream().limit(3).toList()),
                  more > 0 ? "; and %s more".formatted(more) : ""));
    }
  }

  /** What a network of a checkpoint is built from. */
  GammaNetConfig config(Checkpoint loaded, Console console) {
    if (config != null) {
      return loaded.fitted(readConfig(console::note), console::note);
    }
    GammaNetConfig stored = loaded.config(console::note);
    return overrides().isEmpty() ? stored : loaded.fitted(stored.with(overrides()), console::note);
  }

  /** The configuration of the network that the options describe, without its weights. */
  GammaNetConfig describedConfig(Console console) {
    Path file = checkpoint();
    if (file != null) {
      return config(load(file), console);
    }
    PretrainedModel model = PretrainedModel.find().orElse(null);
    boolean other =
        weights.random
            || config != null
            || overrides.stream()
                .anyMatch(o -> o.startsWith("model.") && !o.matches("model\\.(num_)?timesteps=.*"));
    return other || model == null ? readConfig(console::note) : config(model.load(), console);
  }

  /** Whether the weights of the network that was opened come from training, as far as is known. */
  boolean trained() {
    return weights.checkpoint != null || shipped != null;
  }

  /** The network that was opened, for people: a file's name, or that its weights are random. */
  String name() {
    PretrainedModel model = shipped;
    if (model != null) {
      return "%s, the %s network".formatted(model.name(), model.word());
    }
    return weights.checkpoint != null ? String.valueOf(checkpoint()) : "random weights, untrained";
  }

  /** The same in few words, for headings. */
  String title() {
    PretrainedModel model = shipped;
    Path file = weights.checkpoint;
    return model != null
        ? model.name()
        : file != null ? String.valueOf(file.getFileName()) : "random weights";
  }
}
