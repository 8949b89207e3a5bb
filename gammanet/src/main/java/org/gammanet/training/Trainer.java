package org.gammanet.training;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Batch;
import org.gammanet.model.Network;
import org.gammanet.model.NetworkWeights;
import org.gammanet.torch.DType;
import org.jspecify.annotations.Nullable;

/**
 * Trains a network: epochs of random crops, validation, schedule, checkpoints, early stopping.
 *
 * <p>Below the output folder it writes {@code checkpoints/last.safetensors} (after each epoch and
 * when it is stopped: everything that is needed to go on), {@code checkpoints/best_model} (the
 * weights of the best validation), {@code checkpoints/checkpoint_epoch_N} (the newest five), {@code
 * metrics.jsonl} (a line per epoch), {@code config.yaml}, and TensorBoard event files below {@code
 * tensorboard}.
 *
 * <p>Order of samples, augmentation and initial weights are functions of the seed and the position
 * alone, so a run that was interrupted and resumed makes the same steps as one that was not; on a
 * CPU they are equal bit for bit.
 *
 * <p>One thread calls {@link #run}; {@link #stop} may come from any.
 */
public final class Trainer implements AutoCloseable {
  /** Why a run ended. */
  public enum End {
    /** All epochs are done. */
    FINISHED,
    /** No improvement for {@code training.early_stopping_patience} validations. */
    EARLY_STOP,
    /** The limit of updates is reached. */
    LIMIT,
    /** {@link #stop} was called. */
    STOPPED
  }

  /** Updates in a row that may fail before training gives up. */
  static final int MAX_FAILURES = 10;

  private final GammaNetConfig config;
  private final TrainingConfig training;
  private final Network network;
  private final TrainingData data;
  private final Path output;
  private final TrainingListener listener;
  private final ProcessGroup group;
  private final Curriculum curriculum;
  private final TrainingBatches batches;
  private final TrainingPrecision precision;
  private final EdgeLoss loss;
  private final LearningRate schedule;
  private final WeightUpdater updater;
  private final EarlyStopping earlyStopping;
  private final CheckpointFolder checkpoints;

  private volatile boolean stopping;

  /** Whether a rank was asked to stop, which all ranks know after each update. */
  private boolean stopAgreed;

  // Position; with the schedule, early stopping and the updater it makes a checkpoint.
  private int epoch;
  private int update;
  private long globalStep;
  private EpochScores scores;

  /** Updates in a row that failed. */
  private int failures;

  /** When {@code last} was written. */
  private long saved = System.nanoTime();

  /** Cost and duration of what this object has done of the epochs that are finished. */
  private double costDone;

  private double secondsDone;

  private double updateSeconds;

  /**
   * Prepares to train a network from its present weights.
   *
   * @param network stays the caller's
   * @param output folder for everything that is written; made if absent
   * @throws TrainingException when the configuration asks for something that cannot be
   */
  public Trainer(
      GammaNetConfig config,
      Network network,
      TrainingData data,
      Path output,
      TrainingListener listener) {
    this(config, network, data, output, listener, ProcessGroup.ALONE);
  }

  /**
   * The same with other processes, each of which has an equal network: each works on its part of
   * every batch, and rank 0 validates and writes.
   *
   * @param group stays the caller's
   */
  public Trainer(
      GammaNetConfig config,
      Network network,
      TrainingData data,
      Path output,
      TrainingListener listener,
      ProcessGroup group) {
    this.group = group;
    this.config = config;
    this.training = config.training();
    this.network = network;
    this.data = data;
    this.output = output;
    this.listener = listener;
    if (config.model().outputChannels() != 1) {
      throw new TrainingException(
          "the network has %s output channels, but edges are trained with one"
              .formatted(config.model().outputChannels()));
    }
    this.curriculum = Curriculum.of(config);
    this.batches =
        new TrainingBatches(config, curriculum, data.train(), network.minimumSize(), group);
    this.scores = new EpochScores(batches.perEpoch());
    this.precision = new TrainingPrecision(network, training);
    this.loss =
        EdgeLoss.of(training, config.data().positiveThreshold(), config.data().ignoreMinority());
    this.schedule =
        new LearningRate(
            new LearningRate.Settings(
                training.lrScheduler(),
                training.lrDecay(),
                training.lrPatience(),
                training.lrMin(),
                training.warmupSteps()));
    Recompute recompute = training.recompute();
    if (recompute == Recompute.AUTO) {
      int side = curriculum.largestCrop();
      recompute =
          TrainingMemory.choose(
              network, training.batchSize(), side, side, curriculum.mostTimesteps());
    }
    this.updater = new WeightUpdater(config, network, loss, recompute, precision.half(), group);
    this.earlyStopping = new EarlyStopping(training);
    this.checkpoints = new CheckpointFolder(output.resolve("checkpoints"));
    precision.set();
  }

