package org.gammanet.training;

import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.config.TrainingConfig;
import org.gammanet.config.TrainingConfig.Loss;
import org.gammanet.torch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A weighted sum of losses between edge logits and soft targets, with its gradient in closed form.
 *
 * <p>The logits of a batch are small next to the network, so losses are computed on the JVM, in
 * double precision whatever the precision of the network, and the gradient is handed to
 * back-propagation. In all formulas z is the logit, {@code p = sigmoid(z)} and t the target; {@code
 * ce(z, y) = max(z, 0) - z y + log(1 + exp(-|z|))}. Pixels that are not valid, and targets that are
 * negative or NaN, take no part.
 *
 * <ul>
 *   <li>{@link Loss#BI_BCE_HED}: class-balanced cross-entropy with an ignored minority band (Xie
 *       and Tu 2015, equation 2, with the band and the factor on negatives of Liu et al. 2017,
 *       equation 1). y = 1 where t reaches the threshold, the band below it is ignored, P and N
 *       count positives and negatives, and the weights are {@code N / (P + N)} and {@code 1.1 P /
 *       (P + N)}. Sum over pixels, mean over images.
 *   <li>{@link Loss#BCE}: cross-entropy with soft targets; positives weigh {@code sum(1 - t) /
 *       sum(t)}, at least 0.1 and at most {@link Settings#maxPositiveWeight}. Mean over pixels.
 *   <li>{@link Loss#FOCAL}: focal loss (Lin et al. 2017, equation 5) with soft targets. Mean over
 *       pixels.
 *   <li>{@link Loss#PEARSON}: minus the correlation of logits and targets, {@link
 *       Loss#SIGMOID_PEARSON} of probabilities and targets, mean over images: from -1 to 1.
 *   <li>{@link Loss#DICE}: one minus the overlap of probabilities and hard targets with squares in
 *       the denominator (Milletari et al. 2016), smoothed by 1, mean over images: from 0 to 1.
 * </ul>
 *
 * @param weights of each part, in order of naming
 * @param settings numbers of the parts
 */
public record EdgeLoss(Map<Loss, Double> weights, Settings settings) {

  /**
   * Numbers of the losses.
   *
   * @param positiveThreshold targets from here on are positive (bi_bce_hed, dice)
   * @param ignoreMinority whether targets between 0 and the threshold are ignored; otherwise they
   *     are negative
   * @param negativeWeight factor on negatives (bi_bce_hed)
   * @param balancePerImage whether classes are counted in each image or in the whole batch
   * @param sum whether pixels are summed or averaged; null leaves each loss its own way
   * @param maxPositiveWeight largest weight of positives (bce)
   * @param positiveWeight a fixed weight of positives instead (bce)
   * @param focalAlpha weight of positives; the published 0.25 suits detectors, where negatives are
   *     easy, and gives rare edges the smaller weight: 0.75 is the sensible value here
   * @param focalGamma exponent that fades out easy pixels
   */
  public record Settings(
      double positiveThreshold,
      boolean ignoreMinority,
      double negativeWeight,
      boolean balancePerImage,
      @Nullable Boolean sum,
      double maxPositiveWeight,
      @Nullable Double positiveWeight,
      double focalAlpha,
      double focalGamma) {
    /** The default values, with the given threshold of a positive pixel. */
    public static Settings of(double positiveThreshold) {
      return new Settings(positiveThreshold, true, 1.1, true, null, 10, null, 0.25, 2);
    }
  }

  /**
   * The loss of a batch.
   *
   * @param value weighted sum of the parts
   * @param gradient of the value with respect to each logit
   * @param parts value of each part before weighting
   * @param emptyTargets images without any positive or without any negative pixel, which teach
   *     bi_bce_hed nothing
   */
  public record Result(double value, float[] gradient, Map<Loss, Double> parts, int emptyTargets) {
    /** The gradient times a factor, in the shape and on the device of the logits. */
    Tensor gradient(double factor, Tensor logits) {
      float[] scaled = new float[gradient.length];
      for (int i = 0; i < scaled.length; i++) {
        scaled[i] = (float) factor * gradient[i];
      }
      return Tensor.of(scaled, logits.shape()).to(logits.device());
    }
  }

  public EdgeLoss {
    if (weights.isEmpty()) {
      throw new IllegalArgumentException("A loss needs at least one part");
    }
    weights = new LinkedHashMap<>(weights);
  }

  /** The configured loss. */
  public static EdgeLoss of(TrainingConfig training, double threshold, boolean ignoreMinority) {
    TrainingConfig.LossReduction reduction = training.lossReduction();
    return new EdgeLoss(
        training.losses(),
        new Settings(
            threshold,
            ignoreMinority,
            1.1,
            training.lossBalance() == TrainingConfig.LossBalance.IMAGE,
            reduction == null ? null : reduction == TrainingConfig.LossReduction.SUM,
            training.bceMaxPosWeight(),
            training.posWeight(),
            training.focalAlpha(),
            training.focalGamma()));
  }

  /** One loss with weight 1. */
  public static EdgeLoss of(Loss kind, Settings settings) {
    return new EdgeLoss(Map.of(kind, 1.0), settings);
  }

  /**
   * Value and gradient for a batch.
   *
   * @param logits {@code [images, pixels]}, any finite values
   * @param targets of the same length
   * @param valid of the same length
   * @param images number of images in the batch
   * @throws IllegalArgumentException if the lengths differ
   */
  public Result evaluate(float[] logits, float[] targets, boolean[] valid, int images) {
    if (logits.length != targets.length
        || logits.length != valid.length
        || images < 1
        || logits.length % images != 0) {
      throw new IllegalArgumentException(
          "%s logits, %s targets and %s validities do not make %s images of equal size"
              .formatted(logits.length, targets.length, valid.length, images));
    }
    Evaluation e = new Evaluation(logits, targets, valid, images, settings);
    double value = 0;
    Map<Loss, Double> parts = new LinkedHashMap<>();
    for (var part : weights.entrySet()) {
      double v = e.add(part.getKey(), part.getValue());
      parts.put(part.getKey(), v);
      value += part.getValue() * v;
    }
    float[] gradient = new float[logits.length];
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] = (float) e.gradient[i];
    }
    return new Result(value, gradient, parts, e.emptyTargets());
  }

  private static final class Evaluation {
    final double[] z;
    final double[] p;
    final float[] t;
    final boolean[] valid;

    /** 1 positive, 0 negative, -1 ignored. */
    final byte[] label;

    final int images;
    final int pixels;
    final Settings settings;
    final double[] gradient;

    Evaluation(float[] logits, float[] targets, boolean[] valid, int images, Settings settings) {
      int n = logits.length;
      this.z = new double[n];
      this.p = new double[n];
      this.t = targets;
      this.valid = new boolean[n];
      this.label = new byte[n];
      this.images = images;
      this.pixels = n / images;
      this.settings = settings;
      this.gradient = new double[n];
      for (int i = 0; i < n; i++) {
        z[i] = logits[i];
        p[i] = 1 / (1 + Math.exp(-z[i]));
        this.valid[i] = valid[i] && t[i] >= 0;
        label[i] =
            (byte)
                (!this.valid[i]
                    ? -1
                    : t[i] >= settings.positiveThreshold
                        ? 1
                        : t[i] == 0 || !settings.ignoreMinority ? 0 : -1);
      }
    }

    int emptyTargets() {
      int empty = 0;
      for (int b = 0; b < images; b++) {
        empty += count(1, b, b + 1) == 0 || count(0, b, b + 1) == 0 ? 1 : 0;
      }
      return empty;
    }

    private int count(int wanted, int from, int to) {
      int n = 0;
      for (int i = from * pixels; i < to * pixels; i++) {
        n += label[i] == wanted ? 1 : 0;
      }
      return n;
    }

    double add(Loss kind, double weight) {
      return switch (kind) {
        case BI_BCE_HED -> balanced(weight);
        case BCE -> bce(weight);
        case FOCAL -> focal(weight);
        case PEARSON -> pearson(weight, false);
        case SIGMOID_PEARSON -> pearson(weight, true);
        case DICE -> dice(weight);
      };
    }

    private static double ce(double z, double y) {
      return Math.max(z, 0) - z * y + Math.log1p(Math.exp(-Math.abs(z)));
    }

    private double balanced(double weight) {
      boolean sum = settings.sum == null || settings.sum;
      double loss = 0;
      int group = settings.balancePerImage ? 1 : images;
      for (int b = 0; b < images; b += group) {
        double positives = count(1, b, b + group);
        double negatives = count(0, b, b + group);
        double total = positives + negatives;
        // The mean of a group that spans the batch already divides by the number of images.
        double scale = sum ? 1.0 / images : group / (images * Math.max(1, total));
        double positive = scale * negatives / (total + 1e-5);
        double negative = scale * settings.negativeWeight * positives / (total + 1e-5);
        for (int i = b * pixels; i < (b + group) * pixels; i++) {
          if (label[i] >= 0) {
            double w = label[i] == 1 ? positive : negative;
            loss += w * ce(z[i], label[i]);
            gradient[i] += weight * w * (p[i] - label[i]);
          }
        }
      }
      return loss;
    }

    private double bce(double weight) {
      double on = 0;
      double off = 0;
      int n = 0;
      for (int i = 0; i < z.length; i++) {
        if (valid[i]) {
          on += t[i];
          off += 1 - t[i];
          n++;
        }
      }
      double c =
          settings.positiveWeight != null
              ? settings.positiveWeight
              : Math.clamp(off / (on + 1e-5), 0.1, Math.max(0.1, settings.maxPositiveWeight));
      double scale = settings.sum != null && settings.sum ? 1.0 / images : 1.0 / Math.max(1, n);
      double loss = 0;
      for (int i = 0; i < z.length; i++) {
        if (valid[i]) {
          loss += scale * (c * t[i] * ce(z[i], 1) + (1 - t[i]) * ce(z[i], 0));
          gradient[i] += weight * scale * ((1 - t[i]) * p[i] - c * t[i] * (1 - p[i]));
        }
      }
      return loss;
    }

    private double focal(double weight) {
      int n = 0;
      for (boolean v : valid) {
        n += v ? 1 : 0;
      }
      double scale = settings.sum != null && settings.sum ? 1.0 / images : 1.0 / Math.max(1, n);
      double gamma = settings.focalGamma;
      double loss = 0;
      for (int i = 0; i < z.length; i++) {
        if (valid[i]) {
          double y = t[i];
          double a = settings.focalAlpha * y + (1 - settings.focalAlpha) * (1 - y);
          double miss = 1 - (p[i] * y + (1 - p[i]) * (1 - y));
          double ce = ce(z[i], y);
          double fade = Math.pow(miss, gamma);
          loss += scale * a * fade * ce;
          // miss = 0 only where sigmoid has saturated at the target: nothing is left to learn.
          double slope = miss == 0 ? 0 : gamma * Math.pow(miss, gamma - 1);
          gradient[i] +=
              weight
                  * scale
                  * a
                  * (fade * (p[i] - y) - slope * (2 * y - 1) * p[i] * (1 - p[i]) * ce);
        }
      }
      return loss;
    }

    private double pearson(double weight, boolean probabilities) {
      double eps = 1e-5;
      double sum = 0;
      for (int b = 0; b < images; b++) {
        int from = b * pixels;
        int to = from + pixels;
        double n = 0;
        double meanS = 0;
        double meanT = 0;
        for (int i = from; i < to; i++) {
          if (valid[i]) {
            n++;
            meanS += probabilities ? p[i] : z[i];
            meanT += t[i];
          }
        }
        meanS /= Math.max(1, n);
        meanT /= Math.max(1, n);
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = from; i < to; i++) {
          if (valid[i]) {
            double a = (probabilities ? p[i] : z[i]) - meanS;
            double c = t[i] - meanT;
            ab += a * c;
            aa += a * a;
            bb += c * c;
          }
        }
        double normA = Math.sqrt(aa + eps);
        double normB = Math.sqrt(bb + eps);
        double r = ab / (normA * normB);
        sum += r;
        for (int i = from; i < to; i++) {
          if (valid[i]) {
            double a = (probabilities ? p[i] : z[i]) - meanS;
            double c = t[i] - meanT;
            double g = -(c / (normA * normB) - r * a / (normA * normA)) / images;
            gradient[i] += weight * g * (probabilities ? p[i] * (1 - p[i]) : 1);
          }
        }
      }
      return -sum / images;
    }

    private double dice(double weight) {
      double loss = 0;
      for (int b = 0; b < images; b++) {
        int from = b * pixels;
        int to = from + pixels;
        double overlap = 1;
        double size = 1;
        for (int i = from; i < to; i++) {
          if (label[i] >= 0) {
            overlap += 2 * p[i] * label[i];
            size += p[i] * p[i] + label[i];
          }
        }
        loss += (1 - overlap / size) / images;
        for (int i = from; i < to; i++) {
          if (label[i] >= 0) {
            double g = -(2 * label[i] * size - 2 * p[i] * overlap) / (size * size * images);
            gradient[i] += weight * g * p[i] * (1 - p[i]);
          }
        }
      }
      return loss;
    }
  }
}
