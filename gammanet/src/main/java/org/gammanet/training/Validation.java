package org.gammanet.training;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.gammanet.config.GammaNetConfig;
import org.gammanet.data.Augmentation;
import org.gammanet.data.EdgeDataset;
import org.gammanet.data.Example;
import org.gammanet.data.Preprocessing;
import org.gammanet.data.Sample;
import org.gammanet.evaluation.BoundaryBenchmark;
import org.gammanet.evaluation.BoundaryCounts;
import org.gammanet.evaluation.BoundaryScores;
import org.gammanet.evaluation.EdgeNms;
import org.gammanet.evaluation.QuickMetrics;
import org.gammanet.io.SplitMix;
import org.gammanet.model.ForwardHooks;
import org.gammanet.model.ForwardOptions;
import org.gammanet.model.ForwardResult;
import org.gammanet.model.Network;
import org.gammanet.nn.Parameter;
import org.gammanet.torch.Autocast;
import org.gammanet.torch.Autograd;
import org.gammanet.torch.DType;
import org.gammanet.torch.Tensor;
import org.gammanet.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Scores a network that is being trained on whole images that it is not trained on: the loss and
 * quick metrics, and now and then the boundary benchmark.
 */
final class Validation {
  private static final int BENCHMARK_THRESHOLDS = 24;

  private static final Set<String> GATES = Set.of("g1", "g2");
  private static final Set<String> STATES = Set.of("exc", "inh", "h", "h1");

  /** Parameters of the circuit: its kernels, gates and scalars, and what computes these. */
  private static final Pattern CIRCUIT =
      Pattern.compile(".*\\.(W_\\w+|[bw]_\\w+|alpha|mu|kappa|omega|gamma)|.*dynamic_params.*");

  /**
   * Scores of a validation.
   *
   * @param loss mean over the images
   * @param counts for a precision-recall curve, as {@link QuickMetrics#counts} has them
   * @param benchmark null if it was not run
   */
  record Result(
      double loss,
      QuickMetrics.Summary metrics,
      double[][] counts,
      @Nullable BoundaryScores benchmark) {}

  private final GammaNetConfig config;
  private final Network network;
  private final EdgeDataset images;
  private final EdgeLoss loss;
  private final @Nullable DType half;
  private final TrainingListener listener;
  private final Preprocessing preprocessing;

  /**
   * Prepares it.
   *
   * @param half type of LibTorch's convolutions; null for float32
   */
  Validation(
      GammaNetConfig config,
      Network network,
      EdgeDataset images,
      EdgeLoss loss,
      @Nullable DType half,
      TrainingListener listener) {
    this.config = config;
    this.network = network;
    this.images = images;
    this.loss = loss;
    this.half = half;
    this.listener = listener;
    this.preprocessing = Preprocessing.of(config.data(), network.minimumSize());
  }