  /**
   * Continues where a checkpoint was written: weights, optimizer, schedule, position.
   *
   * @param checkpoint a {@code last} or numbered one of a run with the same model and data
   * @throws CheckpointException when it does not fit
   * @throws TrainingException when it holds no training state, or that of another model
   */
  public void resume(Checkpoint checkpoint, String name) {
    Map<String, String> metadata = checkpoint.metadata();
    TrainerState state = TrainerState.parse(metadata, name);
    String stored = metadata.get("config");
    if (stored != null) {
      GammaNetConfig before = GammaNetConfig.parseStored(stored, name, note -> {});
      if (!before.model().equals(config.model())) {
        throw new TrainingException(
            name
                + " was trained with another model section; a run can only be resumed with the same"
                + " network");
      }
    }
    NetworkWeights.load(checkpoint, network);
    try {
      updater.restore(checkpoint, state);
    } catch (IllegalArgumentException e) {
      throw new TrainingException("%s cannot be resumed: %s".formatted(name, e.getMessage()), e);
    }
    schedule.restore(state.schedule());
    earlyStopping.restore(state);
    epoch = state.epoch();
    update = state.update();
    globalStep = state.globalStep();
    scores = new EpochScores(batches.perEpoch(), state.lossSum(), state.lossCount());
    if (update > updatesPerEpoch()) {
      throw new TrainingException(
          "%s stopped at update %s of an epoch, which now has %s: samples_per_epoch, batch_size and"
                  .formatted(name, update, updatesPerEpoch())
              + " gradient_accumulation can only change between epochs");
    }
    if (!state.data().isEmpty() && !state.data().equals(data.train().fingerprint())) {
      listener.note("the training images differ from those that " + name + " was trained on");
    }
    if (!training.earlyStoppingMetric().word().equals(state.metric())) {
      listener.note("the metric has changed, so the best network is chosen anew");
      earlyStopping.forgetBest();
    }
  }

  // What there is to do, and how

  /** Number of the next epoch, from 0. */
  public int epoch() {
    return epoch;
  }

  /** Updates made so far, over all runs. */
  public long globalStep() {
    return globalStep;
  }

  /** Updates that an epoch has. */
  public int updatesPerEpoch() {
    return batches.updatesPerEpoch();
  }

  /**
   * Floating-point operations of the updates to come: three forward passes for each sample, two
   * operations for a multiply-accumulate.
   *
   * @param maxSteps as for {@link #run}
   */
  public double operationsLeft(long maxSteps) {
    double sum = 0;
    long step = globalStep;
    for (int e = epoch; e < training.numEpochs() && step < maxSteps; e++) {
      Curriculum.Part part = curriculum.at(e);
      long updates = Math.min(updatesPerEpoch() - (e == epoch ? update : 0), maxSteps - step);
      sum +=
          6 * part.macs(network) * updates * training.gradientAccumulation() * training.batchSize();
      step += updates;
    }
    return sum;
  }

  /** Side of the largest crops in pixels. */
  public int largestCrop() {
    return curriculum.largestCrop();
  }

  /** Most timesteps of a batch. */
  public int mostTimesteps() {
    return curriculum.mostTimesteps();
  }

  /** The stages of the run in a few words each. */
  public List<String> stages() {
    int crops = training.batchSize() * training.gradientAccumulation();
    return curriculum.stages().stream()
        .map(part -> part.describe(updatesPerEpoch(), crops))
        .toList();
  }

  /** Groups of parameters with their learning rates before any schedule. */
  public List<Optimizer.Group> groups() {
    return updater.groups();
  }

  /** The recomputation mode: as configured, or chosen by the available memory. */
  public Recompute recompute() {
    return updater.recompute();
  }

  /** In what type products are computed, in a few words. */
  public String precision() {
    return precision.describe();
  }

  /** Bytes of gradients that the last update has summed over all ranks; 0 for a single process. */
  public long bytesReduced() {
    return updater.reducer().bytes();
  }

  /** Seconds that the last update took, with the sums over all ranks. */
  public double secondsUpdating() {
    return updateSeconds;
  }

  /** Seconds that the last update took to sum gradients over all ranks. */
  public double secondsReducing() {
    return updater.reducer().seconds();
  }

  /** Best value of the configured metric so far; NaN before the first validation. */
  public double best() {
    return earlyStopping.best();
  }

  // Running

  /** Ends {@link #run} after the present update, with a checkpoint; for any thread. */
  public void stop() {
    stopping = true;
  }

