package org.gammanet.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
 * @param exactSums whether gradients are taken image by image and added up in float64, so that they
 *     do not depend on how a batch is divided among processes
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
    @JsonProperty("loss") Map<Loss, Double> losses,
    LossBalance lossBalance,
    @Nullable LossReduction lossReduction,
    double focalAlpha,
    double focalGamma,
    double bceMaxPosWeight,
    @Nullable Double posWeight,
    double gradClip,
    int gradientAccumulation,
    boolean exactSums,
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
    /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
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

  /** The values of keys that are absent. */
  static final TrainingConfig CLASS_DEFAULTS =
      new TrainingConfig(
          1,
          2000,
          1000,
          4,
          Optimizer.ADAM,
          3e-4,
          3e-4,
          0,
          false,
          Schedule.EXPONENTIAL,
          0.997,
          10,
          1e-6,
          0,
          Map.of(Loss.BCE, 1.0),
          LossBalance.IMAGE,
          null,
          0.25,
          2,
          10,
          null,
          0,
          1,
          false,
          Recompute.AUTO,
          5,
          1,
          100,
          10,
          30,
          Metric.ODS,
          false,
          HalfType.BFLOAT16,
          List.of(),
          TimestepLoss.LAST,
          Gradient.BPTT,
          0,
          0,
          0,
          10,
          List.of());

  /** Checks every value; one out of its range is an {@code IllegalArgumentException}. */
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
        "the fewest and the most timesteps of a batch, such as [3, 8]");
    return List.copyOf(timesteps);
  }

  /** Replaces spellings that files may use: one loss, the original's metrics, one learning rate. */
  static void normalize(ObjectNode section) {
    JsonNode loss = section.path("loss");
    if (loss.isTextual()) {
      section.set("loss", section.objectNode().put(loss.textValue(), 1.0));
    } else if (loss.isEmpty()) {
      section.remove("loss");
    }
    switch (section.path("early_stopping_metric").asText()) {
      case "f1_score", "ods_f1" -> section.put("early_stopping_metric", "ods");
      case "ois_f1" -> section.put("early_stopping_metric", "ois");
      default -> {}
    }
    if (section.hasNonNull("learning_rate") && !section.hasNonNull("vgg_learning_rate")) {
      section.set("vgg_learning_rate", section.get("learning_rate"));
    }
  }
}
