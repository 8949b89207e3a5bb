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
 * @param numEpochs epochs at most; with stages the sum of theirs
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
 * @param timesteps fewest and most timesteps of a batch, drawn for each; empty for {@code
 *     model.timesteps}
 * @param timestepLoss weights of the losses after each timestep
 * @param gradient how gradients pass through time
 * @param sideLoss weight of the losses on upsampled top-down levels; 0 for none
 * @param stabilityPenalty weight of the penalty on steps that do not contract; 0 for none
 * @param emaDecay decay per update of the exponential moving average of the weights; 0 for none
 * @param saveMinutes longest time between two writes of {@code last}, in minutes; 0 for epochs only
 * @param stages consecutive parts of the run; empty for a single one
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
    HalfType halfType,
    List<Integer> timesteps,
    TimestepLoss timestepLoss,
    Gradient gradient,
    double sideLoss,
    double stabilityPenalty,
    double emaDecay,
    double saveMinutes,
    List<Stage> stages) {

  /** Weights w(t) of the losses after timesteps t = 1 … T; they sum to 1. */
  public enum TimestepLoss implements Word {
    /** The last timestep only. */
    LAST,
    /** 1 / T. */
    UNIFORM,
    /** t / (1 + … + T). */
    LINEAR
  }

  /** How gradients pass through time. */
  public enum Gradient implements Word {
    /** Back-propagation through all timesteps. */
    BPTT,
    /**
     * Contractor recurrent back-propagation (Linsley et al. 2020): the last state is taken as a
     * fixed point, and memory does not grow with the number of timesteps.
     */
    C_RBP
  }

  /**
   * A part of a run; null values are those of the whole run.
   *
   * @param epochs its length
   * @param timesteps fewest and most timesteps of a batch
   * @param randomCrop side of the crops
   * @param learningRate rate at its beginning; the backbone's changes by the same factor
   * @param stabilityPenalty weight of the penalty
   */
  public record Stage(
      int epochs,
      @Nullable List<Integer> timesteps,
      @Nullable Integer randomCrop,
      @Nullable Double learningRate,
      @Nullable Double stabilityPenalty) {
    /** Checks every value. */
    public Stage {
      Check.atLeast("epochs", epochs, 1);
      if (timesteps != null) {
        timesteps = checked(timesteps);
      }
      if (randomCrop != null) {
        Check.atLeast("random_crop", randomCrop, 16);
      }
      if (learningRate != null) {
        Check.positive("learning_rate", learningRate);
      }
      if (stabilityPenalty != null) {
        Check.atLeast("stability_penalty", stabilityPenalty, 0.0);
      }
    }

    static Stage read(Section section) {
      return section.build(
          () ->
              new Stage(
                  section.integer("epochs", 1),
                  section.has("timesteps") ? readTimesteps(section) : null,
                  section.has("random_crop") ? (Integer) section.integer("random_crop", 0) : null,
                  section.numberOrNull("learning_rate"),
                  section.numberOrNull("stability_penalty")));
    }

    Map<String, Object> toMap() {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("epochs", epochs);
      map.put("timesteps", timesteps);
      map.put("random_crop", randomCrop);
      map.put("learning_rate", learningRate);
      map.put("stability_penalty", stabilityPenalty);
      return map;
    }
  }

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

  private static final String STAGES_EXPECTED =
      "a list of maps such as {epochs: 10, timesteps: [2, 4]}";

  private static final String TIMESTEPS_EXPECTED =
      "the fewest and the most timesteps of a batch, such as [3, 8]";

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
    timesteps = timesteps.isEmpty() ? List.of() : checked(timesteps);
    Check.atLeast("side_loss", sideLoss, 0.0);
    Check.atLeast("stability_penalty", stabilityPenalty, 0.0);
    Check.that(emaDecay >= 0 && emaDecay < 1, "ema_decay", emaDecay, "at least 0 and less than 1");
    Check.atLeast("save_minutes", saveMinutes, 0.0);
    stages = List.copyOf(stages);
    if (!stages.isEmpty()) {
      numEpochs = stages.stream().mapToInt(Stage::epochs).sum();
    }
    boolean oneLoss = timestepLoss == TimestepLoss.LAST && sideLoss == 0;
    Check.that(
        gradient == Gradient.BPTT || oneLoss,
        "gradient",
        gradient.word(),
        "bptt where timestep_loss is not last or side_loss is not 0: c_rbp differentiates the last"
            + " logits only");
  }

  private static List<Integer> checked(List<Integer> timesteps) {
    Check.that(
        timesteps.size() == 2 && timesteps.get(0) >= 1 && timesteps.get(0) <= timesteps.get(1),
        "timesteps",
        timesteps,
        TIMESTEPS_EXPECTED);
    return List.copyOf(timesteps);
  }

  private static List<Integer> readTimesteps(Section section) {
    return section.numbers("timesteps", List.of(), TIMESTEPS_EXPECTED).stream()
        .map(
            t -> {
              if (t != Math.rint(t) || Math.abs(t) > 1e6) {
                throw section.wrong("timesteps", TIMESTEPS_EXPECTED);
              }
              return t.intValue();
            })
        .toList();
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
                section.word("half_type", HalfType.BFLOAT16, HalfType.values()),
                readTimesteps(section),
                section.word("timestep_loss", TimestepLoss.LAST, TimestepLoss.values()),
                section.word("gradient", Gradient.BPTT, Gradient.values()),
                section.number("side_loss", 0),
                section.number("stability_penalty", 0),
                section.number("ema_decay", 0),
                section.number("save_minutes", 10),
                readStages(section)));
  }

  private static List<Stage> readStages(Section section) {
    List<Section> maps = section.sections("stages");
    if (maps == null) {
      List<String> words = section.texts("stages", STAGES_EXPECTED);
      if (words != null && !words.isEmpty()) {
        throw section.wrong("stages", STAGES_EXPECTED);
      }
      return List.of();
    }
    return maps.stream().map(Stage::read).toList();
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
    map.put("timesteps", timesteps);
    map.put("timestep_loss", timestepLoss.word());
    map.put("gradient", gradient.word());
    map.put("side_loss", sideLoss);
    map.put("stability_penalty", stabilityPenalty);
    map.put("ema_decay", emaDecay);
    map.put("save_minutes", saveMinutes);
    map.put("stages", stages.stream().map(Stage::toMap).toList());
    return map;
  }
}
