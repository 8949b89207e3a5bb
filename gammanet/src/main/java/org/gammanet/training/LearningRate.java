package org.gammanet.training;

import org.gammanet.config.TrainingConfig.Schedule;

/**
 * A learning-rate schedule: a function of the epoch's number, the number of steps and, for the
 * plateau, of the metrics seen.
 *
 * <ul>
 *   <li>{@link Schedule#EXPONENTIAL}: {@code rate * decay^epoch}, not below the floor;
 *   <li>{@link Schedule#PLATEAU}: halves when the metric did not rise for {@code patience}
 *       validations;
 *   <li>{@link Schedule#COSINE}: half a cosine from the rate down to the floor (Loshchilov and
 *       Hutter 2017, equation 5);
 *   <li>{@link Schedule#NONE}: always the same.
 * </ul>
 *
 * <p>The state ({@link #state}, {@link #restore}) is part of a checkpoint.
 */
public final class LearningRate {
  /** Relative change of the metric that counts as an improvement, as PyTorch's default. */
  private static final double THRESHOLD = 1e-4;

  private static final double PLATEAU_FACTOR = 0.5;

  /**
   * Parameters of the schedule.
   *
   * @param decay per epoch (exponential)
   * @param patience validations (plateau)
   * @param floor the rate does not fall below it; a group that starts below stays where it is
   * @param warmupSteps steps over which the rate rises linearly from 0; 0 for none
   */
  public record Settings(
      Schedule kind, double decay, int patience, double floor, long warmupSteps) {}

  /** State of the plateau schedule. */
  public record State(double best, int bad, int reductions) {}

  private final Settings settings;
  private double best = Double.NEGATIVE_INFINITY;
  private int bad;
  private int reductions;

  /** A schedule at its beginning. */
  public LearningRate(Settings settings) {
    this.settings = settings;
  }

  /**
   * The rate now.
   *
   * @param base of the group, before any schedule
   * @param epoch from 0, of the stage
   * @param epochs of the stage
   * @param step updates made before this one
   */
  public double rate(double base, int epoch, int epochs, long step) {
    double floor = Math.min(base, settings.floor);
    double rate =
        switch (settings.kind) {
          case EXPONENTIAL -> Math.max(floor, base * Math.pow(settings.decay, epoch));
          case PLATEAU -> Math.max(floor, base * Math.pow(PLATEAU_FACTOR, reductions));
          case COSINE -> {
            double part = Math.min(1, (double) epoch / Math.max(1, epochs));
            yield floor + (base - floor) * (1 + Math.cos(Math.PI * part)) / 2;
          }
          case NONE -> base;
        };
    return step < settings.warmupSteps ? rate * (step + 1) / settings.warmupSteps : rate;
  }

  /** Tells the schedule the metric of a validation; larger is better. */
  public void validated(double metric) {
    // As in PyTorch: relative to the best, so that also a negative best must rise.
    if (best == Double.NEGATIVE_INFINITY || metric > best + Math.abs(best) * THRESHOLD) {
      best = metric;
      bad = 0;
    } else if (++bad > settings.patience) {
      reductions++;
      bad = 0;
    }
  }

  /** The state for a checkpoint. */
  public State state() {
    return new State(best, bad, reductions);
  }

  /** Continues from what was stored. */
  public void restore(State state) {
    best = state.best;
    bad = state.bad;
    reductions = state.reductions;
  }
}