  /**
   * Scores the present weights; null when {@code stopping} came true meanwhile.
   *
   * @param epoch number for the log, from 0
   * @param benchmark whether the boundary benchmark runs too
   * @param events where pictures go; null for nowhere
   */
  @Nullable Result run(
      int epoch, boolean benchmark, @Nullable EventFile events, BooleanSupplier stopping)
      throws IOException, InterruptedException {
    int count = Math.min(config.training().validationImages(), images.size());
    Augmentation whole = Augmentation.none(preprocessing);
    QuickMetrics metrics = new QuickMetrics(QuickMetrics.Recall.TARGET_PIXELS);
    List<BoundaryBenchmark.Image> maps = new ArrayList<>();
    int pictures =
        (epoch + 1) % config.logging().logImagesFreq() == 0 && events != null
            ? config.logging().numImagesToLog()
            : 0;
    double sum = 0;
    List<String> runaway = new ArrayList<>();
    network.eval();
    try {
      for (int i = 0; i < count; i++) {
        if (stopping.getAsBoolean()) {
          return null;
        }
        Example example = images.load(i);
        Sample sample = whole.apply(example, new SplitMix(config.seed(), i, 'v'));
        boolean shown = i < pictures && events != null;
        List<float[]> steps = logits(sample, shown);
        float[] logits = steps.getLast();
        double value = loss.evaluate(logits, sample.target(), sample.valid(), 1).value();
        sum += value;
        if (!Double.isFinite(value)) {
          runaway.add(example.id());
        }
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
          events.image("validation/" + i, epoch, strip(sample, steps));
          if (i == 0) {
            histograms(sample, epoch, events);
          }
        }
        listener.validating(i + 1, count);
      }
    } finally {
      network.train();
    }
    if (!runaway.isEmpty()) {
      listener.note(
          "epoch %s: the loss is not finite on %s of %s validation images (%s)"
              .formatted(
                  epoch + 1,
                  runaway.size(),
                  count,
                  runaway.stream().limit(3).collect(Collectors.joining(", "))
                      + (runaway.size() > 3 ? ", …" : "")));
    }
    BoundaryScores scores = benchmark ? benchmark(maps, stopping) : null;
    return stopping.getAsBoolean() && scores == null && benchmark
        ? null
        : new Result(sum / count, metrics.summary(), metrics.counts(), scores);
  }

  /** The benchmark of the BSDS500 on fewer thresholds; null when nothing could be scored. */
  private @Nullable BoundaryScores benchmark(
      List<BoundaryBenchmark.Image> maps, BooleanSupplier stopping) throws InterruptedException {
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
            if (stopping.getAsBoolean()) {
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

  /** States and gates of every cell after the last timestep, and the circuits' parameters. */
  private void histograms(Sample sample, int epoch, EventFile events) throws IOException {
    int last = config.model().timesteps() - 1;
    Map<String, float[]> values = new TreeMap<>();
    ForwardHooks hooks =
        new ForwardHooks() {
          @Override
          public boolean wantsInside(String cell, int timestep) {
            return timestep == last;
          }

          @Override
          public void cellFinished(String cell, int timestep, Map<String, Tensor> signals) {
            signals.forEach(
                (name, signal) -> {
                  String kind =
                      GATES.contains(name) ? "gates" : STATES.contains(name) ? "states" : "";
                  if (!kind.isEmpty()) {
                    values.put(kind + "/" + cell + "/" + name, signal.toFloatArray());
                  }
                });
          }
        };
    try (var scope = TensorScope.open();
        var silent = Autograd.noGrad()) {
      network.forward(
          preprocessing.apply(sample).to(network.device()),
          ForwardOptions.DEFAULTS.withHooks(hooks));
      for (Parameter parameter : network.parameters()) {
        if (CIRCUIT.matcher(parameter.name()).matches()) {
          values.put("circuit/" + parameter.name(), parameter.tensor().toFloatArray());
        }
      }
    }
    for (var entry : values.entrySet()) {
      events.histogram(entry.getKey(), epoch, entry.getValue());
    }
  }

  /** Logits after the last timestep, or after each. */
  private List<float[]> logits(Sample sample, boolean everyTimestep) {
    try (var scope = TensorScope.open();
        var cast = Autocast.convolutions(half);
        var silent = Autograd.noGrad()) {
      Tensor image = preprocessing.apply(sample);
      ForwardOptions options = ForwardOptions.DEFAULTS;
      ForwardResult result =
          network.forward(
              image.to(network.device()), everyTimestep ? options.withEveryTimestep() : options);
      List<float[]> steps = new ArrayList<>();
      for (Tensor logits : everyTimestep ? result.logitsPerTimestep() : List.of(result.logits())) {
        steps.add(Preprocessing.crop(logits, sample.height(), sample.width()).toFloatArray());
      }
      return steps;
    }
  }

  /** Image, target and the probabilities after each timestep, side by side. */
  private BufferedImage strip(Sample sample, List<float[]> logits) {
    int width = sample.width();
    int height = sample.height();
    int n = width * height;
    var picture =
        new BufferedImage((2 + logits.size()) * width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < n; i++) {
      int x = i % width;
      int y = i / width;
      int rgb = 0;
      for (int c = 0; c < 3; c++) {
        rgb = rgb << 8 | gray(preprocessing.denormalize(c, sample.image()[c * n + i]));
      }
      picture.setRGB(x, y, rgb);
      picture.setRGB(width + x, y, 0x010101 * gray(sample.target()[i]));
    }
    for (int t = 0; t < logits.size(); t++) {
      float[] probabilities = probabilities(logits.get(t));
      for (int i = 0; i < n; i++) {
        picture.setRGB((2 + t) * width + i % width, i / width, 0x010101 * gray(probabilities[i]));
      }
    }
    return picture;
  }

  private static int gray(double value) {
    return (int) Math.clamp(Math.round(255 * value), 0, 255);
  }

  static float[] probabilities(float[] logits) {
    float[] probabilities = new float[logits.length];
    for (int k = 0; k < logits.length; k++) {
      probabilities[k] = (float) (1 / (1 + Math.exp(-logits[k])));
    }
    return probabilities;
  }
}
