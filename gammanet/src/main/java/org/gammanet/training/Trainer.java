package org.gammanet.training;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.Augmentation;
import org.gammanet.data.Batch;
import org.gammanet.data.BatchSource;
import org.gammanet.data.Prefetcher;
import org.gammanet.evaluation.QuickMetrics;
import org.gammanet.kernels.NativeKernels;
import org.gammanet.kernels.Precision;
import org.gammanet.model.LayerSummary;
import org.gammanet.model.Network;
import org.gammanet.model.NetworkWeights;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
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

  private static final int BATCHES_AHEAD = 4;

  /** Training samples of an epoch that are scored. */
  private static final int SCORED_SAMPLES = 32;

  /** Prefix of the averaged weights among the optimizer's tensors. */
  private static final String EMA = "ema.";

  /** Prefix of the side read-outs' parameters among the optimizer's tensors. */
  private static final String SIDE = "side.";

  private static final String STEP = "step.";

  private final GammaNetConfig config;
  private final Network network;
  private final TrainingData data;
  private final Path output;
  private final TrainingListener listener;
  private final ProcessGroup group;
  private final GradientReducer reducer;
  private final Optimizer optimizer;
  private final LearningRate schedule;
  private final EdgeLoss loss;
  private final Curriculum curriculum;

  /** Batches of each stage. */
  private final List<BatchSource> sources = new ArrayList<>();

  private final CheckpointFolder checkpoints;

  /** Type that products are rounded to; null for float32. */
  private final @Nullable DType half;

  /** Why that is float32 although half precision is asked for; null where it is not. */
  private final @Nullable String float32Reason;

  /** The network's precision before training. */
  private final Precision precisionBefore;

  private final LossScale scale;
  private final @Nullable WeightAverage average;
  private final @Nullable SideReadOuts sides;
  private Recompute recompute;

  /** Batches that make an update. */
  private final int accumulation;

  private final int updatesPerEpoch;

  private volatile boolean stopping;

  /** Whether a rank was asked to stop, which all ranks know after each update. */
  private boolean stopAgreed;

  // Position; all of it is in a checkpoint.
  private int epoch;
  private int update;
  private long globalStep;
  private double lossSum;
  private int lossCount;
  private double best = Double.NaN;
  private int patience;
  private int validations;

  private int failures;

  /** When {@code last} was written. */
  private long saved = System.nanoTime();

  /** Epochs finished by this object, their cost and how long they took. */
  private double costDone;

  private double secondsDone;

  private double updateSeconds;

  private QuickMetrics trainingMetrics = new QuickMetrics(QuickMetrics.Recall.TARGET_PIXELS);

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
    this.network = network;
    this.data = data;
    this.output = output;
    this.listener = listener;
    TrainingConfig training = config.training();
    if (config.model().outputChannels() != 1) {
      throw new TrainingException(
          "the network has %s output channels, but edges are trained with one"
              .formatted(config.model().outputChannels()));
    }
    if (training.samplesPerEpoch() < training.batchSize()) {
      throw new TrainingException(
          "training.samples_per_epoch is %s, less than one batch of %s"
              .formatted(training.samplesPerEpoch(), training.batchSize()));
    }
    if (training.batchSize() < group.size()) {
      throw new TrainingException(
          "a batch of %s cannot be divided among %s processes"
              .formatted(training.batchSize(), group.size()));
    }
    boolean float16 = training.halfType() == TrainingConfig.HalfType.FLOAT16;
    DType wanted = float16 ? DType.FLOAT16 : DType.BFLOAT16;
    this.float32Reason = training.mixedPrecision() ? float32Reason(network, wanted) : null;
    this.half = training.mixedPrecision() && float32Reason == null ? wanted : null;
    this.precisionBefore = network.precision();
    this.scale = new LossScale(half == DType.FLOAT16);
    this.checkpoints = new CheckpointFolder(output.resolve("checkpoints"));
    this.curriculum = Curriculum.of(config);
    for (Curriculum.Part part : curriculum.stages()) {
      if (part.crop() < network.minimumSize()) {
        throw new TrainingException(
            "random_crop is %s, but the network needs images of at least %s pixels"
                .formatted(part.crop(), network.minimumSize()));
      }
      GammaNetConfig cropped = config.with(List.of("data.augmentation.random_crop=" + part.crop()));
      sources.add(
          new BatchSource(
              data.train(),
              Augmentation.of(cropped.data()),
              config.seed(),
              training.samplesPerEpoch(),
              training.batchSize()));
    }
    this.recompute = training.recompute();
    if (recompute == Recompute.AUTO) {
      int side = curriculum.largestCrop();
      this.recompute =
          TrainingMemory.choose(
              network, training.batchSize(), side, side, curriculum.mostTimesteps());
    }
    this.accumulation = training.gradientAccumulation();
    this.updatesPerEpoch = Math.ceilDiv(batchesPerEpoch(), accumulation);
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
    SequencedMap<String, Tensor> trained = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      boolean frozen = training.vggLearningRate() == 0 && Optimizer.isBackbone(parameter.name());
      parameter.tensor().requiresGrad(!frozen);
      if (!frozen) {
        trained.put(parameter.name(), parameter.tensor());
      }
    }
    this.sides = training.sideLoss() > 0 ? new SideReadOuts(network) : null;
    if (sides != null) {
      sides.to(network);
      sides.parameters().forEach((name, p) -> trained.put(SIDE + name, p));
    }
    Optimizer.Settings defaults =
        Optimizer.Settings.of(training.optimizer() == TrainingConfig.Optimizer.ADAMW);
    this.optimizer =
        new Optimizer(
            Optimizer.groups(trained, training.vggLearningRate(), training.learningRate()),
            new Optimizer.Settings(
                defaults.decoupled(),
                defaults.beta1(),
                defaults.beta2(),
                defaults.epsilon(),
                training.weightDecay(),
                training.decayAll()));
    this.reducer = new GradientReducer(group, optimizer.groups(), training.exactSums());
    this.average = training.emaDecay() > 0 ? new WeightAverage(network, training.emaDecay()) : null;
    if (half == DType.BFLOAT16 && network.fallbackReason() == null) {
      network.setPrecision(Precision.BFLOAT16);
    }
  }

  // Resuming

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
    restore(checkpoint, state);
    epoch = state.epoch();
    update = state.update();
    globalStep = state.globalStep();
    lossSum = state.lossSum();
    lossCount = state.lossCount();
    best = state.best();
    patience = state.patience();
    validations = state.validations();
    scale.restore(state.lossScale(), state.lossScaleUpdates());
    schedule.restore(state.schedule());
    if (update > updatesPerEpoch) {
      throw new TrainingException(
          "%s stopped at update %s of an epoch, which now has %s: samples_per_epoch, batch_size and"
                  .formatted(name, update, updatesPerEpoch)
              + " gradient_accumulation can only change between epochs");
    }
    if (config.training().recompute() == Recompute.AUTO) {
      // Keep the mode, since modes differ in rounding.
      recompute =
          Stream.of(Recompute.values())
              .filter(r -> r != Recompute.AUTO && r.word().equals(state.recompute()))
              .findFirst()
              .orElse(recompute);
    }
    if (!state.data().isEmpty() && !state.data().equals(data.train().fingerprint())) {
      listener.note("the training images differ from those that " + name + " was trained on");
    }
    if (!config.training().earlyStoppingMetric().word().equals(state.metric())) {
      listener.note("the metric has changed, so the best network is chosen anew");
      best = Double.NaN;
      patience = 0;
    }
  }

  /** Restores moments, averages and side read-outs. */
  private void restore(Checkpoint checkpoint, TrainerState state) {
    Map<String, Tensor> moments = new HashMap<>();
    Map<String, Tensor> averages = new HashMap<>();
    Map<String, Long> steps = new LinkedHashMap<>();
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      for (var entry : checkpoint.optimizer().entrySet()) {
        String key = entry.getKey();
        if (key.startsWith(STEP)) {
          steps.put(key.substring(STEP.length()), (long) entry.getValue().get(0));
        } else if (key.startsWith(EMA)) {
          averages.put(key.substring(EMA.length()), entry.getValue().toTensor());
        } else if (key.startsWith(SIDE)) {
          Tensor own = sides == null ? null : sides.parameters().get(key.substring(SIDE.length()));
          if (own != null) {
            own.copy_(entry.getValue().toTensor());
          }
        } else {
          moments.put(key, entry.getValue().toTensor());
        }
      }
      if (sides == null) { // their moments are not needed any more
        steps.keySet().removeIf(name -> name.startsWith(SIDE));
      }
      optimizer.restore(moments, steps);
      if (average != null) {
        if (averages.isEmpty()) { // the run has had no average so far
          network.parameters().forEach(p -> averages.put(p.name(), p.tensor()));
        }
        average.restore(averages, state.averaged());
      }
    }
  }

  // Running

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
    return updatesPerEpoch;
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
    for (int e = epoch; e < config.training().numEpochs() && step < maxSteps; e++) {
      Curriculum.Part part = curriculum.at(e);
      long updates = Math.min(updatesPerEpoch - (e == epoch ? update : 0), maxSteps - step);
      double macs =
          (LayerSummary.macs(network.summary(part.crop(), part.crop()), part.fewest())
                  + LayerSummary.macs(network.summary(part.crop(), part.crop()), part.most()))
              / 2.0;
      sum += 6 * macs * updates * accumulation * config.training().batchSize();
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
    return curriculum.stages().stream()
        .map(
            part ->
                "%s epochs of %s updates, %s crops of %sx%s each, T = %s"
                    .formatted(
                        part.epochs(),
                        updatesPerEpoch,
                        config.training().batchSize() * accumulation,
                        part.crop(),
                        part.crop(),
                        part.fewest() == part.most()
                            ? "" + part.most()
                            : part.fewest() + " to " + part.most()))
        .toList();
  }

  /** Groups of parameters with their rates, as the optimizer sees them. */
  public List<Optimizer.Group> groups() {
    return optimizer.groups();
  }

  /** The recomputation mode: as configured, or chosen by the available memory. */
  public Recompute recompute() {
    return recompute;
  }

  /** In what type products are computed, in a few words. */
  public String precision() {
    if (half != null) {
      return half.name().toLowerCase(Locale.ROOT) + " in products, float32 elsewhere";
    }
    return float32Reason == null ? "float32" : "float32: " + float32Reason;
  }

  /** Why half precision is not available for a network; null if it is. */
  private static @Nullable String float32Reason(Network network, DType wanted) {
    if (network.fallbackReason() != null) {
      return null; // LibTorch's convolutions can do it everywhere
    }
    if (wanted == DType.FLOAT16) {
      return "native kernels have bfloat16 (training.half_type), but not float16";
    }
    return NativeKernels.supports(Precision.BFLOAT16)
        ? null
        : "bfloat16 is no faster on this processor";
  }

  /** Bytes of gradients that the last update has summed over all ranks; 0 for a single process. */
  public long bytesReduced() {
    return reducer.bytes();
  }

  /** Seconds that the last update took, with the sums over all ranks. */
  public double secondsUpdating() {
    return updateSeconds;
  }

  /** Seconds that the last update took to sum gradients over all ranks. */
  public double secondsReducing() {
    return reducer.seconds();
  }

  /** Best value of the configured metric so far; NaN before the first validation. */
  public double best() {
    return best;
  }

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

  private End train(long maxSteps) throws IOException, InterruptedException {
    TrainingConfig training = config.training();
    if (writes()) {
      checkpoints.prepare();
    }
    if (float32Reason != null) {
      listener.note("training.mixed_precision has no effect: " + float32Reason);
    }
    int batches = batchesPerEpoch();
    long end = (long) training.numEpochs() * batches;
    long position = (long) epoch * batches + Math.min(batches, (long) update * accumulation);
    network.train();
    try (var log = writes() ? new RunLog(config, output, epoch, listener) : null;
        var loader =
            new Prefetcher<>(
                position,
                end,
                Math.max(1, training.numWorkers()),
                Math.max(BATCHES_AHEAD, 2 * accumulation),
                this::batch)) {
      while (epoch < training.numEpochs()) {
        long start = System.nanoTime();
        while (update < updatesPerEpoch) {
          boolean stop = group.size() == 1 ? stopping : stopAgreed;
          if (stop || globalStep >= maxSteps) {
            saveLast();
            return stop ? End.STOPPED : End.LIMIT;
          }
          saveByTime();
          List<Batch> group = new ArrayList<>();
          int wanted = Math.min(accumulation, batches - update * accumulation);
          while (group.size() < wanted) {
            group.add(loader.next());
          }
          step(group, log);
        }
        if (finishEpoch(start, log)) {
          return End.EARLY_STOP;
        }
        if (group.size() == 1 ? stopping : stopAgreed) { // everything has been saved
          return End.STOPPED;
        }
      }
    }
    return End.FINISHED;
  }

  /** Saves when the last time is too long ago. */
  private void saveByTime() {
    double minutes = config.training().saveMinutes();
    if (minutes > 0 && System.nanoTime() - saved > minutes * 60e9) {
      saveLast();
    }
  }

  private int batchesPerEpoch() {
    return sources.getFirst().batchesPerEpoch(); // of all stages
  }

  private Batch batch(long position) {
    Curriculum.Part part = curriculum.at((int) (position / batchesPerEpoch()));
    int size = config.training().batchSize();
    return sources
        .get(curriculum.stages().indexOf(part))
        .batch(
            position, size * group.rank() / group.size(), size * (group.rank() + 1) / group.size());
  }

  /** Learning rate of each group now. */
  private double[] rates() {
    Curriculum.Part part = curriculum.at(epoch);
    return optimizer.groups().stream()
        .mapToDouble(
            group ->
                schedule.rate(
                    part.rateFactor() * group.learningRate(),
                    epoch - part.firstEpoch(),
                    part.epochs(),
                    globalStep))
        .toArray();
  }

  private Map<String, Double> named(double[] rates) {
    Map<String, Double> named = new LinkedHashMap<>();
    for (int g = 0; g < rates.length; g++) {
      named.put(optimizer.groups().get(g).name(), rates[g]);
    }
    return named;
  }

  /** One update from one or more batches. */
  private void step(List<Batch> batches, @Nullable RunLog log) throws IOException {
    long start = System.nanoTime();
    double[] rates = rates();
    BatchGradients gradients = new BatchGradients(config, network, loss, recompute, half, sides);
    Curriculum.Part part = curriculum.at(epoch);
    double value = 0;
    double penalty = 0;
    int empty = 0;
    int timesteps = 0;
    optimizer.zeroGradients();
    reducer.clear();
    boolean exact = config.training().exactSums();
    List<Batch> pieces =
        exact ? batches.stream().flatMap(b -> b.singles().stream()).toList() : batches;
    for (Batch batch : pieces) {
      // As many batches like this one make the update, those of the other ranks included.
      double parts = batches.size() * ((double) config.training().batchSize() / batch.size());
      BatchGradients.Outcome outcome = gradients.add(batch, part, scale.value() / parts);
      score(batch, outcome.logits());
      value += outcome.value() / parts;
      penalty += outcome.penalty() / parts;
      empty += outcome.emptyTargets();
      timesteps += outcome.timesteps();
      if (exact) {
        reducer.collect();
      }
    }
    double[] sums = group.sum(value, penalty, empty, stopping ? 1 : 0);
    value = sums[0];
    penalty = sums[1];
    empty = (int) sums[2];
    if (Double.isFinite(value)) {
      reducer.reduce();
    }
    stopAgreed = sums[3] > 0; // after the last exchange, so that a lost rank leaves it unchanged
    double norm = Double.isFinite(value) ? optimizer.gradientNorm() / scale.value() : Double.NaN;
    boolean skipped = !Double.isFinite(norm);
    double clip = config.training().gradClip();
    boolean clipped = clip > 0 && norm > clip;
    if (!skipped) {
      failures = 0;
      optimizer.step(rates, scale.value() * (clipped ? (norm + 1e-6) / clip : 1));
      scale.succeeded();
      if (average != null) {
        average.update();
      }
      lossSum += value;
      lossCount++;
    } else if (!Double.isFinite(value) || !scale.overflowed()) {
      skip(batches);
    }
    update++;
    globalStep++;
    updateSeconds = (System.nanoTime() - start) / 1e9;
    TrainingListener.Step report =
        new TrainingListener.Step(
            epoch,
            update,
            updatesPerEpoch,
            globalStep,
            value,
            norm,
            named(rates),
            (double) timesteps / pieces.size(),
            penalty,
            skipped,
            updateSeconds);
    if (log != null) {
      log.step(report, clipped, empty, half == DType.FLOAT16 ? scale.value() : null);
    }
    listener.step(report);
  }

  private void skip(List<Batch> batches) {
    List<String> ids = batches.stream().flatMap(b -> b.ids().stream()).toList();
    failures++;
    if (failures >= MAX_FAILURES) {
      throw new TrainingException(
          "loss or gradient was not finite for %s updates in a row, last with %s; the last good"
                  .formatted(failures, String.join(", ", ids))
              + " checkpoint is in "
              + checkpoints.path()
              + "; a lower learning rate or fewer timesteps may help");
    }
    listener.note(
        "update %s skipped: loss or gradient is not finite (%s)"
            .formatted(globalStep + 1, String.join(", ", ids)));
  }

  /** Adds a few evenly spaced batches of an epoch to its metrics. */
  private void score(Batch batch, float[] logits) {
    int scored = Math.max(1, SCORED_SAMPLES / batch.size());
    if (batch.index() % Math.ceilDiv(batchesPerEpoch(), scored) != 0) {
      return;
    }
    int n = batch.height() * batch.width();
    for (int b = 0; b < batch.size(); b++) {
      int from = b * n;
      trainingMetrics.add(
          Validation.probabilities(Arrays.copyOfRange(logits, from, from + n)),
          Arrays.copyOfRange(batch.targets(), from, from + n),
          Arrays.copyOfRange(batch.valid(), from, from + n),
          batch.height(),
          batch.width());
    }
  }

  // Epochs

  /** Validates, saves and moves on; true when nothing has improved for too long. */
  @SuppressWarnings("NullAway")
  private boolean finishEpoch(long start, @Nullable RunLog log)
      throws IOException, InterruptedException {
    TrainingConfig training = config.training();
    double mean = lossCount == 0 ? Double.NaN : lossSum / lossCount;
    boolean last = epoch == training.numEpochs() - 1;
    Validation.Result validation = null;
    boolean improved = false;
    if ((epoch + 1) % training.validationFrequency() == 0 || last) {
      boolean benchmark = (validations + 1) % training.benchmarkFrequency() == 0 || last;
      double metric = Double.NaN;
      double ods = Double.NaN;
      if (log != null) {
        validation = validation(benchmark, log);
        if (validation != null) {
          ods = validation.metrics().ods();
          metric =
              switch (training.earlyStoppingMetric()) {
                case LOSS -> -validation.loss();
                case ODS -> ods;
                case OIS -> validation.metrics().ois();
              };
        }
      }
      double[] first = group.ofFirst(log != null && validation == null ? 1 : 0, metric, ods);
      if (first[0] > 0) { // stopped meanwhile: this epoch ends when the run goes on
        stopAgreed = true;
        saveLast();
        return false;
      }
      metric = first[1];
      validations++;
      improved = Double.isNaN(best) || metric > best;
      if (improved) {
        best = metric;
        patience = 0;
      } else {
        patience++;
      }
      schedule.validated(first[2]);
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    secondsDone += seconds;
    costDone += curriculum.at(epoch).cost();
    double costLeft = 0;
    for (int e = epoch + 1; e < training.numEpochs(); e++) {
      costLeft += curriculum.at(e).cost();
    }
    TrainingListener.Epoch report =
        new TrainingListener.Epoch(
            epoch,
            mean,
            validation == null ? null : validation.loss(),
            validation == null ? null : validation.metrics(),
            validation == null ? null : validation.benchmark(),
            improved,
            named(rates()),
            batchesPerEpoch() * training.batchSize(),
            seconds,
            secondsDone / costDone * costLeft);
    int finished = epoch;
    epoch++;
    update = 0;
    lossSum = 0;
    lossCount = 0;
    Double ods = trainingMetrics.images() == 0 ? null : (Double) trainingMetrics.summary().ods();
    if (log != null) {
      log.epoch(report, globalStep, ods, validation);
    }
    trainingMetrics = new QuickMetrics(QuickMetrics.Recall.TARGET_PIXELS);
    if (improved) {
      withAverage(
          () -> {
            save(checkpoints.best(), false);
            return null;
          });
    }
    saveLast();
    if ((finished + 1) % training.saveFrequency() == 0 || last) {
      save(checkpoints.numbered(finished), true);
      if (writes()) {
        checkpoints.prune();
      }
    }
    listener.epoch(report);
    return patience >= training.earlyStoppingPatience();
  }

  /** Scores the present weights; null when {@link #stop} was called meanwhile. */
  @SuppressWarnings("NullAway") // it knows no type variables that may be null
  private Validation.@Nullable Result validation(boolean benchmark, RunLog log)
      throws IOException, InterruptedException {
    return withAverage(
        () ->
            new Validation(config, network, data.validation(), loss, half, listener)
                .run(epoch, benchmark, log.events(), () -> stopping));
  }

  private interface Work<T extends @Nullable Object> {
    T run() throws IOException, InterruptedException;
  }

  /** Runs something with the averaged weights in the network, if there are any. */
  @SuppressWarnings("NullAway")
  private <T extends @Nullable Object> T withAverage(Work<T> work)
      throws IOException, InterruptedException {
    if (average == null) {
      return work.run();
    }
    average.exchange();
    try {
      return work.run();
    } finally {
      average.exchange();
    }
  }

  // Checkpoints

  private void saveLast() {
    save(checkpoints.last(), true);
    saved = System.nanoTime();
  }

  private TrainerState state() {
    return new TrainerState(
        epoch,
        update,
        globalStep,
        lossSum,
        lossCount,
        best,
        patience,
        validations,
        schedule.state(),
        scale.value(),
        scale.good(),
        average == null ? 0 : average.updates(),
        recompute.word(),
        config.training().earlyStoppingMetric().word(),
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
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    if (resumable) {
      metadata.put("seed", "" + config.seed());
      optimizer.state().forEach((name, m) -> tensors.put(name, StoredTensor.viewOf(m)));
      optimizer
          .steps()
          .forEach(
              (name, steps) -> {
                ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
                tensors.put(
                    STEP + name,
                    new StoredTensor(ElementType.I64, new long[0], bytes.putLong(0, steps)));
              });
      if (average != null) {
        average.state().forEach((name, mean) -> tensors.put(EMA + name, StoredTensor.viewOf(mean)));
      }
      if (sides != null) {
        sides.parameters().forEach((name, p) -> tensors.put(SIDE + name, StoredTensor.viewOf(p)));
      }
    }
    Checkpoint.of(NetworkWeights.of(network), tensors, metadata).save(file);
  }

  /**
   * Closes the optimizer's state; the network stays open, without gradients and in evaluation mode.
   */
  @Override
  public void close() {
    optimizer.zeroGradients();
    optimizer.close();
    reducer.close();
    if (average != null) {
      average.close();
    }
    if (sides != null) {
      sides.close();
    }
    network.requiresGrad(false);
    network.eval();
    network.setPrecision(precisionBefore);
  }
}