  /**
   * Trains until all epochs are done, nothing improves any more, {@link #stop} is called or the
   * limit is reached.
   *
   * @param maxSteps updates of the whole run, earlier ones included, after which to end; at most
   *     {@link Long#MAX_VALUE}
   * @throws TrainingException after {@value #MAX_FAILURES} updates in a row without finite loss and
   *     gradient, and when the output folder cannot be written, for instance because the disk is
   *     full
   * @throws CheckpointException when a checkpoint cannot be written; those before stay whole
   * @throws UncheckedIOException when something else cannot be written
   */
  public End run(long maxSteps) throws InterruptedException {
    try {
      requireEqualRanks();
    } catch (LostRankException e) {
      throw new TrainingException(ofRank(String.valueOf(e.getMessage())), e);
    }
    try {
      return train(maxSteps);
    } catch (LostRankException e) {
      saveLast(); // between updates: all ranks have made the same ones
      throw new TrainingException(
          ofRank(
              "%s; the checkpoint of update %s is in %s"
                  .formatted(e.getMessage(), globalStep, checkpoints.path())),
          e);
    } catch (FileSystemException e) {
      throw new UncheckedIOException(e); // which names its file
    } catch (IOException e) {
      throw new TrainingException(
          "cannot write below %s: %s; the last good checkpoint is in %s"
              .formatted(output, e.getMessage(), checkpoints.path()),
          e);
    }
  }

  /** Ranks that begin with different weights, or elsewhere in the run, would never agree. */
  private void requireEqualRanks() {
    if (group.size() == 1) {
      return;
    }
    double weights = Long.parseLong(network.digest().substring(0, 12), 16);
    double[] first = group.ofFirst(weights, globalStep);
    boolean equal = first[0] == weights && first[1] == globalStep;
    if (group.sum(equal ? 0 : 1)[0] > 0) {
      throw new TrainingException(ofRank("the ranks do not begin with the same weights"));
    }
  }

  private String ofRank(String sentence) {
    return "rank %s of %s: %s".formatted(group.rank(), group.size(), sentence);
  }

  private boolean writes() {
    return group.rank() == 0;
  }

  private boolean isStopping() {
    return group.size() == 1 ? stopping : stopAgreed;
  }

  private End train(long maxSteps) throws IOException, InterruptedException {
    if (writes()) {
      checkpoints.prepare();
    }
    if (precision.float32Reason() != null) {
      listener.note("training.mixed_precision has no effect: " + precision.float32Reason());
    }
    network.train();
    try (var log = writes() ? new RunLog(config, output, epoch, listener) : null;
        var loader = batches.loader(epoch, update)) {
      while (epoch < training.numEpochs()) {
        long start = System.nanoTime();
        int first = update; // not 0 in an epoch that an earlier run has begun
        while (update < updatesPerEpoch()) {
          boolean stop = isStopping();
          if (stop || globalStep >= maxSteps) {
            saveLast();
            return stop ? End.STOPPED : End.LIMIT;
          }
          saveByTime();
          step(batches.next(loader, update), log);
        }
        if (finishEpoch(start, first, log)) {
          return End.EARLY_STOP;
        }
        if (isStopping()) { // everything has been saved
          return End.STOPPED;
        }
      }
    }
    return End.FINISHED;
  }

  /** Learning rate of each group now. */
  private SequencedMap<String, Double> rates() {
    Curriculum.Part part = curriculum.at(epoch);
    SequencedMap<String, Double> rates = new LinkedHashMap<>();
    for (Optimizer.Group group : updater.groups()) {
      rates.put(
          group.name(),
          schedule.rate(
              part.rateFactor() * group.learningRate(),
              epoch - part.firstEpoch(),
              part.epochs(),
              globalStep));
    }
    return rates;
  }

  /** One update from one or more batches. */
  private void step(List<Batch> parts, @Nullable RunLog log) throws IOException {
    long start = System.nanoTime();
    SequencedMap<String, Double> rates = rates();
    WeightUpdater.Update made =
        updater.update(parts, curriculum.at(epoch), rates, scores, stopping);
    stopAgreed = made.stop();
    if (made.failed()) {
      skipped(parts);
    } else if (!made.skipped()) {
      failures = 0;
    }
    update++;
    globalStep++;
    updateSeconds = (System.nanoTime() - start) / 1e9;
    TrainingListener.Step report =
        new TrainingListener.Step(
            epoch,
            update,
            updatesPerEpoch(),
            globalStep,
            made.loss(),
            made.gradientNorm(),
            rates,
            made.timesteps(),
            made.penalty(),
            made.skipped(),
            updateSeconds);
    if (log != null) {
      Double scale = precision.half() == DType.FLOAT16 ? (Double) updater.scale().value() : null;
      log.step(report, made.clipped(), made.emptyTargets(), scale);
    }
    listener.step(report);
  }

