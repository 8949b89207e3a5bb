package org.gammanet.cli;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.DoubleStream;
import org.gammanet.GammaNet;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.Ablation;
import org.gammanet.config.AblationConfig;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.experiments.study.Json;
import org.gammanet.experiments.study.Progress;
import org.gammanet.experiments.study.Shard;
import org.gammanet.experiments.study.Shards;
import org.gammanet.experiments.study.Study;
import org.gammanet.io.AtomicFile;
import org.gammanet.io.DataException;
import org.gammanet.io.FolderLock;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.torch.Device;
import org.gammanet.torch.TorchException;
import org.gammanet.training.Trainer;
import org.gammanet.training.TrainingData;
import org.gammanet.training.TrainingException;
import org.gammanet.training.TrainingListener;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains and scores several networks on the same data and compares them. */
@Command(
    name = "ablate",
    header = "Train and score networks that lack one mechanism each, and compare them.",
    description = {
      "Each NETWORK is full (GammaNet from scratch), one of its ablations (ffonly, honly, tdonly,"
          + " no_recurrence, bottom_up_only, delayed_td, additive_only, multiplicative_only,"
          + " no_gates, no_divisive, linear_gates, symmetric_gates), v1, v2 or backbone, or a"
          + " configuration file. The first one is what the others are compared with. Default: full"
          + " and all its ablations.",
      "",
      "All are trained on the same images in the same order from the same seed, then scored as"
          + " evaluate does. Each has a folder below the output. What is done already is kept: the"
          + " same command continues after an interruption."
    },
    footer = {"Example:", "  gammanet ablate full honly -d BSDS500 --max-steps 2000"})
final class AblateCommand implements Callable<Integer> {
  /** Name of the results file. */
  static final String FILE = "comparison.json";

  /** Prefix of the steps in which a shard keeps what is compared of its networks. */
  private static final String NETWORK = "network_";

  @Parameters(paramLabel = "NETWORK", arity = "0..*", description = "Names or configuration files.")
  List<String> names = new ArrayList<>();

