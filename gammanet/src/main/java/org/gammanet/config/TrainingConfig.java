package org.gammanet.config;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * How a network is trained ({@code training}).
 *
 * @param batchSize samples per step
 * @param numEpochs epochs at most
 * @param samplesPerEpoch random crops that make an epoch
 * @param numWorkers threads that prepare samples
 * @param optimizer update rule
 * @param learningRate rate of everything but the VGG16 backbone
 * @param vggLearningRate rate of the backbone; 0 freezes it
 * @param weightDecay decay of weights
 * @param decayAll whether biases, gains and circuit parameters decay too
 * @param lrScheduler how the rates change over epochs
 * @param lrDecay {@link Schedule#EXPONENTIAL}: factor per epoch, in (0, 1]
 * @param lrPatience {@link Schedule#PLATEAU}: validations without improvement before halving
 * @param lrMin lowest rate
 * @param warmupSteps steps of linear ramp at the start
 * @param losses losses and their weights, in the file's order; at least one
 * @param lossBalance whether classes are counted per image or over the batch
 * @param lossReduction sum or mean over pixels; null for each loss's own
 * @param focalAlpha weight of edges in the focal loss
 * @param focalGamma exponent of the focal loss
 * @param bceMaxPosWeight greatest weight of edges in {@link Loss#BCE}
 * @param posWeight fixed weight of edges in {@link Loss#BCE}; null to count
 * @param gradClip greatest global norm of the gradient; 0 for no limit
 * @param gradientAccumulation batches per update
 * @param recompute what the backward pass computes again instead of keeping
 * @param saveFrequency epochs between numbered checkpoints
 * @param validationFrequency epochs between validations
 * @param validationImages images of a quick validation at most
 * @param benchmarkFrequency validations between full benchmarks
 * @param earlyStoppingPatience validations without improvement before stopping
 * @param earlyStoppingMetric what has to improve
 * @param mixedPrecision whether products are of factors in half precision, where that can be
 * @param halfType which half precision
 */
public record TrainingConfig(
    int batchSize,
    int numEpochs,
    int samplesPerEpoch,
    int numWorkers,
    Optimizer optimizer,
    double learningRate,
    double vggLearningRate,
    double weightDecay,
    boolean decayAll,
    Schedule lrScheduler,
    double lrDecay,
    int lrPatience,
    double lrMin,
    int warmupSteps,
    Map<Loss, Double> losses,
    LossBalance lossBalance,
    @Nullable LossReduction lossReduction,
    double focalAlpha,
    double focalGamma,
    double bceMaxPosWeight,
    @Nullable Double posWeight,
    double gradClip,
    int gradientAccumulation,
    Recompute recompute,
    int saveFrequency,
    int validationFrequency,
    int validationImages,
    int benchmarkFrequency,
    int earlyStoppingPatience,
    Metric earlyStoppingMetric,
    boolean mixedPrecision,
    HalfType halfType) {

  /** Update rules. */
  public enum Optimizer implements Word {
    /** Adam (Kingma and Ba 2015); weight decay is added to the gradient. */
    ADAM,
    /** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
    ADAMW
  }

  /** How learning rates change from epoch to epoch. */
  public enum Schedule implements Word {
    /** A constant factor per epoch. */
    EXPONENTIAL,
    /** Halving when validation stops improving. */
    PLATEAU,
    /** Half a cosine from the first to the last epoch. */
    COSINE,
    /** Constant. */
    NONE
  }

  /** Losses between logits and targets. */
  public enum Loss implements Word {
    /** Cross-entropy with one weight for all edges. */
    BCE,
    /** Class-balanced cross-entropy that ignores a minority of annotators. */
    BI_BCE_HED,
    /** Focal loss (Lin et al. 2017). */
    FOCAL,
    /** Negative correlation of logits and target. */
    PEARSON,
    /** Negative correlation of probabilities and target. */
    SIGMOID_PEARSON,
    /** Dice loss, for crisp lines (Deng et al. 2018). */
    DICE
  }

  /** Over what the two classes are counted. */
  public enum LossBalance implements Word {
    /** Each image on its own. */
    IMAGE,
    /** The whole batch. */
    BATCH
  }

  /** What becomes of the pixels' losses. */
  public enum LossReduction implements Word {
    /** Their sum. */
    SUM,
    /** Their mean. */
    MEAN
  }

  /** What is computed again in the backward pass to save memory. */
  public enum Recompute implements Word {
    /** As little as the machine's memory allows. */
    AUTO,
    /** Nothing: everything is kept. */
    NONE,
    /** The interior of each cell and block. */
    CELLS,
    /** Whole timesteps. */
    TIMESTEPS
  }

  /** Types of 16 bits. */
  public enum HalfType implements Word {
    /** Range of float32, 8 bits of precision. */
    BFLOAT16,
    /** 11 bits of precision; gradients are scaled to stay in its range. */
    FLOAT16
  }

  /** What decides which network is best. */
  public enum Metric implements Word {
    /** F-measure at the best threshold for the whole set. */
    ODS,
    /** F-measure at the best threshold for each image. */
    OIS,
    /** The loss. */
    LOSS
  }

  private static final String LOSS_EXPECTED =
      Section.choice(Stream.of(Loss.values()).map(Word::word).toList())
          + ", or a map from these to weights";

  /** Checks every value. */
  public TrainingConfig {
    losses = Collections.unmodifiableMap(new LinkedHashMap<>(losses));
    Check.atLeast("batch_size", batchSize, 1);
    Check.atLeast("num_epochs", numEpochs, 1);
    Check.atLeast("samples_per_epoch", samplesPerEpoch, 1);
    Check.atLeast("num_workers", numWorkers, 0);
    Check.positive("learning_rate", learningRate);
    Check.atLeast("vgg_learning_rate", vggLearningRate, 0.0);
    Check.atLeast("weight_decay", weightDecay, 0.0);
    Check.that(lrDecay > 0 && lrDecay <= 1, "lr_decay", lrDecay, "greater than 0 and at most 1");
    Check.atLeast("lr_patience", lrPatience, 0);
    Check.atLeast("lr_min", lrMin, 0.0);
    Check.atLeast("warmup_steps", warmupSteps, 0);
    Check.that(
        !losses.isEmpty() && losses.values().stream().allMatch(w -> Double.isFinite(w) && w > 0),
        "loss",
        losses,
        "one or more losses with weights greater than 0");
    Check.that(focalAlpha >= 0 && focalAlpha <= 1, "focal_alpha", focalAlpha, "from 0 to 1");
    Check.atLeast("focal_gamma", focalGamma, 0.0);
    Check.positive("bce_max_pos_weight", bceMaxPosWeight);
    if (posWeight != null) {
      Check.positive("pos_weight", posWeight);
    }
    Check.atLeast("grad_clip", gradClip, 0.0);
    Check.atLeast("gradient_accumulation", gradientAccumulation, 1);
    Check.atLeast("save_frequency", saveFrequency, 1);
    Check.atLeast("validation_frequency", validationFrequency, 1);
    Check.atLeast("validation_images", validationImages, 1);
    Check.atLeast("benchmark_frequency", benchmarkFrequency, 1);
    Check.atLeast("early_stopping_patience", earlyStoppingPatience, 1);
  }

  static TrainingConfig read(Section section) {
    section.unused("weight_init", "every parameter has its own initialisation");
    section.unused("batch_norm", "model.normalization chooses the normalisation");
    section.unused("checkpoint_dir", "checkpoints go below logging.log_dir or --output");
    double learningRate = section.number("learning_rate", 3e-4);
    return section.build(
        () ->
            new TrainingConfig(
                section.integer("batch_size", 1),
                section.integer("num_epochs", 2000),
                section.integer("samples_per_epoch", 1000),
                section.integer("num_workers", 4),
                section.word("optimizer", Optimizer.ADAM, Optimizer.values()),
                learningRate,
                section.number("vgg_learning_rate", learningRate),
                section.number("weight_decay", 0),
                section.flag("decay_all", false),
                section.word(
                    "lr_scheduler",
                    Schedule.EXPONENTIAL,
                    Schedule.NONE,
                    List.of(Schedule.values())),
                section.number("lr_decay", 0.997),
                section.integer("lr_patience", 10),
                section.number("lr_min", 1e-6),
                section.integer("warmup_steps", 0),
                readLosses(section),
                section.word("loss_balance", LossBalance.IMAGE, LossBalance.values()),
                section.has("loss_reduction")
                    ? section.word("loss_reduction", LossReduction.SUM, LossReduction.values())
                    : null,
                section.number("focal_alpha", 0.25),
                section.number("focal_gamma", 2),
                section.number("bce_max_pos_weight", 10),
                section.numberOrNull("pos_weight"),
                gradClip(section),
                section.integer("gradient_accumulation", 1),
                section.word("recompute", Recompute.AUTO, Recompute.values()),
                section.integer("save_frequency", 5),
                section.integer("validation_frequency", 1),
                section.integer("validation_images", 100),
                section.integer("benchmark_frequency", 10),
                section.integer("early_stopping_patience", 30),
                metric(section),
                section.flag("mixed_precision", false),
                section.word("half_type", HalfType.BFLOAT16, HalfType.values())));
  }

  private static Map<Loss, Double> readLosses(Section section) {
    Map<String, Double> weights = section.weights("loss", LOSS_EXPECTED);
    if (weights.isEmpty()) {
      return Map.of(section.word("loss", Loss.BCE, Loss.values()), 1.0);
    }
    Map<Loss, Double> losses = new LinkedHashMap<>();
    weights.forEach(
        (word, weight) ->
            losses.put(
                Stream.of(Loss.values())
                    .filter(l -> l.word().equals(word))
                    .findFirst()
                    .orElseThrow(() -> section.wrong("loss", LOSS_EXPECTED)),
                weight));
    return losses;
  }

  /**
   * {@code gradient_clip_norm} is the same key; it wins, since a base file may have set the other.
   */
  private static double gradClip(Section section) {
    double clip = section.number("grad_clip", 0);
    return section.number("gradient_clip_norm", clip);
  }

  private static Metric metric(Section section) {
    String word = section.text("early_stopping_metric", "ods");
    return switch (word) {
      case "f1_score", "ods", "ods_f1" -> Metric.ODS;
      case "ois", "ois_f1" -> Metric.OIS;
      case "loss" -> Metric.LOSS;
      default -> throw section.wrong("early_stopping_metric", "f1_score, ods, ois or loss");
    };
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("batch_size", batchSize);
    map.put("num_epochs", numEpochs);
    map.put("samples_per_epoch", samplesPerEpoch);
    map.put("num_workers", numWorkers);
    map.put("optimizer", optimizer.word());
    map.put("learning_rate", learningRate);
    map.put("vgg_learning_rate", vggLearningRate);
    map.put("weight_decay", weightDecay);
    map.put("decay_all", decayAll);
    map.put("lr_scheduler", lrScheduler.word());
    map.put("lr_decay", lrDecay);
    map.put("lr_patience", lrPatience);
    map.put("lr_min", lrMin);
    map.put("warmup_steps", warmupSteps);
    Map<String, Object> weights = new LinkedHashMap<>();
    losses.forEach((loss, weight) -> weights.put(loss.word(), weight));
    boolean plain = losses.size() == 1 && losses.containsValue(1.0);
    map.put("loss", plain ? weights.keySet().iterator().next() : weights);
    map.put("loss_balance", lossBalance.word());
    map.put("loss_reduction", lossReduction == null ? null : lossReduction.word());
    map.put("focal_alpha", focalAlpha);
    map.put("focal_gamma", focalGamma);
    map.put("bce_max_pos_weight", bceMaxPosWeight);
    map.put("pos_weight", posWeight);
    map.put("grad_clip", gradClip);
    map.put("gradient_accumulation", gradientAccumulation);
    map.put("recompute", recompute.word());
    map.put("save_frequency", saveFrequency);
    map.put("validation_frequency", validationFrequency);
    map.put("validation_images", validationImages);
    map.put("benchmark_frequency", benchmarkFrequency);
    map.put("early_stopping_patience", earlyStoppingPatience);
    map.put("early_stopping_metric", earlyStoppingMetric.word());
    map.put("mixed_precision", mixedPrecision);
    map.put("half_type", halfType.word());
    return map;
  }
}
