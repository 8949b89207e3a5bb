package org.gammanet.experiments.opto;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.gammanet.experiments.analysis.RidgeRegression;
import org.gammanet.experiments.opto.DecoderOptions.Loss;
import org.gammanet.experiments.opto.DecoderOptions.Method;
import org.gammanet.experiments.stimuli.Orientation;
import org.gammanet.io.SplitMix;
import org.hipparchus.linear.Array2DRowRealMatrix;
import org.hipparchus.linear.LUDecomposition;

/**
 * A linear map from the C channels of one pixel to {@code [sin 2θ, cos 2θ]}, and how well it
 * decodes orientation. The doubled angle has the period of an orientation, 180 degrees.
 *
 * <p>With a dozen stimuli and 64 channels the fit to the training data says nothing: look at the
 * numbers for orientations that were left out, all their stimuli together.
 *
 * @param weight [2][C]
 * @param bias [2]
 * @param losses before each update with Adam; empty in closed form
 * @param r2 {@code 1 - SS_res / (SS_tot + 1e-10)}, both outputs pooled, on the training data
 * @param meanAngularError on the training data, degrees, at most 90
 * @param leftOutR2 as {@code r2}, each orientation predicted by a decoder that never saw it; NaN
 *     with fewer than three orientations
 * @param leftOutMeanAngularError likewise
 * @param ridgePenalty NaN with Adam
 */
