package org.gammanet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.gammanet.GammaNet;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelInit;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.EdgeDataset;
import org.gammanet.io.DataException;
import org.gammanet.io.FolderLock;
import org.gammanet.model.Network;
import org.gammanet.model.PassThrough;
import org.gammanet.torch.LibTorch;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.gammanet.training.Optimizer;
import org.gammanet.training.ProcessGroup;
import org.gammanet.training.Rendezvous;
import org.gammanet.training.Trainer;
import org.gammanet.training.TrainingData;
import org.gammanet.training.TrainingListener;
import org.gammanet.training.TrainingMemory;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a network. */
@Command(
    name = "train",
    header = "Train a network on images with edge annotations.",
    description = {
      "Writes checkpoints, metrics.jsonl and TensorBoard event files below the output folder."
          + " Ctrl-C finishes the current update and saves; --resume continues from there. With"
          + " --checkpoint, training starts from those weights and, unless --config names another"
          + " one, with the configuration stored with them."
    },
    footer = {
      "Examples:",
      "  gammanet train -d BSDS500 -o runs/first --dry-run",
      "  gammanet train --resume runs/first",
      "  gammanet train -c runs/first -d my-images -o runs/tuned"
    })
final class TrainCommand implements Callable<Integer> {
  @Option(
      names = {"-d", "--data-dir"},
      paramLabel = "DIR",
      description =
          "Folder that contains images and groundTruth; default: the configuration's"
              + " data.train_path.")
  @Nullable Path dataDir;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      description =
          "Folder of the run; default: that of --resume, or the configuration's logging.log_dir.")
  @Nullable Path output;

  @Option(
      names = "--resume",
      paramLabel = "RUN",
      description =
          "Continue a run: its folder, or one of its checkpoints. Its configuration is used,"
              + " changed by --set.")
  @Nullable Path resume;

  /** Configurations that need no file. */
  enum Preset {
    /** A try-out: minutes. */
    SMALL,
    /** The levels of the bundled network, whose own recipe is in its model card: a day. */
    BUNDLED,
    /** The network of the paper, from VGG16: days. */
    FULL;

    String file() {
      return "presets/" + this;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description =
          "Configuration: ${COMPLETION-CANDIDATES}. small takes minutes on two cores, bundled has"
              + " the levels of the bundled network and takes a day, full is the network of the"
              + " paper and needs VGG16: --set model.pretrained=FILE.")
  @Nullable Preset preset;

  @Option(
      names = "--max-steps",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "End after this many updates, counted from the beginning of the run.")
  @Nullable Integer maxSteps;

  @Option(
      names = "--dry-run",
      description = "Check the data, print the plan (parameters, steps, memory), and end.")
  boolean dryRun;

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "Images of an update; default: training.batch_size.")
  @Nullable Integer batchSize;

  @Option(
      names = "--learning-rate",
      paramLabel = "X",
      description = "Default: training.learning_rate.")
  @Nullable Double learningRate;

  @Option(
      names = "--num-epochs",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "Default: training.num_epochs.")
  @Nullable Integer numEpochs;

  @Option(
      names = "--num-workers",
      paramLabel = "N",
      description = "Threads that read images; default: training.num_workers.")
  @Nullable Integer numWorkers;

  @Option(
      names = "--nproc",
      paramLabel = "N",
      converter = Converters.Threads.class,
      description =
          "Processes on this machine that share each batch. Where torchrun, srun or mpirun has"
              + " started the processes, on any machines, they find each other without it.")
  @Nullable Integer processes;

  @ArgGroup(exclusive = false, heading = NetworkOptions.HEADING)
  NetworkOptions network = new NetworkOptions();

  @ArgGroup(exclusive = false, heading = ComputeOptions.HEADING)
  ComputeOptions compute = new ComputeOptions();

  @Spec CommandSpec spec;

  private Console console;

  @SuppressWarnings("NullAway.Init")
  TrainCommand() {}

  /** Images that are read before training begins. */
  private static final int FIRST_IMAGES = 20;

  @Override
  public Integer call() throws IOException, InterruptedException {
    console = new Console(spec);
    Rendezvous rendezvous = Rendezvous.of(System.getenv());
    if (processes != null && rendezvous.size() > 1) {
      throw new UsageException(
          "--nproc starts processes, and this one has been started as one of %s already"
              .formatted(rendezvous.size()));
    }
    if (processes != null && processes > 1 && !dryRun) {
      return Ranks.start(processes);
    }
    if (rendezvous.size() > 1) {
      divide(rendezvous);
    }
    try (ProcessGroup group = ProcessGroup.join(rendezvous)) {
      return train(group);
    }
  }

  /** Divides this machine among its ranks, and lets one of all speak. */
  private void divide(Rendezvous r) {
    if (compute.threads == null) {
      compute.threads = Math.max(1, LibTorch.threads() / r.localSize());
    }
    if (compute.device.equals("auto") && LibTorch.cudaDeviceCount() > 0) {
      compute.device = "cuda:" + r.localRank() % LibTorch.cudaDeviceCount();
    }
    if (r.rank() > 0) {
      console = Console.silent(spec);
    }
  }

  private int train(ProcessGroup group) throws IOException, InterruptedException {
    if (resume != null && network.weights.checkpoint != null) {
      throw new UsageException("--resume and --checkpoint exclude each other: choose one");
    }
    if (preset != null && (network.config != null || resume != null)) {
      throw new UsageException("--preset excludes --config and --resume: choose one");
    }
    override("data.train_path", dataDir == null ? null : quoted(dataDir));
    override("data.val_path", dataDir == null ? null : quoted(dataDir));
    override("training.batch_size", batchSize);
    override("training.learning_rate", learningRate);
    override("training.num_epochs", numEpochs);
    override("training.num_workers", numWorkers);
    override("seed", compute.seed);

    Path file = resume == null ? network.checkpoint() : lastOf(resume);
    Checkpoint checkpoint =
        file == null ? null : resume == null ? NetworkOptions.load(file) : Checkpoint.load(file);
    GammaNetConfig config;
    if (preset != null) {
      config = GammaNetConfig.shipped(preset.file(), network.overrides());
      if (preset == Preset.FULL && config.model().pretrained() == null) {
        throw new UsageException(
            "--preset full starts from VGG16: name a file of its weights with --set"
                + " model.pretrained=FILE");
      }
    } else if (checkpoint == null || resume != null && network.config != null) {
      config = network.readConfig(console::note);
    } else {
      config = network.config(checkpoint, console);
    }
    TrainingData data = TrainingData.open(config.data());
    inspect(data.train());
    if (data.validation() != data.train()) {
      inspect(data.validation());
    }
    Path folder = folder(config, resume == null ? null : file);
    if (resume == null && !dryRun && Files.exists(checkpoints(folder).resolve(LAST))) {
      throw new CommandException(
          "%s holds a run already: continue it with --resume %s, or name another --output"
              .formatted(folder, folder));
    }
    try (GammaNet net = open(config, checkpoint, data);
        Trainer trainer =
            new Trainer(
                config,
                net.network(),
                data,
                folder,
                new Progress(config.training(), group.rank() > 0),
                group)) {
      if (resume != null && checkpoint != null) {
        trainer.resume(checkpoint, String.valueOf(file));
      }
      if (group.rank() == 0) {
        printPlan(trainer, config, net.network(), data, folder, group);
      }
      return dryRun ? 0 : run(trainer, folder, group);
    }
  }

  /** Reads a few images and annotations, in a dry run all of them, and tells what looks wrong. */
  private void inspect(EdgeDataset images) {
    EdgeDataset.Inspection found = images.inspect(dryRun ? images.size() : FIRST_IMAGES);
    found.warnings().stream().limit(3).forEach(console::note);
    if (found.warnings().size() > 3) {
      console.note("the same holds for %s more".formatted(found.warnings().size() - 3));
    }
    int errors = found.errors().size();
    if (errors > 0) {
      throw new DataException(
          String.join("; ", found.errors().stream().limit(3).toList())
              + (errors > 3 ? "; and %s more".formatted(errors - 3) : ""));
    }
  }

  private void override(String key, @Nullable Object value) {
    if (value != null) {
      network.overrides.add(key + "=" + value);
    }
  }

  /** A path as YAML text. */
  static String quoted(Path path) {
    return "'" + path.toAbsolutePath().normalize().toString().replace("'", "''") + "'";
  }

  private static final String LAST = "last.safetensors";

  private static Path checkpoints(Path run) {
    return run.resolve("checkpoints");
  }

  /** The checkpoint that a run continues from. */
  private static Path lastOf(Path run) {
    if (!Files.isDirectory(run)) {
      return run;
    }
    Path last = checkpoints(run).resolve(LAST);
    if (!Files.exists(last)) {
      throw new CommandException(
          "there is nothing to resume in " + run + ": it has no checkpoints/" + LAST);
    }
    return last;
  }

  private Path folder(GammaNetConfig config, @Nullable Path checkpoint) {
    if (output != null) {
      return output;
    }
    if (checkpoint != null) {
      Path checkpoints = checkpoint.toAbsolutePath().getParent();
      if (checkpoints != null && checkpoints.endsWith("checkpoints")) {
        return checkpoints.resolveSibling("").normalize();
      }
    }
    String name = config.logging().experimentName();
    return name == null ? config.logging().logDir() : config.logging().logDir().resolve(name);
  }

  /** The network before its first update here: empty where a run is resumed, which fills it. */
  private GammaNet open(GammaNetConfig config, @Nullable Checkpoint checkpoint, TrainingData data) {
    if (resume != null) {
      return GammaNet.empty(config, compute.open());
    }
    if (checkpoint == null) {
      GammaNet net = GammaNet.random(config, config.seed(), compute.open(), console::note);
      if (config.model().init() == ModelInit.PASS_THROUGH) {
        try (var scope = TensorScope.open()) {
          Tensor images = data.middles(config.data(), 6, 320);
          PassThrough.unitResponses(net.network(), images.to(net.network().device()));
        }
      }
      return net;
    }
    // Weights may be trained further with other timesteps, which they do not depend on.
    NetworkOptions.requireSameNetwork(
        network.weights.checkpoint + " is another network than the configuration describes",
        checkpoint.config(config, console::note).model(),
        config.model());
    return GammaNet.of(checkpoint, config, compute.open());
  }

  private int run(Trainer trainer, Path folder, ProcessGroup group)
      throws IOException, InterruptedException {
    boolean first = group.rank() == 0;
    try (FolderLock lock = first ? FolderLock.take(folder) : null;
        var interrupt = Interrupt.handle(trainer::stop)) {
      Trainer.End end = trainer.run(maxSteps == null ? Long.MAX_VALUE : maxSteps);
      if (end == Trainer.End.STOPPED && !interrupt.happened()) {
        throw new CommandException(
            "rank %s of %s: ended, since another rank was interrupted; saved"
                .formatted(group.rank(), group.size()));
      }
      if (!first) {
        return end == Trainer.End.STOPPED ? interrupt.status() : 0;
      }
      Terminal.clear();
      if (group.size() > 1) {
        console.printf(
            "%.1f MB of gradients in an update, whose %.0f ms include %.0f to add them up%n",
            trainer.bytesReduced() / 1e6,
            1e3 * trainer.secondsUpdating(),
            1e3 * trainer.secondsReducing());
      }
      try {
        TrainingCurves.write(folder);
      } catch (NoSuchFileException e) {
        // No epoch is complete.
      } catch (IOException e) {
        console.note("the curves could not be drawn: " + Failures.sentence(e));
      }
      String next = "; gammanet train --resume " + folder + " continues";
      switch (end) {
        case FINISHED -> console.print("done: all epochs");
        case EARLY_STOP -> console.print("done: no further improvement");
        case LIMIT -> console.printf("stopped after %d updates%s%n", trainer.globalStep(), next);
        case STOPPED -> throw interrupt.exception("interrupted; saved" + next);
      }
      console.print("gammanet detect --checkpoint " + folder + " uses its weights");
      return 0;
    }
  }

  private void printPlan(
      Trainer trainer,
      GammaNetConfig config,
      Network net,
      TrainingData data,
      Path folder,
      ProcessGroup ranks) {
    TrainingConfig training = config.training();
    console.print("network     " + config.model().name() + ", T = " + config.model().timesteps());
    for (Optimizer.Group group : trainer.groups()) {
      console.printf(
          "parameters  %,d in group %s at rate %.3g%n",
          group.size(), group.name(), group.learningRate());
    }
    console.print("data        " + data.description());
    trainer.stages().forEach(stage -> console.print("stage       " + stage));
    if (trainer.globalStep() > 0) {
      console.printf(
          "resumed     at epoch %d, after %d updates%n", trainer.epoch(), trainer.globalStep());
    }
    long left = (long) training.numEpochs() * trainer.updatesPerEpoch() - trainer.globalStep();
    console.printf(
        "updates     %,d to come%n",
        maxSteps == null ? left : Math.min(left, maxSteps - trainer.globalStep()));
    double operations = trainer.operationsLeft(maxSteps == null ? Long.MAX_VALUE : maxSteps);
    console.printf(
        "work        %.3g operations, about %s at 10^11 a second (a processor of two cores)%n",
        operations, duration(operations / 1e11));
    int side = trainer.largestCrop();
    for (Recompute mode : List.of(Recompute.NONE, Recompute.CELLS, Recompute.TIMESTEPS)) {
      long bytes =
          TrainingMemory.estimate(
              net, training.batchSize(), side, side, trainer.mostTimesteps(), mode);
      boolean chosen = mode == trainer.recompute();
      if (dryRun || chosen) {
        console.printf(
            "memory      about %.1f GB with training.recompute=%s%s%n",
            bytes / 1e9, mode.word(), dryRun && chosen ? " (chosen)" : "");
      }
    }
    console.print("precision   " + trainer.precision());
    console.print("device      " + net.device());
    if (ranks.size() > 1) {
      console.printf(
          "processes   %d, each with about %.3g images of a batch%n",
          ranks.size(), (double) training.batchSize() / ranks.size());
    }
    console.print("output      " + folder);
  }

  /** A time in the two largest units: 40 s, 3 min 5 s, 2 h 10 min, 12 days, 3 years. */
  static String duration(double seconds) {
    long s = Math.round(seconds);
    if (s < 60) {
      return s + " s";
    }
    if (s < 3600) {
      return "%s min %s s".formatted(s / 60, s % 60);
    }
    if (s < 48 * 3600) {
      return "%s h %s min".formatted(s / 3600, s % 3600 / 60);
    }
    long days = Math.round(seconds / 86400);
    return days < 730 ? days + " days" : Math.round(days / 365.25) + " years";
  }

  /** Shows progress, and prints a line per epoch. */
  private final class Progress implements TrainingListener {
    private final int epochs;
    private final boolean silent;
    private double running = Double.NaN;

    Progress(TrainingConfig training, boolean silent) {
      this.epochs = training.numEpochs();
      this.silent = silent;
    }

    @Override
    public void step(Step step) {
      if (silent) {
        return;
      }
      running = Double.isNaN(running) ? step.loss() : 0.95 * running + 0.05 * step.loss();
      console.progress(
          "epoch %s/%s".formatted(step.epoch() + 1, epochs),
          step.update(),
          step.updates(),
          String.format(Locale.ROOT, "loss %.4g", running));
    }

    @Override
    public void validating(int done, int total) {
      console.progress("validation", done, total, "");
    }

    @Override
    public void benchmarking(int done, int total) {
      console.progress("benchmark", done, total, "");
    }

    @Override
    public void epoch(Epoch epoch) {
      if (silent) {
        return;
      }
      List<String> parts = new ArrayList<>();
      parts.add(String.format(Locale.ROOT, "epoch %d/%d", epoch.epoch() + 1, epochs));
      parts.add(String.format(Locale.ROOT, "loss %.5g", epoch.loss()));
      if (epoch.metrics() != null) {
        parts.add(String.format(Locale.ROOT, "val loss %.5g", epoch.validationLoss()));
        parts.add(
            String.format(
                Locale.ROOT,
                "quick ODS %.4f OIS %.4f AP %.4f%s",
                epoch.metrics().ods(),
                epoch.metrics().ois(),
                epoch.metrics().ap(),
                epoch.best() ? " *" : ""));
      }
      if (epoch.benchmark() != null) {
        parts.add(
            String.format(
                Locale.ROOT,
                "benchmark ODS %.4f OIS %.4f AP %.4f",
                epoch.benchmark().ods().f(),
                epoch.benchmark().ois().f(),
                epoch.benchmark().ap()));
      }
      parts.add(
          epoch.rates().entrySet().stream()
              .map(r -> String.format(Locale.ROOT, "%s %.3g", r.getKey(), r.getValue()))
              .collect(Collectors.joining(", ", "rate ", "")));
      parts.add(
          String.format(
              Locale.ROOT,
              "%.0f s, %.2f images/s",
              epoch.seconds(),
              epoch.images() / epoch.seconds()));
      if (epoch.secondsLeft() > 0) {
        parts.add(duration(epoch.secondsLeft()) + " left");
      }
      console.print(String.join("  ", parts));
    }

    @Override
    public void note(String sentence) {
      console.note(sentence);
    }
  }
}
