package org.gammanet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.gammanet.GammaNet;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.ModelConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.EdgeDataset;
import org.gammanet.io.DataException;
import org.gammanet.model.Network;
import org.gammanet.training.Optimizer;
import org.gammanet.training.Trainer;
import org.gammanet.training.TrainingData;
import org.gammanet.training.TrainingListener;
import org.gammanet.training.TrainingMemory;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import sun.misc.Signal;

/** Trains a network. */
@Command(
    name = "train",
    header = "Train a network on images with edge annotations.",
    description = {
      "Writes checkpoints, metrics.jsonl and TensorBoard event files below the output folder."
          + " Ctrl-C finishes the present update and saves; --resume goes on from there."
    },
    footer = {
      "Example:",
      "  gammanet train --data-dir BSDS500 --output runs/first",
      "  gammanet train --resume runs/first"
    })
final class TrainCommand implements Callable<Integer> {
  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description =
          "Folder that contains images and groundTruth; default: the configuration's"
              + " data.train_path.")
  @Nullable Path dataDir;

  @Option(
      names = "--output",
      paramLabel = "DIR",
      description =
          "Folder of the run; default: that of --resume, or logging.log_dir of the configuration.")
  @Nullable Path output;

  @Option(
      names = "--resume",
      paramLabel = "RUN",
      description =
          "Go on with a run: its folder, or one of its checkpoints. Its configuration is used,"
              + " changed by --set.")
  @Nullable Path resume;

  @Option(
      names = "--max-steps",
      paramLabel = "N",
      description = "End after this many updates, counted from the beginning of the run.")
  @Nullable Long maxSteps;

  @Option(
      names = "--dry-run",
      description = "Print the plan (data, parameters, steps, memory) and do nothing.")
  boolean dryRun;

  @Option(names = "--batch-size", paramLabel = "N", description = "As training.batch_size.")
  @Nullable String batchSize;

  @Option(names = "--learning-rate", paramLabel = "X", description = "As training.learning_rate.")
  @Nullable String learningRate;

  @Option(names = "--num-epochs", paramLabel = "N", description = "As training.num_epochs.")
  @Nullable String numEpochs;

  @Option(names = "--num-workers", paramLabel = "N", description = "As training.num_workers.")
  @Nullable String numWorkers;

  @Mixin ModelOptions model;
  @Spec CommandSpec spec;

  @SuppressWarnings("NullAway.Init")
  TrainCommand() {}

  /** Images that are read before training begins. */
  private static final int FIRST_IMAGES = 20;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (maxSteps != null && maxSteps < 1) {
      throw new ParameterException(spec.commandLine(), "--max-steps must be at least 1");
    }
    if (resume != null && model.checkpoint != null) {
      throw new ParameterException(
          spec.commandLine(), "--resume and --checkpoint exclude each other");
    }
    addOverride("data.train_path", dataDir == null ? null : quoted(dataDir));
    addOverride("data.val_path", dataDir == null ? null : quoted(dataDir));
    addOverride("training.batch_size", batchSize);
    addOverride("training.learning_rate", learningRate);
    addOverride("training.num_epochs", numEpochs);
    addOverride("training.num_workers", numWorkers);
    addOverride("seed", model.seed == null ? null : model.seed.toString());

    Path file = resume == null ? null : checkpointOf(resume);
    Checkpoint checkpoint = file == null ? null : Checkpoint.load(file);
    GammaNetConfig config;
    if (checkpoint == null || model.config != null) {
      config = model.readConfig();
    } else {
      config = checkpoint.config(GammaNetConfig.defaults(), model::note).with(model.overrides);
    }
    TrainingData data = TrainingData.open(config.data());
    inspect(data.train());
    if (data.validation() != data.train()) {
      inspect(data.validation());
    }
    Path folder = folder(config, file);
    if (resume == null && !dryRun && Files.exists(lastOf(folder))) {
      throw new CommandException(
          folder
              + " holds a run already: go on with --resume "
              + folder
              + ", or name another --output");
    }
    try (GammaNet net = open(config, checkpoint);
        Trainer trainer =
            new Trainer(config, net.network(), data, folder, new Console(config, data))) {
      if (checkpoint != null && file != null) {
        trainer.resume(checkpoint, file.toString());
      }
      printPlan(trainer, config, net.network(), data, folder);
      return dryRun ? 0 : run(trainer, folder);
    }
  }

  /** Reads a few images and annotations, in a dry run all of them, and tells what looks wrong. */
  private void inspect(EdgeDataset images) {
    EdgeDataset.Inspection found = images.inspect(dryRun ? images.size() : FIRST_IMAGES);
    found.warnings().stream().limit(3).forEach(model::note);
    if (found.warnings().size() > 3) {
      model.note("the same holds for %d more".formatted(found.warnings().size() - 3));
    }
    int errors = found.errors().size();
    if (errors > 0) {
      throw new DataException(
          String.join("; ", found.errors().stream().limit(3).toList())
              + (errors > 3 ? "; and %d more".formatted(errors - 3) : ""));
    }
  }

  private void addOverride(String key, @Nullable String value) {
    if (value != null) {
      model.overrides.add(key + "=" + value);
    }
  }

  /** A path as YAML text. */
  private static String quoted(Path path) {
    return "'" + path.toAbsolutePath().normalize().toString().replace("'", "''") + "'";
  }

  private static Path lastOf(Path run) {
    return run.resolve("checkpoints").resolve("last.safetensors");
  }

  private static Path checkpointOf(Path run) {
    if (!Files.isDirectory(run)) {
      return run;
    }
    Path last = lastOf(run);
    if (!Files.exists(last)) {
      throw new CommandException(
          "there is nothing to resume in " + run + ": it has no checkpoints/last.safetensors");
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

  private GammaNet open(GammaNetConfig config, @Nullable Checkpoint resumed) {
    if (model.checkpoint != null) {
      Checkpoint start = Checkpoint.load(model.checkpoint);
      ModelConfig stored = start.config(config, model::note).model();
      // Weights may go on with another number of timesteps, which they do not depend on.
      if (!stored.withTimesteps(config.model().timesteps()).equals(config.model())) {
        throw new CommandException(
            model.checkpoint + " is another network than the configuration describes");
      }
      return GammaNet.of(start, config, model.openDevice());
    }
    return resumed != null
        ? GammaNet.empty(config, model.openDevice())
        : GammaNet.random(config, config.seed(), model.openDevice());
  }

  private int run(Trainer trainer, Path folder) throws InterruptedException {
    AtomicInteger interrupted = new AtomicInteger();
    for (String name : List.of("INT", "TERM")) {
      Signal.handle(
          new Signal(name),
          signal -> {
            if (interrupted.getAndSet(signal.getNumber()) != 0) {
              Runtime.getRuntime().halt(128 + signal.getNumber()); // the second time, at once
            }
            trainer.stop();
          });
    }
    PrintWriter out = spec.commandLine().getOut();
    Trainer.End end = trainer.run(maxSteps == null ? Long.MAX_VALUE : maxSteps);
    Terminal.clear();
    try {
      TrainingCurves.write(folder);
    } catch (NoSuchFileException e) {
      // No epoch is complete.
    } catch (IOException e) {
      model.note("the curves could not be drawn: " + Failures.sentence(e));
    }
    switch (end) {
      case FINISHED -> out.println("done: all epochs");
      case EARLY_STOP -> out.println("done: no improvement any more");
      case LIMIT ->
          out.printf("stopped after %d updates; --resume goes on%n", trainer.globalStep());
      case STOPPED -> out.println("interrupted; saved, --resume goes on");
    }
    out.flush();
    return end == Trainer.End.STOPPED ? 128 + interrupted.get() : 0;
  }

  private void printPlan(
      Trainer trainer, GammaNetConfig config, Network network, TrainingData data, Path folder) {
    PrintWriter out = spec.commandLine().getOut();
    TrainingConfig training = config.training();
    out.println("network     " + config.model().name() + ", T = " + config.model().timesteps());
    for (Optimizer.Group group : trainer.groups()) {
      out.printf(
          Locale.ROOT,
          "parameters  %,d in group %s at rate %.3g%n",
          group.size(),
          group.name(),
          group.learningRate());
    }
    out.println("data        " + data.description());
    int crop = config.data().augmentation().randomCrop();
    out.printf(
        Locale.ROOT,
        "epochs      %d of %d updates, %d crops of %dx%d each%n",
        training.numEpochs(),
        trainer.updatesPerEpoch(),
        training.batchSize() * training.gradientAccumulation(),
        crop,
        crop);
    if (trainer.globalStep() > 0) {
      out.printf(
          Locale.ROOT,
          "resumed     at epoch %d, after %d updates%n",
          trainer.epoch(),
          trainer.globalStep());
    }
    long left = (long) training.numEpochs() * trainer.updatesPerEpoch() - trainer.globalStep();
    out.printf(
        Locale.ROOT,
        "updates     %,d to come%n",
        maxSteps == null ? left : Math.min(left, maxSteps - trainer.globalStep()));
    int side = crop == 0 ? 400 : crop;
    for (Recompute mode : List.of(Recompute.NONE, Recompute.CELLS, Recompute.TIMESTEPS)) {
      long bytes =
          TrainingMemory.estimate(
              network, training.batchSize(), side, side, config.model().timesteps(), mode);
      boolean chosen = mode == trainer.recompute();
      if (dryRun || chosen) {
        out.printf(
            Locale.ROOT,
            "memory      about %.1f GB with training.recompute=%s%s%n",
            bytes / 1e9,
            mode.word(),
            dryRun && chosen ? " (chosen)" : "");
      }
    }
    out.println("precision   " + trainer.precision());
    out.println("device      " + network.device());
    out.println("output      " + folder);
    out.flush();
  }

  /** Prints a bar for people, and a line per epoch. */
  private final class Console implements TrainingListener {
    private final int epochs;
    private double running = Double.NaN;
    private double secondsPerUpdate = Double.NaN;

    Console(GammaNetConfig config, TrainingData data) {
      this.epochs = config.training().numEpochs();
    }

    @Override
    public void step(Step step) {
      running = Double.isNaN(running) ? step.loss() : 0.95 * running + 0.05 * step.loss();
      secondsPerUpdate =
          Double.isNaN(secondsPerUpdate)
              ? step.seconds()
              : 0.9 * secondsPerUpdate + 0.1 * step.seconds();
      if (Terminal.errIsTerminal()) {
        double left = secondsPerUpdate * (step.updates() - step.update());
        Terminal.draw(
            String.format(
                Locale.ROOT,
                "epoch %d/%d  %s %d/%d  loss %.4g  %.2f s/update  %s left",
                step.epoch() + 1,
                epochs,
                Terminal.bar((double) step.update() / step.updates()),
                step.update(),
                step.updates(),
                running,
                secondsPerUpdate,
                Terminal.clock(left)));
      }
    }

    @Override
    public void validating(int done, int total) {
      Terminal.draw("validation " + Terminal.bar((double) done / total) + " " + done + "/" + total);
    }

    @Override
    public void benchmarking(int done, int total) {
      Terminal.draw("benchmark  " + Terminal.bar((double) done / total) + " " + done + "/" + total);
    }

    @Override
    public void epoch(Epoch epoch) {
      Terminal.clear();
      PrintWriter out = spec.commandLine().getOut();
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
      out.println(String.join("  ", parts));
      out.flush();
    }

    @Override
    public void note(String sentence) {
      Terminal.clear();
      model.note(sentence);
    }
  }
}
