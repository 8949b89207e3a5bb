package org.gammanet.training;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.CancellationException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.checkpoint.Checkpoint;
import org.gammanet.checkpoint.CheckpointException;
import org.gammanet.checkpoint.ElementType;
import org.gammanet.checkpoint.StoredTensor;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Recompute;
import org.gammanet.data.AtomicFile;
import org.gammanet.data.Augmentation;
import org.gammanet.data.Batch;
import org.gammanet.data.BatchSource;
import org.gammanet.data.EdgeDataset;
import org.gammanet.data.Example;
import org.gammanet.data.Prefetcher;
import org.gammanet.data.Sample;
import org.gammanet.data.SplitMix;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.evaluation.QuickMetrics;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.ForwardResult;
import org.gammanet.model.Network;
import org.gammanet.model.Parameter;
import org.gammanet.torch.Autocast;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Ops;
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

  private static final int KEPT_CHECKPOINTS = 5;
  private static final int BATCHES_AHEAD = 4;

  /** Training samples of an epoch that are scored. */
  private static final int SCORED_SAMPLES = 32;

  private static final int BENCHMARK_THRESHOLDS = 24;
  private static final int FORMAT_VERSION = 1;

  /** Side of a square as large as the images of the BSDS500. */
  private static final int LARGEST_IMAGE = 400;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern NUMBERED = Pattern.compile("checkpoint_epoch_(\\d+)\\.safetensors");

  private final GammaNetConfig config;
  private final Network network;
  private final TrainingData data;
  private final Path output;
  private final TrainingListener listener;
  private final Optimizer optimizer;
  private final LearningRate schedule;
  private final EdgeLoss loss;
  private final BatchSource source;
  private final @Nullable DType half;
  private final LossScale scale;
  private Recompute recompute;

  /** Batches that make an update. */
  private final int accumulation;

  private final int updatesPerEpoch;

  private volatile boolean stopping;
  private @Nullable EventFile events;

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
    this.config = config;
    this.network = network;
    this.data = data;
    this.output = output;
    this.listener = listener;
    TrainingConfig training = config.training();
    if (config.model().outputChannels() != 1) {
      throw new TrainingException(
          "the network has %d output channels, but edges are trained with one"
              .formatted(config.model().outputChannels()));
    }
    if (training.samplesPerEpoch() < training.batchSize()) {
      throw new TrainingException(
          "training.samples_per_epoch is %d, less than one batch of %d"
              .formatted(training.samplesPerEpoch(), training.batchSize()));
    }
    boolean float16 = training.halfType() == TrainingConfig.HalfType.FLOAT16;
    this.half = !training.mixedPrecision() ? null : float16 ? DType.FLOAT16 : DType.BFLOAT16;
    this.scale = new LossScale(half == DType.FLOAT16);
    this.source =
        new BatchSource(
            data.train(),
            Augmentation.of(config.data()),
            config.seed(),
            training.samplesPerEpoch(),
            training.batchSize());
    this.recompute = training.recompute();
    if (recompute == Recompute.AUTO) {
      int crop = config.data().augmentation().randomCrop();
      int side = crop == 0 ? LARGEST_IMAGE : crop;
      this.recompute =
          TrainingMemory.choose(
              network, training.batchSize(), side, side, config.model().timesteps());
    }
    this.accumulation = training.gradientAccumulation();
    this.updatesPerEpoch = Math.ceilDiv(source.batchesPerEpoch(), accumulation);
    this.loss =
        EdgeLoss.of(training, config.data().positiveThreshold(), config.data().ignoreMinority());
    this.schedule =
        new LearningRate(
            new LearningRate.Settings(
                training.lrScheduler(),
                training.lrDecay(),
                training.lrPatience(),
                training.lrMin(),
                training.numEpochs(),
                training.warmupSteps()));
    SequencedMap<String, Tensor> trained = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      boolean frozen =
          parameter.isBuffer()
              || training.vggLearningRate() == 0 && Optimizer.isBackbone(parameter.name());
      if (!parameter.isBuffer()) {
        parameter.tensor().requiresGrad(!frozen);
      }
      if (!frozen) {
        trained.put(parameter.name(), parameter.tensor());
      }
    }
    Optimizer.Settings usual =
        Optimizer.Settings.of(training.optimizer() == TrainingConfig.Optimizer.ADAMW);
    this.optimizer =
        new Optimizer(
            Optimizer.groups(trained, training.vggLearningRate(), training.learningRate()),
            new Optimizer.Settings(
                usual.decoupled(),
                usual.beta1(),
                usual.beta2(),
                usual.epsilon(),
                training.weightDecay(),
                training.decayAll()));
  }

  // Resuming

  /**
   * Continues where a checkpoint was written: weights, optimiser, schedule, position.
   *
   * @param checkpoint a {@code last} or numbered one of a run with the same model and data
   * @throws CheckpointException when it does not fit
   * @throws TrainingException when it holds no training state, or that of another model
   */
  public void resume(Checkpoint checkpoint, String name) {
    Map<String, String> state = checkpoint.metadata();
    if (!state.containsKey("next_epoch")) {
      throw new TrainingException(
          name + " holds weights alone: --resume needs last or a numbered checkpoint of a run");
    }
    String stored = state.get("config");
    if (stored != null) {
      GammaNetConfig before = GammaNetConfig.parseStored(stored, name, note -> {});
      if (!before.model().equals(config.model())) {
        throw new TrainingException(
            name
                + " was trained with another model section; a run can only be resumed with the same"
                + " network");
      }
    }
    checkpoint.loadInto(network);
    try {
      Map<String, Tensor> moments = new HashMap<>();
      Map<String, Long> steps = new LinkedHashMap<>();
      try (var scope = TensorScope.open()) {
        for (var entry : checkpoint.optimizer().entrySet()) {
          if (entry.getKey().startsWith("step.")) {
            String parameter = entry.getKey().substring("step.".length());
            steps.put(parameter, (long) entry.getValue().get(0));
          } else {
            moments.put(entry.getKey(), entry.getValue().toTensor());
          }
        }
        optimizer.restore(moments, steps);
      }
      epoch = Integer.parseInt(text(state, "next_epoch"));
      update = Integer.parseInt(text(state, "next_update"));
      globalStep = Long.parseLong(text(state, "global_step"));
      lossSum = Double.parseDouble(text(state, "epoch_loss_sum"));
      lossCount = Integer.parseInt(text(state, "epoch_loss_count"));
      best = Double.parseDouble(text(state, "best_metric"));
      patience = Integer.parseInt(text(state, "patience_counter"));
      validations = Integer.parseInt(state.getOrDefault("validations", "0"));
      scale.restore(
          Double.parseDouble(state.getOrDefault("loss_scale", "0")),
          Integer.parseInt(state.getOrDefault("loss_scale_updates", "0")));
      schedule.restore(
          new LearningRate.State(
              Double.parseDouble(text(state, "schedule_best")),
              Integer.parseInt(text(state, "schedule_bad")),
              Integer.parseInt(text(state, "schedule_reductions"))));
    } catch (NumberFormatException e) {
      throw new TrainingException(name + " has a training state that is damaged", e);
    }
    if (update > updatesPerEpoch) {
      throw new TrainingException(
          "%s stopped at update %d of an epoch, which now has %d: samples_per_epoch, batch_size and"
                  .formatted(name, update, updatesPerEpoch)
              + " gradient_accumulation can only change between epochs");
    }
    String mode = state.get("recompute");
    if (config.training().recompute() == Recompute.AUTO && mode != null) {
      // As before, whatever memory there is now: other ways round differently.
      recompute =
          Stream.of(Recompute.values())
              .filter(r -> r != Recompute.AUTO && r.word().equals(mode))
              .findFirst()
              .orElse(recompute);
    }
    String seen = state.get("data_fingerprint");
    if (seen != null && !seen.equals(data.train().fingerprint())) {
      listener.note("the training images are not those that " + name + " has seen");
    }
    if (!config.training().earlyStoppingMetric().word().equals(state.get("metric_name"))) {
      listener.note("another metric decides from here on: the best network is chosen anew");
      best = Double.NaN;
      patience = 0;
    }
  }

  private static String text(Map<String, String> state, String key) {
    String value = state.get(key);
    if (value == null) {
      throw new NumberFormatException("no " + key);
    }
    return value;
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

  /** Groups of parameters with their rates, as the optimiser sees them. */
  public List<Optimizer.Group> groups() {
    return optimizer.groups();
  }

  /** What the backward pass computes again: as configured, or as memory allows. */
  public Recompute recompute() {
    return recompute;
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
      return train(maxSteps);
    } catch (FileSystemException e) {
      throw new UncheckedIOException(e); // which names its file
    } catch (IOException e) {
      throw new TrainingException(
          "cannot write below %s: %s; the last good checkpoint is in %s"
              .formatted(output, e.getMessage(), checkpoints()),
          e);
    }
  }

  private End train(long maxSteps) throws IOException, InterruptedException {
    TrainingConfig training = config.training();
    Files.createDirectories(checkpoints());
    tidy();
    write(output.resolve("config.yaml"), config.toYaml());
    if (config.logging().tensorboard() && events == null) {
      events = new EventFile(output.resolve("tensorboard"));
      events.text("config", 0, "```yaml\n" + config.toYaml() + "```");
      events.hyperparameters(
          String.valueOf(output.toAbsolutePath().normalize().getFileName()),
          hyperparameters(),
          List.of("val/loss", "val/ods_f1", "val/ois_f1", "val/ap"));
    }
    int batches = source.batchesPerEpoch();
    long end = (long) training.numEpochs() * batches;
    long position = (long) epoch * batches + Math.min(batches, (long) update * accumulation);
    network.training(true);
    try (var loader =
        new Prefetcher<>(
            position,
            end,
            Math.max(1, training.numWorkers()),
            Math.max(BATCHES_AHEAD, 2 * accumulation),
            source::batch)) {
      while (epoch < training.numEpochs()) {
        long start = System.nanoTime();
        while (update < updatesPerEpoch) {
          if (stopping || globalStep >= maxSteps) {
            save(checkpoints().resolve("last.safetensors"), true);
            return stopping ? End.STOPPED : End.LIMIT;
          }
          List<Batch> group = new ArrayList<>();
          int wanted = Math.min(accumulation, batches - update * accumulation);
          while (group.size() < wanted) {
            group.add(loader.next());
          }
          step(group);
        }
        if (finishEpoch(start)) {
          return End.EARLY_STOP;
        }
        if (stopping) { // everything has been saved
          return End.STOPPED;
        }
      }
    }
    return End.FINISHED;
  }

  /** Removes what a run that was killed has left behind, and epochs that it will make again. */
  private void tidy() throws IOException {
    try (Stream<Path> files = Files.list(checkpoints())) {
      for (Path file : files.toList()) {
        String name = String.valueOf(file.getFileName());
        if (name.startsWith(".") && name.contains(".safetensors.") && name.endsWith(".tmp")) {
          Files.deleteIfExists(file);
        }
      }
    }
    Path metrics = output.resolve("metrics.jsonl");
    if (Files.exists(metrics)) {
      StringBuilder kept = new StringBuilder();
      for (String line : Files.readAllLines(metrics)) {
        try {
          if (JSON.readTree(line).path("epoch").asInt(Integer.MAX_VALUE) < epoch) {
            kept.append(line).append('\n');
          }
        } catch (JsonProcessingException e) {
          listener.note("a damaged line of " + metrics + " is dropped");
        }
      }
      write(metrics, kept.toString());
    }
  }

  private static void write(Path file, String text) throws IOException {
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  private Map<String, Object> hyperparameters() {
    TrainingConfig training = config.training();
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("timesteps", config.model().timesteps());
    values.put("learning_rate", training.learningRate());
    values.put("vgg_learning_rate", training.vggLearningRate());
    values.put("batch_size", training.batchSize() * training.gradientAccumulation());
    values.put("crop", config.data().augmentation().randomCrop());
    values.put(
        "loss",
        training.losses().keySet().stream()
            .map(TrainingConfig.Loss::word)
            .collect(Collectors.joining("+")));
    values.put("optimizer", training.optimizer().word());
    values.put("lr_scheduler", training.lrScheduler().word());
    values.put("weight_decay", training.weightDecay());
    values.put("seed", config.seed());
    return values;
  }

  /** One update from one or more batches. */
  private void step(List<Batch> batches) throws IOException {
    long start = System.nanoTime();
    double[] rates = new double[optimizer.groups().size()];
    Map<String, Double> named = new LinkedHashMap<>();
    for (int g = 0; g < rates.length; g++) {
      Optimizer.Group group = optimizer.groups().get(g);
      rates[g] = schedule.rate(group.learningRate(), epoch, globalStep);
      named.put(group.name(), rates[g]);
    }
    double value = 0;
    int empty = 0;
    optimizer.zeroGradients();
    for (Batch batch : batches) {
      EdgeLoss.Result result = backward(batch, batches.size());
      value += result.value() / batches.size();
      empty += result.emptyTargets();
    }
    double norm = Double.isFinite(value) ? optimizer.gradientNorm() / scale.value() : Double.NaN;
    boolean skipped = !Double.isFinite(norm);
    double clip = config.training().gradClip();
    boolean clipped = clip > 0 && norm > clip;
    if (!skipped) {
      failures = 0;
      optimizer.step(rates, scale.value() * (clipped ? (norm + 1e-6) / clip : 1));
      scale.succeeded();
      lossSum += value;
      lossCount++;
    } else if (!Double.isFinite(value) || !scale.overflowed()) {
      skip(batches);
    }
    update++;
    globalStep++;
    if (events != null) {
      events.scalar("train/loss", globalStep, value);
      events.scalar("train/grad_norm", globalStep, norm);
      events.scalar("train/clipped", globalStep, clipped ? 1 : 0);
      events.scalar("train/empty_targets", globalStep, empty);
      if (half == DType.FLOAT16) {
        events.scalar("train/loss_scale", globalStep, scale.value());
      }
      for (var rate : named.entrySet()) {
        String tag = rates.length == 1 ? "train/lr" : "train/lr_" + rate.getKey();
        events.scalar(tag, globalStep, rate.getValue());
      }
    }
    listener.step(
        new TrainingListener.Step(
            epoch,
            update,
            updatesPerEpoch,
            globalStep,
            value,
            norm,
            named,
            skipped,
            (System.nanoTime() - start) / 1e9));
  }

  private void skip(List<Batch> batches) {
    List<String> ids = batches.stream().flatMap(b -> b.ids().stream()).toList();
    failures++;
    if (failures >= MAX_FAILURES) {
      throw new TrainingException(
          "loss or gradient was not finite for %d updates in a row, last with %s; the last good"
                  .formatted(failures, String.join(", ", ids))
              + " checkpoint is in "
              + checkpoints()
              + "; a lower learning rate or fewer timesteps may help");
    }
    listener.note(
        "update %d left out: loss or gradient is not finite (%s)"
            .formatted(globalStep + 1, String.join(", ", ids)));
  }

  /** Adds a batch's gradients to the parameters'. */
  private EdgeLoss.Result backward(Batch batch, int batches) {
    try (var scope = TensorScope.open();
        var tape = new Tape(recompute);
        var cast = Autocast.convolutions(half);
        var recording = Autograd.enableGrad()) {
      Tensor images =
          Tensor.of(batch.images(), batch.size(), 3, batch.height(), batch.width())
              .to(network.device());
      Tensor logits = network.forward(images, ForwardOptions.DEFAULTS.withExecutor(tape)).logits();
      float[] values = logits.toFloatArray();
      EdgeLoss.Result result = loss.evaluate(values, batch.targets(), batch.valid(), batch.size());
      score(batch, values);
      if (Double.isFinite(result.value())) {
        float[] gradient = result.gradient();
        float factor = (float) (scale.value() / batches);
        for (int i = 0; factor != 1 && i < gradient.length; i++) {
          gradient[i] *= factor;
        }
        tape.backward(logits, Tensor.of(gradient, logits.shape()).to(network.device()));
      }
      return result;
    }
  }

  /** Adds a few evenly spaced batches of an epoch to its metrics. */
  private void score(Batch batch, float[] logits) {
    int scored = Math.max(1, SCORED_SAMPLES / batch.size());
    if (batch.index() % Math.ceilDiv(source.batchesPerEpoch(), scored) != 0) {
      return;
    }
    int n = batch.height() * batch.width();
    for (int b = 0; b < batch.size(); b++) {
      int from = b * n;
      trainingMetrics.add(
          probabilities(Arrays.copyOfRange(logits, from, from + n)),
          Arrays.copyOfRange(batch.targets(), from, from + n),
          Arrays.copyOfRange(batch.valid(), from, from + n),
          batch.height(),
          batch.width());
    }
  }

  private static float[] probabilities(float[] logits) {
    float[] probabilities = new float[logits.length];
    for (int k = 0; k < logits.length; k++) {
      probabilities[k] = (float) (1 / (1 + Math.exp(-logits[k])));
    }
    return probabilities;
  }

  // Epochs

  /** Validates, saves and moves on; true when nothing has improved for too long. */
  private boolean finishEpoch(long start) throws IOException, InterruptedException {
    TrainingConfig training = config.training();
    double mean = lossCount == 0 ? Double.NaN : lossSum / lossCount;
    boolean last = epoch == training.numEpochs() - 1;
    Validation validation = null;
    boolean improved = false;
    if ((epoch + 1) % training.validationFrequency() == 0 || last) {
      boolean benchmark = (validations + 1) % training.benchmarkFrequency() == 0 || last;
      validation = validate(benchmark);
      if (validation == null) { // stopped meanwhile: this epoch ends when the run goes on
        save(checkpoints().resolve("last.safetensors"), true);
        return false;
      }
      validations++;
      double metric =
          switch (training.earlyStoppingMetric()) {
            case LOSS -> -validation.loss;
            case ODS -> validation.metrics.ods();
            case OIS -> validation.metrics.ois();
          };
      improved = Double.isNaN(best) || metric > best;
      if (improved) {
        best = metric;
        patience = 0;
      } else {
        patience++;
      }
      schedule.validated(validation.metrics.ods());
    }
    Map<String, Double> rates = new LinkedHashMap<>();
    for (Optimizer.Group group : optimizer.groups()) {
      rates.put(group.name(), schedule.rate(group.learningRate(), epoch, globalStep));
    }
    TrainingListener.Epoch report =
        new TrainingListener.Epoch(
            epoch,
            mean,
            validation == null ? null : validation.loss,
            validation == null ? null : validation.metrics,
            validation == null ? null : validation.benchmark,
            improved,
            rates,
            source.batchesPerEpoch() * source.batchSize(),
            (System.nanoTime() - start) / 1e9);
    int finished = epoch;
    epoch++;
    update = 0;
    lossSum = 0;
    lossCount = 0;
    log(report, validation);
    trainingMetrics = new QuickMetrics(QuickMetrics.Recall.TARGET_PIXELS);
    if (improved) {
      save(checkpoints().resolve("best_model.safetensors"), false);
    }
    save(checkpoints().resolve("last.safetensors"), true);
    if ((finished + 1) % training.saveFrequency() == 0 || last) {
      save(checkpoints().resolve("checkpoint_epoch_" + finished + ".safetensors"), true);
      prune();
    }
    listener.epoch(report);
    return patience >= training.earlyStoppingPatience();
  }

  private record Validation(
      double loss,
      QuickMetrics.Summary metrics,
      double[][] counts,
      @Nullable BoundaryScores benchmark) {}

  /**
   * Loss and quick metrics on whole images, and on demand the boundary benchmark; null when {@link
   * #stop} was called meanwhile.
   */
  private @Nullable Validation validate(boolean benchmark)
      throws IOException, InterruptedException {
    EdgeDataset images = data.validation();
    int count = Math.min(config.training().validationImages(), images.size());
    Augmentation whole = Augmentation.none(Augmentation.Normalization.of(config.data()));
    QuickMetrics metrics = new QuickMetrics(QuickMetrics.Recall.TARGET_PIXELS);
    List<BoundaryBenchmark.Image> maps = new ArrayList<>();
    int pictures =
        (epoch + 1) % config.logging().logImagesFreq() == 0 && events != null
            ? config.logging().numImagesToLog()
            : 0;
    double sum = 0;
    network.training(false);
    try {
      for (int i = 0; i < count; i++) {
        if (stopping) {
          return null;
        }
        Example example = images.load(i);
        Sample sample = whole.apply(example, new SplitMix(config.seed(), i, 'v'));
        boolean shown = i < pictures && events != null;
        List<float[]> steps = logits(sample, shown);
        float[] logits = steps.getLast();
        sum += loss.evaluate(logits, sample.target(), sample.valid(), 1).value();
        float[] probabilities = probabilities(logits);
        metrics.add(
            probabilities, sample.target(), sample.valid(), sample.height(), sample.width());
        if (benchmark) {
          maps.add(
              new BoundaryBenchmark.Image(
                  example.id(),
                  () ->
                      BoundaryBenchmark.Strengths.of(
                          probabilities, example.height(), example.width()),
                  example::drawings));
        }
        if (shown && events != null) {
          events.image("validation/predictions/" + i, epoch, strip(sample, probabilities));
          events.image("model/timesteps/" + i, epoch, timesteps(sample, steps));
        }
        listener.validating(i + 1, count);
      }
    } finally {
      network.training(true);
    }
    BoundaryScores scores = benchmark ? benchmark(maps) : null;
    return stopping && scores == null && benchmark
        ? null
        : new Validation(sum / count, metrics.summary(), metrics.counts(), scores);
  }

  /** The benchmark of the BSDS500 on fewer thresholds; null when nothing could be scored. */
  private @Nullable BoundaryScores benchmark(List<BoundaryBenchmark.Image> maps)
      throws InterruptedException {
    BoundaryBenchmark benchmark =
        new BoundaryBenchmark(
            BoundaryBenchmark.Settings.DEFAULT
                .withThresholds(BENCHMARK_THRESHOLDS)
                .withNms(EdgeNms.SMOOTH),
            Runtime.getRuntime().availableProcessors());
    BoundaryBenchmark.Listener progress =
        new BoundaryBenchmark.Listener() {
          @Override
          public void scored(BoundaryCounts counts, int finished, int total) {
            listener.benchmarking(finished, total);
            if (stopping) {
              benchmark.cancel();
            }
          }

          @Override
          public void failed(String id, String reason, int finished, int total) {
            listener.note("%s is left out of the benchmark: %s".formatted(id, reason));
          }
        };
    try {
      BoundaryBenchmark.Result result = benchmark.run(maps, progress);
      return result.counts().isEmpty() ? null : BoundaryScores.of(result.counts());
    } catch (CancellationException e) {
      return null;
    }
  }

  /** The probabilities after each timestep, side by side. */
  private static BufferedImage timesteps(Sample sample, List<float[]> logits) {
    int width = sample.width();
    var picture =
        new BufferedImage(width * logits.size(), sample.height(), BufferedImage.TYPE_BYTE_GRAY);
    for (int t = 0; t < logits.size(); t++) {
      float[] probabilities = probabilities(logits.get(t));
      for (int i = 0; i < probabilities.length; i++) {
        picture.getRaster().setSample(t * width + i % width, i / width, 0, grey(probabilities[i]));
      }
    }
    return picture;
  }

  /** Logits after the last timestep, or after each. */
  private List<float[]> logits(Sample sample, boolean everyTimestep) {
    try (var scope = TensorScope.open();
        var cast = Autocast.convolutions(half);
        var silent = Autograd.noGrad()) {
      Tensor image = Tensor.of(sample.image(), 1, 3, sample.height(), sample.width());
      long right = Math.max(0, network.minimumSize() - sample.width());
      long bottom = Math.max(0, network.minimumSize() - sample.height());
      if (right > 0 || bottom > 0) {
        image = Ops.replicationPad2d(image, 0, (int) right, 0, (int) bottom);
      }
      ForwardOptions options = ForwardOptions.DEFAULTS;
      ForwardResult result =
          network.forward(
              image.to(network.device()), everyTimestep ? options.withEveryTimestep() : options);
      List<float[]> steps = new ArrayList<>();
      for (Tensor logits : everyTimestep ? result.logitsPerTimestep() : List.of(result.logits())) {
        Tensor rows = Ops.narrow(logits, 2, 0, sample.height());
        steps.add(Ops.narrow(rows, 3, 0, sample.width()).toFloatArray());
      }
      return steps;
    }
  }

  /** Image, target, probabilities and probabilities above one half, side by side. */
  private BufferedImage strip(Sample sample, float[] probabilities) {
    int width = sample.width();
    int height = sample.height();
    int n = width * height;
    var picture = new BufferedImage(4 * width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < n; i++) {
      int x = i % width;
      int y = i / width;
      int rgb = 0;
      for (int c = 0; c < 3; c++) {
        double mean = config.data().normalizeMean().get(c);
        double std = config.data().normalizeStd().get(c);
        rgb = rgb << 8 | grey(sample.image()[c * n + i] * std + mean);
      }
      picture.setRGB(x, y, rgb);
      picture.setRGB(width + x, y, 0x010101 * grey(sample.target()[i]));
      picture.setRGB(2 * width + x, y, 0x010101 * grey(probabilities[i]));
      picture.setRGB(3 * width + x, y, probabilities[i] > 0.5 ? 0xFFFFFF : 0);
    }
    return picture;
  }

  private static int grey(double value) {
    return (int) Math.clamp(Math.round(255 * value), 0, 255);
  }

  private void log(TrainingListener.Epoch report, @Nullable Validation validation)
      throws IOException {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("epoch", report.epoch());
    line.put("global_step", globalStep);
    line.put("train_loss", report.loss());
    if (validation != null) {
      line.put("val_loss", validation.loss);
      line.put("val_ods", validation.metrics.ods());
      line.put("val_ois", validation.metrics.ois());
      line.put("val_ap", validation.metrics.ap());
      line.put("val_threshold", validation.metrics.threshold());
      line.put("best", report.best());
    }
    BoundaryScores benchmark = report.benchmark();
    if (benchmark != null) {
      line.put("bench_ods", benchmark.ods().f());
      line.put("bench_ois", benchmark.ois().f());
      line.put("bench_ap", benchmark.ap());
      line.put("bench_r50", benchmark.r50());
      line.put("bench_threshold", benchmark.ods().threshold());
    }
    report.rates().forEach((name, rate) -> line.put("lr_" + name, rate));
    line.put("seconds", report.seconds());
    Files.writeString(
        output.resolve("metrics.jsonl"),
        JSON.writeValueAsString(line) + "\n",
        StandardCharsets.UTF_8,
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
    if (events != null) {
      events.scalar("train/epoch_loss", report.epoch(), report.loss());
      if (trainingMetrics.images() > 0) {
        events.scalar("train/ods_f1", report.epoch(), trainingMetrics.summary().ods());
      }
      if (validation != null) {
        events.scalar("val/loss", report.epoch(), validation.loss);
        events.scalar("val/ods_f1", report.epoch(), validation.metrics.ods());
        events.scalar("val/ois_f1", report.epoch(), validation.metrics.ois());
        events.scalar("val/ap", report.epoch(), validation.metrics.ap());
        events.precisionRecall("val/pr", report.epoch(), validation.counts);
      }
      if (benchmark != null) {
        events.scalar("val_bench/ods", report.epoch(), benchmark.ods().f());
        events.scalar("val_bench/ois", report.epoch(), benchmark.ois().f());
        events.scalar("val_bench/ap", report.epoch(), benchmark.ap());
        events.scalar("val_bench/r50", report.epoch(), benchmark.r50());
        events.scalar("val_bench/threshold", report.epoch(), benchmark.ods().threshold());
      }
    }
  }

  // Checkpoints

  private Path checkpoints() {
    return output.resolve("checkpoints");
  }

  /** Writes the present state; without {@code resumable} the weights and what they are. */
  private void save(Path file, boolean resumable) {
    Map<String, String> state = new LinkedHashMap<>();
    state.put("config", config.toJson());
    state.put("epoch", "" + (epoch - 1));
    state.put("global_step", "" + globalStep);
    state.put("best_metric", json(best));
    state.put("metric_name", config.training().earlyStoppingMetric().word());
    state.put("created", Instant.now().toString());
    Map<String, StoredTensor> moments = new LinkedHashMap<>();
    if (resumable) {
      LearningRate.State rates = schedule.state();
      state.put("format_version", "" + FORMAT_VERSION);
      state.put("next_epoch", "" + epoch);
      state.put("next_update", "" + update);
      state.put("epoch_loss_sum", json(lossSum));
      state.put("epoch_loss_count", "" + lossCount);
      state.put("patience_counter", "" + patience);
      state.put("validations", "" + validations);
      state.put("loss_scale", json(scale.value()));
      state.put("loss_scale_updates", "" + scale.good());
      state.put("recompute", recompute.word());
      state.put("schedule_best", json(rates.best()));
      state.put("schedule_bad", "" + rates.bad());
      state.put("schedule_reductions", "" + rates.reductions());
      state.put("seed", "" + config.seed());
      state.put("data_fingerprint", data.train().fingerprint());
      optimizer.state().forEach((name, m) -> moments.put(name, StoredTensor.viewOf(m)));
      optimizer
          .steps()
          .forEach(
              (name, steps) -> {
                ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
                moments.put(
                    "step." + name,
                    new StoredTensor(ElementType.I64, new long[0], bytes.putLong(0, steps)));
              });
    }
    Checkpoint.of(Checkpoint.weightsOf(network), moments, state).save(file);
  }

  /** As Python's JSON writes numbers, infinite ones included. */
  private static String json(double value) {
    return Double.toString(value);
  }

  /** Keeps the newest numbered checkpoints. */
  private void prune() throws IOException {
    List<Path> numbered;
    try (Stream<Path> files = Files.list(checkpoints())) {
      numbered =
          files
              .filter(f -> number(f) >= 0)
              .sorted(Comparator.comparingLong(Trainer::number).reversed())
              .toList();
    }
    for (Path old :
        numbered.subList(Math.min(KEPT_CHECKPOINTS, numbered.size()), numbered.size())) {
      Files.deleteIfExists(old);
    }
  }

  private static long number(Path file) {
    Matcher matcher = NUMBERED.matcher(String.valueOf(file.getFileName()));
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
  }

  /** Closes the optimiser's state and the log; the network stays open, without gradients. */
  @Override
  public void close() {
    optimizer.zeroGradients();
    optimizer.close();
    network.requiresGrad(false);
    if (events != null) {
      try {
        events.close();
      } catch (IOException e) {
        listener.note("the event file could not be closed: " + e.getMessage());
      }
      events = null;
    }
  }
}