  @Option(
      names = {"-d", "--data-dir"},
      paramLabel = "DIR",
      required = true,
      description = "Folder that contains images and groundTruth.")
  Path dataDir = Path.of("");

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      defaultValue = "ablation_results",
      description = "Folder for everything; default: ${DEFAULT-VALUE}.")
  Path output = Path.of("ablation_results");

  @Option(
      names = {"-f", "--force"},
      description = "Replace the comparison of another run in the folder; trainings continue.")
  boolean force;

  /** How much the networks are trained. */
  static final class Training {
    @Option(
        names = "--max-steps",
        paramLabel = "N",
        converter = Converters.Count.class,
        description =
            "Updates of each network, whose last weights are scored. Default: the epochs of its"
                + " configuration, and the best weights.")
    @Nullable Integer maxSteps;

    @Option(
        names = "--no-train",
        description = "Score the weights that an earlier run has left in the output.")
    boolean noTrain;
  }

  @ArgGroup(exclusive = true)
  Training training = new Training();

  @Mixin ShardOption sharding = new ShardOption();

  @Option(
      names = {"-s", "--set"},
      paramLabel = "KEY=VALUE",
      description = "Override a key of all configurations. Repeatable.")
  List<String> overrides = new ArrayList<>();

  @ArgGroup(exclusive = false, heading = ScoringOptions.HEADING)
  ScoringOptions scoring = new ScoringOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions compute = new ComputeOptions();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  AblateCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    console = new Console(spec);
    BoundaryBenchmark.Settings settings = scoring.settings().withNms(EdgeNms.SMOOTH);
    Map<String, GammaNetConfig> configs = new LinkedHashMap<>();
    if (names.isEmpty()) {
      names.add("full");
      Arrays.stream(Ablation.values()).map(Ablation::word).forEach(names::add);
    }
    for (String name : names) {
      String plain = plainName(name);
      if (configs.put(plain, config(name)) != null) {
        throw new UsageException("two networks have the name " + plain + "; folders would collide");
      }
    }
    List<String> all = List.copyOf(configs.keySet());
    long drawSeed = configs.values().iterator().next().seed();
    Shard part = sharding.shard;
    if (part != null) {
      output = part.folder(output);
      configs.keySet().retainAll(part.every(all));
    }
    Device where = compute.open();
    EvaluationData data = EvaluationData.open(dataDir, scoring.split);
    try (FolderLock lock = FolderLock.take(output);
        var interrupt = Interrupt.handle(() -> {})) {
      Study study = open(interrupt, settings, data, where);
      if (part != null) {
        mark(study, part, all);
      }
      return compare(study, configs, where, data, settings, drawSeed);
    }
  }

  private Study open(
      Interrupt interrupt, BoundaryBenchmark.Settings settings, EvaluationData data, Device where)
      throws IOException {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("split", data.split());
    all.put("seed", compute.seed == null ? "of each configuration" : compute.seed);
    all.put("overrides", overrides);
    Json.object(settings).fields().forEachRemaining(f -> all.put(f.getKey(), f.getValue()));
    try {
      Study study =
          Study.open(
              output,
              FILE,
              new Study.Identity("ablate", all, ""),
              Map.of(),
              force ? Study.Existing.REPLACE : Study.Existing.CONTINUE,
              new StudyProgress(console, interrupt));
      study.metadata().set(PARAMETERS, Json.object(parameters(settings, data, where)));
      study.complete(false);
      return study;
    } catch (IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
  }

  private static void mark(Study study, Shard part, List<String> all) {
    try {
      Shards.mark(study, part, all);
    } catch (IllegalStateException e) {
      throw new CommandException(String.valueOf(e.getMessage()), e);
    }
  }

  private int compare(
      Study study,
      Map<String, GammaNetConfig> configs,
      Device where,
      EvaluationData data,
      BoundaryBenchmark.Settings settings,
      long drawSeed)
      throws IOException, InterruptedException {
    List<NetworkComparison.Entry> entries = new ArrayList<>();
    List<String> failed = new ArrayList<>();
    for (Map.Entry<String, GammaNetConfig> entry : configs.entrySet()) {
      String name = entry.getKey();
      study.progress().begin(name, entries.size() + 1, configs.size());
      try {
        entries.add(one(study, name, entry.getValue(), where, data, settings));
        study.progress().finish(name, List.of());
      } catch (TrainingException
          | CheckpointException
          | DataException
          | TorchException
          | CommandException e) {
        console.error(name + ": " + e.getMessage());
        failed.add(name);
        entries.add(describe(name, entry.getValue(), List.of(), Double.NaN));
      }
    }
    Part part = new Part(List.copyOf(configs.keySet()), failed, drawSeed);
    Shard shard = sharding.shard;
    if (shard == null) {
      // A comparison of nothing would only stand in the way of the next run.
      return failed.size() == configs.size()
          ? Failures.FAILED
          : finish(study, entries, part, output, console);
    }
    for (NetworkComparison.Entry entry : entries) {
      study.put(NETWORK + entry.name(), entry);
    }
    study.put(PART, part);
    study.complete(true);
    ShardOption.done(shard, console);
    return failed.isEmpty() ? 0 : Failures.FAILED;
  }

  /** Compares networks, and writes the results of a run, or of all its shards. */
  private static int finish(
      Study study, List<NetworkComparison.Entry> entries, Part all, Path output, Console console)
      throws IOException {
    Map<String, String> parameters = new LinkedHashMap<>();
    study
        .metadata()
        .path(PARAMETERS)
        .fields()
        .forEachRemaining(f -> parameters.put(f.getKey(), f.getValue().asText()));
    var comparison = new NetworkComparison(entries, parameters, all.drawSeed);
    comparison.write(study);
    console.print("");
    console.print(comparison.text().stripTrailing());
    console.print(output.resolve("report.html"));
    return all.failed.isEmpty() ? 0 : Failures.FAILED;
  }

  /** Step of what else a shard leaves for the merge. */
  private static final String PART = "part";

  private static final String PARAMETERS = "parameters";

  /**
   * The networks of a run or of a shard.
   *
   * @param failed those that could not be trained or scored
   * @param drawSeed of the draws of images
   */
  private record Part(List<String> networks, List<String> failed, long drawSeed) {}

  /**
   * Joins the shards of a comparison, and writes the results of the whole run.
   *
   * @throws IllegalStateException where the folder holds another run
   */
  static int merge(Shards shards, Path output, Study.Existing existing, Console console)
      throws IOException {
    List<Part> parts =
        shards.results().stream().map(r -> Json.read(r.path(PART), Part.class)).toList();
    Study study = shards.open(output, existing, Progress.NONE);
    shards.link(output, to -> true);
    List<NetworkComparison.Entry> entries = new ArrayList<>();
    for (String name : Shards.join(parts.stream().map(Part::networks).toList())) {
      entries.add(study.result(NETWORK + name, NetworkComparison.Entry.class));
      study.results().remove(NETWORK + name);
    }
    study.results().remove(PART);
    List<String> failed = parts.stream().flatMap(p -> p.failed.stream()).toList();
    failed.forEach(name -> console.error(name + " could not be trained or scored"));
    Part all = new Part(List.of(), failed, parts.getFirst().drawSeed);
    return finish(study, entries, all, output, console);
  }

  // Configurations

  private static String plainName(String name) {
    Path file = Path.of(name).getFileName();
    return file == null ? name : file.toString().replaceFirst("\\.ya?ml$", "");
  }

  private GammaNetConfig config(String name) {
    List<String> all = new ArrayList<>();
    String root = TrainCommand.quoted(dataDir);
    all.add("data.train_path=" + root);
    all.add("data.val_path=" + root);
    if (compute.seed != null) {
      all.add("seed=" + compute.seed);
    }
    all.addAll(overrides);
    if (name.matches(".*\\.ya?ml$")) {
      return GammaNetConfig.load(Path.of(name), all, console::note);
    }
    GammaNetConfig config = GammaNetConfig.variant(name, all);
    if (config == null) {
      throw new UsageException(
          name
              + " is no network: use full, v1, v2, backbone, an ablation ("
              + String.join(", ", Arrays.stream(Ablation.values()).map(Ablation::word).toList())
              + ") or a .yaml file");
    }
    return config;
  }

  /** What a reader of the comparison should know about a network. */
  static String remark(ModelConfig model) {
    AblationConfig ablation = model.ablation();
    if (ablation == null) {
      return switch (model.architecture()) {
        case VGG16_GAMMANET, GAMMANET, GAMMANET_BACKBONE -> "one state per level";
        case VGG16_GAMMANET_V2 -> "";
      };
    }
    return switch (ablation.ablation()) {
      case HONLY -> "levels above the first cannot reach the output";
      case BOTTOM_UP_ONLY -> "one timestep; levels above the first cannot reach the output";
      case NO_RECURRENCE -> "one timestep";
      case FFONLY -> "has no memory: the output does not depend on the number of timesteps";
      case DELAYED_TD ->
          ablation.delayTimesteps() >= model.timesteps()
              ? "feedback would begin after the last timestep, so there is none"
              : "feedback from timestep " + (ablation.delayTimesteps() + 1) + " on";
      default -> "";
    };
  }

  // One network

  private NetworkComparison.Entry one(
      Study study,
      String name,
      GammaNetConfig config,
      Device where,
      EvaluationData data,
      BoundaryBenchmark.Settings settings)
      throws IOException, InterruptedException {
    Path folder = output.resolve(name);
    if (!training.noTrain) {
      train(study, name, config, where, folder);
    }
    Path checkpoint = weights(folder);
    long[] time = new long[2];
    try (GammaNet net = GammaNet.load(checkpoint, config, where, console::note)) {
      Map<String, String> about = new LinkedHashMap<>();
      about.put("checkpoint", checkpoint.toString());
      about.put("device", where.toString());
      var detector =
          new ImageDetector(
              name,
              Map.of("timesteps", Integer.toString(net.config().model().timesteps())),
              about,
              net.network().digest(),
              data.images(),
              image -> {
                long start = System.nanoTime();
                var maps = net.detect(image, ForwardOptions.DEFAULTS);
                time[0] += System.nanoTime() - start;
                time[1]++;
                return maps;
              },
              List.of());
      EvaluationOutcome outcome;
      try (var evaluation =
          new Evaluation(
              console,
              detector,
              data,
              settings,
              List.of(new Evaluation.Output(folder.resolve("evaluation"), "", Map.of())),
              compute.workers(),
              scoring.limit(),
              null,
              Study.Existing.REPLACE_OTHERS)) { // weights change when training continues
        outcome = evaluation.run().getLast();
      }
      BoundaryScores scores = outcome.requireScores();
      console.printf(
          "%s: ODS %.4f  OIS %.4f  AP %.4f  (%d images)%n",
          name, scores.ods().f(), scores.ois().f(), scores.ap(), outcome.counts().size());
      return describe(
          name, config, outcome.counts(), time[1] == 0 ? Double.NaN : time[0] / 1e9 / time[1]);
    }
  }

  private NetworkComparison.Entry describe(
      String name, GammaNetConfig config, List<BoundaryCounts> counts, double secondsPerImage)
      throws IOException {
    double[][] updates = updates(output.resolve(name));
    double[] seconds = updates[1].clone();
    Arrays.sort(seconds);
    try (Network network = Network.create(config.model())) {
      List<LayerSummary> layers = network.summary(320, 320);
      return new NetworkComparison.Entry(
          name,
          remark(config.model()),
          network.parameterCount(),
          LayerSummary.macs(layers, config.model().timesteps()) / 1e9,
          updates[0],
          seconds.length == 0 ? Double.NaN : seconds[seconds.length / 2],
          secondsPerImage,
          counts);
    }
  }

  /** The weights to score: after a given number of updates the last ones, otherwise the best. */
  private Path weights(Path folder) {
    List<String> kinds =
        training.maxSteps != null ? List.of("last", "best_model") : List.of("best_model", "last");
    return NetworkOptions.inRun(folder, kinds);
  }

  /** How far a network has been trained. */
  record Trained(String target, long updates) {}

  private void train(Study study, String name, GammaNetConfig config, Device where, Path folder)
      throws IOException, InterruptedException {
    Path last = folder.resolve("checkpoints").resolve("last.safetensors");
    String step = "training_" + name;
    Integer maxSteps = training.maxSteps;
    String target = maxSteps == null ? "all epochs" : maxSteps + " updates";
    Checkpoint checkpoint = Files.isRegularFile(last) ? Checkpoint.load(last) : null;
    if (checkpoint != null) {
      if (!config.toJson().equals(checkpoint.metadata().get("config"))) {
        throw new CommandException(
            folder
                + " holds a training with another configuration; choose another --output or remove"
                + " it");
      }
      if (study.has(step) && study.result(step, Trained.class).target().equals(target)) {
        console.print(name + ": trained already");
        return;
      }
    }
    TrainingData data = TrainingData.open(config.data());
    Files.createDirectories(folder);
    try (GammaNet net =
            checkpoint == null
                ? GammaNet.random(config, config.seed(), where)
                : GammaNet.empty(config, where);
        var log = new Log(name, folder);
        Trainer trainer = new Trainer(config, net.network(), data, folder, log);
        var interrupt = Interrupt.handle(trainer::stop)) {
      if (checkpoint != null) {
        trainer.resume(checkpoint, last.toString());
      }
      log.start(trainer.globalStep());
      Trainer.End end = trainer.run(maxSteps == null ? Long.MAX_VALUE : maxSteps);
      if (end == Trainer.End.STOPPED) {
        throw interrupt.exception("interrupted; saved, and the same command continues there");
      }
      study.put(step, new Trained(target, trainer.globalStep()));
      console.printf("%s: %d updates%n", name, trainer.globalStep());
    }
  }

  /** The lines of a text, in which damage need not be UTF-8. */
  private static List<String> lines(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList();
  }

  /** Losses and seconds of all updates that the folder tells of. */
  private static double[][] updates(Path folder) throws IOException {
    Path file = folder.resolve("updates.csv");
    var loss = DoubleStream.builder();
    var seconds = DoubleStream.builder();
    if (Files.isRegularFile(file)) {
      for (String line : lines(file)) {
        String[] cells = line.split(",", -1);
        if (cells.length == 3 && cells[0].matches("[0-9]+")) {
          double[] values;
          try {
            values = new double[] {Double.parseDouble(cells[1]), Double.parseDouble(cells[2])};
          } catch (NumberFormatException e) {
            continue; // damaged: a point less in the figure
          }
          loss.add(values[0]);
          seconds.add(values[1]);
        }
      }
    }
    return new double[][] {loss.build().toArray(), seconds.build().toArray()};
  }

  private Map<String, String> parameters(
      BoundaryBenchmark.Settings settings, EvaluationData data, Device where) {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("data", dataDir + ", scored on split " + data.split());
    parameters.put("seed", compute.seed == null ? "each configuration's" : compute.seed.toString());
    parameters.put(
        "training",
        training.noTrain
            ? "not in this run"
            : training.maxSteps == null
                ? "all epochs of each configuration"
                : training.maxSteps + " updates each");
    parameters.put("overrides", overrides.isEmpty() ? "none" : String.join(" ", overrides));
    parameters.put("thresholds", Integer.toString(settings.thresholds()));
    parameters.put("max. distance", Double.toString(settings.maxDistance()));
    parameters.put("protocol", Evaluation.protocol(settings));
    parameters.put(
        "images",
        scoring.limit == null
            ? "all"
            : "only the first " + scoring.limit + ": not comparable with published scores");
    parameters.put("device", where.toString());
    parameters.put("gammanet", GammanetCommand.Version.program());
    parameters.put("java", Runtime.version().toString());
    return parameters;
  }

  /** Keeps the loss of each update in {@code updates.csv}, and shows how training goes on. */
  private final class Log implements TrainingListener, AutoCloseable {
    private final String name;
    private final Path file;
    private @Nullable BufferedWriter writer;

    Log(String name, Path folder) {
      this.name = name;
      this.file = folder.resolve("updates.csv");
    }

    /** Leaves out what came after the checkpoint that training goes on from. */
    void start(long globalStep) throws IOException {
      var kept = new StringBuilder("update,loss,seconds\n");
      if (Files.isRegularFile(file)) {
        for (String line : lines(file)) {
          String number = line.replaceFirst(",.*", "");
          if (number.matches("[0-9]{1,18}") && Long.parseLong(number) <= globalStep) {
            kept.append(line).append('\n');
          }
        }
      }
      AtomicFile.write(file, kept.toString());
      writer = Files.newBufferedWriter(file, StandardOpenOption.APPEND);
    }

    @Override
    public void step(Step step) {
      BufferedWriter w = writer;
      if (w != null) {
        try {
          w.write(step.globalStep() + "," + step.loss() + "," + step.seconds() + "\n");
          w.flush();
        } catch (IOException e) {
          throw new UncheckedIOException(AtomicFile.named(file, e));
        }
      }
      String loss = String.format(Locale.ROOT, "loss %.4g", step.loss());
      Integer end = training.maxSteps;
      if (end == null) {
        console.progress(
            "  %s, epoch %s".formatted(name, step.epoch() + 1),
            step.update(),
            step.updates(),
            loss);
      } else {
        console.progress("  " + name, step.globalStep(), end, loss);
      }
    }

    @Override
    public void note(String sentence) {
      console.note(sentence);
    }

    @Override
    public void close() throws IOException {
      if (writer != null) {
        writer.close();
      }
    }
  }
}