public record OrientationDecoder(
    double[][] weight,
    double[] bias,
    double[] losses,
    double r2,
    double meanAngularError,
    double leftOutR2,
    double leftOutMeanAngularError,
    double ridgePenalty) {

  /** Largest mean error on left-out orientations, degrees, at which a decoder is used. */
  public static final double GATE_ERROR = 15;

  /** Smallest R² on left-out orientations at which a decoder is used. */
  public static final double GATE_R2 = 0.5;

  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPSILON = 1e-8;

  /** Penalties to choose from, in units of the mean squared distance of responses to their mean. */
  private static final double[] PENALTIES =
      IntStream.rangeClosed(-10, 6).mapToDouble(i -> Math.pow(10, i / 2.0)).toArray();

  /** Weights and bias, with the losses on the way to them. */
  record Fit(double[][] weight, double[] bias, double[] losses) {
    double[][] predict(double[][] features) {
      double[][] out = new double[features.length][];
      Arrays.setAll(out, i -> OrientationDecoder.predict(weight, bias, features[i]));
      return out;
    }
  }

  /**
   * Trains a decoder.
   *
   * @param features responses: [stimuli][C]
   * @param orientations of the stimuli, degrees, which the decoder learns to return
   * @param options layer and location have no effect here
   * @param seed of the initial weights, uniform in ±1/√C
   * @throws IllegalArgumentException for no stimuli, or responses that are not finite
   */
  public static OrientationDecoder train(
      double[][] features, double[] orientations, DecoderOptions options, long seed) {
    if (features.length == 0 || features.length != orientations.length) {
      throw new IllegalArgumentException(
          "a decoder needs one orientation for each response, not %s for %s"
              .formatted(orientations.length, features.length));
    }
    for (double[] row : features) {
      for (double v : row) {
        if (!Double.isFinite(v)) {
          throw new IllegalArgumentException(
              "a response is not finite: the network's recurrence diverges");
        }
      }
    }
    double[][] targets = targets(orientations);
    double penalty = Double.NaN;
    Fit fit;
    double[][] leftOut = null;
    double[] distinct = Arrays.stream(orientations).distinct().toArray();
    if (options.method() == Method.RIDGE) {
      double best = Double.POSITIVE_INFINITY;
      penalty = PENALTIES[PENALTIES.length / 2];
      double[][] x = centered(features, mean(features));
      var regression = RidgeRegression.of(x);
      for (double candidate : PENALTIES) {
        double[][] predicted =
            ridgeLeftOut(regression, targets, orientations, scaled(candidate, x));
        double residual = squares(predicted, targets);
        if (residual < best) {
          best = residual;
          penalty = candidate;
          leftOut = predicted;
        }
      }
      fit = ridge(features, targets, penalty);
    } else {
      fit = adam(features, targets, initial(features[0].length, seed), options);
      leftOut = new double[features.length][];
      for (double group : distinct) {
        int[] rest = rows(orientations, group, false);
        if (rest.length > 0) {
          Fit without =
              adam(
                  select(features, rest),
                  select(targets, rest),
                  initial(features[0].length, seed),
                  options);
          for (int i : rows(orientations, group, true)) {
            leftOut[i] = predict(without.weight, without.bias, features[i]);
          }
        }
      }
    }
    double[][] predicted = fit.predict(features);
    boolean tested = distinct.length >= 3 && leftOut != null;
    return new OrientationDecoder(
        fit.weight,
        fit.bias,
        fit.losses,
        r2(predicted, targets),
        meanError(predicted, orientations),
        tested && leftOut != null ? r2(leftOut, targets) : Double.NaN,
        tested && leftOut != null ? meanError(leftOut, orientations) : Double.NaN,
        penalty);
  }

  /**
   * Whether it decodes orientation: on left-out orientations a mean error of at most {@value
   * #GATE_ERROR} degrees and an R² of at least {@value #GATE_R2}.
   */
  public boolean decodes() {
    return leftOutMeanAngularError <= GATE_ERROR && leftOutR2 >= GATE_R2;
  }

  /** C. */
  public int channels() {
    return weight[0].length;
  }

  /** {@code W r + b}: an estimate of {@code [sin 2θ, cos 2θ]}. */
  public double[] predict(double[] response) {
    return predict(weight, bias, response);
  }

  /** The orientation of a prediction, degrees in [0, 180). */
  public static double angle(double[] prediction) {
    return Orientation.wrap(Math.toDegrees(Math.atan2(prediction[0], prediction[1])) / 2);
  }

  /** Angle between two orientations, degrees in 0 … 90. */
  public static double angularError(double a, double b) {
    return Math.abs(Orientation.difference(a, b));
  }

  private static double[] predict(double[][] weight, double[] bias, double[] response) {
    double[] out = bias.clone();
    for (int k = 0; k < 2; k++) {
      double[] row = weight[k];
      double sum = 0;
      for (int c = 0; c < row.length; c++) {
        sum += row[c] * response[c];
      }
      out[k] += sum;
    }
    return out;
  }

  static double[][] targets(double[] orientations) {
    double[][] out = new double[orientations.length][];
    for (int i = 0; i < out.length; i++) {
      double a = 2 * Math.toRadians(orientations[i]);
      out[i] = new double[] {Math.sin(a), Math.cos(a)};
    }
    return out;
  }

  private static Fit initial(int channels, long seed) {
    var random = new SplitMix(seed, 0xDEC0DE);
    double limit = 1 / Math.sqrt(channels);
    double[][] weight = new double[2][channels];
    double[] bias = new double[2];
    for (double[] row : weight) {
      Arrays.setAll(row, c -> random.nextDouble(-limit, limit));
    }
    Arrays.setAll(bias, k -> random.nextDouble(-limit, limit));
    return new Fit(weight, bias, new double[0]);
  }

  /** Full-batch Adam (Kingma and Ba 2015: 0.9, 0.999, 1e-8) from the given weights. */
  static Fit adam(double[][] features, double[][] targets, Fit start, DecoderOptions options) {
    int n = features.length;
    int channels = features[0].length;
    boolean mirror = options.loss() == Loss.MIRROR;
    double[][] parameters = {start.weight[0].clone(), start.weight[1].clone(), start.bias.clone()};
    double[][] gradient = new double[3][];
    double[][] first = new double[3][];
    double[][] second = new double[3][];
    for (int p = 0; p < 3; p++) {
      gradient[p] = new double[parameters[p].length];
      first[p] = new double[parameters[p].length];
      second[p] = new double[parameters[p].length];
    }
    double[] losses = new double[options.epochs()];
    for (int epoch = 0; epoch < losses.length; epoch++) {
      double[][] weight = {parameters[0], parameters[1]};
      double[][] predicted = new Fit(weight, parameters[2], losses).predict(features);
      double straight = squares(predicted, targets);
      double sign = 1;
      if (mirror) {
        double flipped = 0;
        for (int i = 0; i < n; i++) {
          for (int k = 0; k < 2; k++) {
            flipped += square(predicted[i][k] + targets[i][k]);
          }
        }
        sign = flipped < straight ? -1 : 1;
        losses[epoch] = 0.5 * Math.min(straight, flipped);
      } else {
        losses[epoch] = straight / (2 * n);
      }
      double scale = mirror ? 1 : 1.0 / n;
      for (double[] g : gradient) {
        Arrays.fill(g, 0);
      }
      for (int i = 0; i < n; i++) {
        for (int k = 0; k < 2; k++) {
          double r = scale * (predicted[i][k] - sign * targets[i][k]);
          gradient[2][k] += r;
          for (int c = 0; c < channels; c++) {
            gradient[k][c] += r * features[i][c];
          }
        }
      }
      double correction1 = 1 - Math.pow(BETA1, epoch + 1);
      double correction2 = 1 - Math.pow(BETA2, epoch + 1);
      for (int p = 0; p < 3; p++) {
        for (int c = 0; c < parameters[p].length; c++) {
          double g = gradient[p][c];
          first[p][c] = BETA1 * first[p][c] + (1 - BETA1) * g;
          second[p][c] = BETA2 * second[p][c] + (1 - BETA2) * g * g;
          parameters[p][c] -=
              options.learningRate()
                  * (first[p][c] / correction1)
                  / (Math.sqrt(second[p][c] / correction2) + EPSILON);
        }
      }
    }
    return new Fit(new double[][] {parameters[0], parameters[1]}, parameters[2], losses);
  }

  private static double[][] centered(double[][] rows, double[] mean) {
    double[][] out = new double[rows.length][];
    for (int i = 0; i < rows.length; i++) {
      out[i] = rows[i].clone();
      for (int c = 0; c < mean.length; c++) {
        out[i][c] -= mean[c];
      }
    }
    return out;
  }

  /** A penalty in units of the mean squared distance of responses to their mean. */
  private static double scaled(double penalty, double[][] centered) {
    double sum = 0;
    for (double[] row : centered) {
      for (double v : row) {
        sum += v * v / centered.length;
      }
    }
    return sum > 0 ? penalty * sum : 1; // responses that are all the same
  }

  private static double[] mean(double[][] rows) {
    double[] mean = new double[rows[0].length];
    for (double[] row : rows) {
      for (int c = 0; c < mean.length; c++) {
        mean[c] += row[c] / rows.length;
      }
    }
    return mean;
  }

  static Fit ridge(double[][] features, double[][] targets, double penalty) {
    double[] featureMean = mean(features);
    double[] targetMean = mean(targets);
    double[][] x = centered(features, featureMean);
    double[][] dual =
        RidgeRegression.of(x).coefficients(centered(targets, targetMean), scaled(penalty, x));
    double[][] weight = new double[2][featureMean.length];
    double[] bias = targetMean.clone();
    for (int k = 0; k < 2; k++) {
      for (int c = 0; c < featureMean.length; c++) {
        for (int i = 0; i < features.length; i++) {
          weight[k][c] += dual[i][k] * x[i][c];
        }
        bias[k] -= weight[k][c] * featureMean[c];
      }
    }
    return new Fit(weight, bias, new double[0]);
  }

  /**
   * Predictions for each orientation by a fit without it: residuals of the fit to everything times
   * {@code (I - H_gg)^-1}, with H the matrix from targets to predictions.
   */
  private static double[][] ridgeLeftOut(
      RidgeRegression regression, double[][] targets, double[] orientations, double penalty) {
    double[] mean = mean(targets);
    double[][] fitted = regression.fitted(centered(targets, mean), penalty);
    double[][] out = new double[targets.length][];
    for (double group : Arrays.stream(orientations).distinct().toArray()) {
      int[] rows = rows(orientations, group, true);
      double[][] remaining = new double[rows.length][rows.length];
      double[][] residual = new double[rows.length][2];
      for (int a = 0; a < rows.length; a++) {
        for (int b = 0; b < rows.length; b++) {
          remaining[a][b] = (a == b ? 1 : 0) - regression.hat(rows[a], rows[b], penalty);
        }
        for (int k = 0; k < 2; k++) {
          residual[a][k] = targets[rows[a]][k] - mean[k] - fitted[rows[a]][k];
        }
      }
      var solver = new LUDecomposition(new Array2DRowRealMatrix(remaining, false)).getSolver();
      double[][] left =
          solver.isNonSingular()
              ? solver.solve(new Array2DRowRealMatrix(residual, false)).getData()
              : residual; // everything is one group: there is nothing to predict from
      for (int a = 0; a < rows.length; a++) {
        out[rows[a]] =
            new double[] {targets[rows[a]][0] - left[a][0], targets[rows[a]][1] - left[a][1]};
      }
    }
    return out;
  }

  private static int[] rows(double[] orientations, double group, boolean inside) {
    return IntStream.range(0, orientations.length)
        .filter(i -> orientations[i] == group == inside)
        .toArray();
  }

  private static double[][] select(double[][] rows, int[] indices) {
    return Arrays.stream(indices).mapToObj(i -> rows[i]).toArray(double[][]::new);
  }

  private static double square(double v) {
    return v * v;
  }

  private static double squares(double[][] predicted, double[][] targets) {
    double sum = 0;
    for (int i = 0; i < predicted.length; i++) {
      for (int k = 0; k < 2; k++) {
        sum += square(predicted[i][k] - targets[i][k]);
      }
    }
    return sum;
  }

  static double r2(double[][] predicted, double[][] targets) {
    double[] mean = mean(targets);
    double total = 1e-10;
    for (double[] t : targets) {
      total += square(t[0] - mean[0]) + square(t[1] - mean[1]);
    }
    return 1 - squares(predicted, targets) / total;
  }

  static double meanError(double[][] predicted, double[] orientations) {
    double sum = 0;
    for (int i = 0; i < orientations.length; i++) {
      sum += angularError(angle(predicted[i]), orientations[i]);
    }
    return sum / orientations.length;
  }
}