  private void skipped(List<Batch> parts) {
    String ids = String.join(", ", parts.stream().flatMap(b -> b.ids().stream()).toList());
    failures++;
    if (failures >= MAX_FAILURES) {
      throw new TrainingException(
          "loss or gradient was not finite for %s updates in a row, last with %s; the last good"
                  .formatted(failures, ids)
              + " checkpoint is in "
              + checkpoints.path()
              + "; a lower learning rate or fewer timesteps may help");
    }
    listener.note(
        "update %s skipped: loss or gradient is not finite (%s)".formatted(globalStep + 1, ids));
  }

  /** Validates, saves and moves on; true when nothing has improved for too long. */
  @SuppressWarnings("NullAway")
  private boolean finishEpoch(long start, int first, @Nullable RunLog log)
      throws IOException, InterruptedException {
    boolean last = epoch == training.numEpochs() - 1;
    Validation.Result validation = null;
    boolean improved = false;
    if ((epoch + 1) % training.validationFrequency() == 0 || last) {
      if (log != null) {
        int number = earlyStopping.validations() + 1;
        validation = validate(number % training.benchmarkFrequency() == 0 || last, log);
      }
      double[] agreed =
          group.ofFirst(
              log != null && validation == null ? 1 : 0,
              validation == null ? Double.NaN : earlyStopping.metric(validation),
              validation == null ? Double.NaN : validation.metrics().ods());
      if (agreed[0] > 0) { // stopped meanwhile: this epoch ends when the run goes on
        stopAgreed = true;
        saveLast();
        return false;
      }
      improved = earlyStopping.improves(agreed[1]);
      schedule.validated(agreed[2]);
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    secondsDone += seconds;
    costDone += curriculum.at(epoch).cost() * (update - first) / update;
    TrainingListener.Epoch report =
        new TrainingListener.Epoch(
            epoch,
            scores.meanLoss(),
            validation == null ? null : validation.loss(),
            validation == null ? null : validation.metrics(),
            validation == null ? null : validation.benchmark(),
            improved,
            rates(),
            batches.left(first) * training.batchSize(),
            seconds,
            costDone > 0
                ? secondsDone / costDone * curriculum.cost(epoch + 1, training.numEpochs())
                : Double.NaN);
    Double trainingOds = scores.ods();
    int finished = epoch;
    epoch++;
    update = 0;
    scores = new EpochScores(batches.perEpoch());
    if (log != null) {
      log.epoch(report, globalStep, trainingOds, validation);
    }
    if (improved) {
      try (var averaged = updater.exchangeWeights()) {
        save(checkpoints.best(), false);
      }
    }
    saveLast();
    if ((finished + 1) % training.saveFrequency() == 0 || last) {
      save(checkpoints.numbered(finished), true);
      if (writes()) {
        checkpoints.prune();
      }
    }
    listener.epoch(report);
    return earlyStopping.isExhausted();
  }

  /** Scores the averaged or present weights; null when {@link #stop} was called meanwhile. */
  private Validation.@Nullable Result validate(boolean benchmark, RunLog log)
      throws IOException, InterruptedException {
    try (var averaged = updater.exchangeWeights()) {
      return new Validation(config, network, data.validation(), loss, precision.half(), listener)
          .run(epoch, benchmark, log.events(), () -> stopping);
    }
  }

  // Checkpoints

  /** Saves when the last time is too long ago. */
  private void saveByTime() {
    double minutes = training.saveMinutes();
    if (minutes > 0 && System.nanoTime() - saved > minutes * 60e9) {
      saveLast();
    }
  }

  private void saveLast() {
    save(checkpoints.last(), true);
    saved = System.nanoTime();
  }

  private TrainerState state() {
    return new TrainerState(
        epoch,
        update,
        globalStep,
        scores.lossSum(),
        scores.lossCount(),
        earlyStopping.best(),
        earlyStopping.patience(),
        earlyStopping.validations(),
        schedule.state(),
        updater.scale().value(),
        updater.scale().good(),
        updater.averaged(),
        updater.recompute().word(),
        training.earlyStoppingMetric().word(),
        data.train().fingerprint());
  }

  /** Writes the weights and, if {@code resumable}, everything that is needed to continue. */
  private void save(Path file, boolean resumable) {
    if (!writes()) {
      return;
    }
    TrainerState state = state();
    Map<String, String> metadata = resumable ? state.metadata() : state.summary();
    metadata.put("config", config.toJson());
    metadata.put("created", Instant.now().toString());
    if (resumable) {
      metadata.put("seed", "" + config.seed());
    }
    Checkpoint.of(NetworkWeights.of(network), resumable ? updater.tensors() : Map.of(), metadata)
        .save(file);
  }

  /**
   * Closes the optimizer's state; the network stays open, without gradients and in evaluation mode.
   */
  @Override
  public void close() {
    updater.close();
    network.eval();
    precision.restore();
  }
}
